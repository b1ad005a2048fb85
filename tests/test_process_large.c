/* Large arguments and results of process tasks: in memory that the worker shares, with no copy in between. */
#include "support.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LARGE = 1 << 20,
    MANY = 300 /* more than there may be descriptors for */
};

static allot_executor *ex;

static allot_future *submit(allot_function function, const void *in, size_t in_size, size_t out_size)
{
    return allot_submit(ex, function, in, in_size, out_size, ALLOT_HINTS(.place = ALLOT_PROCESS));
}

/* The name of what is mapped at an address. */
static void name_of(const void *address, char *name, size_t size)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long begin, end;
    name[0] = 0;
    while (maps && fgets(line, sizeof line, maps)) {
        int at = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &begin, &end, &at) == 2 && at &&
            (unsigned long)address >= begin && (unsigned long)address < end)
            snprintf(name, size, "%.60s", line + at);
    }
    if (maps)
        fclose(maps);
}

static allot_status look(allot_call *call, const void *in, void *out)
{
    size_t half = allot_call_out_size(call) / 2;
    name_of(in, out, half);
    name_of(out, (char *)out + half, half);
    return ALLOT_OK;
}

static void they_lie_in_memory_that_is_shared(void)
{
    char *in = calloc(1, LARGE), *out = calloc(1, LARGE);
    allot_future *future = submit(look, in, LARGE, LARGE);
    CHECK_STATUS(allot_get(future, out, LARGE, ALLOT_FOREVER), ALLOT_OK);
    CHECK(strstr(out, "memfd:allot-task") != NULL);
    CHECK(strstr(out + LARGE / 2, "memfd:allot-task") != NULL);
    allot_release(future);
    free(in);
    free(out);
}

/* Turns a large argument over; the result is zero before. */
static allot_status turn_over(allot_call *call, const void *in, void *out)
{
    const unsigned char *from = in;
    unsigned char *to = out;
    for (size_t i = 0; i < allot_call_in_size(call); i++) {
        if (to[i])
            return allot_fail(call, ALLOT_FAILED, "byte %zu of the result is %d before", i, to[i]);
        to[i] = (unsigned char)~from[i];
    }
    return ALLOT_OK;
}

static void many_at_once_take_few_descriptors(void)
{
    enum {
        SIZE = 300000
    };
    unsigned char *in = malloc(SIZE), *out = malloc(SIZE);
    allot_future *futures[MANY];
    size_t wrong = 0;
    int before = count_fds();
    for (size_t i = 0; i < MANY; i++) {
        memset(in, (int)i, SIZE);
        futures[i] = submit(turn_over, in, SIZE, SIZE);
    }
    CHECK(count_fds() <= before + 128 + 20);
    for (size_t i = 0; i < MANY; i++) {
        CHECK_STATUS(allot_get(futures[i], out, SIZE, ALLOT_FOREVER), ALLOT_OK);
        for (size_t k = 0; k < SIZE; k++)
            wrong += out[k] != (unsigned char)~i;
    }
    CHECK(wrong == 0);
    CHECK(falls_to(count_fds, before + 6)); /* though the futures are held; a worker more may have come */
    allot_release_all(futures, MANY);
    free(in);
    free(out);
}

/* Its argument begins with a gate's key. The first attempt spoils it, and dies. */
static allot_status spoil_and_die(allot_call *call, const void *in, void *out)
{
    unsigned char *bytes = (unsigned char *)(uintptr_t)in;
    const uint64_t key = *(const uint64_t *)in;
    gate_page *page = gate_page_of(key);
    bool first = atomic_fetch_add(&page->tally[0], 1) == 0;
    gate_page_done(key, page);
    for (size_t i = sizeof key; i < allot_call_in_size(call); i++) {
        if (bytes[i] != 7)
            return allot_fail(call, (allot_status)ALLOT_USER, "byte %zu is %d", i, bytes[i]);
        bytes[i] = first ? 8 : 7;
    }
    if (first)
        raise(SIGKILL);
    *(int *)out = 1;
    return ALLOT_OK;
}

static void what_is_tried_again_finds_its_argument(void)
{
    test_gate gate = gate_create();
    unsigned char *in = malloc(LARGE);
    memset(in, 7, LARGE);
    memcpy(in, &gate.key, sizeof gate.key);
    CHECK_STATUS(finish(allot_submit(ex, spoil_and_die, in, LARGE, sizeof(int),
                                     ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 1, .idempotent = true))),
                 ALLOT_OK);
    CHECK(gate_tally(&gate, 0) == 2);
    free(in);
    gate_destroy(&gate);
}

static allot_status die(allot_call *call, const void *in, void *out)
{
    (void)in;
    memset(out, 1, allot_call_out_size(call) / 2);
    raise(SIGKILL);
    return ALLOT_OK;
}

static void ends_of_every_kind_leave_nothing(void)
{
    char *in = calloc(1, LARGE);
    CHECK_STATUS(finish(submit(turn_over, in, LARGE, LARGE)), ALLOT_OK);
    int before = count_fds();
    for (int i = 0; i < ROUNDS(40); i++) {
        test_gate gate = gate_create();
        allot_future *held[2], *more[8];
        CHECK_STATUS(finish(submit(die, in, LARGE, LARGE)), ALLOT_WORKER_DIED);
        for (int k = 0; k < 2; k++)
            held[k] = submit(task_gate, &gate.key, sizeof gate.key, 0);
        for (int k = 0; k < 8; k++)
            more[k] = submit(turn_over, in, LARGE, LARGE);
        for (int k = 0; k < 8; k++)
            if (k % 2)
                allot_cancel(more[k]);
            else
                allot_stop(more[k], 0);
        gate_open(&gate);
        allot_wait_all(more, 8, ALLOT_FOREVER);
        allot_wait_all(held, 2, ALLOT_FOREVER);
        allot_release_all(more, 8);
        allot_release_all(held, 2);
        gate_destroy(&gate);
    }
    CHECK(falls_to(count_fds, before + 4)); /* a worker may be on its way still */
    free(in);
}

static const test_fact facts[] = {
    { "H6 they lie in memory that the worker shares", they_lie_in_memory_that_is_shared },
    { "B15 many at once take few descriptors", many_at_once_take_few_descriptors },
    { "what is tried again finds its argument as it was", what_is_tried_again_finds_its_argument },
    { "ends of every kind leave nothing", ends_of_every_kind_leave_nothing },
    { NULL, NULL },
};

static void prepare(void)
{
    if (!ex)
        ex = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 2));
    REQUIRE(ex != NULL);
}

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "process large", .facts = facts, .prepare = prepare };
    int result = watched_main(argc, argv, &suite, 1);
    allot_close(ex);
    return result;
}
