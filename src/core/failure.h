/* What goes with an error status: a message, and bytes of the task's own. */
#ifndef AL_CORE_FAILURE_H
#define AL_CORE_FAILURE_H

#include <allot/status.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#define AL_FAILURE_TEXT_MAX 4000 /* bytes of message or payload that are kept of a task's own */

typedef struct al_failure {
    char *message; /* NULL: none, or memory was out; the status's text stands in */
    void *payload;
    size_t payload_size;
} al_failure;

/* All zero bytes are an empty failure. fini frees what it holds and empties it. */
void al_failure_fini(al_failure *failure);

/* The same where there is hardly ever anything to free. */
static inline void al_failure_clear(al_failure *failure)
{
    if (__builtin_expect(failure->message || failure->payload, false))
        al_failure_fini(failure);
}

/* Sets the message, printf-like, in place of an earlier one; returns `status`, so that callers can return it.
 * A failure of NULL is fine: the text is dropped. Compilers' logs may be long: nothing is cut here. */
allot_status al_failure_set(al_failure *failure, allot_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
allot_status al_failure_vset(al_failure *failure, allot_status status, const char *format, va_list values);

/* Copies the payload. */
void al_failure_payload(al_failure *failure, const void *payload, size_t size);

/* Sets this thread's allot_last_error(); returns NULL so that makers can return it. */
void *al_last_error(allot_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same from a failure, which is emptied. */
void *al_last_error_take(allot_status status, al_failure *failure);

/* True in the child of a fork(): every public call that would touch shared state fails with ALLOT_FORKED. */
extern _Atomic bool al_fork_seen;
static inline bool al_forked(void)
{
    return __builtin_expect(atomic_load_explicit(&al_fork_seen, memory_order_relaxed), false);
}

#endif
