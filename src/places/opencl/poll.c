#include "places/opencl/poll.h"
#include "base/clock.h"
#include "base/setting.h"
#include "base/thread.h"
#include "places/opencl/flight.h"
#include "places/opencl/launch.h"
#include <stddef.h>
#include <sys/prctl.h>

#define TOGETHER     32 /* flights that are taken at once */
#define REFUSALS_MAX 64 /* in a row: then a driver that does not answer has failed */

/* The thread's naps: a 32nd of the time that the oldest launch has taken, within bounds. */
#define NAP_PART     32
#define NAP_LEAST_NS INT64_C(20000)
#define NAP_MOST_NS  INT64_C(1000000)
#define NAP_AIDED_NS INT64_C(200000) /* while others ask */
/* So long after the last launch it naps on, so that the next one need not wake it. */
#define LINGER_NS   INT64_C(2000000)
#define NAP_IDLE_NS INT64_C(50000)
#define SLACK_NS    1000ul /* by which the kernel may be late, in place of 50 us */

/* ---- Asking ---- */

/* How the first one ended; above CL_COMPLETE: it has not, as far as the driver says. With `asking`. */
static cl_int look(al_opencl_flight *first)
{
    cl_int state = CL_QUEUED;
    cl_int code = clGetEventInfo(first->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (code == CL_SUCCESS)
        first->refusals = 0;
    else
        state = ++first->refusals >= REFUSALS_MAX ? code : CL_QUEUED;
    return state;
}

static al_opencl_flight *first_of(al_opencl_poll *poll)
{
    pthread_mutex_lock(&poll->lock);
    al_opencl_flight *first = poll->first;
    pthread_mutex_unlock(&poll->lock);
    return first;
}

static void take_first(al_opencl_poll *poll)
{
    pthread_mutex_lock(&poll->lock);
    poll->first = poll->first->asked_next;
    if (!poll->first)
        poll->last = NULL;
    poll->since_ns = al_clock_now_ns();
    pthread_mutex_unlock(&poll->lock);
    atomic_fetch_sub_explicit(&poll->watched, 1, memory_order_relaxed);
}

/* The compute queue is in order: what is behind a launch that goes on is not over. */
static size_t take_over(al_opencl_poll *poll, al_opencl_flight **over, cl_int *codes)
{
    size_t count = 0;
    for (al_opencl_flight *first; count < TOGETHER && (first = first_of(poll)); count++) {
        codes[count] = look(first);
        if (codes[count] > CL_COMPLETE)
            break;
        over[count] = first;
        take_first(poll);
    }
    return count;
}

/* What follows a launch may be launched from here: so nothing is locked then. */
static bool ask(al_opencl *self)
{
    al_opencl_poll *poll = &self->poll;
    al_opencl_flight *over[TOGETHER];
    cl_int codes[TOGETHER];
    if (!atomic_load_explicit(&poll->watched, memory_order_relaxed) ||
        pthread_mutex_trylock(&poll->asking) != 0)
        return false;
    size_t count = take_over(poll, over, codes);
    pthread_mutex_unlock(&poll->asking);
    for (size_t i = 0; i < count; i++) {
        clReleaseEvent(over[i]->event);
        al_opencl_launch_over(over[i], codes[i]);
    }
    return count > 0;
}

void al_opencl_poll_watch(al_opencl *self, al_opencl_flight *flight, cl_event event)
{
    al_opencl_poll *poll = &self->poll;
    flight->event = event;
    flight->refusals = 0;
    flight->asked_next = NULL;
    pthread_mutex_lock(&poll->lock);
    if (poll->last)
        poll->last->asked_next = flight;
    else {
        poll->first = flight;
        poll->since_ns = al_clock_now_ns();
    }
    poll->last = flight;
    atomic_fetch_add_explicit(&poll->watched, 1, memory_order_relaxed);
    if (poll->asleep)
        pthread_cond_signal(&poll->changed);
    pthread_mutex_unlock(&poll->lock);
}

/* ---- By threads that wait ---- */

static al_opencl *place_of(al_collector *collector)
{
    return (al_opencl *)((char *)collector - offsetof(al_opencl, poll) - offsetof(al_opencl_poll, collector));
}

static bool wanted(al_collector *collector)
{
    return atomic_load_explicit(&place_of(collector)->poll.watched, memory_order_relaxed) != 0;
}

static void begin(al_collector *collector)
{
    atomic_fetch_add_explicit(&place_of(collector)->poll.collectors, 1, memory_order_relaxed);
}

static void collect(al_collector *collector)
{
    ask(place_of(collector));
}

/* Who gives up spinning leaves it to the thread, which may nap on their account. */
static void end(al_collector *collector)
{
    al_opencl_poll *poll = &place_of(collector)->poll;
    if (atomic_fetch_sub_explicit(&poll->collectors, 1, memory_order_relaxed) != 1 || !wanted(collector))
        return;
    pthread_mutex_lock(&poll->lock);
    pthread_cond_signal(&poll->changed);
    pthread_mutex_unlock(&poll->lock);
}

/* ---- By the thread ---- */

/* With the lock held; INT64_MAX: till it is woken. */
static int64_t nap_ns(const al_opencl_poll *poll)
{
    int64_t past_ns = al_clock_now_ns() - poll->since_ns, nap = past_ns / NAP_PART;
    if (!poll->first)
        return past_ns < LINGER_NS ? NAP_IDLE_NS : INT64_MAX;
    if (atomic_load_explicit(&poll->collectors, memory_order_relaxed))
        return NAP_AIDED_NS;
    return nap < NAP_LEAST_NS ? NAP_LEAST_NS : nap < NAP_MOST_NS ? nap : NAP_MOST_NS;
}

/* With the lock held. */
static void nap(al_opencl_poll *poll)
{
    int64_t length_ns = nap_ns(poll);
    if (length_ns == INT64_MAX) {
        poll->asleep = true;
        pthread_cond_wait(&poll->changed, &poll->lock);
        poll->asleep = false;
        return;
    }
    const struct timespec until = al_clock_timespec(al_clock_now_ns() + length_ns);
    pthread_cond_timedwait(&poll->changed, &poll->lock, &until);
}

static void *keep_asking(void *of)
{
    al_opencl *self = of;
    al_opencl_poll *poll = &self->poll;
    prctl(PR_SET_TIMERSLACK, SLACK_NS);
    pthread_mutex_lock(&poll->lock);
    while (!poll->ending) {
        pthread_mutex_unlock(&poll->lock);
        bool found = ask(self);
        pthread_mutex_lock(&poll->lock);
        if (!found && !poll->ending)
            nap(poll);
    }
    pthread_mutex_unlock(&poll->lock);
    return NULL;
}

/* ---- Life ---- */

static bool is_wanted(const al_opencl *self)
{
    static const char *const words[] = { "callback", "ask", NULL };
    return al_setting_word("ALLOT_OPENCL_WAIT", words, !self->device.on_cpu) == 1;
}

void al_opencl_poll_init(al_opencl *self)
{
    al_opencl_poll *poll = &self->poll;
    poll->on = is_wanted(self);
    poll->collector = (al_collector){ .wanted = wanted, .begin = begin, .collect = collect, .end = end };
    pthread_mutex_init(&poll->asking, NULL);
    pthread_mutex_init(&poll->lock, NULL);
    al_condition_init(&poll->changed);
}

void al_opencl_poll_fini(al_opencl *self)
{
    pthread_mutex_destroy(&self->poll.asking);
    pthread_mutex_destroy(&self->poll.lock);
    pthread_cond_destroy(&self->poll.changed);
}

bool al_opencl_poll_begin(al_opencl *self)
{
    if (!self->poll.on)
        return true;
    self->poll.running = al_thread_start(&self->poll.thread, NULL, keep_asking, self) == 0;
    if (self->poll.running)
        al_collector_add(&self->poll.collector);
    return self->poll.running;
}

void al_opencl_poll_end(al_opencl *self)
{
    al_opencl_poll *poll = &self->poll;
    if (!poll->running)
        return;
    al_collector_remove(&poll->collector);
    pthread_mutex_lock(&poll->lock);
    poll->ending = true;
    pthread_cond_signal(&poll->changed);
    pthread_mutex_unlock(&poll->lock);
    pthread_join(poll->thread, NULL);
    poll->running = false;
}
