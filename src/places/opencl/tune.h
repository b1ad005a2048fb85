/* Which work-group size is fastest, for kernels whose results are the same with any: launches that happen
 * anyway try others than the standard one, of each class of ranges apart, for as long as what that has cost,
 * compiling included, is a twentieth of the time for which such launches ran. So a device that takes any size
 * at once has tried them all soon, and one that compiles for each tries none before that pays.
 *
 * Sizes and times in, sizes out: nothing of OpenCL is called. The caller has a lock. */
#ifndef AL_PLACES_OPENCL_TUNE_H
#define AL_PLACES_OPENCL_TUNE_H

#include "places/opencl/sizes.h"

#define AL_OPENCL_CLASSES 12 /* of ranges, of one kernel; others have the standard size */

/* How it is done: as above, never, or whatever a trial costs. The environment's ALLOT_TUNE: "cheaply" or
 * unset, "off", "always". */
typedef enum al_opencl_tune_how {
    AL_OPENCL_TUNE_CHEAPLY,
    AL_OPENCL_TUNE_NEVER,
    AL_OPENCL_TUNE_ALWAYS
} al_opencl_tune_how;

al_opencl_tune_how al_opencl_tune_how_asked(void);

/* Ranges of the same rank and about the same extent. */
typedef struct al_opencl_class {
    uint8_t rank, extent[3]; /* binary logarithms */
    uint8_t best;            /* variant */
    uint8_t next;            /* to be tried; 0: the standard one is measured, AL_OPENCL_VARIANTS: all were */
    uint8_t runs;            /* of that, which count */
    uint8_t tried;           /* others than the standard one */
    uint8_t slow;            /* looks in a row that found the best one much slower than it was */
    bool warm;               /* what is tried has run once */
    bool pending;            /* a trial is on its way */
    bool recalled;           /* from an earlier run */
    uint32_t launches;
    double item_ns[AL_OPENCL_VARIANTS]; /* the least time of a launch, by its items; 0: not measured */
    double busy_ns, lost_ns;            /* so far, in all; by trials */
} al_opencl_class;

/* What one launch is about, from its sizes being chosen to its end. */
typedef struct al_opencl_trial {
    uint8_t number; /* of its class, from 1; 0: it has none */
    uint8_t variant;
    bool wanted;  /* how long it takes is */
    bool cold;    /* nothing has run in this shape before */
    bool refused; /* by the driver */
    double items;
    const char *words; /* where its work-group size comes from */
} al_opencl_trial;

/* The latest answer of which the next launch like it can be sure: its class is settled, or it has none. */
typedef struct al_opencl_answer {
    bool there;
    bool has_offset, deterministic; /* what it was the answer to, as the next two */
    size_t rank, range[3];
    al_opencl_sizes sizes;
    al_opencl_trial trial;
} al_opencl_answer;

typedef struct al_opencl_tuning {
    al_opencl_class classes[AL_OPENCL_CLASSES];
    size_t count;
    al_opencl_answer latest;
    double first_ns; /* what the first launch of all took */
    double shape_ns; /* what a shape that has not run before takes longer the first time: a guess until one
                        was tried */
    bool tried;      /* one was */
    bool changed;    /* since it was read */
} al_opencl_tuning;

/* The sizes that a launch should have now. The trial is ready but for `cold`; al_opencl_tune_begin() says
 * that it is carried out, and al_opencl_tune_end() must follow. */
void al_opencl_tune_next(al_opencl_tuning *tuning, al_opencl_tune_how how, const al_launch *launch,
                         const al_opencl_device *device, const al_opencl_limits *limits,
                         al_opencl_sizes *sizes, al_opencl_trial *trial);
/* The same, but nothing new: the best so far. */
void al_opencl_tune_known(al_opencl_tuning *tuning, const al_launch *launch, const al_opencl_device *device,
                          const al_opencl_limits *limits, al_opencl_sizes *sizes, al_opencl_trial *trial);
void al_opencl_tune_begin(al_opencl_tuning *tuning, const al_opencl_trial *trial);
/* Negative: it did not run, or nobody knows how long. */
void al_opencl_tune_end(al_opencl_tuning *tuning, const al_opencl_trial *trial, int64_t ran_ns);

/* What was found out, as a line of text, and back; a line that is none is as good as nothing found. */
#define AL_OPENCL_TUNE_WORD "groups 1:" /* a note of binaries.h; the number is of the sizes there are */
void al_opencl_tune_write(const al_opencl_tuning *tuning, char *text, size_t size);
void al_opencl_tune_read(al_opencl_tuning *tuning, const char *text);

#endif
