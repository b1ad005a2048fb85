/* Watching an executor: metrics, trace, log. */
#ifndef ALLOT_OBSERVE_H
#define ALLOT_OBSERVE_H

#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_executor allot_executor;

/* ---- Metrics ---- */

/* Counters of one place since it was opened. A snapshot is not one instant: each figure is right by itself.
 */
typedef struct allot_place_metrics {
    char id[32];
    uint64_t queued;  /* now */
    uint64_t running; /* now */
    /* A task that is cancelled in the thread place's queue stays there, and is counted as queued, until a
     * worker comes to it. */
    uint64_t succeeded, failed, cancelled;
    uint64_t bytes_in;  /* moved to the place */
    uint64_t bytes_out; /* moved back from it */
    uint64_t busy_ns;   /* time its workers spent with tasks, added up over workers */
    int workers;        /* threads or processes alive; compute units of a device */
    uint64_t restarts;  /* workers replaced */
} allot_place_metrics;

#define ALLOT_METRICS_PLACES_MAX 16

typedef struct allot_metrics {
    size_t size;         /* sizeof(allot_metrics), set by the caller */
    uint64_t submitted;  /* tasks and launches accepted */
    uint64_t refused;    /* futures handed out already failed */
    uint64_t unfinished; /* accepted and not done, and callbacks that have not ended; may lag a moment behind
                            a future */
    uint64_t cpu_ns;     /* CPU time of this process */
    uint64_t resident_bytes; /* memory of this process */
    size_t place_count;      /* of the executor: may be more than `places` holds */
    allot_place_metrics
        places[ALLOT_METRICS_PLACES_MAX]; /* the first of them, in the order of allot_places();
                                             allot_get_place_metrics() reads any */
    uint64_t retries;                     /* attempts that failed and were made again (hints.retries) */
    uint64_t deciding_ns;   /* real time spent on choosing places; on simulated machines only, else 0 */
    uint64_t evictions;     /* copies of arrays that made room for others in devices' memories */
    uint64_t evicted_bytes; /* how large these arrays were */
} allot_metrics;

/* Fills *metrics (whose size the caller set). ALLOT_INVALID on NULL or a size of 0. Never waits. */
ALLOT_API allot_status allot_get_metrics(allot_executor *executor, allot_metrics *metrics);

/* Fills *metrics, whose size is `size`, with the counters of place `index` as allot_places() numbers them.
 * ALLOT_INVALID on NULL or a size of 0, ALLOT_NOT_FOUND where there is no such place (yet: devices are found
 * when they are first needed). Any thread; never waits. */
ALLOT_API allot_status allot_get_place_metrics(allot_executor *executor, size_t index,
                                               allot_place_metrics *metrics, size_t size);

/* ---- Trace ---- */

/* Records every task's submission, start and end until allot_trace_stop(), and then writes them to the file
 * `path` in Chrome's trace format (open it in ui.perfetto.dev or about:tracing). One trace at a time a
 * process. ALLOT_INVALID if one is on; ALLOT_SYSTEM if the file cannot be written. Without a trace a task
 * pays one load and branch. */
ALLOT_API allot_status allot_trace_start(const char *path);
/* Writes the file. ALLOT_INVALID if no trace is on; ALLOT_SYSTEM if writing failed. */
ALLOT_API allot_status allot_trace_stop(void);

/* ---- Log ---- */

typedef enum allot_log_level {
    ALLOT_LOG_ERROR,
    ALLOT_LOG_WARNING,
    ALLOT_LOG_INFO,
    ALLOT_LOG_DEBUG
} allot_log_level;

/* Gets one line without its newline. Called from any thread, with no lock held; must not call back into
 * Allot. */
typedef void (*allot_log_function)(allot_log_level level, const char *line, void *user);

/* Sends the process's log to `function` (NULL: standard error, the default) up to `level`. The default level
 * is ALLOT_LOG_WARNING, or what the environment variable ALLOT_LOG says: error, warning, info, debug. */
ALLOT_API void allot_set_log(allot_log_function function, void *user, allot_log_level level);

#ifdef __cplusplus
}
#endif
#endif
