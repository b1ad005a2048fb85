/* Verdicts on drivers, kept in a file from run to run: what was found when a driver was tried, and of what
 * files and environment that holds. */
#ifndef AL_PLACES_OPENCL_VERDICTS_H
#define AL_PLACES_OPENCL_VERDICTS_H

#include "places/opencl/icd.h"
#include <allot/place.h>
#include <limits.h>

#define AL_VERDICTS_MAX 256 /* in a file; then the oldest goes */
/* A bad one is tried again after so long: the machine may have been at fault. */
#define AL_VERDICT_BAD_S (12 * 3600)

typedef struct al_verdict {
    char file[PATH_MAX];    /* the .icd */
    char library[PATH_MAX]; /* where it lay; "": nobody knows */
    al_stamp file_stamp, library_stamp;
    uint64_t environment; /* a hash of what drivers read of it */
    int64_t when_s;       /* of the calendar */
    int state;            /* allot_driver_state */
    int devices;
    char message[256];
} al_verdict;

/* A hash of the variables by which drivers choose their devices and how these work. */
uint64_t al_verdict_environment(void);

/* Fills in all that a verdict on this driver holds of, as it is now; false where its paths are too long. */
bool al_verdict_begin(al_verdict *verdict, const al_icd *icd);
/* Says where the library lay after all. */
void al_verdict_found(al_verdict *verdict, const char *library);

/* A file's verdicts; NULL, and *count 0, where there are none, or it is damaged. The caller frees them. */
al_verdict *al_verdicts_read(const char *path, size_t *count);
/* The one that still holds for what `now` was begun with; NULL: none. */
const al_verdict *al_verdicts_find(const al_verdict *verdicts, size_t count, const al_verdict *now);
/* Puts the verdict into the file, in place of an older one on the same driver. False with errno set. */
bool al_verdicts_add(const char *path, const al_verdict *fresh);

#endif
