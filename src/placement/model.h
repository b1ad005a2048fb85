/* The cost model: what launches of a kernel took, by place and size, over a prior from flops and bytes.
 *
 * It knows nothing of hardware or tasks: figures in, figures out. Thread safe by one mutex of its own, held
 * for well under a microsecond. */
#ifndef AL_PLACEMENT_MODEL_H
#define AL_PLACEMENT_MODEL_H

#include <allot/kernel.h>
#include <allot/place.h>

typedef struct al_model al_model;

/* What a prediction is for. Texts are compared by content. */
typedef struct al_model_key {
    const char *kernel; /* its name */
    allot_type type;
    const char *place; /* the place's id */
    allot_kind kind;   /* chooses the prior's rates */
    int workers;       /* of the place: the prior's rates scale with it */
} al_model_key;

typedef struct al_prediction {
    uint64_t samples; /* in this size class; 0: the rest is interpolated from other classes, or a guess */
    double run_s;     /* expected */
    double low_s;     /* optimistic: no more than this is certain to be needed, for all that is known */
    double compile_s; /* expected before the first run of this kernel, type and place; 0 once it has been
                         compiled there */
} al_prediction;

/* NULL when memory is out. */
al_model *al_model_create(void);
void al_model_destroy(al_model *model);

void al_model_predict(al_model *model, const al_model_key *key, allot_work work, al_prediction *prediction);

/* One run took run_s; compile_s > 0 if it had to be compiled first (that time is not in run_s). Ignores what
 * is not finite or negative. */
void al_model_learn(al_model *model, const al_model_key *key, allot_work work, double run_s,
                    double compile_s);

/* Time to move `bytes` between the host and a place, from the transfers seen so far. 0 bytes cost 0. */
double al_model_transfer_s(al_model *model, const char *place, uint64_t bytes);
void al_model_learn_transfer(al_model *model, const char *place, uint64_t bytes, uint64_t count,
                             double seconds);

#endif
