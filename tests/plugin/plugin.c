/* A library that a program loads while it runs, with tasks in it. Built in two versions. */
#include "plugin.h"

#ifdef NEWER
enum {
    ADDS = 2000
};
int plugin_filler(int x)
{
    return x * ADDS;
}
#else
enum {
    ADDS = 1000
};
#endif

allot_status plugin_add(allot_call *call, const void *in, void *out)
{
    (void)call;
    *(int *)out = *(const int *)in + ADDS;
    return ALLOT_OK;
}

static int state = 1;

static allot_status count(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(int *)out = state++;
    return ALLOT_OK;
}

allot_function plugin_counter(void)
{
    return count;
}

allot_status plugin_crash(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    return *(const volatile int *)in ? ALLOT_OK : ALLOT_FAILED; /* no argument: NULL */
}
