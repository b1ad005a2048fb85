/* Workers come and go: started, greeted, buried. */
#include "places/process/pool.h"
#include "base/clock.h"
#include "base/log.h"
#include "places/process/fault.h"
#include "places/process/start.h"
#include "topology/topology.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define START_NS     INT64_C(30000000000) /* a worker that has not said hello by then is given up */
#define FAILURES_MAX 3                    /* deaths at the start, in a row, before that is reported */
#define PAUSE_NS     INT64_C(1000000000)  /* before the next try when others work; doubles */
#define PAUSE_MAX_NS INT64_C(60000000000)

/* ---- Memory ---- */

void al_workers_count_hungry(al_process *place)
{
    uint64_t ignored;
    if (!place->hungry_known && place->workers)
        place->hungry = al_cgroup_memory_kills(&ignored);
    place->hungry_known |= place->workers != NULL;
}

/* Whether the kernel has killed this one for want of memory: one more than was known of. */
static al_hunger ask_hunger(al_process *place, const al_worker *worker, al_end end)
{
    al_hunger hunger = { false, 0 };
    bool unexplained = end.kind == AL_END_UNKNOWN || (end.kind == AL_END_KILLED && end.number == SIGKILL);
    if (!unexplained || worker->doomed || !place->hungry_known || place->hungry < 0)
        return hunger;
    hunger.killed = al_cgroup_memory_kills(&hunger.limit_bytes) > place->hungry;
    place->hungry += hunger.killed;
    return hunger;
}

/* ---- Start ---- */

bool al_worker_watch(al_process *place, int fd, al_worker *worker, al_tag tag)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uintptr_t)worker | tag };
    return epoll_ctl(place->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void worker_free(al_worker *worker)
{
    if (worker->child.socket >= 0)
        close(worker->child.socket);
    if (worker->child.pidfd >= 0)
        close(worker->child.pidfd);
    al_words_close(&worker->words);
    al_page_unmap(worker->page);
    free(worker);
}

static al_worker *worker_create(int *page)
{
    al_worker *worker = calloc(1, sizeof *worker);
    *page = -1;
    if (!worker)
        return NULL;
    worker->child = (al_spawned){ -1, -1, -1 };
    worker->head = worker->tail = 1;
    worker->kill_ns = INT64_MAX;
    worker->last_turn = UINT64_MAX;
    worker->words.fd = -1;
    worker->page = al_page_create(page);
    if (worker->page)
        return worker;
    free(worker);
    return NULL;
}

void al_worker_count(al_process *place, al_worker *worker, bool there)
{
    if (worker->counted == there)
        return;
    worker->counted = there;
    place->worker_count += there ? 1 : SIZE_MAX;
    atomic_store(&place->base.workers, (int)place->worker_count);
}

/* Without a pipe for it a worker shares our standard error, and dies without last words. */
static allot_status spawn(al_process *place, al_worker *worker, int page, al_failure *failure)
{
    int speaker = -1;
    if (!place->life.shares_stderr)
        al_words_open(&worker->words, &speaker);
    worker->page->first_mail = place->life.setup < 0 ? 0 : (uint32_t)place->life.module_count + 1;
    allot_status status = al_spawn(&place->spawner, page, speaker, &worker->child, failure);
    if (speaker >= 0)
        close(speaker);
    return status;
}

static bool watch_all(al_process *place, al_worker *worker)
{
    return (worker->child.pidfd < 0 || al_worker_watch(place, worker->child.pidfd, worker, AL_TAG_DEATH)) &&
           al_worker_watch(place, worker->child.socket, worker, AL_TAG_SOCKET) &&
           (worker->words.fd < 0 || al_worker_watch(place, worker->words.fd, worker, AL_TAG_WORDS));
}

static bool tell(al_worker *worker, const al_wire_message *message, int fd)
{
    atomic_fetch_add(&worker->page->mail, 1);
    return al_wire_send(worker->child.socket, message, fd);
}

/* What it is to read before anything else. */
static bool send_setup(al_process *place, al_worker *worker)
{
    al_wire_message message;
    const al_lifetime *life = &place->life;
    for (size_t i = 0; life->setup >= 0 && i < life->module_count; i++) {
        uint32_t module = life->modules[i];
        al_symbols_introduce(&place->symbols, module, &message);
        worker->modules[module / 64] |= UINT64_C(1) << (module % 64);
        if (!tell(worker, &message, -1))
            return false;
    }
    memset(&message, 0, sizeof message);
    message.kind = AL_WIRE_SETUP;
    message.size = life->setup_bytes;
    return life->setup < 0 || tell(worker, &message, life->setup);
}

allot_status al_worker_start(al_process *place, al_failure *failure)
{
    int page;
    al_worker *worker = worker_create(&page);
    if (!worker)
        return al_failure_set(failure, ALLOT_SYSTEM, "cannot start a worker process: no shared memory: %s",
                              strerror(errno));
    allot_status status = spawn(place, worker, page, failure);
    close(page);
    if (status != ALLOT_OK) {
        worker_free(worker);
        return status;
    }
    worker->kill_ns = al_clock_now_ns() + START_NS;
    worker->last_turn = place->life.tasks_max;
    pthread_mutex_lock(&place->lock);
    worker->next = place->workers;
    place->workers = worker;
    al_worker_count(place, worker, true);
    place->starting++;
    if (place->staff < place->worker_count)
        place->staff = place->worker_count;
    pthread_mutex_unlock(&place->lock);
    if (!send_setup(place, worker) || !watch_all(place, worker)) {
        status = al_failure_set(failure, ALLOT_SYSTEM, "cannot watch a worker process: %s", strerror(errno));
        al_spawned_signal(&worker->child, SIGKILL);
        al_worker_bury(place, worker);
    }
    return status;
}

void al_worker_greet(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    if (worker->state == AL_WORKER_STARTING && !place->killing) {
        worker->state = AL_WORKER_READY;
        worker->kill_ns = INT64_MAX;
        place->starting--;
        worker->seen_head = worker->head;
        worker->seen_ns = al_clock_now_ns();
        if (worker->head > worker->last_turn) /* what it was given early was all that it is to do */
            al_worker_retire(place, worker);
    }
    pthread_mutex_unlock(&place->lock);
    place->start_failures = 0;
    place->pause_ns = 0;
    al_process_attend(place);
}

void al_worker_takes_time(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    worker->kill_ns = INT64_MAX;
    pthread_mutex_unlock(&place->lock);
}

/* There will be no more workers. */
static void break_down(al_process *place, allot_status status, const char *why)
{
    pthread_mutex_lock(&place->lock);
    place->broken = true;
    place->staff = 0;
    pthread_mutex_unlock(&place->lock);
    al_place_set_aside(&place->base, why);
    al_keeper_give_up(place, status, why);
}

void al_worker_refuses(al_process *place, al_worker *worker, const al_wire_message *message)
{
    if (!place->broken && worker->state == AL_WORKER_STARTING)
        break_down(place, ALLOT_NO_PLACE, message->path);
}

/* ---- Death ---- */

/* With the lock held: what becomes of a call that the dead worker had. Those that it had not begun are put
 * back. */
static al_ended inherit(al_process *place, al_worker *worker, uint64_t turn, const al_fault *fault)
{
    al_failure failure = { 0 };
    al_job *job = worker->jobs[turn % AL_SLOTS];
    if (!job)
        return (al_ended){ .parcel = -1 };
    if (al_process_take_back(place, job)) {
        al_job_queue_prepend(&place->queue, job);
        return (al_ended){ .parcel = -1 };
    }
    atomic_fetch_sub_explicit(&place->given, 1, memory_order_relaxed);
    allot_status status = al_task_stop_status(job->task);
    if (status != ALLOT_OK)
        al_failure_set(&failure, status, "%s; its worker process (pid %d) %s", allot_status_text(status),
                       (int)worker->child.pid, fault->how);
    else
        status = al_failure_set(&failure, ALLOT_WORKER_DIED, "the worker process (pid %d) %s%s",
                                (int)worker->child.pid, fault->how, fault->more);
    return al_job_end(place, job, status, &failure);
}

/* With the lock held. Answers that were given before the death count. */
static size_t settle(al_process *place, al_worker *worker, const al_fault *fault, al_ended *ended)
{
    size_t ended_count = 0;
    while (al_worker_answered(place, worker, &ended[ended_count]))
        ended_count++;
    for (uint64_t turn = worker->head; turn-- > worker->tail;)
        ended[ended_count++] = inherit(place, worker, turn, fault);
    return ended_count;
}

/* Whether a worker that was not heard of had come as far as its first call. */
static bool has_begun(const al_ended *ended, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ended[i].task)
            return true;
    return false;
}

static void unlink_worker(al_process *place, al_worker *worker)
{
    al_worker **link = &place->workers;
    while (*link != worker)
        link = &(*link)->next;
    *link = worker->next;
    al_worker_count(place, worker, false);
    if (worker->state == AL_WORKER_STARTING)
        place->starting--;
}

/* A worker that never reached its loop. One such death may be chance; several mean that the next would die
 * too. While others live, it is tried again later and later. */
static void note_failed_start(al_process *place, al_end end, const al_fault *fault)
{
    char why[sizeof *fault + 80];
    if (end.kind == AL_END_EXITED && end.number == AL_START_NOT_HERE && al_spawner_change(&place->spawner))
        return;
    snprintf(why, sizeof why, "worker processes die at their start; the last one %s%s", fault->how,
             fault->more);
    if (++place->start_failures < FAILURES_MAX)
        return;
    if (!atomic_load(&place->base.workers)) {
        break_down(place, ALLOT_WORKER_DIED, why);
        return;
    }
    al_log(AL_LOG_WARNING, "%s", why);
    pthread_mutex_lock(&place->lock);
    place->staff = place->worker_count;
    pthread_mutex_unlock(&place->lock);
    place->pause_ns = place->pause_ns ? 2 * place->pause_ns : PAUSE_NS;
    place->pause_ns = place->pause_ns < PAUSE_MAX_NS ? place->pause_ns : PAUSE_MAX_NS;
    place->retry_ns = al_clock_now_ns() + place->pause_ns;
}

void al_worker_bury(al_process *place, al_worker *worker)
{
    al_fault fault;
    al_ended ended[AL_SLOTS + 1];
    al_end end = al_spawned_reap(&worker->child);
    al_party_died(worker->party); /* before its task ends: who sees that end waits for the dead no more */
    al_words_hear_out(&worker->words);
    al_hunger hunger = ask_hunger(place, worker, end);
    al_fault_tell(end, &hunger, &worker->page->crash, &worker->words, &fault);
    pthread_mutex_lock(&place->lock);
    bool closing = atomic_load(&place->closing);
    size_t ended_count = settle(place, worker, &fault, ended);
    bool starting = worker->state == AL_WORKER_STARTING && !has_begun(ended, ended_count);
    al_worker_note_rung(place, worker, false);
    unlink_worker(place, worker);
    pthread_mutex_unlock(&place->lock);
    bool replaced = !closing && !worker->not_replaced && !place->broken;
    for (size_t i = 0; i < ended_count; i++)
        al_ended_complete(place, &ended[i]);
    worker_free(worker);
    if (replaced)
        al_place_count(&place->base, AL_RESTARTS, 1);
    if (starting && !closing && !place->broken)
        note_failed_start(place, end, &fault);
    al_process_attend(place);
}
