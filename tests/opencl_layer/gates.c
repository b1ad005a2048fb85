#include "gates.h"
#include <pthread.h>
#include <time.h>

typedef struct gate {
    struct gate *next;
    cl_event event;
    int64_t at_ns; /* INT64_MAX: hangs */
} gate;

static const cl_icd_dispatch *driver;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static gate *gates; /* in order of their times */
static bool started;

void gates_init(const cl_icd_dispatch *the_driver)
{
    driver = the_driver;
}

/* Of the clock that a statically made condition goes by. */
static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void open_gate(gate *it)
{
    driver->clSetUserEventStatus(it->event, CL_COMPLETE);
    driver->clReleaseEvent(it->event);
    free(it);
}

static void *open_in_time(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        gate *first = gates;
        if (!first || first->at_ns == INT64_MAX)
            pthread_cond_wait(&changed, &lock);
        else if (first->at_ns > now_ns()) {
            const struct timespec until = { first->at_ns / 1000000000, first->at_ns % 1000000000 };
            pthread_cond_timedwait(&changed, &lock, &until);
        } else {
            gates = first->next;
            pthread_mutex_unlock(&lock);
            open_gate(first);
            pthread_mutex_lock(&lock);
        }
    }
    return NULL;
}

static void start_locked(void)
{
    pthread_t thread;
    if (!started && pthread_create(&thread, NULL, open_in_time, NULL) == 0) {
        pthread_detach(thread);
        started = true;
    }
}

cl_event gates_make(cl_command_queue queue, uint64_t delay_us, bool hangs)
{
    cl_context context;
    cl_int code;
    gate *it = malloc(sizeof *it);
    if (!it || driver->clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL)) {
        free(it);
        return NULL;
    }
    cl_event event = driver->clCreateUserEvent(context, &code);
    if (code != CL_SUCCESS) {
        free(it);
        return NULL;
    }
    driver->clRetainEvent(event);
    *it = (gate){ NULL, event, hangs ? INT64_MAX : now_ns() + (int64_t)delay_us * 1000 };
    pthread_mutex_lock(&lock);
    start_locked();
    gate **link = &gates;
    while (*link && (*link)->at_ns <= it->at_ns)
        link = &(*link)->next;
    it->next = *link;
    *link = it;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return event;
}

void gates_let_go(void)
{
    pthread_mutex_lock(&lock);
    gate **link = &gates;
    while (*link && (*link)->at_ns != INT64_MAX)
        link = &(*link)->next;
    gate *hanging = *link; /* they are last */
    *link = NULL;
    pthread_mutex_unlock(&lock);
    while (hanging) {
        gate *next = hanging->next;
        open_gate(hanging);
        hanging = next;
    }
}

size_t gates_hanging(void)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (const gate *it = gates; it; it = it->next)
        count += it->at_ns == INT64_MAX;
    pthread_mutex_unlock(&lock);
    return count;
}
