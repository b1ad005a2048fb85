#include "core/failure.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_ERROR_SIZE 2048

/* A thread's last error lies on the heap: what lies in the thread itself must stay small, or a program that
 * loads the library late has no room for it. */
static _Thread_local char *last_error;
static _Thread_local allot_status last_status;
static pthread_key_t last_error_key; /* frees it with the thread */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void *text)
{
    last_error = NULL;
    free(text);
}

static void make_key(void)
{
    pthread_key_create(&last_error_key, forget);
}

static char *own_text(void)
{
    if (last_error)
        return last_error;
    pthread_once(&once, make_key);
    char *text = calloc(1, LAST_ERROR_SIZE);
    if (text && pthread_setspecific(last_error_key, text) != 0) {
        free(text);
        text = NULL;
    }
    return last_error = text;
}

void al_failure_fini(al_failure *failure)
{
    free(failure->message);
    free(failure->payload);
    *failure = (al_failure){ 0 };
}

allot_status al_failure_vset(al_failure *failure, allot_status status, const char *format, va_list values)
{
    if (!failure)
        return status;
    char *message = NULL;
    if (!format || vasprintf(&message, format, values) < 0)
        message = NULL;
    free(failure->message);
    failure->message = message;
    return status;
}

allot_status al_failure_set(al_failure *failure, allot_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    al_failure_vset(failure, status, format, values);
    va_end(values);
    return status;
}

void al_failure_payload(al_failure *failure, const void *payload, size_t size)
{
    void *copy = payload && size ? malloc(size) : NULL;
    if (copy)
        memcpy(copy, payload, size);
    free(failure->payload);
    failure->payload = copy;
    failure->payload_size = copy ? size : 0;
}

void *al_last_error(allot_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (own_text())
        vsnprintf(last_error, LAST_ERROR_SIZE, format, values);
    va_end(values);
    last_status = status;
    return NULL;
}

void *al_last_error_take(allot_status status, al_failure *failure)
{
    al_last_error(status, "%s", failure->message ? failure->message : allot_status_text(status));
    al_failure_fini(failure);
    return NULL;
}

const char *allot_last_error(void)
{
    return last_error ? last_error : "";
}

allot_status allot_last_status(void)
{
    return last_status;
}
