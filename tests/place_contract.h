/* The contract of a place: facts that hold for every kind, run against one kind at a time. A program per kind
 * calls contract_main(); the facts make their tasks through the jobs below, as plain functions or as launches
 * of kernels. */
#ifndef PLACE_CONTRACT_H
#define PLACE_CONTRACT_H

#include "probe_kernels.h"
#include "support.h"

/* What the facts are run against. */
typedef struct place_rig {
    allot_kind kind;
    const char *place_id; /* NULL: the only one of its kind */
    bool launches;        /* jobs are launches of kernels, else plain functions */
    bool device;          /* runs OpenCL C alone: its code cannot wait at a gate */
    bool simulated;       /* a device whose every instruction is simulated: thousands of times slower */
    int workers;          /* that contract_open() asks for */
    int cost;             /* divides repeat counts: 1 for threads */
    const char *machine;  /* a simulated one; NULL: this */
} place_rig;

extern place_rig contract_rig; /* of the fact that runs now */

/* Runs the suite for a kind; 77 if this machine has no such place. */
int contract_main(int argc, char **argv, allot_kind kind);
/* The same for a place of a simulated machine, but for the facts whose text begins with one of `without`,
 * which NULL ends. */
int contract_main_simulated(int argc, char **argv, const char *machine, const char *place_id,
                            const char *const *without);

/* The facts, by subject: each ended by an empty one. */
extern const test_fact contract_submit_facts[];
extern const test_fact contract_state_facts[];
extern const test_fact contract_wait_facts[];
extern const test_fact contract_map_facts[];
extern const test_fact contract_callback_facts[];
extern const test_fact contract_stop_facts[];
extern const test_fact contract_shutdown_facts[];
extern const test_fact contract_reduce_facts[];

/* How often to repeat something that is repeated `count` times on threads. */
int contract_rounds(int count);

allot_executor *contract_open(void);
/* Hints for the place under test. */
allot_hints contract_here(void);

/* ---- Jobs: on the place under test; hints may be NULL ---- */

allot_future *job_nothing(allot_executor *executor, const allot_hints *hints);
/* Ends with job_error() and a message that contains job_error_text(). */
allot_future *job_fail(allot_executor *executor, const allot_hints *hints);
allot_status job_error(void);
const char *job_error_text(void);

/* A job with a value: x squared. */
typedef struct square_job {
    allot_future *future;
    allot_array *in, *out; /* of a launch */
} square_job;
square_job job_square(allot_executor *executor, double x, const allot_hints *hints);
/* Waits for the value and ends the job. */
double job_value(square_job *job);

/* Counting jobs: each adds one to its own tally. */
typedef struct tally_sheet {
    test_gate gate;
    allot_array *array; /* of launches */
} tally_sheet;
tally_sheet tallies_create(allot_executor *executor);
void tallies_destroy(tally_sheet *tallies);
allot_future *job_tally(allot_executor *executor, tally_sheet *tallies, size_t index,
                        const allot_hints *hints);
/* The tallies, after all those jobs are done; NULL-safe copy of GATE_TALLIES numbers. */
void tallies_read(tally_sheet *tallies, uint32_t counts[GATE_TALLIES]);

/* A job that runs until the gate opens (or, on a device, for some tenths of a second), seen to run when this
 * returns. */
allot_future *job_running(allot_executor *executor, test_gate *gate, const allot_hints *hints);

/* Holds the place: jobs that are given hold_hints() stay pending until the hold ends. */
typedef struct place_hold {
    test_gate gate;
    allot_future *futures[8];
    size_t count;
} place_hold;
place_hold hold_begin(allot_executor *executor);
allot_hints hold_hints(const place_hold *hold);
/* Lets the held tasks go on; then hold_end() waits for them and frees the hold. */
void hold_open(place_hold *hold);
void hold_end(place_hold *hold);

#endif
