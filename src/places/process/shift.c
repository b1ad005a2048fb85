/* How many workers there are and how long each stays: those that are too many, idle, or worn out leave; and
 * what they say meanwhile is passed on. */
#include "base/clock.h"
#include "places/process/pool.h"
#include <sys/epoll.h>

#define HELD_UP_NS INT64_C(20000000) /* until a standard error that was full is looked at again */

/* ---- Words ---- */

void al_worker_speaks(al_process *place, al_worker *worker)
{
    switch (al_words_hear(&worker->words)) {
    case AL_WORDS_MORE_TO_COME:
        break;
    case AL_WORDS_HELD_UP:
        epoll_ctl(place->epoll_fd, EPOLL_CTL_DEL, worker->words.fd, NULL);
        worker->words_ns = al_clock_now_ns() + HELD_UP_NS;
        break;
    case AL_WORDS_OVER:
        al_words_close(&worker->words);
        break;
    }
}

/* Listens again to one whose words could not be passed on. Returns when that is due; INT64_MAX: never. */
static int64_t listen_again(al_process *place, al_worker *worker, int64_t now_ns)
{
    if (!worker->words_ns || worker->words.fd < 0)
        return INT64_MAX;
    if (worker->words_ns > now_ns)
        return worker->words_ns;
    worker->words_ns = 0;
    al_worker_watch(place, worker->words.fd, worker, AL_TAG_WORDS);
    return INT64_MAX;
}

/* ---- Leaving ---- */

void al_worker_retire(al_process *place, al_worker *worker)
{
    if (worker->state != AL_WORKER_READY)
        return;
    worker->state = AL_WORKER_LEAVING;
    al_worker_count(place, worker, false);
    /* seq_cst, after what was given: the worker looks at this first, and then for a call. */
    atomic_store(&worker->page->closing, 1);
    al_page_wake(al_page_ring(worker->page));
    al_process_attend(place);
}

static bool is_idle(const al_worker *worker)
{
    return worker->head == worker->tail && !worker->held;
}

static void dismiss(al_process *place, al_worker *worker)
{
    worker->not_replaced = true;
    al_worker_retire(place, worker);
    if (place->staff > place->worker_count)
        place->staff = place->worker_count;
}

/* With the lock held: lets go of a worker that is too many, or was idle for long beyond those that are kept.
 * Returns when that will be. */
static int64_t spare(al_process *place, al_worker *worker, int64_t now_ns)
{
    if (worker->head != worker->seen_head || !is_idle(worker)) {
        worker->seen_head = worker->head;
        worker->seen_ns = now_ns;
    }
    if (place->worker_count <= place->kept)
        return INT64_MAX;
    int64_t due_ns = worker->seen_ns + place->life.idle_ns;
    bool too_many = place->worker_count > (size_t)place->limit;
    if (!is_idle(worker) || (due_ns > now_ns && !too_many))
        return due_ns;
    dismiss(place, worker);
    return INT64_MAX;
}

/* With the lock held: when this worker's time is up; *kill says whether it is then to be killed. */
static int64_t due_of(al_process *place, al_worker *worker, int64_t now_ns, bool *kill)
{
    *kill = worker->state != AL_WORKER_READY;
    if (worker->state == AL_WORKER_READY)
        return spare(place, worker, now_ns);
    if (worker->state == AL_WORKER_LEAVING && is_idle(worker) && worker->kill_ns == INT64_MAX)
        worker->kill_ns = now_ns + place->life.close_ns;
    return worker->kill_ns;
}

/* With the lock held: those that are busy leave after what they do. */
static void dismiss_the_busy(al_process *place)
{
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        if (place->worker_count > (size_t)place->limit && worker->state == AL_WORKER_READY && !worker->held)
            dismiss(place, worker);
}

int64_t al_workers_expire(al_process *place, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        bool kill;
        pthread_mutex_lock(&place->lock);
        int64_t due_ns = due_of(place, worker, now_ns, &kill);
        pthread_mutex_unlock(&place->lock);
        int64_t words_ns = listen_again(place, worker, now_ns);
        if (due_ns <= now_ns && kill)
            al_worker_kill(place, worker);
        else if (due_ns < next_ns)
            next_ns = due_ns;
        if (words_ns < next_ns)
            next_ns = words_ns;
    }
    pthread_mutex_lock(&place->lock);
    dismiss_the_busy(place);
    pthread_mutex_unlock(&place->lock);
    return next_ns;
}

void al_process_resize(al_process *place, int min, int max)
{
    pthread_mutex_lock(&place->lock);
    place->kept = (size_t)min;
    atomic_store(&place->limit, max);
    if (place->staff > (size_t)max)
        place->staff = (size_t)max;
    pthread_mutex_unlock(&place->lock);
    al_process_attend(place);
}
