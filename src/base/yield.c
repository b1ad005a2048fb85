#include "base/yield.h"
#include "base/clock.h"
#include <sched.h>

#define DEAR_NS INT64_C(500000)
#define SULK_NS INT64_C(100000000)

int64_t al_yield(int64_t now_ns)
{
    static _Thread_local int64_t sulking_until_ns __attribute__((tls_model("initial-exec")));
    if (now_ns < sulking_until_ns)
        return now_ns;
    sched_yield();
    int64_t after_ns = al_clock_now_ns();
    if (after_ns - now_ns > DEAR_NS)
        sulking_until_ns = after_ns + SULK_NS;
    return after_ns;
}
