/* The process place, through the public interface: what crosses, what is ended early, launches. Rows named
 * are those of the conformance list of the design. */
#include "process_rig.h"
#include <allot/numeric.h>
#include <signal.h>
#include <string.h>

/* ---- Tasks ---- */

static allot_status turn_over(allot_call *call, const void *in, void *out)
{
    size_t size = allot_call_in_size(call);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)~((const unsigned char *)in)[i];
    return allot_call_out_size(call) == size ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status complain(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    int detail[3] = { 1, 2, 3 };
    return allot_fail_with(call, (allot_status)(ALLOT_USER + 7), detail, sizeof detail, "row %d is singular",
                           12);
}

static allot_status run_until_stopped(allot_call *call, const void *in, void *out)
{
    (void)out;
    atomic_fetch_add(&(rig_board_of(in))->begun, 1);
    while (!allot_call_stopping(call))
        usleep(100);
    return ALLOT_OK;
}

/* ---- Values ---- */

static void returns_a_value(void) /* B1 */
{
    double three = 3, nine = 0;
    allot_future *future = rig_submit(rig_square, &three, sizeof three, sizeof nine);
    CU_ASSERT_EQUAL(allot_get(future, &nine, sizeof nine, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(nine, 9);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
    allot_release(future);
}

static void runs_in_another_process_and_reuses_it(void) /* B3 */
{
    pid_t first = 0, pid = 0;
    for (int i = 0; i < 5; i++) {
        allot_future *future = rig_submit(rig_who, NULL, 0, sizeof pid);
        CU_ASSERT_EQUAL(allot_get(future, &pid, sizeof pid, LIMIT), ALLOT_OK);
        allot_release(future);
        first = first ? first : pid;
        CU_ASSERT_NOT_EQUAL(pid, getpid());
    }
}

static void takes_nothing_and_gives_nothing(void) /* B16 */
{
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static void carries_any_size(void) /* B15 */
{
    static const size_t sizes[] = { 1,    15,    16,     17,     4095,    4096,    4097,
                                    8192, 65536, 262143, 262144, 1000003, 8u << 20 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s], wrong = 0;
        unsigned char *in = malloc(size), *out = malloc(size);
        for (size_t i = 0; i < size; i++)
            in[i] = (unsigned char)(i * 7 + s);
        allot_future *future = rig_submit(turn_over, in, size, size);
        CU_ASSERT_EQUAL(allot_get(future, out, size, LIMIT), ALLOT_OK);
        for (size_t i = 0; i < size; i++)
            wrong += out[i] != (unsigned char)~in[i];
        CU_ASSERT_EQUAL(wrong, 0);
        allot_release(future);
        free(in);
        free(out);
    }
}

static void carries_many_at_once(void) /* B2, B14 */
{
    enum {
        COUNT = 20000
    };
    allot_future **futures = calloc(COUNT, sizeof *futures);
    size_t wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        double value = i;
        futures[i] = rig_submit(rig_square, &value, sizeof value, sizeof value);
    }
    for (int i = 0; i < COUNT; i++) {
        double value = 0;
        wrong += allot_get(futures[i], &value, sizeof value, LIMIT) != ALLOT_OK || value != (double)i * i;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    allot_release_all(futures, COUNT);
    free(futures);
}

static void keeps_error_message_and_payload(void) /* B7, B10 */
{
    allot_future *future = rig_submit(complain, NULL, 0, 0);
    size_t size = 0;
    CU_ASSERT_EQUAL(allot_get(future, NULL, 0, LIMIT), (allot_status)(ALLOT_USER + 7));
    CU_ASSERT_STRING_EQUAL(allot_future_error(future), "row 12 is singular");
    const int *detail = allot_future_payload(future, &size);
    CU_ASSERT_EQUAL_FATAL(size, 3 * sizeof(int));
    CU_ASSERT_EQUAL(detail[2], 3);
    allot_release(future);
}

/* ---- Ending early ---- */

static void cancels_what_has_not_begun(void) /* C5, C6 */
{
    rig_reset_board();
    allot_future *running[WORKERS], *pending[20];
    for (int i = 0; i < WORKERS; i++)
        running[i] = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, WORKERS);
    for (int i = 0; i < 20; i++)
        pending[i] = rig_submit(rig_count, rig_path, sizeof rig_path, 0);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_TRUE(allot_cancel(pending[i]));
    CU_ASSERT_FALSE(allot_cancel(running[0]));
    atomic_store(&rig_board->go, 1);
    CU_ASSERT_EQUAL(allot_wait_all(running, WORKERS, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->count), 0);
    allot_release_all(running, WORKERS);
    allot_release_all(pending, 20);
}

static void stops_code_that_looks(void)
{
    rig_reset_board();
    allot_future *future = rig_submit(run_until_stopped, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, 1);
    CU_ASSERT_EQUAL(allot_stop(future, 30 * SECOND), ALLOT_OK);
    CU_ASSERT_EQUAL(rig_ended(future, NULL, 0), ALLOT_STOPPED);
}

static void stops_code_that_does_not_look(void)
{
    rig_reset_board();
    char text[256];
    allot_future *future = rig_submit(rig_never_return, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, 1);
    CU_ASSERT_EQUAL(allot_stop(future, SECOND / 20), ALLOT_OK);
    CU_ASSERT_EQUAL(rig_ended(future, text, sizeof text), ALLOT_STOPPED);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "SIGKILL (9)"));
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static void ends_at_a_deadline(void)
{
    rig_reset_board();
    allot_future *future = allot_submit(
        ex, rig_never_return, rig_path, sizeof rig_path, 0,
        ALLOT_HINTS(.place = ALLOT_PROCESS, .deadline_ns = 2 * SECOND, .grace_ns = SECOND / 100));
    rig_wait_for(&rig_board->begun, 1);
    CU_ASSERT_EQUAL(rig_ended(future, NULL, 0), ALLOT_DEADLINE);
}

/* A stop that comes as its task ends must never hit the next one. */
static void never_kills_the_next_task(void)
{
    size_t wrong = 0;
    for (int i = 0; i < 200; i++) {
        double two = 2, four = 0;
        allot_future *first = rig_submit(rig_nothing, NULL, 0, 0);
        allot_future *second = rig_submit(rig_square, &two, sizeof two, sizeof four);
        allot_stop(first, 0);
        wrong += allot_get(second, &four, sizeof four, LIMIT) != ALLOT_OK || four != 4;
        allot_status status = rig_ended(first, NULL, 0);
        wrong += status != ALLOT_OK && status != ALLOT_STOPPED;
        allot_release(second);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* ---- Launches ---- */

static allot_future *launch_axpy(allot_array *x, allot_array *y, size_t n)
{
    return allot_launch(ex, allot_axpy(), allot_range(n),
                        ALLOT_ARGS(allot_f64(2), allot_in(x), allot_inout(y)),
                        ALLOT_HINTS(.place = ALLOT_PROCESS));
}

static void check_axpy(allot_array *x, allot_array *y, size_t n, int rounds)
{
    size_t wrong = 0;
    for (int r = 0; r < rounds; r++)
        CU_ASSERT_EQUAL(rig_ended(launch_axpy(x, y, n), NULL, 0), ALLOT_OK);
    const double *result = allot_array_map(y, ALLOT_READ);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    for (size_t i = 0; i < n; i++)
        wrong += result[i] != 1 + 2.0 * rounds * (double)i;
    CU_ASSERT_EQUAL(wrong, 0);
    allot_array_unmap(y);
}

static void launches_over_shared_arrays(void)
{
    size_t n = 300001;
    double *start = malloc(n * sizeof *start);
    for (size_t i = 0; i < n; i++)
        start[i] = (double)i;
    allot_array *x = allot_array_from(ex, ALLOT_F64, n, start), *y = allot_array_full(ex, ALLOT_F64, n, 1);
    check_axpy(x, y, n, 3);
    allot_array_stats stats = { .size = sizeof stats };
    allot_array_get_stats(y, &stats);
    CU_ASSERT_EQUAL(stats.bytes_to + stats.bytes_from, 0);
    allot_array_release(x);
    allot_array_release(y);
    free(start);
}

static void launches_over_wrapped_arrays(void)
{
    size_t n = 100003;
    double *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    for (size_t i = 0; i < n; i++)
        a[i] = (double)i, b[i] = 1;
    allot_array *x = allot_array_wrap(ex, ALLOT_F64, n, a, NULL, NULL);
    allot_array *y = allot_array_wrap(ex, ALLOT_F64, n, b, NULL, NULL);
    check_axpy(x, y, n, 2);
    CU_ASSERT_EQUAL(b[7], 29);
    allot_array_release(x);
    allot_array_release(y);
    free(a);
    free(b);
}

static void launches_over_more_arrays_than_it_keeps(void)
{
    enum {
        COUNT = 150,
        N = 1000
    };
    allot_array *x = allot_array_full(ex, ALLOT_F64, N, 1), *y[COUNT];
    size_t wrong = 0;
    for (int i = 0; i < COUNT; i++)
        y[i] = allot_array_full(ex, ALLOT_F64, N, i);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < COUNT; i++)
            wrong += rig_ended(launch_axpy(x, y[i], N), NULL, 0) != ALLOT_OK;
    for (int i = 0; i < COUNT; i++) {
        const double *result = allot_array_map(y[i], ALLOT_READ);
        wrong += !result || result[N - 1] != i + 4;
        allot_array_unmap(y[i]);
        allot_array_release(y[i]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    allot_array_release(x);
}

static allot_status crash_in_the_last_part(allot_call *call, const allot_part *part)
{
    (void)call;
    if (part->end == part->range.size[0])
        raise(SIGKILL);
    return ALLOT_OK;
}

static void one_dead_worker_fails_the_launch(void)
{
    static const allot_param params[] = {
        { .name = "y", .type = ALLOT_F64, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED }
    };
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "crash", .params = params, .param_count = 1, .cpu = crash_in_the_last_part));
    CU_ASSERT_PTR_NOT_NULL_FATAL(kernel);
    allot_array *y = allot_array_full(ex, ALLOT_F64, 1000, 1);
    allot_future *future = allot_launch(ex, kernel, allot_range(1000), ALLOT_ARGS(allot_inout(y)),
                                        ALLOT_HINTS(.place = ALLOT_PROCESS));
    CU_ASSERT_EQUAL(rig_ended(future, NULL, 0), ALLOT_WORKER_DIED);
    allot_array_release(y);
    allot_kernel_release(kernel);
}

static const test_fact facts[] = {
    { "B1 returns a value", returns_a_value },
    { "B3 runs in another process and reuses it", runs_in_another_process_and_reuses_it },
    { "B16 takes nothing and gives nothing", takes_nothing_and_gives_nothing },
    { "B15 carries any size", carries_any_size },
    { "B14 carries many at once", carries_many_at_once },
    { "B7 B10 keeps error, message and payload", keeps_error_message_and_payload },
    { "C5 C6 cancels what has not begun", cancels_what_has_not_begun },
    { "stops code that looks", stops_code_that_looks },
    { "H12 stops code that does not look", stops_code_that_does_not_look },
    { "ends at a deadline", ends_at_a_deadline },
    { "never kills the next task", never_kills_the_next_task },
    { "launches over shared arrays", launches_over_shared_arrays },
    { "launches over wrapped arrays", launches_over_wrapped_arrays },
    { "launches over more arrays than it keeps", launches_over_more_arrays_than_it_keeps },
    { "one dead worker fails the launch", one_dead_worker_fails_the_launch },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process", facts, NULL);
}
