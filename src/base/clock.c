#include "base/clock.h"

int64_t al_clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t al_clock_deadline_from(int64_t now_ns, int64_t timeout_ns)
{
    if (timeout_ns <= 0)
        return now_ns;
    return timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
}

int64_t al_clock_deadline_ns(int64_t timeout_ns)
{
    return timeout_ns == INT64_MAX ? INT64_MAX : al_clock_deadline_from(al_clock_now_ns(), timeout_ns);
}

bool al_clock_passed(int64_t deadline_ns)
{
    return deadline_ns != INT64_MAX && al_clock_now_ns() >= deadline_ns;
}

struct timespec al_clock_timespec(int64_t moment_ns)
{
    return (struct timespec){ .tv_sec = moment_ns / 1000000000, .tv_nsec = moment_ns % 1000000000 };
}
