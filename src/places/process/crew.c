/* The life of workers: started, greeted, stopped, buried. */
#include "places/process/pool.h"
#include "base/clock.h"
#include "base/log.h"
#include "places/process/fault.h"
#include "places/process/start.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define START_NS     INT64_C(30000000000) /* a worker that has not said hello by then is given up */
#define FAILURES_MAX 3                    /* deaths at the start, in a row, before that is reported */
#define LOST_NS                                                                                              \
    INT64_C(200000000) /* from the end of a worker's socket to its own, if it does not die by itself */
#define HELD_UP_NS   INT64_C(20000000)   /* until a standard error that was full is looked at again */
#define PAUSE_NS     INT64_C(1000000000) /* before the next try when others work; doubles */
#define PAUSE_MAX_NS INT64_C(60000000000)

/* ---- Start ---- */

static bool watch(al_process *place, int fd, al_worker *worker, al_tag tag)
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

/* With the lock held: the workers that there are, also for those who look without it. */
static void count(al_process *place, al_worker *worker, bool there)
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
    return (worker->child.pidfd < 0 || watch(place, worker->child.pidfd, worker, AL_TAG_DEATH)) &&
           watch(place, worker->child.socket, worker, AL_TAG_SOCKET) &&
           (worker->words.fd < 0 || watch(place, worker->words.fd, worker, AL_TAG_WORDS));
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
    worker->start_ns = al_clock_now_ns();
    worker->last_turn = place->life.tasks_max;
    pthread_mutex_lock(&place->lock);
    worker->next = place->workers;
    place->workers = worker;
    count(place, worker, true);
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
        place->starting--;
        worker->seen_head = worker->head;
        worker->seen_ns = al_clock_now_ns();
    }
    pthread_mutex_unlock(&place->lock);
    place->start_failures = 0;
    place->pause_ns = 0;
    al_process_attend(place);
}

void al_worker_takes_time(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    worker->start_ns = INT64_MAX - START_NS;
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

/* ---- End ---- */

void al_worker_retire(al_process *place, al_worker *worker)
{
    if (worker->state != AL_WORKER_READY)
        return;
    worker->state = AL_WORKER_LEAVING;
    count(place, worker, false);
    /* seq_cst, after what was given: the worker looks at this first, and then for a call. */
    atomic_store(&worker->page->closing, 1);
    al_page_wake(al_page_ring(worker->page));
    al_process_attend(place);
}

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
    watch(place, worker->words.fd, worker, AL_TAG_WORDS);
    return INT64_MAX;
}

/* ---- Stop ---- */

void al_worker_kill(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    if (worker->state == AL_WORKER_STARTING)
        worker->start_ns = INT64_MAX - START_NS; /* its death is still one at the start */
    else
        worker->state = AL_WORKER_ENDING;
    worker->kill_ns = INT64_MAX;
    pthread_mutex_unlock(&place->lock);
    al_spawned_signal(&worker->child, SIGKILL);
}

/* A worker that dies loses its socket a moment before: only one that lives on without it is killed, after a
 * while. */
void al_worker_lost(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    if (worker->state == AL_WORKER_STARTING)
        worker->start_ns = al_clock_now_ns() + LOST_NS - START_NS;
    else
        worker->state = AL_WORKER_ENDING;
    int64_t due_ns = al_clock_now_ns() + LOST_NS;
    if (worker->state == AL_WORKER_ENDING && due_ns < worker->kill_ns)
        worker->kill_ns = due_ns;
    pthread_mutex_unlock(&place->lock);
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
    if (worker->state == AL_WORKER_STARTING)
        return worker->start_ns + START_NS;
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

/* With the lock held: the running call's worker gets SIGTERM now, and SIGKILL when the grace is over. The
 * slot's change comes first: if the call is done already, no signal is sent that could hit the next one. */
static void end_given(al_job *job, int64_t grace_ns)
{
    al_worker *worker = job->worker;
    al_slot *slot = al_page_slot(worker->page, job->turn);
    atomic_store_explicit(&slot->stopping, 1, memory_order_relaxed);
    if (!al_slot_kill(slot, job->turn))
        return;
    int64_t due_ns = al_clock_deadline_ns(grace_ns);
    worker->state = AL_WORKER_ENDING;
    if (due_ns < worker->kill_ns)
        worker->kill_ns = due_ns;
    al_spawned_signal(&worker->child, grace_ns > 0 ? SIGTERM : SIGKILL);
}

/* With the lock held. */
static al_ended stop_job(al_process *place, al_job *job, int64_t grace_ns)
{
    al_failure failure = { 0 };
    bool back = job->state == AL_JOB_GIVEN && al_process_take_back(place, job);
    if (!back && job->state == AL_JOB_WAITING)
        al_job_queue_remove(&place->queue, job);
    else if (!back && job->state == AL_JOB_GIVEN)
        end_given(job, grace_ns);
    if (!back && job->state != AL_JOB_WAITING)
        return (al_ended){ .parcel = -1 };
    job->state = AL_JOB_HELD;
    return al_job_end(place, job, al_task_stop_status(job->task), &failure);
}

/* With the lock held: everything that it was given ends with it. */
static void end_worker(al_worker *worker)
{
    for (uint64_t turn = worker->tail; turn != worker->head; turn++) {
        al_job *job = worker->jobs[turn % AL_SLOTS];
        uint32_t none = AL_STOP_NONE;
        if (!job)
            continue;
        atomic_compare_exchange_strong(&job->task->future.stop, &none, AL_STOP_SHUTDOWN);
        end_given(job, 0);
    }
    if (worker->state == AL_WORKER_READY) /* else it would be given more */
        worker->state = AL_WORKER_ENDING;
    if (worker->state != AL_WORKER_STARTING)
        al_spawned_signal(&worker->child, SIGKILL);
}

/* What is queued, or in the keeper's hands, the keeper ends. */
static void stop_all(al_process *place)
{
    pthread_mutex_lock(&place->lock);
    place->killing = true;
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        end_worker(worker);
    pthread_mutex_unlock(&place->lock);
    al_process_attend(place);
}

void al_process_stop(al_process *place, al_task *task, int64_t grace_ns)
{
    if (!task) {
        stop_all(place);
        return;
    }
    al_ended last = { .parcel = -1 };
    pthread_mutex_lock(&place->lock);
    al_job *job = al_job_of(place, task);
    if (job && job->state == AL_JOB_SPREAD) {
        al_split *split = job->split;
        for (size_t i = 0; i < split->parts && !last.task; i++)
            last = stop_job(place, &split->jobs[i], grace_ns);
    } else if (job) {
        last = stop_job(place, job, grace_ns);
    }
    pthread_mutex_unlock(&place->lock);
    al_process_attend(place); /* for the timer */
    al_ended_complete(place, &last);
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

static void unlink_worker(al_process *place, al_worker *worker)
{
    al_worker **link = &place->workers;
    while (*link != worker)
        link = &(*link)->next;
    *link = worker->next;
    count(place, worker, false);
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
    al_fault_tell(end, &worker->page->crash, &worker->words, &fault);
    pthread_mutex_lock(&place->lock);
    bool starting = worker->state == AL_WORKER_STARTING, closing = atomic_load(&place->closing);
    size_t ended_count = settle(place, worker, &fault, ended);
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
