#include "places/thread/loop.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/part.h"
#include "base/yield.h"
#include "places/thread/brief.h"
#include "places/thread/pool.h"

#define CALL_FOR_HELP_NS 20000 /* what is left must be worth waking a sleeping worker */
#define TRIAL_PART       256   /* so small a part of it shows whether it is */
#define SMALLEST_PART    128   /* of a member's share: chunks do not shrink further by themselves */
#define YIELD_PAUSE_NS   50000 /* a yield for nothing costs as much as a small loop */
/* For members who have not finished: before the caller helps or sleeps, and while longer ones pay. CPUs are
 * seldom equally fast, and to be woken takes longer than they differ. */
#define JOIN_SPIN_NS 20000
#define JOIN_MOST_NS 100000

typedef struct loop {
    al_team team; /* first */
    const al_loop_job *job;
    al_task *task; /* that runs the loop: whoever takes part works for it. NULL: none does */
    const char *place;
    unsigned cut;                     /* how many of the first dimensions are cut together */
    size_t items;                     /* their product */
    size_t grain, shares;             /* shares: of a static one */
    int64_t share_ns;                 /* what the first member took for one; 0: not known */
    _Alignas(64) _Atomic size_t next; /* item, or share, that nobody has taken */
    _Atomic uint64_t claimed;         /* static, up to 64 shares: a bit each */
    _Atomic uint32_t members;
    _Atomic int status;     /* the first error */
    al_failure failure;     /* written by the one who set `status` */
    _Atomic uint32_t ended; /* 1: the team's work is over; before that how the caller waits for it */
} loop;

enum {
    RUNNING,
    ENDED,
    SLEPT_FOR,  /* on `ended` */
    WATCHED_FOR /* on the epoch */
};

/* ---- Blocks ---- */

static allot_status call_body(loop *self, unsigned member, const allot_block *block)
{
    allot_call call = { .stopping = self->task ? &self->task->future.stop : NULL, .place = self->place };
    al_task *outer = al_task_here;
    al_task_here = self->task;
    allot_status status = self->job->run(&call, block, member, self->job->of);
    al_task_here = outer;
    if (__builtin_expect(status == ALLOT_OK, true)) {
        al_failure_clear(&call.failure);
        return status;
    }
    int none = ALLOT_OK;
    if (atomic_compare_exchange_strong(&self->status, &none, (int)status))
        self->failure = call.failure;
    else
        al_failure_fini(&call.failure);
    return status;
}

/* Where several dimensions are cut together, items are counted along the last of them: a block ends with its
 * row. */
static void call_rows(loop *self, unsigned member, size_t begin, size_t end)
{
    const allot_ndrange *range = &self->job->range;
    unsigned last = self->cut - 1;
    size_t row = range->size[last];
    allot_status status = ALLOT_OK;
    while (begin < end && status == ALLOT_OK &&
           atomic_load_explicit(&self->status, memory_order_relaxed) == ALLOT_OK) {
        size_t from = begin % row, count = row - from < end - begin ? row - from : end - begin;
        size_t above = begin / row, second = last == 2 ? above % range->size[1] : 0;
        size_t first = last == 2 ? above / range->size[1] : above;
        allot_block block = { .rank = range->rank,
                              .begin = { first, last == 1 ? from : second, last == 2 ? from : 0 },
                              .end = { first + 1, last == 1 ? from + count : second + 1,
                                       last == 2 ? from + count : range->size[2] } };
        status = call_body(self, member, &block);
        begin += count;
    }
}

static inline void run_items(loop *self, unsigned member, size_t begin, size_t end)
{
    const allot_ndrange *range = &self->job->range;
    allot_block block = { .rank = range->rank,
                          .begin = { begin, 0, 0 },
                          .end = { end, range->size[1], range->size[2] } };
    if (atomic_load_explicit(&self->status, memory_order_relaxed) != ALLOT_OK)
        return;
    if (self->cut == 1)
        call_body(self, member, &block);
    else
        call_rows(self, member, begin, end);
}

/* ---- Schedules ---- */

static size_t share_start(const loop *self, size_t share)
{
    return self->items / self->shares * share +
           (share < self->items % self->shares ? share : self->items % self->shares);
}

static bool claim(loop *self, size_t share)
{
    uint64_t bit = UINT64_C(1) << share;
    return !(atomic_load_explicit(&self->claimed, memory_order_relaxed) & bit) &&
           !(atomic_fetch_or_explicit(&self->claimed, bit, memory_order_relaxed) & bit);
}

/* First the share that was this worker's the last time, then whatever nobody has taken. */
static void work_static(loop *self, unsigned member, size_t preferred)
{
    for (size_t i = 0; i < self->shares && self->shares <= 64; i++) {
        size_t share = (preferred + i) % self->shares;
        if (!claim(self, share))
            continue;
        int64_t start_ns = member || self->share_ns ? 0 : al_clock_now_ns();
        run_items(self, member, share_start(self, share), share_start(self, share + 1));
        if (start_ns)
            self->share_ns = al_clock_now_ns() - start_ns;
    }
    size_t share;
    while (self->shares > 64 &&
           (share = atomic_fetch_add_explicit(&self->next, 1, memory_order_relaxed)) < self->shares)
        run_items(self, member, share_start(self, share), share_start(self, share + 1));
}

static void work_dynamic(loop *self, unsigned member)
{
    size_t begin;
    while ((begin = atomic_fetch_add_explicit(&self->next, self->grain, memory_order_relaxed)) < self->items)
        run_items(self, member, begin, self->items - begin < self->grain ? self->items : begin + self->grain);
}

/* C. D. Polychronopoulos, D. J. Kuck, "Guided self-scheduling", IEEE Trans. Computers 1987; half of a fair
 * share, so that who comes late still finds something. */
static void work_guided(loop *self, unsigned member)
{
    size_t begin = atomic_load_explicit(&self->next, memory_order_relaxed), chunk;
    while (begin < self->items) {
        size_t left = self->items - begin, fair = left / (2 * (size_t)self->team.members_max);
        chunk = fair > self->grain ? fair : self->grain < left ? self->grain : left;
        if (!atomic_compare_exchange_weak_explicit(&self->next, &begin, begin + chunk, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        run_items(self, member, begin, begin + chunk);
        begin = atomic_load_explicit(&self->next, memory_order_relaxed);
    }
}

/* `place` is a worker's index, -1: from outside. */
static void work(al_team *team, int place)
{
    loop *self = (loop *)team;
    unsigned member = atomic_fetch_add_explicit(&self->members, 1, memory_order_relaxed);
    if (member >= team->members_max)
        return;
    if (self->job->schedule == ALLOT_STATIC)
        work_static(self, member, (size_t)(place + 1) % self->shares);
    else if (self->job->schedule == ALLOT_DYNAMIC)
        work_dynamic(self, member);
    else
        work_guided(self, member);
    if (team->teams)
        al_team_close(team);
}

/* ---- The whole ---- */

static void end(al_team *team)
{
    loop *self = (loop *)team;
    uint32_t before = atomic_exchange(&self->ended, ENDED);
    if (before == SLEPT_FOR) /* else the loop may be gone */
        al_futex_wake(&self->ended, 1, AL_FUTEX_PRIVATE);
    if (before == WATCHED_FOR)
        al_epoch_bump();
}

static bool has_ended(void *of)
{
    loop *self = of;
    uint32_t state = RUNNING;
    atomic_compare_exchange_strong(&self->ended, &state, WATCHED_FOR);
    return state == ENDED;
}

static void sleep_for_end(loop *self)
{
    uint32_t state = RUNNING;
    if (al_helper_here)
        al_wait_until(has_ended, self, INT64_MAX);
    else if (atomic_compare_exchange_strong(&self->ended, &state, SLEPT_FOR))
        while (atomic_load(&self->ended) == SLEPT_FOR)
            al_futex_wait(&self->ended, SLEPT_FOR, INT64_MAX, AL_FUTEX_PRIVATE);
}

/* True if it slept for that. */
static bool wait_for_end(loop *self)
{
    static _Thread_local int64_t patience_ns __attribute__((tls_model("initial-exec"))) = JOIN_MOST_NS;
    bool slept = false;
    int64_t until_ns = al_clock_now_ns() + (al_helper_here ? JOIN_SPIN_NS : patience_ns);
    while (atomic_load_explicit(&self->ended, memory_order_acquire) != ENDED) {
        for (int i = 0; i < 64 && !atomic_load_explicit(&self->ended, memory_order_relaxed); i++)
            al_pause();
        if (al_clock_now_ns() > until_ns) {
            sleep_for_end(self);
            slept = true;
        }
    }
    patience_ns = !slept ? JOIN_MOST_NS : patience_ns / 2 > JOIN_SPIN_NS ? patience_ns / 2 : JOIN_SPIN_NS;
    return slept;
}

/* Whether it is worth waking sleepers can only be told by trying: the caller does a little of it alone. */
static bool try_alone(loop *self)
{
    size_t some = self->items / TRIAL_PART > self->grain ? self->items / TRIAL_PART : self->grain;
    int64_t start_ns = al_clock_now_ns();
    run_items(self, 0, 0, some);
    int64_t took_ns = al_clock_now_ns() - start_ns;
    atomic_store_explicit(&self->next, some, memory_order_relaxed);
    return (double)took_ns * (double)(self->items - some) / (double)some > CALL_FOR_HELP_NS;
}

static size_t default_grain(allot_schedule schedule, size_t share)
{
    size_t parts = schedule == ALLOT_STATIC ? share : schedule == ALLOT_DYNAMIC ? 16 : SMALLEST_PART;
    return parts && share / parts > 0 ? share / parts : 1;
}

static void set_up(loop *self, const struct al_pool *pool, const al_loop_job *job)
{
    uint32_t members = al_loop_members(pool, job->workers);
    self->team = (al_team){ .work = work, .end = end, .members_max = members };
    self->job = job;
    self->task = al_task_here;
    self->place = pool ? pool->base.id : "";
    self->items = job->range.size[0];
    self->cut = 1;
    while (!job->by_part && self->cut < job->range.rank && self->items < 4 * (size_t)members)
        self->items *= job->range.size[self->cut++];
    self->grain = job->grain ? job->grain : default_grain(job->schedule, self->items / members);
    if (self->grain >
        self->items) /* so that a cursor that goes past the end by one for each member stays there */
        self->grain = self->items;
    self->shares = self->items < members ? self->items : members;
    if (self->shares > 1 && self->items / self->shares < self->grain)
        self->shares = self->items / self->grain > 0 ? self->items / self->grain : 1;
}

unsigned al_loop_members(const struct al_pool *pool, int workers)
{
    int most = pool ? atomic_load((_Atomic int *)&pool->max) : 1;
    return (unsigned)(workers > 0 && workers < most ? workers : most);
}

static void let_others_through(void)
{
    static _Thread_local int64_t next_ns __attribute__((tls_model("initial-exec")));
    int64_t now_ns = al_clock_now_ns();
    if (now_ns >= next_ns)
        next_ns = al_yield(now_ns) + YIELD_PAUSE_NS;
}

static void run_together(loop *self, struct al_pool *pool)
{
    al_worker *worker = al_worker_of(pool);
    if (!al_team_open(&pool->teams, &self->team)) {
        work(&self->team, -1);
        return;
    }
    al_park_announce(pool);
    work(&self->team, worker ? worker->index : -1);
    bool slept = !al_team_leave(&self->team) && wait_for_end(self);
    /* Nobody came: those who might have may be waiting for this CPU. */
    if (al_part_count(slept || atomic_load_explicit(&self->members, memory_order_relaxed) == 1))
        let_others_through();
}

/* In shares, one a member; by the caller alone if that is over sooner. */
static void run_static(loop *self, struct al_pool *pool)
{
    const al_brief key = { .body = self->job->body, .user = self->job->user, .items = self->items };
    if (al_brief_is(&key)) {
        int64_t start_ns = al_clock_now_ns();
        run_items(self, 0, 0, self->items);
        al_brief_tell(&key, al_clock_now_ns() - start_ns);
        return;
    }
    run_together(self, pool);
    if (self->share_ns)
        al_brief_tell(&key, self->share_ns * (int64_t)self->shares);
}

allot_status al_loop_run(struct al_pool *pool, const al_loop_job *job, al_failure *failure)
{
    loop self = { 0 };
    set_up(&self, pool, job);
    bool together =
        self.team.members_max > 1 && self.items > 1 && (self.shares > 1 || job->schedule != ALLOT_STATIC);
    bool in_shares = job->schedule == ALLOT_STATIC && !job->by_part;
    /* Nobody asleep: who looks for work joins at once, and need not be called. */
    bool sleepers = together && atomic_load_explicit(&pool->attention, memory_order_relaxed) != 0;
    if (sleepers && job->schedule != ALLOT_STATIC && !job->by_part)
        together = try_alone(&self);
    if (together && in_shares)
        run_static(&self, pool);
    else if (together)
        run_together(&self, pool);
    else if (atomic_load_explicit(&self.next, memory_order_relaxed) < self.items)
        run_items(&self, 0, atomic_load_explicit(&self.next, memory_order_relaxed), self.items);
    *failure = self.failure;
    return (allot_status)atomic_load_explicit(&self.status, memory_order_acquire);
}
