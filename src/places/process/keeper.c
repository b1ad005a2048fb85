/* The place's own thread: sleeps, hears of deaths, messages and timers, collects answers, and does what
 * tend.c says. */
#include "places/process/pool.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPIN_NS 50000  /* how long it looks for answers before it sleeps */
#define NAP_NS  100000 /* how long it leaves them to others without looking, at first; */
#define NAPS    4      /* at most so many times as long. So often it also looks whether workers are held up */
#define LOOK_NS 1000000 /* how long deaths go unseen while answers come without a pause */
#define EVENTS  32

/* ---- Sleep ---- */

void al_keeper_arm(al_process *place)
{
    bool notify = al_keeper_wants_notice(place);
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        if (notify || worker->armed)
            al_worker_arm(worker, notify);
}

/* Before sleeping. True: something was left in the queue for a worker that was awake, and another could run
 * it. */
static bool arm(al_process *place)
{
    pthread_mutex_lock(&place->lock);
    al_keeper_arm(place);
    bool left = al_process_queued(place) && al_process_free_worker(place);
    pthread_mutex_unlock(&place->lock);
    return left;
}

static void take_message(al_process *place, al_worker *worker, const al_wire_message *message)
{
    if (message->kind == AL_WIRE_HELLO) {
        al_worker_takes_time(place, worker);
    } else if (message->kind == AL_WIRE_READY && message->index == ALLOT_OK) {
        al_worker_greet(place, worker);
    } else if (message->kind == AL_WIRE_READY) {
        al_worker_refuses(place, worker, message);
    } else if (message->kind == AL_WIRE_ASK) {
        if (!al_worker_lend(worker, message))
            al_worker_kill(place, worker);
    } else if (message->kind == AL_WIRE_GROWN) {
        pthread_mutex_lock(&place->lock);
        al_worker_retire(place, worker);
        pthread_mutex_unlock(&place->lock);
    }
}

/* True if it is to be taken as the worker's death. */
static bool on_socket(al_process *place, al_worker *worker)
{
    al_wire_message message;
    al_wire_result result;
    while ((result = al_wire_receive(worker->child.socket, &message, NULL, false)) == AL_WIRE_OK)
        take_message(place, worker, &message);
    if (result == AL_WIRE_EMPTY)
        return false;
    /* It is dying, or has closed what it must keep. */
    epoll_ctl(place->epoll_fd, EPOLL_CTL_DEL, worker->child.socket, NULL);
    al_worker_lost(place, worker);
    if (worker->child.pidfd >= 0)
        return false;
    al_spawned_signal(&worker->child, SIGKILL); /* no other sign of its death will come */
    return true;
}

static al_worker *worker_of(const struct epoll_event *event)
{
    return (al_worker *)(uintptr_t)(event->data.u64 & ~UINT64_C(3));
}

static al_tag tag_of(const struct epoll_event *event)
{
    return (al_tag)(event->data.u64 & 3);
}

/* Deaths come last: a socket's event of the same round still finds its worker. Each worker has one sign of
 * its death. */
static void handle(al_process *place, struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        al_worker *worker = worker_of(&events[i]);
        uint64_t ignored;
        if (!worker && read(place->wake_fd, &ignored, sizeof ignored) < 0)
            continue;
        if (worker && tag_of(&events[i]) == AL_TAG_WORDS)
            al_worker_speaks(place, worker);
        if (worker && tag_of(&events[i]) == AL_TAG_SOCKET && on_socket(place, worker))
            events[i].data.u64 |= AL_TAG_DEATH;
    }
    for (int i = 0; i < count; i++)
        if (tag_of(&events[i]) == AL_TAG_DEATH)
            al_worker_bury(place, worker_of(&events[i]));
}

static int timeout_ms(al_process *place, int64_t until_ns)
{
    int64_t now_ns = al_clock_now_ns();
    int64_t due_ns = al_workers_expire(place, now_ns);
    if (place->retry_ns > now_ns && place->retry_ns < due_ns)
        due_ns = place->retry_ns;
    if (until_ns < due_ns)
        due_ns = until_ns;
    if (due_ns == INT64_MAX)
        return -1;
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns) / 1000000 + 1);
}

/* Waits for events, at the latest until a moment. A nap is shorter than what epoll counts in. */
static int await(al_process *place, struct epoll_event *events, int64_t until_ns, long nap_ns)
{
    if (!nap_ns)
        return epoll_wait(place->epoll_fd, events, EVENTS, timeout_ms(place, until_ns));
    struct pollfd any = { .fd = place->epoll_fd, .events = POLLIN };
    const struct timespec nap = { 0, nap_ns };
    if (timeout_ms(place, until_ns) != 0 && ppoll(&any, 1, &nap, NULL) <= 0)
        return 0;
    return epoll_wait(place->epoll_fd, events, EVENTS, 0);
}

/* Sleeps until something happens that it has to see to, at the latest until a moment, and with `nap_ns` not
 * longer than that. Told of no answers while others collect. */
static void sleep_until(al_process *place, int64_t until_ns, long nap_ns, bool others)
{
    struct epoll_event events[EVENTS];
    al_workers_count_hungry(place); /* the first time while workers start, and before a death is heard of */
    atomic_store(&place->napping, others);
    atomic_store(&place->asleep, true); /* seq_cst: pairs with al_process_attend() */
    if (arm(place))
        atomic_store(&place->attention, true);
    int count = 0;
    if (!atomic_load(&place->attention) && (others || !al_process_collect(place)))
        count = await(place, events, until_ns, nap_ns);
    atomic_store(&place->asleep, false);
    handle(place, events, count);
    if (place->retry_ns && place->retry_ns <= al_clock_now_ns()) {
        place->retry_ns = 0;
        atomic_store(&place->attention, true);
    }
}

/* What waits behind calls that were expected to be short, and are not, goes to others. True if something
 * waits behind a call: it is to be looked at again soon. */
static bool relieve(al_process *place)
{
    al_bells bells = { .count = 0 };
    int64_t now_ns = al_clock_now_ns();
    if (now_ns - place->relieved_ns < NAP_NS)
        return true;
    place->relieved_ns = now_ns;
    pthread_mutex_lock(&place->lock);
    bool ahead = al_process_relieve(place, &bells);
    pthread_mutex_unlock(&place->lock);
    al_bells_ring(place, &bells);
    return ahead;
}

static void nap_or_sleep(al_process *place, long nap_ns)
{
    bool ahead = relieve(place), others = nap_ns != 0;
    sleep_until(place, INT64_MAX, ahead && !others ? NAPS * NAP_NS : nap_ns, others);
}

/* ---- The thread ---- */

/* Nothing else is of interest any more. */
static void sleep_for_deaths(al_process *place, int64_t until_ns)
{
    atomic_store(&place->attention, false);
    sleep_until(place, until_ns, 0, false);
}

static void dismiss(al_process *place)
{
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        atomic_store(&worker->page->closing, 1);
        al_page_wake(al_page_ring(worker->page));
    }
    int64_t end_ns = al_clock_now_ns() + place->life.close_ns;
    while (place->workers && al_clock_now_ns() < end_ns)
        sleep_for_deaths(place, end_ns);
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        al_worker_kill(place, worker);
    while (place->workers)
        sleep_for_deaths(place, INT64_MAX);
}

/* Whether others collect, or have since this was asked last: while they do they had better. Returns how long
 * to leave it to them; 0: they do not. */
static long leave_ns(al_process *place, uint32_t *seen, long before_ns)
{
    uint32_t pumped = atomic_load_explicit(&place->pumped, memory_order_relaxed);
    bool others = pumped != *seen || atomic_load(&place->collectors);
    *seen = pumped;
    return !others ? 0 : !before_ns ? NAP_NS : before_ns < NAPS * NAP_NS ? 2 * before_ns : before_ns;
}

static void *keep(void *of)
{
    al_process *place = of;
    int64_t busy_ns = 0, looked_ns = 0;
    uint32_t pumped = 0;
    long nap_ns = 0;
    if (place->cpus_known) /* workers inherit it; this thread may have been started from a bound one */
        sched_setaffinity(0, sizeof place->cpus, &place->cpus);
    while (!atomic_load(&place->closing)) {
        nap_ns = leave_ns(place, &pumped, nap_ns);
        bool busy = !nap_ns && al_process_sees_answers(place) && al_process_collect(place);
        if (atomic_load(&place->attention) && atomic_exchange(&place->attention, false)) {
            al_keeper_tend(place);
            busy = true;
        }
        int64_t now_ns = al_clock_now_ns();
        if (busy)
            busy_ns = now_ns;
        bool idle = nap_ns || now_ns - busy_ns > SPIN_NS || !al_process_expects_answers(place, SPIN_NS);
        if (idle || now_ns - looked_ns > LOOK_NS) {
            if (idle)
                nap_or_sleep(place, nap_ns);
            else
                sleep_until(place, 0, 0, false);
            looked_ns = al_clock_now_ns();
        }
        for (int i = 0; !busy && i < 16; i++)
            al_pause();
    }
    dismiss(place);
    return NULL;
}

static bool open_descriptors(al_process *place)
{
    place->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    place->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN };
    return place->epoll_fd >= 0 && place->wake_fd >= 0 &&
           epoll_ctl(place->epoll_fd, EPOLL_CTL_ADD, place->wake_fd, &event) == 0;
}

static void close_descriptors(al_process *place)
{
    if (place->epoll_fd >= 0)
        close(place->epoll_fd);
    if (place->wake_fd >= 0)
        close(place->wake_fd);
    place->epoll_fd = place->wake_fd = -1;
}

allot_status al_keeper_start(al_process *place, al_failure *failure)
{
    int error = open_descriptors(place) ? 0 : errno;
    if (!error)
        error = al_thread_start(&place->keeper, "allot-keeper", keep, place);
    place->started = !error;
    if (!error) {
        al_collector_add(&place->collector);
        return ALLOT_OK;
    }
    close_descriptors(place);
    return al_failure_set(failure, ALLOT_SYSTEM, "cannot start the process place: %s", strerror(error));
}

void al_keeper_stop(al_process *place)
{
    if (!place->started)
        return;
    al_collector_remove(&place->collector);
    atomic_store(&place->closing, true);
    al_process_attend(place);
    pthread_join(place->keeper, NULL);
    close_descriptors(place);
}
