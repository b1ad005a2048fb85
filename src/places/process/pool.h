/* The process place: tasks in queues of their submitters, and workers whose slots they are put into.
 *
 *   job.c      what the place keeps of a call, and how it ends
 *   feed.c     which worker gets what, and when
 *   early.c    what those get that are not ready yet
 *   collect.c  the answers
 *   prepare.c  what must reach a worker before a call can
 *   crew.c     the life of workers
 *   keeper.c   the place's own thread
 *
 * Who may do what: any thread puts tasks into its own queue, without a lock. Under the one lock any thread
 * gives simple ones to workers that have room, and takes answers, many at a time: a submitting thread now and
 * then while its tasks stream, a waiting one until its future is done. The keeper does what takes long or
 * needs a descriptor: it starts and buries workers, tells them of modules and arrays, prepares launches and
 * large arguments, ends what is to be stopped, and collects when nobody else does. While others do, it looks
 * at least every 400 microseconds whether they still do: so long may an answer lie there that nobody waits
 * for. */
#ifndef AL_PLACES_PROCESS_POOL_H
#define AL_PLACES_PROCESS_POOL_H

#include "core/collector.h"
#include "core/launch.h"
#include "places/inject.h"
#include "places/place.h"
#include "places/process/setup.h"
#include "places/process/slot.h"
#include "places/process/spawn.h"
#include "places/process/symbol.h"
#include "places/process/wire.h"
#include "places/process/words.h"
#include <pthread.h>

typedef struct al_job al_job;
typedef struct al_split al_split;
typedef struct al_worker al_worker;
typedef struct al_process al_process;

typedef enum al_job_state {
    AL_JOB_QUEUED,  /* its task has not started */
    AL_JOB_TAKEN,   /* the same, but off the queue: nobody can withdraw it any more */
    AL_JOB_WAITING, /* its task has started, and it waits for a worker: a part, or back from a dead one */
    AL_JOB_HELD,    /* in the keeper's hands */
    AL_JOB_GIVEN,   /* in a worker's slot */
    AL_JOB_SPREAD   /* a launch whose parts are jobs of their own */
} al_job_state;

/* One call that is not in a submitter's queue any more: a plain function's task, a launch, or a part of one.
 * task->more->slot is a task's own job, while it has one, of tasks that have `more`. */
struct al_job {
    al_job *next, *previous; /* of the queue */
    al_task *task;
    al_split *split; /* of a part, and of a launch that is spread */
    size_t part;
    al_job_state state;
    al_symbol symbol;
    al_worker *worker; /* given to */
    uint64_t turn;
    uint64_t sequence; /* calls given before it, to all workers */
    int parcel;        /* descriptor of what does not fit the slot; -1: none */
};

/* A launch that has been cut into parts. */
struct al_split {
    al_job *launch; /* the task's own job */
    size_t parts, unfinished;
    allot_status status; /* the first that was not OK */
    al_failure failure;
    int64_t start_ns;
    al_copy *copies[AL_PARAMS_MAX];
    al_job jobs[];
};

typedef enum al_worker_state {
    AL_WORKER_STARTING, /* has not said hello */
    AL_WORKER_READY,
    AL_WORKER_LEAVING, /* ends by itself when it has done what it was given; not counted any more */
    AL_WORKER_ENDING   /* being killed, or not to be trusted any more: takes no jobs */
} al_worker_state;

struct al_worker {
    al_worker *next;
    al_spawned child;
    al_page *page;
    al_worker_state state;
    bool counted;       /* among the place's workers */
    bool doomed;        /* it was killed, at its start perhaps: nothing more is given to it */
    uint64_t last_turn; /* after which it leaves; UINT64_MAX: it stays */
    bool not_replaced;  /* it leaves because there are too many */
    uint64_t seen_tail; /* what it was at when the keeper looked last, if it had more ahead */
    uint64_t seen_head; /* the keeper's own: nothing was given to it since seen_ns */
    int64_t seen_ns;
    al_words words;   /* the keeper's own, as is: */
    int64_t words_ns; /* when it is listened to again; 0: it is */
    bool held;        /* the keeper prepares a job for it */
    bool rung;        /* it had to be woken for what it was given, and has not answered since */
    bool armed;       /* it was told to notify the keeper of its next answer, and may have done so since */
    _Atomic uint64_t head,
        tail; /* turns: the next to give, the oldest not collected; the keeper looks without the lock */
    al_job *jobs[AL_SLOTS];
    uint64_t modules[AL_MODULES_MAX / 64]; /* told of */
    struct al_worker_array {
        uint64_t copy; /* its id; 0: nothing */
        uint64_t used;
        bool stale; /* the copy is gone */
    } arrays[AL_ARRAYS_MAX];
    uint64_t uses;
    uint32_t party;             /* its number among those who use sync objects; 0: it has asked for none */
    int64_t kill_ns;            /* when SIGKILL is due; INT64_MAX: never */
    _Atomic int64_t typical_ns; /* what a call took lately; 0: there was none. Changed under the lock */
    bool surprised;             /* the last one took much longer */
};

typedef struct al_job_queue {
    al_job *first, *last;
    size_t count;
} al_job_queue;

/* What the host asks for its workers. */
typedef struct al_lifetime {
    uint64_t tasks_max; /* UINT64_MAX: no limit */
    int64_t idle_ns;    /* for those beyond the place's `kept` */
    int64_t close_ns;   /* what a worker gets to exit by itself */
    bool shares_stderr;
    int setup; /* memory with an al_setup; -1: none is needed */
    size_t setup_bytes;
    uint32_t modules[2]; /* of the setup's functions */
    size_t module_count;
} al_lifetime;

struct al_process {
    al_place base; /* first */
    al_memory memory;
    _Atomic int limit; /* workers there may be; changed under the lock */
    char refusal[100]; /* why there can be none; "" if there can */
    al_symbols symbols;
    al_spawner spawner;

    al_inject inject; /* tasks that nobody has looked at. Pushed without the lock, taken with it */
    /* Submitters are to distribute at once: a worker is free, or one may be added. Not: the next answer will
     * take their tasks along. Written with the lock held. */
    _Atomic bool wanted;

    pthread_mutex_t lock; /* guards all below but what is said to be the keeper's or atomic */
    al_job_queue queue;   /* what came before what is still in `inject` */
    unsigned turn;        /* of the submitters' queues */
    uint64_t taken, normal_due, low_due;
    uint64_t sequence, overtaken_due;
    al_worker *workers;  /* changed by the keeper only */
    size_t worker_count; /* without those that leave */
    size_t starting;
    size_t kept;       /* so many stay also without work */
    size_t staff;      /* those that die are replaced up to so many */
    bool broken;       /* workers cannot do their work: there will be none; written by the keeper */
    bool killing;      /* nothing is run any more */
    al_job *spare;     /* jobs to use again */
    uint64_t copies;   /* ids given to copies */
    bool arrays_stale; /* some worker has one mapped that is gone */
    /* The keeper will look soon whether calls wait behind one that takes long. Else it may sleep until an
     * answer comes, and who gives one ahead tells it. */
    bool watched;

    al_collector collector;
    _Atomic bool closing;
    _Atomic bool attention;  /* the keeper has something to do besides collecting */
    _Atomic bool asleep;     /* the keeper sleeps: whoever sets `attention` writes to wake_fd */
    _Atomic bool napping;    /* it sleeps for a moment only, and need not be told of answers */
    _Atomic uint32_t given;  /* jobs in slots */
    _Atomic uint32_t rung;   /* workers that had to be woken and have not answered since */
    _Atomic uint32_t pumped; /* how often others than the keeper have collected answers */
    _Atomic uint32_t
        collectors; /* threads that collect now: workers need not wake the keeper while there are any */

    pthread_t keeper;
    bool started;
    int epoll_fd, wake_fd;
    al_lifetime life; /* set when the place is made */
    /* The keeper's own. */
    int64_t relieved_ns; /* when it looked last whether workers are held up */
    int start_failures;  /* in a row */
    int64_t pause_ns;    /* after the last of them */
    int64_t retry_ns;    /* no worker is started before */
    int64_t hungry;      /* processes killed for want of memory, by the kernel's count; -1: it has none */
    bool hungry_known;
    cpu_set_t cpus; /* the mask for workers */
    bool cpus_known;
};

static inline al_process *al_process_from(al_place *place)
{
    return place->kind == ALLOT_PROCESS ? (al_process *)place : NULL;
}

/* ---- pool.c: any thread, with no lock held ---- */

void al_process_enqueue(al_process *place, al_task *task);
al_task *al_process_withdraw(al_process *place, al_task *which);

/* Wakes the keeper, or makes it look once more before it sleeps. */
void al_process_attend(al_process *place);

/* What is to be done once the lock is free. */
#define AL_BELLS 8
typedef struct al_bells {
    size_t count;
    _Atomic uint32_t *of[AL_BELLS]; /* workers to be woken */
    bool attend;                    /* the keeper is needed */
} al_bells;

void al_bells_add(al_bells *bells, _Atomic uint32_t *bell); /* NULL: none */
void al_bells_ring(al_process *place, const al_bells *bells);

/* ---- collect.c: any thread, with no lock held ---- */

/* Takes the answers that are there and completes their tasks; true if there were any. */
bool al_process_collect(al_process *place);

/* The same for a thread that does something else, and only if nobody holds the lock. */
void al_process_pump(al_process *place);

/* The keeper: whether there are any. */
bool al_process_sees_answers(al_process *place);

/* The keeper: false if calls are out and none of them is expected to be done within that time. */
bool al_process_expects_answers(const al_process *place, int64_t within_ns);

/* Sets up the place's collector, for threads that wait. */
void al_process_collector_init(al_collector *collector);

/* A call that has ended and whose task, if it was the last of it, is to be completed once the lock is free.
 */
typedef struct al_ended {
    al_task *task;   /* NULL: other parts are not done yet */
    al_split *split; /* to be freed after the task is completed */
    allot_status status;
    al_failure failure;
    int64_t busy_ns;
    int parcel; /* holds the result; -1: none */
} al_ended;

/* Completes what al_job_end() or al_worker_answered() ended. */
void al_ended_complete(al_process *place, al_ended *ended);

/* With the lock held: takes the next answer from a worker; false if there is none. */
bool al_worker_answered(al_process *place, al_worker *worker, al_ended *ended);

/* ---- job.c; with the lock held ---- */

void al_job_queue_append(al_job_queue *queue, al_job *job);
void al_job_queue_prepend(al_job_queue *queue, al_job *job);
void al_job_queue_remove(al_job_queue *queue, al_job *job);

/* A job for a task that has not started; NULL when memory is out. */
al_job *al_job_create(al_process *place, al_task *task);

/* Lets go of a job without a task. */
void al_job_discard(al_process *place, al_job *job);

/* False if its function cannot be called by a worker; the failure says why. */
bool al_job_resolve(al_process *place, al_job *job, al_failure *failure);

/* The job of a task that has started; NULL: it has none any more. */
al_job *al_job_of(const al_process *place, const al_task *task);

/* Ends a job that is in no queue and no slot any more. */
al_ended al_job_end(al_process *place, al_job *job, allot_status status, al_failure *failure);

/* With no lock held: ends a job whose task may not have started yet. */
void al_job_refuse(al_process *place, al_job *job, allot_status status, al_failure *failure);

/* ---- feed.c; with the lock held ---- */

/* How many tasks and parts wait for a worker. */
size_t al_process_queued(const al_process *place);

/* Takes a task that nobody has looked at, low priority first; NULL: there is none. */
al_task *al_process_take_any(al_process *place);

/* Makes sure that there is a job in the queue if there is a task. Returns a task that there was no memory
 * for. */
al_task *al_process_fetch(al_process *place);

/* A worker that can take a job now, better one that is awake; NULL if there is none. */
al_worker *al_process_free_worker(al_process *place);

static inline int64_t al_worker_typical_ns(const al_worker *worker)
{
    return atomic_load_explicit(&worker->typical_ns, memory_order_relaxed);
}

/* Notes whether it had to be woken for what it was given, and has not answered since. */
static inline void al_worker_note_rung(al_process *place, al_worker *worker, bool rung)
{
    if (worker->rung != rung)
        atomic_fetch_add_explicit(&place->rung, rung ? 1 : (uint32_t)-1, memory_order_relaxed);
    worker->rung = rung;
}

/* Puts a job whose task has started into the worker's next slot. Returns what to wake after the lock is free.
 */
_Atomic uint32_t *al_process_give(al_process *place, al_worker *worker, al_job *job);

/* Gives the worker what it has room for: simple jobs, those that need no message before, or, if nothing is
 * queued, what others have not begun. */
void al_process_feed(al_process *place, al_worker *worker, al_bells *bells);

/* The keeper: takes back what workers have not begun that are still at the call that they were at when this
 * was called last, and wakes others for it and for what else waits. True: something waits behind a call. */
bool al_process_relieve(al_process *place, al_bells *bells);

/* Feeds workers that are free, and says whether submitters are wanted from now on. */
void al_process_distribute(al_process *place, al_bells *bells);

/* Turns whose jobs were taken back or collected are over once they are the oldest. */
void al_worker_pass_over(al_worker *worker);

/* Takes a job back that its worker has not begun; false if it has. */
bool al_process_take_back(al_process *place, al_job *job);

/* ---- early.c; with the lock held ---- */

/* How many workers start that were given nothing. */
size_t al_process_vacant(const al_process *place);

/* One of them, if it can take the first job of the queue, and no worker is ready; else NULL. */
al_worker *al_process_early_worker(al_process *place);

/* Whether some worker that starts was given a call. */
bool al_process_gave_early(const al_process *place);

/* The keeper: if nothing is queued and a worker is free, puts such a call back into the queue. */
void al_process_take_back_early(al_process *place);

/* ---- memory.c: arrays that workers can map ---- */

typedef struct al_shared_copy {
    al_copy base; /* first */
    uint64_t id;
    int fd;
    size_t bytes;
    unsigned char *pages; /* of a copy of its own; NULL: the array's own pages are shared */
} al_shared_copy;

extern const al_memory_ops al_shared_memory_ops;

/* ---- prepare.c: what must reach a worker before a job can; the keeper, with no lock held ---- */

/* Tells the worker of all that the job needs. False: the worker does not listen. Other failures go to *status
 * and the failure. */
bool al_prepare(al_process *place, al_worker *worker, al_job *job, allot_status *status, al_failure *failure);

/* Any thread, with the lock held: true if it has them all mapped. */
bool al_worker_has_arrays(const al_worker *worker, const al_split *split);

/* Makes a launch's arrays current and cuts it into parts; NULL with *status and the failure set. */
al_split *al_split_create(al_process *place, al_job *launch, allot_status *status, al_failure *failure);

/* Writes a part into the slot. */
void al_split_write(const al_job *job, al_worker *worker, al_slot *slot, al_slot_body *body);

/* Tells workers to unmap arrays that are gone. */
void al_forget_stale(al_process *place);

/* Answers a worker that asks for a sync object. False: it does not listen. */
bool al_worker_lend(al_worker *worker, const al_wire_message *asked);

/* What an event of the keeper's is about, in the lowest bits of the worker's address. */
typedef enum al_tag {
    AL_TAG_SOCKET,
    AL_TAG_DEATH,
    AL_TAG_WORDS
} al_tag;

/* ---- crew.c: the keeper, with no lock held but where said ---- */

/* Starts one more worker. */
allot_status al_worker_start(al_process *place, al_failure *failure);

/* Any thread, with the lock held: whether it is one of the place's workers. */
void al_worker_count(al_process *place, al_worker *worker, bool there);

/* Lets the keeper hear of what happens at a descriptor. */
bool al_worker_watch(al_process *place, int fd, al_worker *worker, al_tag tag);

/* The worker has reached its loop. */
void al_worker_greet(al_process *place, al_worker *worker);

/* It lives, and its start may take as long as it likes. */
void al_worker_takes_time(al_process *place, al_worker *worker);

/* It cannot do its work, as it says itself. */
void al_worker_refuses(al_process *place, al_worker *worker, const al_wire_message *message);

/* The worker has died: fails what it was running, puts back what it had not begun, frees it. */
void al_worker_bury(al_process *place, al_worker *worker);

/* The keeper: once there are workers, notes how many processes the kernel had killed for want of memory
 * before any of them. Reads files, once. */
void al_workers_count_hungry(al_process *place);

/* ---- shift.c: the keeper, with no lock held but where said ---- */

/* It has said something on its standard error. */
void al_worker_speaks(al_process *place, al_worker *worker);

/* Any thread, with the lock held: lets a worker end once it has done what it was given. */
void al_worker_retire(al_process *place, al_worker *worker);

/* Sees to workers whose time is up: kills them, lets go of those that are too many; returns when the next
 * one's is. */
int64_t al_workers_expire(al_process *place, int64_t now_ns);

/* Any thread: how many workers it has. */
void al_process_resize(al_process *place, int min, int max);

/* ---- stop.c ---- */

/* The keeper: ends one that cannot be used any more; its death is noticed as any other. */
void al_worker_kill(al_process *place, al_worker *worker);

/* The keeper: its socket has ended. */
void al_worker_lost(al_process *place, al_worker *worker);

/* Any thread: ends a running task; with NULL all of them, for good. */
void al_process_stop(al_process *place, al_task *task, int64_t grace_ns);

/* ---- tend.c; the keeper, with no lock held ---- */

/* Does what there is to do besides collecting. */
void al_keeper_tend(al_process *place);

/* Fails everything that waits for a worker: there will be none. */
void al_keeper_give_up(al_process *place, allot_status status, const char *why);

/* ---- keeper.c ---- */

allot_status al_keeper_start(al_process *place, al_failure *failure);
/* Ends the workers and the thread. */
void al_keeper_stop(al_process *place);

/* With the lock held: whether workers are to wake the keeper: it sleeps, and nobody else collects. */
static inline bool al_keeper_wants_notice(al_process *place)
{
    return atomic_load(&place->asleep) && !atomic_load(&place->napping) && !atomic_load(&place->collectors);
}

/* With the lock held: tells the worker to notify the keeper of its next answer, or not to. Before a call is
 * published that is enough; for calls that are under way look for answers afterwards. */
static inline void al_worker_arm(al_worker *worker, bool notify)
{
    /* seq_cst: pairs with the worker's run() */
    if (notify)
        atomic_fetch_or(&worker->page->notify, AL_NOTIFY_KEEPER);
    else
        atomic_fetch_and(&worker->page->notify, ~(uint32_t)AL_NOTIFY_KEEPER);
    worker->armed = notify;
}

/* With the lock held: does that for all of them. */
void al_keeper_arm(al_process *place);

#endif
