/* The cost model: what launches took on this machine's places, and how it is kept from run to run.
 *
 * An executor learns from every launch and every transfer. What it learned is read from a file when it first
 * places a launch, and joined into that file when it is closed; several processes may do so at once. The file
 * belongs to one machine (its processor, caches and instructions) and one version of the library; a kernel's
 * runs to its source, a device's to its name and driver. A file that is damaged or of another machine is
 * ignored with a line in the log, and written anew. Where it lies: allot_options.model says it, else the
 * environment's ALLOT_MODEL (a path, or "off"), else it is $XDG_CACHE_HOME/allot/model-... or
 * ~/.cache/allot/model-...
 *
 * When a machine has no file yet, its processors' rates are measured once, for less than a tenth of a second,
 * in the background beside the first launches. */
#ifndef ALLOT_MODEL_H
#define ALLOT_MODEL_H

#include <allot/place.h>
#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The file; "" when the model is not kept. Valid while the executor is open. */
ALLOT_API const char *allot_model_path(allot_executor *executor);

/* Joins what was learned so far into the file, as allot_close() does; makes its folder if need be. ALLOT_OK
 * also when there was nothing new, or when the model is not kept. ALLOT_SYSTEM if the file cannot be written,
 * or is locked for seconds by others: allot_last_error() says which. Waits for the disk. */
ALLOT_API allot_status allot_model_save(allot_executor *executor);

/* Writes all that is known to another file, as a whole or not at all. ALLOT_INVALID on NULL; ALLOT_SYSTEM,
 * with allot_last_error(), if it cannot be written. */
ALLOT_API allot_status allot_model_export(allot_executor *executor, const char *path);

/* Adds what an exported file knows; where both know something it is averaged. ALLOT_NOT_FOUND if there is no
 * such file; ALLOT_INVALID if it is damaged, or of another machine or version and `foreign` is false. With
 * `foreign` it is taken as a hint, which the first runs here correct. allot_last_error() says what is wrong;
 * then nothing was added. */
ALLOT_API allot_status allot_model_import(allot_executor *executor, const char *path, bool foreign);

/* Forgets everything learned, and removes the file. The rates of the processors stay. */
ALLOT_API allot_status allot_model_reset(allot_executor *executor);

/* ---- What it knows ---- */

typedef enum allot_model_subject {
    ALLOT_MODEL_RUN,      /* runs of a kernel, of about one size */
    ALLOT_MODEL_COMPILE,  /* compiling a kernel */
    ALLOT_MODEL_LAUNCH,   /* setting an idle place going, and hearing of the end */
    ALLOT_MODEL_TO_PLACE, /* one transfer of about so many bytes */
    ALLOT_MODEL_FROM_PLACE
} allot_model_subject;

/* One thing that was measured more than once, or once. Times are seconds. */
typedef struct allot_model_row {
    size_t size; /* sizeof(allot_model_row), set by the caller */
    allot_model_subject subject;
    char kernel[64];       /* "" where the subject has none; "allot_probe_...": the library's own, by which
                              the pace of a new device was taken */
    char type[8];          /* "f32"; "" where the subject has none */
    char place_class[288]; /* what places alike share: "thread", "opencl:NAME, DRIVER" */
    int workers;           /* of such a place; 0 for transfers */
    double amount; /* of runs: what one plain core (2 GFLOP/s, 8 GB/s) would take for the work; of transfers:
                      bytes; of launches: those of runs that took at least so many seconds; else 0 */
    uint64_t samples;
    double mean_s;        /* the median run, by what was seen lately */
    double low_s, high_s; /* nine times of ten what it takes on average lies between */
    double spread;        /* of single runs: standard deviation of the logarithm; 0.1 is about 10 % */
} allot_model_row;

/* Copies up to `capacity` rows to `rows`, each of whose `size` the caller set to sizeof(allot_model_row):
 * they lie that far apart. Returns how many there are, 0 on NULL. Reads the file if that was not done yet.
 * Rows of one class of places come one behind the other. */
ALLOT_API size_t allot_model_rows(allot_executor *executor, allot_model_row *rows, size_t capacity);

/* What the processors can do, by which kernels are judged that never ran. */
typedef struct allot_model_rates {
    size_t size;               /* sizeof(allot_model_rates), set by the caller */
    bool measured;             /* else guessed: there is no file yet, or the model is not kept */
    double flops_per_s;        /* of one thread, in single precision */
    double bytes_per_s;        /* of one thread, from memory */
    double memory_bytes_per_s; /* of all threads */
    double wake_s;             /* waking a sleeping thread */
} allot_model_rates;

/* Fills *rates. ALLOT_INVALID on NULL or a size of 0. */
ALLOT_API allot_status allot_model_get_rates(allot_executor *executor, allot_model_rates *rates);

#ifdef __cplusplus
}
#endif
#endif
