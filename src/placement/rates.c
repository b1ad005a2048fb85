#include "placement/rates.h"
#include "base/clock.h"
#include "base/futex.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Beyond the caches of a core, if not beyond the machine's: three arrays of it. */
#define ARRAY_BYTES   ((size_t)2 << 20)
#define THREADS_MAX   8
#define ROUNDS_FLOPS  8
#define ROUNDS_TRIAD  3
#define WAKES         40
#define FLOPS_A_ROUND 2e6

/* Kernels differ from what is measured here by about a factor of two either way. */
#define SIGMA 0.7

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Sixteen independent chains of multiply and add, as a compiler's vectors like them. */
static double flops_round(void)
{
    enum {
        CHAINS = 16
    };
    float sum[CHAINS];
    volatile float start = 1.0f;
    for (int i = 0; i < CHAINS; i++)
        sum[i] = start;
    int steps = (int)(FLOPS_A_ROUND / (2 * CHAINS));
    double began_s = cpu_s();
    for (int step = 0; step < steps; step++)
        for (int i = 0; i < CHAINS; i++)
            sum[i] = sum[i] * 0.999f + 0.001f;
    double took_s = cpu_s() - began_s;
    for (int i = 1; i < CHAINS; i++)
        sum[0] += sum[i];
    start = sum[0];
    return 2.0 * CHAINS * steps / took_s;
}

static double best_flops(const _Atomic bool *stop)
{
    double best = 0;
    for (int i = 0; i < ROUNDS_FLOPS && !atomic_load(stop); i++)
        best = fmax(best, flops_round());
    return best;
}

/* STREAM's triad. (McCalpin, Memory bandwidth and machine balance in current high performance computers,
 * 1995.) One for each thread. */
typedef struct triad {
    pthread_t thread;
    bool runs;
    const _Atomic bool *stop;
    double bytes_per_s;
} triad;

static double triad_round(float *a, const float *b, const float *c, size_t count)
{
    double began_s = cpu_s();
    for (size_t i = 0; i < count; i++)
        a[i] = b[i] + 0.5f * c[i];
    double took_s = cpu_s() - began_s;
    __asm__ volatile("" : : "r"(a) : "memory");
    return 3.0 * sizeof(float) * (double)count / took_s;
}

static void *run_triad(void *of)
{
    triad *self = of;
    size_t count = ARRAY_BYTES / sizeof(float);
    float *arrays = malloc(3 * ARRAY_BYTES);
    if (!arrays)
        return NULL;
    memset(arrays, 0, 3 * ARRAY_BYTES); /* its pages come now */
    for (int i = 0; i < ROUNDS_TRIAD && !atomic_load(self->stop); i++)
        self->bytes_per_s =
            fmax(self->bytes_per_s, triad_round(arrays, arrays + count, arrays + 2 * count, count));
    free(arrays);
    return NULL;
}

/* All threads together: the sum of what each reaches. */
static double memory_bytes_per_s(int threads, const _Atomic bool *stop)
{
    triad triads[THREADS_MAX] = { 0 };
    double sum = 0;
    for (int i = 0; i < threads; i++) {
        triads[i].stop = stop;
        triads[i].runs = i && pthread_create(&triads[i].thread, NULL, run_triad, &triads[i]) == 0;
    }
    run_triad(&triads[0]);
    for (int i = 0; i < threads; i++) {
        if (triads[i].runs)
            pthread_join(triads[i].thread, NULL);
        sum += triads[i].bytes_per_s;
    }
    return sum;
}

/* ---- Waking a thread ---- */

typedef struct bell {
    _Atomic uint32_t rung, answered;
} bell;

static void wait_for(_Atomic uint32_t *word, uint32_t value)
{
    for (uint32_t now; (now = atomic_load(word)) != value;)
        al_futex_wait(word, now, INT64_MAX, AL_FUTEX_PRIVATE);
}

static void ring(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    al_futex_wake(word, 1, AL_FUTEX_PRIVATE);
}

static void *answer_bell(void *of)
{
    bell *self = of;
    for (uint32_t turn = 1; turn <= WAKES; turn++) {
        wait_for(&self->rung, turn);
        ring(&self->answered, turn);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Half a round trip, the median: it is noisy, and a machine under load must not spoil it. */
static double wake_s(void)
{
    bell self = { 0 };
    double took_s[WAKES];
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer_bell, &self) != 0)
        return NAN;
    for (uint32_t turn = 1; turn <= WAKES; turn++) {
        int64_t began_ns = al_clock_now_ns();
        ring(&self.rung, turn);
        wait_for(&self.answered, turn);
        took_s[turn - 1] = 0.5e-9 * (double)(al_clock_now_ns() - began_ns);
    }
    pthread_join(thread, NULL);
    qsort(took_s, WAKES, sizeof *took_s, compare);
    return took_s[WAKES / 2];
}

static bool plausible(double value, double least, double most)
{
    return value >= least && value <= most; /* not a NaN either */
}

bool al_rates_measure(int cpus, const _Atomic bool *stop, al_rates *rates)
{
    int threads = cpus < 1 ? 1 : cpus < THREADS_MAX ? cpus : THREADS_MAX;
    *rates = (al_rates){ .overhead_sigma = SIGMA, .rate_sigma = SIGMA };
    rates->overhead_s = wake_s();
    rates->flops_per_s = best_flops(stop);
    rates->bytes_per_s = memory_bytes_per_s(1, stop);
    rates->memory_bytes_per_s = threads > 1 ? memory_bytes_per_s(threads, stop) : rates->bytes_per_s;
    rates->memory_bytes_per_s = fmax(rates->memory_bytes_per_s, rates->bytes_per_s);
    return !atomic_load(stop) && plausible(rates->flops_per_s, 1e6, 1e14) &&
           plausible(rates->bytes_per_s, 1e6, 1e14) && plausible(rates->memory_bytes_per_s, 1e6, 1e16) &&
           plausible(rates->overhead_s, 1e-8, 0.1);
}
