/* Measuring: a workload at a target, in turns.
 *
 * One turn: the result is put back and all data made current on the host only; a first launch brings the data
 * to the place; a second one, with the data there, is timed from the launch to done; the result is read back
 * and judged. The time to move inputs in and the result out is kept apart, as the library counts it. */
#ifndef AL_CLI_MEASURE_H
#define AL_CLI_MEASURE_H

#include "target.h"
#include "workload.h"

enum {
    AL_TURN_LAUNCHES = 2 /* of a turn: feed its workload for as many */
};

/* What the turns of one workload at one target gave. */
typedef struct al_measure {
    double *run_s, *transfer_s; /* one a turn */
    size_t count, capacity;
    double first_s;         /* the first launch ever there: start of the place and compilation included */
    al_judgement judgement; /* of the worst turn */
    struct {
        char place[32];
        size_t times;
    } ran[16]; /* where the timed launches ran */
    size_t ran_count;
    allot_future *last; /* the last timed launch; owned */
} al_measure;

bool al_measure_init(al_measure *measure, size_t turns, al_problem *problem);
void al_measure_fini(al_measure *measure);

/* One turn. With `warming` its times are not kept. False with a problem (AL_EXIT_FAILED, AL_EXIT_INTERRUPTED)
 * when a launch failed or the result is wrong; the message says what. */
bool al_measure_turn(al_measure *measure, al_workload *work, const al_target *target, bool warming,
                     al_problem *problem);

/* One launch of a workload fed for one, judged: its result is in the workload's result array. */
bool al_measure_once(al_workload *work, const al_target *target, al_problem *problem);

/* The place where most of the timed launches ran; "" when none did. */
const char *al_measure_place(const al_measure *measure);

/* The value below which the share `q` (0 to 1) of `count` values lies, by linear interpolation. Sorts them.
 * NaN of none. */
double al_quantile(double *values, size_t count, double q);

#endif
