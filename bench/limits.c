#include "limits.h"
#include "itself.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE       64   /* bytes: what belongs to one side lies on its own cache lines */
#define SLOTS      1024 /* of the ring; a power of two */
#define BATCHES    25   /* a round of the ring */
#define READY      1    /* the consumer's word before the first number */
#define PATIENCE   10   /* seconds that the host waits for its partner */
#define DESCRIPTOR 3    /* where the partner process finds the board */

typedef enum board_job {
    REST,
    RING,
    LINE_BOUNCE,
    FUTEX_BOUNCE
} board_job;

/* What the host and its partner share. */
typedef struct board {
    /* A futex: set by the host, back to REST by the partner when it is done. */
    _Alignas(LINE) _Atomic uint32_t job;
    _Atomic int host_cpu;                 /* where the host runs; -1: unknown */
    _Atomic uint32_t count, sum;          /* of the job, and what came out */
    _Alignas(LINE) _Atomic uint32_t ping; /* the host's side */
    _Alignas(LINE) _Atomic uint32_t pong; /* the partner's side */
    _Alignas(LINE) _Atomic uint32_t head; /* written by the producer */
    _Alignas(LINE) _Atomic uint32_t tail; /* written by the consumer */
    _Alignas(LINE) uint32_t slots[SLOTS];
} board;

/* Moves the partner to where its job costs least: two that spin need a CPU each; of two that take turns
 * asleep, one on another CPU would have to be woken there, which takes ten times as long. */
static void settle(const cpu_set_t *usable, int host_cpu, board_job job)
{
    cpu_set_t chosen = *usable;
    if (host_cpu >= 0 && job == FUTEX_BOUNCE) {
        CPU_ZERO(&chosen);
        CPU_SET(host_cpu, &chosen);
    } else if (host_cpu >= 0) {
        CPU_CLR(host_cpu, &chosen);
    }
    sched_setaffinity(0, sizeof chosen, CPU_COUNT(&chosen) ? &chosen : usable);
}

/* Keeps the host where it is while the partner counts on that; let_go() undoes it. */
static void hold_still(cpu_set_t *before)
{
    cpu_set_t here;
    int cpu = sched_getcpu();
    CPU_ZERO(&here);
    if (cpu >= 0)
        CPU_SET(cpu, &here);
    sched_getaffinity(0, sizeof *before, before);
    sched_setaffinity(0, sizeof here, &here); /* if refused it may move, and the figure is a worse one */
}

static void let_go(const cpu_set_t *before)
{
    sched_setaffinity(0, sizeof *before, before);
}

/* How long a side has waited for the other. All zero bytes: not yet. */
typedef struct patience {
    uint32_t turns;
    int64_t until_ns;
} patience;

static bool has_passed(int64_t *until_ns)
{
    int64_t now_ns = bench_now_ns();
    if (!*until_ns)
        *until_ns = now_ns + PATIENCE * INT64_C(1000000000);
    return now_ns > *until_ns;
}

/* One turn of a spin loop; false when it has been too long. Spinning without end would starve a side that
 * shares the CPU: now and then it is let through. */
static bool spin(patience *waited)
{
    if (++waited->turns % 16384)
        return true;
    sched_yield();
    return !has_passed(&waited->until_ns);
}

/* Not private: the two sides may be two processes. Wakes every second so that a partner's death is seen. */
static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
    const struct timespec second = { 1, 0 };
    syscall(SYS_futex, word, FUTEX_WAIT, expected, &second, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- The partner ---- */

static void consume(board *b)
{
    uint32_t count = b->count, sum = 0, head = 0;
    patience waited = { 0 };
    atomic_store(&b->pong, READY);
    for (uint32_t tail = 0; tail < count; tail++) {
        while (head == tail) {
            head = atomic_load_explicit(&b->head, memory_order_acquire);
            spin(&waited);
        }
        sum += b->slots[tail % SLOTS];
        atomic_store_explicit(&b->tail, tail + 1, memory_order_release);
    }
    b->sum = sum;
}

static void bounce_line(board *b)
{
    uint32_t count = b->count;
    patience waited = { 0 };
    for (uint32_t i = 1; i <= count; i++) {
        while (atomic_load_explicit(&b->ping, memory_order_acquire) != i)
            spin(&waited);
        atomic_store_explicit(&b->pong, i, memory_order_release);
    }
}

static void bounce_futex(board *b)
{
    uint32_t count = b->count;
    for (uint32_t i = 1; i <= count; i++) {
        while (atomic_load(&b->ping) != i)
            futex_wait(&b->ping, i - 1);
        atomic_store(&b->pong, i);
        futex_wake(&b->pong);
    }
}

static void *serve(void *of)
{
    board *b = of;
    cpu_set_t usable;
    sched_getaffinity(0, sizeof usable, &usable);
    for (;;) {
        uint32_t job = atomic_load(&b->job);
        if (job != REST)
            settle(&usable, b->host_cpu, job);
        if (job == RING)
            consume(b);
        else if (job == LINE_BOUNCE)
            bounce_line(b);
        else if (job == FUTEX_BOUNCE)
            bounce_futex(b);
        if (job == REST) {
            futex_wait(&b->job, REST);
        } else {
            atomic_store(&b->job, REST);
            futex_wake(&b->job);
        }
    }
    return NULL;
}

int limits_partner(int descriptor)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (b != MAP_FAILED)
        serve(b);
    return EXIT_FAILURE;
}

/* ---- The host ---- */

static board *start_thread(void)
{
    board *b = aligned_alloc(LINE, sizeof *b);
    pthread_t thread;
    if (!b)
        return NULL;
    *b = (board){ .job = REST };
    if (pthread_create(&thread, NULL, serve, b) != 0) {
        free(b);
        return NULL;
    }
    pthread_detach(thread);
    return b;
}

static board *start_process(void)
{
    char number[16];
    snprintf(number, sizeof number, "%d", DESCRIPTOR);
    const char *arguments[] = { program_invocation_short_name, "--partner", number, NULL };
    int descriptor = memfd_create("partner", MFD_CLOEXEC);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(board)) != 0)
        return NULL;
    if (descriptor == DESCRIPTOR) /* dup2 onto itself would leave it close-on-exec */
        descriptor = dup(descriptor);
    board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (b == MAP_FAILED)
        return NULL;
    pid_t process = bench_start_itself(arguments, descriptor, DESCRIPTOR);
    close(descriptor);
    return process > 0 ? b : NULL;
}

/* The partner is started once a scope and lives as long as the program. */
static board *partner(limits_scope scope)
{
    static board *boards[2];
    if (!boards[scope])
        boards[scope] = scope == LIMITS_THREADS ? start_thread() : start_process();
    return boards[scope];
}

static void begin(board *b, board_job job, size_t count)
{
    b->host_cpu = sched_getcpu();
    b->count = (uint32_t)count;
    b->sum = b->ping = b->pong = b->head = b->tail = 0;
    atomic_store(&b->job, job);
    futex_wake(&b->job);
}

/* Waits until the partner rests again; false when it does not. */
static bool finish(board *b)
{
    int64_t until_ns = 0;
    for (uint32_t job; (job = atomic_load(&b->job)) != REST;) {
        if (has_passed(&until_ns))
            return false;
        futex_wait(&b->job, job);
    }
    return true;
}

/* Until the partner has answered `expected`; false when it does not. */
static bool spin_for(_Atomic uint32_t *word, uint32_t expected)
{
    patience waited = { 0 };
    while (atomic_load_explicit(word, memory_order_acquire) != expected)
        if (!spin(&waited))
            return false;
    return true;
}

static bool produce(board *b, uint32_t count)
{
    uint32_t tail = 0;
    for (uint32_t head = 0; head < count; head++) {
        for (patience waited = { 0 }; head - tail == SLOTS;) {
            tail = atomic_load_explicit(&b->tail, memory_order_acquire);
            if (!spin(&waited))
                return false;
        }
        b->slots[head % SLOTS] = head + 1;
        atomic_store_explicit(&b->head, head + 1, memory_order_release);
    }
    return spin_for(&b->tail, count);
}

/* One batch through the ring: its time, or -1 when what comes out is not what went in. */
static int64_t hand_over(board *b, uint32_t count)
{
    begin(b, RING, count);
    bool answered = spin_for(&b->pong, READY);
    int64_t start_ns = bench_now_ns();
    answered = answered && produce(b, count);
    int64_t end_ns = bench_now_ns();
    uint64_t sum = (uint64_t)count * (count + 1) / 2;
    return answered && finish(b) && b->sum == (uint32_t)sum ? end_ns - start_ns : -1;
}

/* In batches, and the middle one counts: a ring stands still whenever one of its two sides loses its CPU to
 * another program. */
void limits_ring(bench_round *round, limits_scope scope, size_t count)
{
    board *b = partner(scope);
    int64_t took_ns[BATCHES] = { 0 };
    bool right = b != NULL;
    cpu_set_t before;
    hold_still(&before);
    for (size_t i = 0; right && i < BATCHES; i++) {
        took_ns[i] = hand_over(b, (uint32_t)(count / BATCHES));
        right = took_ns[i] >= 0;
    }
    let_go(&before);
    if (!right)
        bench_fail(round, "what came out of the ring is not what went in");
    bench_record(round, "", (double)bench_middle(took_ns, BATCHES) / (double)(count / BATCHES));
}

static bool there_and_back_line(board *b, uint32_t i)
{
    atomic_store_explicit(&b->ping, i, memory_order_release);
    return spin_for(&b->pong, i);
}

static bool there_and_back_futex(board *b, uint32_t i)
{
    int64_t until_ns = 0;
    atomic_store(&b->ping, i);
    futex_wake(&b->ping);
    while (atomic_load(&b->pong) != i) {
        futex_wait(&b->pong, i - 1);
        if (atomic_load(&b->pong) != i && has_passed(&until_ns))
            return false;
    }
    return true;
}

static void measure(bench_round *round, limits_scope scope, board_job job,
                    bool (*there_and_back)(board *, uint32_t), size_t count, long pause_ns)
{
    const struct timespec pause = { 0, pause_ns };
    board *b = partner(scope);
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    size_t warming = count / 10, done = 0;
    bool answered = b != NULL;
    cpu_set_t before;
    hold_still(&before);
    if (b)
        begin(b, job, count + warming);
    int64_t wall_ns = bench_now_ns(), cpu_ns = bench_cpu_ns();
    for (; answered && done < count + warming; done++) {
        if (pause_ns)
            nanosleep(&pause, NULL);
        int64_t start_ns = bench_now_ns();
        answered = there_and_back(b, (uint32_t)done + 1);
        if (done >= warming)
            latencies_ns[done - warming] = bench_now_ns() - start_ns;
    }
    cpu_ns = bench_cpu_ns() - cpu_ns;
    wall_ns = bench_now_ns() - wall_ns;
    let_go(&before);
    if (!answered || !finish(b))
        bench_fail(round, "the partner does not answer");
    bench_record_latencies(round, latencies_ns, count);
    if (pause_ns)
        bench_record(round, "_cpu", 100 * (double)cpu_ns / (double)wall_ns);
    free(latencies_ns);
}

void limits_line(bench_round *round, limits_scope scope, size_t count)
{
    measure(round, scope, LINE_BOUNCE, there_and_back_line, count, 0);
}

void limits_futex(bench_round *round, limits_scope scope, size_t count, long pause_ns)
{
    measure(round, scope, FUTEX_BOUNCE, there_and_back_futex, count, pause_ns);
}
