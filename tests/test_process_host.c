/* A host that has used everything that does not survive a fork (threads that hold locks, a BLAS, OpenCL
 * devices) still has worker processes that work, and that may use it all themselves. */
#include "support.h"
#include <allot/numeric.h>
#include <string.h>

#define N 10000

/* y = 2x + y on a kind of place, checked. */
static bool axpy_on(allot_executor *executor, allot_kind kind)
{
    size_t wrong = 0;
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 1);
    allot_future *future =
        allot_launch(executor, allot_axpy(), allot_range(N),
                     ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), ALLOT_HINTS(.place = kind));
    bool ran = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    if (!ran)
        fprintf(stderr, "axpy: %s\n", allot_future_error(future));
    const float *values = ran ? allot_array_map(y, ALLOT_READ) : NULL;
    for (size_t i = 0; values && i < N; i++)
        wrong += values[i] != 7;
    if (values)
        allot_array_unmap(y);
    allot_array_release(x);
    allot_array_release(y);
    allot_release(future);
    return values && !wrong;
}

/* With OpenBLAS, if the library was built with it. */
static bool gemm_on(allot_executor *executor, allot_kind kind)
{
    enum {
        M = 64
    };
    allot_array *a = allot_array_full(executor, ALLOT_F64, M * M, 1),
                *b = allot_array_full(executor, ALLOT_F64, M * M, 2),
                *c = allot_array_full(executor, ALLOT_F64, M * M, 0);
    allot_future *future = allot_launch(executor, allot_gemm(), allot_range_2d(M, M),
                                        ALLOT_ARGS(allot_f64(1), allot_in_view(allot_view_2d(a, 0, M, M, M)),
                                                   allot_in_view(allot_view_2d(b, 0, M, M, M)), allot_f64(0),
                                                   allot_inout_view(allot_view_2d(c, 0, M, M, M))),
                                        ALLOT_HINTS(.place = kind));
    bool right = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    if (!right)
        fprintf(stderr, "gemm: %s\n", allot_future_error(future));
    const double *values = right ? allot_array_map(c, ALLOT_READ) : NULL;
    right = values && values[0] == 2 * M && values[M * M - 1] == 2 * M;
    if (values)
        allot_array_unmap(c);
    allot_array_release(a);
    allot_array_release(b);
    allot_array_release(c);
    allot_release(future);
    return right;
}

/* In a worker: an executor of its own, with a device and threads of its own. */
static allot_status use_everything(allot_call *call, const void *in, void *out)
{
    (void)out;
    bool with_device = *(const bool *)in;
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2));
    if (!executor)
        return allot_fail(call, ALLOT_FAILED, "%s", allot_open_error());
    bool device = !with_device || axpy_on(executor, ALLOT_OPENCL);
    bool threads = axpy_on(executor, ALLOT_THREAD) && gemm_on(executor, ALLOT_THREAD);
    allot_close(executor);
    return device && threads
               ? ALLOT_OK
               : allot_fail(call, ALLOT_FAILED, "%s went wrong there", device ? "threads" : "the device");
}

/* ---- Threads that hold the locks of malloc and stdio at any time ---- */

static _Atomic bool noisy;

static void *make_noise(void *of)
{
    FILE *file = fopen("/dev/null", "w");
    while (atomic_load(&noisy)) {
        char *words = NULL;
        if (asprintf(&words, "%p", of) > 0 && file)
            fputs(words, file);
        free(words);
    }
    if (file)
        fclose(file);
    return NULL;
}

static bool in_worker(allot_executor *executor, bool with_device)
{
    allot_future *future = allot_submit(executor, use_everything, &with_device, sizeof with_device, 0,
                                        ALLOT_HINTS(.place = ALLOT_PROCESS));
    allot_status status = allot_get(future, NULL, 0, ALLOT_FOREVER);
    if (status != ALLOT_OK)
        printf("\n    %s", allot_future_error(future));
    allot_release(future);
    return status == ALLOT_OK;
}

static void workers_use_devices_after_the_host_did(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 1));
    REQUIRE(executor != NULL);
    if (!has_place(executor, ALLOT_OPENCL)) {
        printf("skipped: no OpenCL device ");
    } else {
        CHECK(axpy_on(executor, ALLOT_OPENCL));
        CHECK(in_worker(executor, true));
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void workers_start_beside_all_of_it(void)
{
    pthread_t threads[2];
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 2));
    REQUIRE(executor != NULL);
    bool device = has_place(executor, ALLOT_OPENCL);
    atomic_store(&noisy, true);
    for (int i = 0; i < 2; i++)
        threads[i] = start_thread(make_noise, threads);
    CHECK(gemm_on(executor, ALLOT_THREAD));
    CHECK(!device || axpy_on(executor, ALLOT_OPENCL));
    CHECK(axpy_on(executor, ALLOT_PROCESS) && gemm_on(executor, ALLOT_PROCESS));
    CHECK(in_worker(executor, device));
    atomic_store(&noisy, false);
    for (int i = 0; i < 2; i++)
        join_thread(threads[i]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static const test_fact facts[] = {
    { "I12 workers use devices after the host did", workers_use_devices_after_the_host_did },
    { "H15 H17 workers start beside threads that hold locks, a BLAS and devices in use",
      workers_start_beside_all_of_it },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "process host", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
