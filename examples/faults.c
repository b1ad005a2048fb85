/* Tasks that crash, run wild, or need more than one try: in worker processes they cost nothing but
 * themselves. */
#include <allot/allot.h>
#include <stdio.h>
#include <stdlib.h>

static allot_status crash(allot_call *call, const void *in, void *out)
{
    fprintf(stderr, "about to read row %d\n", *(const int *)in);
    return *(volatile int *)NULL ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status spin(allot_call *call, const void *in, void *out)
{
    volatile long turns = 0;
    while (!in)
        turns++;
    return ALLOT_OK;
}

static allot_status sometimes(allot_call *call, const void *in, void *out)
{
    static int calls; /* of this worker */
    return ++calls % 2 ? allot_fail(call, ALLOT_FAILED, "not this time") : ALLOT_OK;
}

int main(void)
{
    int row = 12;
    allot_executor *ex = allot_open(
        ALLOT_OPTIONS(.processes = 1,
                      .process = ALLOT_PROCESS_OPTIONS(.cpu_ns = 200000000, .memory_bytes = (uint64_t)1 << 30,
                                                       .tasks_max = 1000)));
    if (!ex) {
        fprintf(stderr, "%s\n", allot_open_error());
        return EXIT_FAILURE;
    }
    allot_future *f[] = {
        allot_submit(ex, crash, &row, sizeof row, 0, ALLOT_HINTS(.place = ALLOT_PROCESS)),
        allot_submit(ex, spin, NULL, 0, 0,
                     ALLOT_HINTS(.place = ALLOT_PROCESS)), /* ends at its limit of CPU time */
        allot_submit(
            ex, sometimes, NULL, 0, 0,
            ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 3, .retry_delay_ns = 1000000, .idempotent = true)),
    };
    allot_wait_all(f, 3, ALLOT_FOREVER);
    for (int i = 0; i < 3; i++)
        printf("%s %s\n", allot_status_name(allot_future_status(f[i])), allot_future_error(f[i]));
    allot_release_all(f, 3);
    allot_close(ex);
}
