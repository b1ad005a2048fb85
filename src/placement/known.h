/* What the cost model is made of: classes of places, kernels on them, links to them. Within placement/ only.
 *
 * What is in a table stays there until the model is destroyed. Locks are taken in the order model, kernel or
 * link, class. */
#ifndef AL_PLACEMENT_KNOWN_H
#define AL_PLACEMENT_KNOWN_H

#include "base/spin.h"
#include "placement/curve.h"
#include "placement/model.h"
#include "placement/prior.h"
#include <pthread.h>

#define HASH_NONFATAL_OOM 1 /* an entry that did not get in has no table afterwards; nothing exits */
#include <uthash.h>

/* How far builds of different kernels, and launches, lie apart: variances of the logarithm. */
#define AL_BUILD_SPREAD  0.25
#define AL_LAUNCH_SPREAD 0.09

/* Runs of another source under the same name are a hint at most. */
#define AL_OTHER_CODE_DOUBT 1.0

enum {
    AL_KNOWN_TYPES = ALLOT_C64 + 1
};

typedef struct al_known_class al_known_class;
typedef struct al_known_kernel al_known_kernel;

/* A kernel and type, wherever it runs. */
typedef struct al_family {
    UT_hash_handle hh;
    _Atomic uint64_t runs; /* in this process */
    char name[];           /* the key */
} al_family;

/* One kernel on one place. */
struct al_model_entry {
    UT_hash_handle hh;
    al_known_kernel *kernel;
    _Atomic bool built; /* compiled there */
    char place[];       /* the key */
};

/* The last answers: most launches ask for what was asked before. */
typedef struct al_answer {
    uint64_t version; /* of the kernel when it was given; 0: none */
    uint64_t taught;  /* the class's then; matters until the kernel has run */
    uint64_t moment;  /* al_known_clock(), in steps */
    allot_work work;
    al_prediction prediction;
} al_answer;

#define AL_KNOWN_ANSWERS 8

/* How far one kernel's fit lies from its place's prior, for the kernels not seen. */
typedef struct al_testimony {
    double weight[2], factor[2]; /* of overhead and rate */
} al_testimony;

/* One kernel and type on the places of a class. */
struct al_known_kernel {
    UT_hash_handle hh;
    al_known_class *of;
    bool is_probe;
    al_family *family;
    al_model_entry *entries; /* by place; guarded by the model's lock */
    al_spin lock;            /* guards all below */
    uint64_t version;        /* moves when anything below does */
    uint64_t epoch;          /* the class's changes that it knows of */
    uint64_t runs;           /* here, in this process */
    _Atomic uint64_t last;   /* the family's runs when it ran here last; 0: it did not. Written with
                                the lock held */
    _Atomic unsigned moment; /* so many of the kernel's runs elsewhere does an answer hold; written with the
                                lock held; 0: as usual */
    unsigned row;            /* runs that are still one trial with the last one */
    double apart_s;          /* what a build took that no run has followed yet; 0: there is none */
    uint64_t code;           /* of the source whose runs these are; 0: unknown */
    al_rates rates;          /* the place's, when it first ran: sizes are told by them */
    uint64_t asked[AL_KNOWN_ANSWERS]; /* al_size.key of each answer: in one line of the cache */
    unsigned oldest;                  /* answer, which goes for the next */
    al_answer answers[AL_KNOWN_ANSWERS];
    al_bucket build;        /* compiling it */
    al_curve curve;         /* large: behind what most questions need */
    al_testimony testimony; /* guarded by the class's lock */
    char name[];            /* the key */
};

/* After a long run who waits for it has gone to sleep, and the place's own threads may have too: launches of
 * short runs and of long ones are not alike. */
enum {
    AL_LAUNCH_SHORT,
    AL_LAUNCH_LONG,
    AL_LAUNCHES
};
#define AL_LAUNCH_LONG_S 1e-4

typedef struct al_known_launch {
    _Atomic double usual_s; /* written with the class's lock held; 0: unknown */
    _Atomic double low_s;   /* follows least_s; 0 until a few were seen */
    al_bucket seen;         /* guarded by the lock, as all below */
    double least_s;         /* of late */
} al_known_launch;

/* Places that are alike. */
struct al_known_class {
    UT_hash_handle hh;
    al_known_class *next; /* of the same text, but another kind or width */
    al_model *model;
    allot_kind kind;
    int workers;
    al_known_kernel *kernels[AL_KNOWN_TYPES]; /* by name; guarded by the model's lock */
    al_known_launch launches[AL_LAUNCHES];
    _Atomic double build_s;      /* written with the lock held; 0: unknown */
    _Atomic double told_build_s; /* al_model_key.compile_s; 0: none was told */
    _Atomic uint64_t taught;  /* moves after belief or rates do, with the lock held or before anybody asks */
    _Atomic uint64_t epoch;   /* changes seen on the place; its variance is there before it moves */
    _Atomic uint64_t changes; /* moves after anything that answers rest on does, but for their age */
    al_spin lock;             /* guards all below */
    double suspicion;         /* variance that the last change gives the kernels that have not run since */
    al_rates rates;
    al_belief belief;                    /* of a kernel's factors before it has run */
    double weight[2], sum[2], square[2]; /* of the kernels' testimonies */
    al_bucket build;
    char text[]; /* the key */
};

struct al_model_link {
    UT_hash_handle hh;
    al_model *model;
    al_spin lock;       /* guards all below */
    al_curve curves[2]; /* their clock stands still: whoever does not use a link tells nothing of it */
    char text[];        /* the key */
};

struct al_model {
    pthread_mutex_t lock;    /* guards the tables */
    al_known_class *classes; /* by text */
    al_model_link *links;    /* by class */
    al_family *families[AL_KNOWN_TYPES];
    struct al_keep *keep; /* keep.c; NULL: it is not kept */
    bool has_cpu_rates;
    al_rates cpu_rates; /* measured on this machine */
};

/* How often the kernel has run on other places since the process began: by that what is known of it here
 * grows old. The kernel's lock is held. */
static inline uint64_t al_known_clock(const al_known_kernel *kernel)
{
    return atomic_load_explicit(&kernel->family->runs, memory_order_relaxed) - kernel->runs;
}

/* Answers given before need not hold any more. Behind the change itself. */
static inline void al_known_changed(al_known_class *known)
{
    atomic_fetch_add_explicit(&known->changes, 1, memory_order_release);
}

/* ---- For what fills the tables; the model's lock is held. NULL: memory is out ---- */

al_known_class *al_known_class_have(al_model *model, const char *text, allot_kind kind, int workers);
al_known_kernel *al_known_kernel_have(al_known_class *known, const char *name, allot_type type);
al_model_link *al_known_link_have(al_model *model, const char *text);

/* al_model_set_rates() with the model's lock held. */
void al_known_set_rates(al_model *model, const al_rates *measured);

/* ---- What a kernel's fit tells of its class; the kernel's lock is held, the class's is taken ---- */

/* The belief that the kernel's fit starts from. */
al_belief al_known_belief(al_known_class *known);
void al_known_testify(al_known_kernel *kernel, const al_belief *belief);

#endif
