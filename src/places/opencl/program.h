/* Programs of one device: each kernel's text is built once for each element type T, and the outcome, also a
 * bad one, is remembered. */
#ifndef AL_PLACES_OPENCL_PROGRAM_H
#define AL_PLACES_OPENCL_PROGRAM_H

#include "places/opencl/binaries.h"
#include "places/opencl/tune.h"

#define AL_OPENCL_SHAPES_MAX 32 /* remembered */

typedef struct al_opencl_program al_opencl_program;

/* clSetKernelArg is not thread safe on one kernel object: who sets arguments has one for itself. */
typedef struct al_opencl_entry {
    cl_kernel kernel;
    struct al_opencl_entry *next;
} al_opencl_entry;

struct al_opencl_program {
    al_opencl_program *next;
    uint64_t kernel_id;
    allot_type type;
    cl_program program;
    al_binary_key key;   /* on disk */
    bool from_disk;      /* else it was compiled here */
    bool wrong;          /* its self-test said so: it must not run */
    allot_status status; /* of the build */
    char *message;       /* why it failed */
    double untold_s;     /* how long that took, until somebody was told; guarded by the cache's lock */
    al_opencl_limits limits;
    _Atomic(al_opencl_entry *) idle; /* taken with the cache's lock held, given back without */
    _Atomic unsigned users;          /* launches in flight; counted up with the cache's lock held */
    uint64_t used; /* guarded by the cache's lock, as all below: when, in uses of the cache */
    al_opencl_shape warm[AL_OPENCL_SHAPES_MAX]; /* that ran: drivers compile late, for each */
    size_t warmed;
    al_opencl_tuning tuning;
};

/* A launch that nothing would hold up: its program, which has run in these sizes before, and a kernel object.
 */
typedef struct al_opencl_warm {
    al_opencl_program *program; /* NULL: it is none */
    al_opencl_entry *entry;     /* NULL: none was idle */
    al_opencl_sizes sizes;
    al_opencl_trial trial; /* begun: pick.h */
} al_opencl_warm;

/* A program that some thread is building just now. */
typedef struct al_opencl_making {
    struct al_opencl_making *next;
    uint64_t kernel_id;
    allot_type type;
} al_opencl_making;

typedef struct al_opencl_programs {
    al_opencl_device *device;
    al_opencl_tune_how how;
    char *folder;         /* where programs are kept on disk; NULL: nowhere */
    pthread_mutex_t lock; /* guards the list; not held while anything is built */
    al_opencl_program *first;
    al_opencl_making *making;
    pthread_cond_t made; /* one less is being built */
    size_t count;
    uint64_t uses;
    _Atomic uint64_t builds; /* how often the compiler was called */
    _Atomic bool any_wrong;  /* some program is */
    char wrong[256];         /* what computes wrongly here, in words; guarded by the lock */
} al_opencl_programs;

void al_opencl_programs_init(al_opencl_programs *programs, al_opencl_device *device);
void al_opencl_programs_fini(al_opencl_programs *programs);

/* Looks what earlier runs found out. */
void al_opencl_programs_recall(al_opencl_programs *programs);
/* Remembers that something computes wrongly here. */
void al_opencl_programs_add_wrong(al_opencl_programs *programs, const char *what);
/* Which kernels compute wrongly here, as far as is known, in words. */
void al_opencl_programs_tell_wrong(al_opencl_programs *programs, char *text, size_t size);

/* False for a launch whose program is known to compute wrongly here: then it says why. Quick. */
bool al_opencl_programs_trust(al_opencl_programs *programs, const al_launch *launch, char *why,
                              size_t why_size);

/* Keeps on disk what was compiled here. Nothing is in flight. Drivers may compile for it: not on a launch's
 * way. */
void al_opencl_programs_keep(al_opencl_programs *programs);

/* Forgets all programs, waiting for those whose launch is just about to find out that it may not go. Nothing
 * is in flight. */
void al_opencl_programs_clear(al_opencl_programs *programs);

/* The program of a launch, built now if it was not: may take long; who comes while another thread builds it
 * waits for that. On success the caller must put it back. */
allot_status al_opencl_programs_get(al_opencl_programs *programs, al_launch *launch,
                                    al_opencl_program **program, al_failure *failure);
/* The same if it is there and has run in this launch's shape, so that nothing will be compiled, with all that
 * is to be found out about the launch with the lock held; else false. The program must be put back, the entry
 * given back and the trial ended. */
bool al_opencl_programs_get_warm(al_opencl_programs *programs, const al_launch *launch, al_opencl_warm *warm);
/* Builds a kernel's program for launches to come, unless it is there; its outcome is found like any other. */
void al_opencl_programs_build(al_opencl_programs *programs, const allot_kernel *kernel, allot_type type);
/* What is known of a launch's program: ALLOT_OK: it can be had at once, and was built ahead within *untold_s,
 * if nobody was told so before, else 0; ALLOT_TIMEOUT: it is not built, or is being built; else the status
 * that building it ended with, and `why` the first line of the reason. Quick. */
allot_status al_opencl_programs_look(al_opencl_programs *programs, const al_launch *launch, double *untold_s,
                                     char *why, size_t why_size);
/* `ran` (may be NULL) is the shape that it ran in. */
void al_opencl_programs_put(al_opencl_programs *programs, al_opencl_program *program,
                            const al_opencl_shape *ran);

/* Whether it has run in that shape. The cache's lock is held. */
bool al_opencl_program_is_warm(const al_opencl_program *program, const al_opencl_shape *shape);

/* A kernel object for the caller alone, until it is given back: right after the enqueue will do. */
cl_int al_opencl_entry_take(al_opencl_programs *programs, al_opencl_program *program, const char *name,
                            al_opencl_entry **entry);
void al_opencl_entry_give(al_opencl_programs *programs, al_opencl_program *program, al_opencl_entry *entry);

#endif
