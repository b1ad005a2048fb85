#include "base/part.h"
#include "base/clock.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define TIMES          4 /* in a row; by chance one yield in five brings the answer */
#define PAUSE_FIRST_NS INT64_C(500000)
#define PAUSE_LAST_NS  INT64_C(32000000)
#define HELD_FACTOR    10 /* apart for so many pauses: it was of use */

static _Atomic int crowded; /* the CPU to leave, plus 1; 0: none */

bool al_part_count(bool given_up)
{
    static _Thread_local unsigned times __attribute__((tls_model("initial-exec")));
    times = given_up ? times + 1 : 0;
    if (times < TIMES)
        return false;
    times = 0;
    int here = sched_getcpu() + 1;
    if (atomic_load_explicit(&crowded, memory_order_relaxed) != here)
        atomic_store_explicit(&crowded, here, memory_order_relaxed);
    return true;
}

/* The other CPUs may all be busy, or the kernel may bring both together again at once: then moving does harm,
 * and is tried ever more rarely. */
static bool is_due(void)
{
    static _Thread_local int64_t left_ns, pause_ns __attribute__((tls_model("initial-exec")));
    int64_t now_ns = al_clock_now_ns(), since_ns = now_ns - left_ns;
    if (left_ns && since_ns < pause_ns)
        return false;
    if (!left_ns || since_ns / HELD_FACTOR > pause_ns)
        pause_ns = PAUSE_FIRST_NS;
    else if (pause_ns < PAUSE_LAST_NS)
        pause_ns *= 2;
    left_ns = now_ns;
    return true;
}

static void leave(int cpu)
{
    cpu_set_t allowed, others;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) /* more CPUs than the set has room for */
        return;
    others = allowed;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others) && sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}

void al_part_heed(void)
{
    int asked = atomic_load_explicit(&crowded, memory_order_relaxed);
    if (__builtin_expect(!asked, true) || asked != sched_getcpu() + 1 || !is_due())
        return;
    if (atomic_compare_exchange_strong(&crowded, &asked, 0))
        leave(asked - 1);
}
