/* The cost model: what launches of a kernel took, by place and size, over a prior from flops and bytes.
 *
 * It knows nothing of hardware or tasks: figures in, figures out. Places that are alike share what they
 * teach: they have one class. Whoever asks often finds an entry once and keeps it: asking an entry takes one
 * uncontended lock of its own and some tens of nanoseconds. All of it may be called by any threads at once.
 */
#ifndef AL_PLACEMENT_MODEL_H
#define AL_PLACEMENT_MODEL_H

#include <allot/kernel.h>
#include <allot/place.h>

typedef struct al_model al_model;
typedef struct al_model_entry al_model_entry; /* one kernel and type on one place */
typedef struct al_model_link al_model_link;   /* between the host and the places of one class */

/* What a prediction is for. Texts are compared by content, and copied. */
typedef struct al_model_key {
    const char *kernel; /* its name */
    allot_type type;
    const char *place; /* the place's id: what is compiled is compiled there */
    allot_kind kind; /* chooses the variant (the OpenCL one for ALLOT_OPENCL, else the C one) and the prior's
                        rates */
    int workers;     /* of the place: the prior's rates scale with it */
    const char *place_class; /* what places alike share: "opencl:NAME, DRIVER"; NULL: the place is like no
                                other. Pools of different size differ all the same */
    uint64_t code;           /* tells the variant's source from others of that name; 0: unknown */
    double compile_s; /* what building a kernel is known to take on the class before it has built any; 0: as
                         is usual for the kind */
} al_model_key;

/* How large a launch is: what every entry needs of its work, computed once a launch. */
typedef struct al_size {
    allot_work work;
    double reference_s; /* what it would take one plain core without overhead: the size by which launches of
                           one kernel are compared, whatever the place */
    size_t bucket;      /* its half octave */
    uint64_t key;       /* of the work: hardly ever that of another */
} al_size;

al_size al_size_of(allot_work work);

/* Where an expectation comes from, the surest last. */
typedef enum al_source {
    AL_FROM_PRIOR,      /* flops and bytes over the rates of the place: this kernel never ran there */
    AL_FROM_REGRESSION, /* this kernel's runs of other sizes there */
    AL_FROM_BUCKET      /* its runs of about this size there */
} al_source;

typedef struct al_prediction {
    uint64_t
        samples;  /* runs of this size class; 0: the rest is interpolated from other classes, or a guess */
    double run_s; /* expected (the median): the variant's own time */
    double low_s; /* optimistic and pessimistic: nine times of ten what it takes on average lies between */
    double compile_s; /* expected before the first run of this kernel, type and place; 0 once it has been
                         compiled there */
    double high_s;
    double sigma; /* how unsure run_s is: standard deviation of the average's logarithm. Grows while the place
                     is not chosen, shrinks with samples */
    double spread;   /* how far single runs lie from their average: standard deviation of their logarithm */
    double launch_s; /* what it takes an idle place of this class to begin and to tell the end, beside the
                        run; of launches that queue behind others it is hidden. 0 until it has been learned */
    double launch_low_s; /* the same, optimistic: where the kernel has not run for long, the least of late */
    al_source source;
} al_prediction;

/* What was measured of one run; seconds. */
typedef struct al_run {
    double run_s;     /* the variant's own time. What is not finite or negative teaches nothing */
    double compile_s; /* > 0: it had to be compiled first; not in run_s */
    double launch_s;  /* what it took beside that, of a launch that found its place idle; else negative */
} al_run;

typedef struct al_rates al_rates; /* prior.h */

/* Kernels of such names are no program's, but were run to learn what a class of places is like: what they say
 * of it counts for more than what others do. */
#define AL_PROBE_PREFIX "allot_probe_"

/* NULL when memory is out. */
al_model *al_model_create(void);
void al_model_destroy(al_model *model);

/* What was measured of this machine's CPUs: the prior of the places that run on them, for kernels that have
 * not run there. */
void al_model_set_rates(al_model *model, const al_rates *measured);

/* The entry for a key, made if there is none: it has no samples then. Valid until the model is destroyed.
 * NULL when memory is out; predicting from NULL is the caller's mistake, al_model_predict() copes. */
al_model_entry *al_model_find(al_model *model, const al_model_key *key);
/* How to tell whether an answer kept still holds, without asking: it does while *changes (read with acquire
 * before it was asked for) has not moved and *runs is below `until`: it grows old as the kernel runs
 * elsewhere, the slower the older it is. Both live as long as the model. */
typedef struct al_entry_marks {
    const _Atomic uint64_t *changes; /* of the class */
    const _Atomic uint64_t *runs;    /* of the kernel and type, wherever: the same for all its entries */
    uint64_t until;
} al_entry_marks;
al_entry_marks al_entry_marks_of(const al_model_entry *entry);
void al_entry_predict(al_model_entry *entry, const al_size *size, al_prediction *prediction);
void al_entry_learn(al_model_entry *entry, const al_size *size, const al_run *run);
/* Whether any kernel's runs on places of its class say how far the class lies from the prior. */
bool al_entry_class_known(al_model_entry *entry);
/* It was compiled there, before its first run. */
void al_entry_built(al_model_entry *entry, double compile_s);

/* The same by key, looked up each time. Never fails: without memory a prediction is the prior's, and nothing
 * is learned. */
void al_model_predict(al_model *model, const al_model_key *key, allot_work work, al_prediction *prediction);
void al_model_learn(al_model *model, const al_model_key *key, allot_work work, double run_s,
                    double compile_s);

/* ---- Transfers ---- */

typedef enum al_direction {
    AL_TO_PLACE,
    AL_FROM_PLACE
} al_direction;

/* The links of a class of places (its class, or its id where it has none). Valid until the model is
 * destroyed. NULL when memory is out. */
al_model_link *al_model_find_link(al_model *model, const char *place_class);

/* Time to move `bytes` in `count` pieces, from the transfers seen so far. 0 bytes cost 0. */
double al_model_link_s(al_model_link *link, al_direction direction, uint64_t bytes, uint64_t count);

/* `count` transfers of `bytes` altogether took `seconds`. */
void al_model_link_learn(al_model_link *link, al_direction direction, uint64_t bytes, uint64_t count,
                         double seconds);

/* The same by class, one transfer, to the place. */
double al_model_transfer_s(al_model *model, const char *place_class, uint64_t bytes);
void al_model_learn_transfer(al_model *model, const char *place_class, uint64_t bytes, uint64_t count,
                             double seconds);

#endif
