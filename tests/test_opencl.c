/* The OpenCL place through its table alone: each fact holds on every device that this process can see. Other
 * sets of devices are other runs of this program, with the environment that CMakeLists.txt gives them. */
#include "test.h"

#include "base/blocks.h"
#include "core/launch.h"
#include "places/opencl/opencl.h"
#include <allot/allot.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES_MAX 16

extern char **environ;

static al_place *places[PLACES_MAX];
static size_t place_count;
static int owner; /* arrays want the executor that they are for; these have none */

#define NOBODY ((allot_executor *)&owner)
#define EACH_PLACE(place)                                                                                    \
    for (size_t place##_at = 0; place##_at < place_count; place##_at++)                                      \
        for (al_place *place = places[place##_at]; place; place = NULL)

/* ---- What the facts share ---- */

static al_opencl *opencl(al_place *place)
{
    return (al_opencl *)place;
}

static al_more *make_more(void)
{
    al_more *more = al_blocks_take(sizeof *more);
    return more ? memset(more, 0, sizeof *more) : NULL;
}

static al_task *make(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args, size_t count)
{
    al_failure failure = { 0 };
    allot_status status = ALLOT_OK;
    al_task *task = al_task_create(NULL, NULL, 0, 0, 2);
    al_more *more = make_more();
    more->launch = al_launch_create(kernel, range, args, count, &status, &failure);
    more->name = allot_kernel_name(kernel);
    task->more = more;
    if (!more->launch) {
        printf("%s\n", failure.message ? failure.message : allot_status_text(status));
        abort();
    }
    return task;
}

static allot_future *send(al_place *place, const allot_kernel *kernel, allot_ndrange range,
                          const allot_arg *args, size_t count)
{
    al_task *task = make(kernel, range, args, count);
    place->ops->enqueue(place, task);
    return &task->future;
}

/* Waits for it, keeps the message's start, lets go. */
static char message[4096];
static allot_status end(allot_future *future)
{
    allot_wait(future, ALLOT_FOREVER);
    allot_status status = allot_future_status(future);
    snprintf(message, sizeof message, "%s", allot_future_error(future));
    allot_release(future);
    return status;
}

/* True if it ended as it should; says how if not. */
static bool ends(allot_future *future, allot_status expected, const char *words)
{
    allot_status status = end(future);
    bool right = status == expected && strstr(message, words) != NULL;
    if (!right)
        printf("\n  %s instead of %s with '%s': %s\n", allot_status_name(status), allot_status_name(expected),
               words, message);
    return right;
}

/* The current data, where the host can see it. */
static void *data(allot_array *array)
{
    al_failure failure = { 0 };
    allot_status status =
        al_array_acquire(array, NULL, 0, array->size_bytes, ALLOT_READ, NULL, NULL, &failure);
    if (status != ALLOT_OK)
        printf("\n  %s\n", failure.message);
    al_failure_fini(&failure);
    return status == ALLOT_OK ? array->host : NULL;
}

static allot_array *counting(allot_type type, size_t count)
{
    allot_array *array = allot_array_new(NOBODY, type, count);
    for (size_t i = 0; i < count; i++) {
        if (type == ALLOT_F32)
            ((float *)array->host)[i] = (float)i;
        else if (type == ALLOT_F64)
            ((double *)array->host)[i] = (double)i;
    }
    return array;
}

static const allot_param axpy_params[] = {
    { .name = "alpha" },
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
};

#define AXPY_TEXT                                                                                            \
    "kernel void axpy(T alpha, global const T *x, global T *y)\n"                                            \
    "{ size_t i = get_global_id(0); y[i] += alpha * x[i]; }\n"

static allot_kernel *make_axpy(void)
{
    return allot_kernel_create(
        ALLOT_KERNEL(.name = "axpy", .params = axpy_params, .param_count = 3, .opencl_source = AXPY_TEXT));
}

/* ---- Facts ---- */

static void computes(void)
{
    enum {
        N = 1000
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F32, N), *y = allot_array_full(NOBODY, ALLOT_F32, N, 1);
        CU_ASSERT(
            ends(send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y))),
                 ALLOT_OK, ""));
        const float *got = data(y);
        bool right = got != NULL;
        for (int i = 0; right && i < N; i++)
            right = got[i] == 1 + 2 * (float)i;
        CU_ASSERT(right);
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(axpy);
}

static void doubles_or_a_reason(void)
{
    enum {
        N = 100
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F64, N), *y = counting(ALLOT_F64, N);
        char why[160] = "";
        al_task *task = make(axpy, allot_range(N), ALLOT_ARGS(allot_f64(0.1), allot_in(x), allot_inout(y)));
        bool can = place->ops->can_run(place, task, why, sizeof why);
        CU_ASSERT_EQUAL(can, opencl(place)->device.has_f64);
        place->ops->enqueue(place, task);
        if (can) {
            CU_ASSERT(ends(&task->future, ALLOT_OK, ""));
            CU_ASSERT_DOUBLE_EQUAL(((double *)data(y))[7], 7 + 0.1 * 7, 1e-12);
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(why, "double precision"));
            CU_ASSERT(ends(&task->future, ALLOT_UNSUPPORTED, "double precision"));
        }
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(axpy);
}

/* B16 */
static void nothing_to_do(void)
{
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F32, 0), *y = counting(ALLOT_F32, 4);
        CU_ASSERT(
            ends(send(place, axpy, allot_range(0), ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y))),
                 ALLOT_OK, ""));
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(axpy);
}

static void an_empty_array_is_a_pointer(void)
{
    static const allot_param params[] = {
        { .name = "none", .type = ALLOT_F32, .access = ALLOT_READ },
        { .name = "count", .type = ALLOT_U32 },
        { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    };
    allot_kernel *kernel = allot_kernel_create(ALLOT_KERNEL(
            .name = "sum_of_none", .params = params, .param_count = 3,
            .opencl_source =
                "kernel void sum_of_none(global const float *none, uint count, global T *y)\n"
                "{ T s = 5; for (uint i = 0; i < count; i++) s += none[i]; y[get_global_id(0)] = s; }\n"));
    EACH_PLACE(place)
    {
        allot_array *none = counting(ALLOT_F32, 0), *y = counting(ALLOT_F32, 4);
        CU_ASSERT(
            ends(send(place, kernel, allot_range(4), ALLOT_ARGS(allot_in(none), allot_u32(0), allot_out(y))),
                 ALLOT_OK, ""));
        CU_ASSERT_EQUAL(((float *)data(y))[3], 5);
        allot_array_release(none);
        allot_array_release(y);
    }
    allot_kernel_release(kernel);
}

/* y[at..at+count) += 2 x[from..from+count), all else untouched. */
static bool view_works(al_place *place, const allot_kernel *axpy, size_t from, size_t at, size_t count)
{
    enum {
        N = 3000
    };
    allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
    bool right = ends(send(place, axpy, allot_range(count),
                           ALLOT_ARGS(allot_f32(2), allot_in_view(allot_view_1d(x, from, count)),
                                      allot_inout_view(allot_view_1d(y, at, count)))),
                      ALLOT_OK, "");
    const float *got = data(y);
    for (size_t i = 0; right && i < N; i++) {
        bool inside = i >= at && i < at + count;
        right = got[i] == (float)i + (inside ? 2 * (float)(i - at + from) : 0);
    }
    allot_array_release(x);
    allot_array_release(y);
    return right;
}

static void views_at_any_offset(void)
{
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        CU_ASSERT(view_works(place, axpy, 0, 1024, 1000));
        CU_ASSERT(view_works(place, axpy, 1024, 0, 1000));
        CU_ASSERT(view_works(place, axpy, 1, 0, 1000));
        CU_ASSERT(view_works(place, axpy, 0, 3, 1000));
        CU_ASSERT(view_works(place, axpy, 7, 1029, 1000));
        CU_ASSERT(view_works(place, axpy, 1024, 2048, 952));
    }
    allot_kernel_release(axpy);
}

static void overlapping_views_are_read(void)
{
    enum {
        N = 1000
    };
    static const allot_param params[] = {
        { .name = "left", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
        { .name = "middle", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
        { .name = "right", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
        { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    };
    allot_kernel *kernel = allot_kernel_create(ALLOT_KERNEL(
            .name = "three", .params = params, .param_count = 4,
            .opencl_source =
                "kernel void three(global const T *l, global const T *m, global const T *r, "
                "global T *y)\n{ size_t i = get_global_id(0); y[i] = l[i] + 10 * m[i] + 100 * r[i]; }"));
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F32, N + 2), *y = allot_array_new(NOBODY, ALLOT_F32, N + 1);
        CU_ASSERT(ends(
            send(place, kernel, allot_range(N),
                 ALLOT_ARGS(allot_in_view(allot_view_1d(x, 0, N)), allot_in_view(allot_view_1d(x, 1, N)),
                            allot_in_view(allot_view_1d(x, 2, N)), allot_out_view(allot_view_1d(y, 1, N)))),
            ALLOT_OK, ""));
        const float *got = data(y);
        bool right = got && got[0] == 0;
        for (int i = 0; right && i < N; i++)
            right = got[i + 1] == (float)(i + 10 * (i + 1) + 100 * (i + 2));
        CU_ASSERT(right);
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(kernel);
}

/* The transpose of a window in a larger matrix, written into every second column of another. */
static void strides_reach_the_kernel(void)
{
    enum {
        ROWS = 20,
        COLUMNS = 30,
        WIDE = 64
    };
    static const allot_param params[] = {
        { .name = "a", .access = ALLOT_READ, .rank = 2, .strided = true },
        { .name = "b", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED, .rank = 2, .strided = true },
    };
    allot_kernel *kernel = allot_kernel_create(ALLOT_KERNEL(
            .name = "transpose", .params = params, .param_count = 2,
            .opencl_source =
                "kernel void transpose(global const T *a, allot_layout la, global T *b, allot_layout lb)\n"
                "{ size_t i = get_global_id(0), j = get_global_id(1);\n"
                "  if (i < lb.shape[0] && j < lb.shape[1])\n"
                "    b[i * lb.stride[0] + j * lb.stride[1]] = a[j * la.stride[0] + i * la.stride[1]]; }\n"));
    EACH_PLACE(place)
    {
        allot_array *a = counting(ALLOT_F32, WIDE * WIDE),
                    *b = allot_array_full(NOBODY, ALLOT_F32, WIDE * WIDE, -1);
        allot_view to = allot_view_2d(b, 5, COLUMNS, ROWS, WIDE);
        to.stride[1] = 2;
        CU_ASSERT(ends(send(place, kernel, allot_range_2d(COLUMNS, ROWS),
                            ALLOT_ARGS(allot_in_view(allot_view_2d(a, 3 * WIDE + 1, ROWS, COLUMNS, WIDE)),
                                       allot_out_view(to))),
                       ALLOT_OK, ""));
        const float *got = data(b);
        bool right = got != NULL;
        for (size_t i = 0; right && i < COLUMNS; i++)
            for (size_t j = 0; right && j < ROWS; j++)
                right = got[5 + i * WIDE + 2 * j] == (float)((3 + j) * WIDE + 1 + i) &&
                        got[5 + i * WIDE + 2 * j + 1] == -1;
        CU_ASSERT(right);
        allot_array_release(a);
        allot_array_release(b);
    }
    allot_kernel_release(kernel);
}

static uint64_t moved_to(const allot_array *array)
{
    allot_array_stats stats = { .size = sizeof stats };
    allot_array_get_stats(array, &stats);
    return stats.bytes_to;
}

static void only_what_is_missing_moves(void)
{
    enum {
        N = 4096,
        HALF = N / 2
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        size_t each = opencl(place)->device.shares_pages ? 0 : sizeof(float);
        allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
        for (int round = 0; round < 2; round++) {
            CU_ASSERT(ends(send(place, axpy, allot_range(HALF),
                                ALLOT_ARGS(allot_f32(1), allot_in_view(allot_view_1d(x, 0, HALF)),
                                           allot_inout_view(allot_view_1d(y, HALF, HALF)))),
                           ALLOT_OK, ""));
            CU_ASSERT_EQUAL(moved_to(x), HALF * each);
            CU_ASSERT_EQUAL(moved_to(y), HALF * each);
        }
        CU_ASSERT(
            ends(send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))),
                 ALLOT_OK, ""));
        CU_ASSERT_EQUAL(moved_to(x), N * each);
        CU_ASSERT_EQUAL(moved_to(y), N * each);
        const float *got = data(y);
        CU_ASSERT(got && got[1] == 2 && got[HALF + 1] == (HALF + 1) + 2 * 1 + (HALF + 1));
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(axpy);
}

static void data_goes_from_device_to_device(void)
{
    enum {
        N = 1000
    };
    allot_kernel *axpy = make_axpy();
    allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
    for (int round = 0; round < 3; round++)
        EACH_PLACE(place)
        {
            CU_ASSERT(
                ends(send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))),
                     ALLOT_OK, ""));
        }
    CU_ASSERT_EQUAL(((float *)data(y))[N - 1], (float)((N - 1) * (1 + 3 * place_count)));
    allot_array_release(x);
    allot_array_release(y);
    allot_kernel_release(axpy);
}

static void the_host_writes_again(void)
{
    enum {
        N = 1000
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
        for (int round = 1; round < 4; round++) {
            for (int i = 0; i < N; i++)
                ((float *)x->host)[i] = (float)round;
            al_array_publish(x, NULL, 0, x->size_bytes);
            CU_ASSERT(
                ends(send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))),
                     ALLOT_OK, ""));
        }
        CU_ASSERT_EQUAL(((float *)data(y))[10], 10 + 1 + 2 + 3);
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(axpy);
}

/* Memory that somebody else allocated, at an address that no device can share. */
static void wrapped_memory_works(void)
{
    enum {
        N = 1000
    };
    allot_kernel *axpy = make_axpy();
    float *memory = malloc((N + 1) * sizeof *memory);
    EACH_PLACE(place)
    {
        for (int i = 0; i < N; i++)
            memory[i + 1] = 1;
        allot_array *x = counting(ALLOT_F32, N),
                    *y = allot_array_wrap(NOBODY, ALLOT_F32, N, memory + 1, NULL, NULL);
        CU_ASSERT(
            ends(send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))),
                 ALLOT_OK, ""));
        CU_ASSERT(data(y) == memory + 1 && memory[N] == N);
        allot_array_release(x);
        allot_array_release(y);
    }
    free(memory);
    allot_kernel_release(axpy);
}

/* NVIDIA's compiler fails where such a one is to keep its parameters' names. */
static void runs_what_has_no_parameters(void)
{
    allot_kernel *empty = allot_kernel_create(
        ALLOT_KERNEL(.name = "empty", .opencl_source = "kernel void empty(void)\n{\n}\n"));
    EACH_PLACE(place)
    {
        CU_ASSERT(ends(send(place, empty, allot_range(1), NULL, 0), ALLOT_OK, ""));
    }
    allot_kernel_release(empty);
}

/* Also where that is of no use. */
/* Sends `count` floats of memory that no device shares; what is known then of uploads of that many bytes. */
static bool upload_is_known(al_place *place, allot_kernel *axpy, float *memory, size_t count)
{
    allot_array *x = allot_array_wrap(NOBODY, ALLOT_F32, count, memory + 1, NULL, NULL),
                *y = allot_array_full(NOBODY, ALLOT_F32, count, 0);
    CU_ASSERT(
        ends(send(place, axpy, allot_range(count), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))),
             ALLOT_OK, ""));
    allot_array_release(x);
    allot_array_release(y);
    return atomic_load(al_opencl_memory_rate(&opencl(place)->memory, count * sizeof *memory)) != 0;
}

static void uploads_are_learned_by_size(void)
{
    enum {
        SMALL = 64,
        LARGE = 1 << 18
    };
    allot_kernel *axpy = make_axpy();
    float *memory = calloc(LARGE + 1, sizeof *memory);
    EACH_PLACE(place)
    {
        _Atomic uint64_t *large = al_opencl_memory_rate(&opencl(place)->memory, LARGE * sizeof *memory);
        atomic_store(large, 0);
        CU_ASSERT(upload_is_known(place, axpy, memory, SMALL));
        CU_ASSERT(atomic_load(large) == 0 || !opencl(place)->device.shares_pages);
        CU_ASSERT(upload_is_known(place, axpy, memory, LARGE));
    }
    free(memory);
    allot_kernel_release(axpy);
}

static void copies_from_pinned_pages(void)
{
    enum {
        N = 1 << 19
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        al_opencl_device *device = &opencl(place)->device;
        int before = atomic_exchange(&device->pinning, AL_OPENCL_PINS_PAY);
        allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
        for (int i = 0; i < 3; i++)
            CU_ASSERT(
                ends(send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))),
                     ALLOT_OK, ""));
        const float *got = data(y);
        size_t wrong = 0;
        for (size_t i = 0; i < N; i++)
            wrong += got[i] != 4 * (float)i;
        CU_ASSERT_EQUAL(wrong, 0);
        if (!device->shares_pages)
            CU_ASSERT_PTR_NOT_NULL(((al_opencl_copy *)y->copies)->pin);
        allot_array_release(x);
        allot_array_release(y);
        atomic_store(&device->pinning, before);
    }
    allot_kernel_release(axpy);
}

/* I1 */
static void a_syntax_error_brings_the_log(void)
{
    allot_kernel *bad = allot_kernel_create(
        ALLOT_KERNEL(.name = "axpy-bad", .params = axpy_params, .param_count = 3, .opencl_entry = "axpy",
                     .opencl_source = "kernel void axpy(T alpha, global const T *x, global T *y)\n"
                                      "{\n  y[0] = undeclared_name;\n}\n"));
    allot_kernel *good = make_axpy();
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F32, 4), *y = counting(ALLOT_F32, 4);
        uint64_t before = opencl(place)->programs.builds;
        for (int i = 0; i < 3; i++)
            CU_ASSERT(
                ends(send(place, bad, allot_range(4), ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y))),
                     ALLOT_BUILD, "undeclared_name"));
        CU_ASSERT_PTR_NOT_NULL(strstr(message, opencl(place)->device.name));
        CU_ASSERT_EQUAL(opencl(place)->programs.builds, before + 1);
        CU_ASSERT(
            ends(send(place, good, allot_range(4), ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y))),
                 ALLOT_OK, ""));
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(bad);
    allot_kernel_release(good);
}

static void refuses(const char *name, const char *entry, const char *text, allot_status status,
                    const char *words)
{
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = name, .params = axpy_params, .param_count = 3,
                                         .opencl_entry = entry, .opencl_source = text));
    EACH_PLACE(place)
    {
        allot_array *x = counting(ALLOT_F32, 4), *y = counting(ALLOT_F32, 4);
        CU_ASSERT(
            ends(send(place, kernel, allot_range(4), ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y))),
                 status, words));
        CU_ASSERT_EQUAL(((float *)data(y))[1], 1);
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_kernel_release(kernel);
}

/* I2 */
static void what_the_entry_takes_is_checked(void)
{
    refuses("a", "no_such_entry", AXPY_TEXT, ALLOT_NOT_FOUND, "no_such_entry");
    refuses("b", "f", "kernel void f(T alpha, global const T *x) { }", ALLOT_INVALID, "takes 2 arguments");
    refuses("c", "f", "kernel void f(T alpha, global const T *x, global T *y, int n) { }", ALLOT_INVALID,
            "alpha, x, y");
    refuses("d", "f", "kernel void f(T alpha, T x, global T *y) { }", ALLOT_INVALID, "parameter x");
    refuses("e", "f", "kernel void f(global T *alpha, global T *x, global T *y) { }", ALLOT_INVALID,
            "parameter alpha");
    refuses("f", "f", "kernel void f(T alpha, global const T *x, global char *y) { }", ALLOT_INVALID,
            "parameter y");
    refuses("g", "f", "kernel void f(char alpha, global const T *x, global T *y) { }", ALLOT_INVALID,
            "parameter alpha");
}

static const allot_param fill_params[] = {
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    { .name = "n", .type = ALLOT_U64 },
};

#define FILL_TEXT                                                                                            \
    "kernel void fill(global T *y, ulong n)\n"                                                               \
    "{ size_t i = get_global_id(0); if (i < n) y[i] = 1 + get_local_size(0); }\n"

static allot_status fill_with(al_place *place, size_t tile, size_t local, size_t n, float *last)
{
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "fill", .params = fill_params, .param_count = 2,
                                         .opencl_source = FILL_TEXT, .tile = { tile }, .local = { local }));
    allot_array *y = counting(ALLOT_F32, n);
    allot_status status = end(send(place, kernel, allot_range(n), ALLOT_ARGS(allot_out(y), allot_u64(n))));
    *last = status == ALLOT_OK ? ((float *)data(y))[n - 1] : 0;
    allot_array_release(y);
    allot_kernel_release(kernel);
    return status;
}

/* I3 */
static void work_groups_must_fit(void)
{
    EACH_PLACE(place)
    {
        float last;
        CU_ASSERT_EQUAL(fill_with(place, 0, 25, 100, &last), ALLOT_OK);
        CU_ASSERT_EQUAL(last, 26);
        CU_ASSERT_EQUAL(fill_with(place, 0, 64, 100, &last), ALLOT_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(message, "does not divide"));
        CU_ASSERT_EQUAL(fill_with(place, 1, 64, 100, &last), ALLOT_OK);
        CU_ASSERT_EQUAL(last, 65);
        CU_ASSERT_EQUAL(fill_with(place, 0, (size_t)1 << 20, (size_t)1 << 20, &last), ALLOT_INVALID);
        CU_ASSERT_EQUAL(fill_with(place, 1, SIZE_MAX / 2, 64, &last), ALLOT_INVALID);
    }
}

/* Each index once and none else, whatever the groups; the kernels hold both for a range in two pieces and for
 * one that stays whole. */
#define IDS_TEXT "kernel void ids(global T *y) { size_t i = get_global_id(0); y[i] += 1 + i % 1000; }\n"
#define WHOLE_TEXT                                                                                           \
    "kernel void ids(global T *y)\n"                                                                         \
    "{ size_t i = get_group_id(0) * get_local_size(0) + get_local_id(0);\n"                                  \
    "  if (get_global_size(0) == get_num_groups(0) * get_local_size(0)) y[i] += 1 + i % 1000; }\n"

static const allot_param ids_params[] = {
    { .name = "y", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
};

static bool counts_each_once(al_place *place, const allot_kernel *kernel, size_t n)
{
    allot_array *y = allot_array_new(NOBODY, ALLOT_F32, n + 1);
    bool right =
        ends(send(place, kernel, allot_range(n), ALLOT_ARGS(allot_inout_view(allot_view_1d(y, 0, n)))),
             ALLOT_OK, "");
    const float *got = data(y);
    for (size_t i = 0; right && i < n; i++)
        right = got[i] == (float)(1 + i % 1000);
    right = right && got[n] == 0;
    if (!right)
        printf("\n  wrong for %zu", n);
    allot_array_release(y);
    return right;
}

static void any_length_needs_few_shapes(void)
{
    static const char *const texts[] = { IDS_TEXT, WHOLE_TEXT };
    EACH_PLACE(place)
    {
        for (int t = 0; t < 2; t++) {
            allot_kernel *kernel =
                allot_kernel_create(ALLOT_KERNEL(.name = "ids", .params = ids_params, .param_count = 1,
                                                 .opencl_source = texts[t]));
            uint64_t before = opencl(place)->programs.builds;
            for (size_t i = 1; i <= 25; i++) {
                CU_ASSERT(counts_each_once(place, kernel, i * i * 7 - 6));
                CU_ASSERT(counts_each_once(place, kernel, i * 256 * (i % 4 + 1)));
            }
            CU_ASSERT(counts_each_once(place, kernel, 70001));
            CU_ASSERT_EQUAL(opencl(place)->programs.builds, before + 1);
            CU_ASSERT(opencl(place)->programs.first->warmed <= 10);
            allot_kernel_release(kernel);
        }
    }
}

#define PLACES_TEXT                                                                                          \
    "kernel void f(global T *y, uint columns, uint layers)\n"                                                \
    "{ size_t i = get_global_id(0), j = get_global_id(1), k = get_global_id(2);\n"                           \
    "  y[(i * columns + j) * layers + k] += 1 + i + 10 * j + 100 * k; }\n"

static bool counts_each_in(al_place *place, const allot_kernel *kernel, allot_ndrange range)
{
    size_t rows = range.size[0], columns = range.size[1], layers = range.size[2], n = rows * columns * layers;
    allot_array *y = allot_array_new(NOBODY, ALLOT_F32, n);
    bool right =
        ends(send(place, kernel, range,
                  ALLOT_ARGS(allot_inout(y), allot_u32((uint32_t)columns), allot_u32((uint32_t)layers))),
             ALLOT_OK, "");
    const float *got = data(y);
    for (size_t i = 0; right && i < n; i++) {
        size_t row = i / layers / columns, column = i / layers % columns, layer = i % layers;
        right = got[i] == (float)(1 + row + 10 * column + 100 * layer);
    }
    allot_array_release(y);
    return right;
}

static void more_dimensions_are_divided(void)
{
    static const allot_param params[] = {
        { .name = "y", .access = ALLOT_READ_WRITE },
        { .name = "columns", .type = ALLOT_U32 },
        { .name = "layers", .type = ALLOT_U32 },
    };
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "f", .params = params, .param_count = 3, .opencl_source = PLACES_TEXT));
    EACH_PLACE(place)
    {
        for (size_t n = 5; n <= 16; n++) {
            CU_ASSERT(counts_each_in(place, kernel, allot_range_2d(n, 24 - n)));
            CU_ASSERT(counts_each_in(place, kernel, allot_range_3d(n, 8, 20 - n)));
        }
    }
    allot_kernel_release(kernel);
}

static void a_required_group_is_kept(void)
{
    static const char text[] = "kernel __attribute__((reqd_work_group_size(8, 1, 1))) void ids(global T *y)\n"
                               "{ size_t i = get_global_id(0); y[i] += 1 + i % 1000; }\n";
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "ids", .params = ids_params, .param_count = 1, .opencl_source = text));
    EACH_PLACE(place)
    {
        CU_ASSERT(counts_each_once(place, kernel, 8000));
        allot_array *y = counting(ALLOT_F32, 1001);
        CU_ASSERT(ends(send(place, kernel, allot_range(1001), ALLOT_ARGS(allot_inout(y))), ALLOT_INVALID,
                       "does not divide"));
        allot_array_release(y);
    }
    allot_kernel_release(kernel);
}

/* I4 */
/* ThreadSanitizer keeps a shadow of every page, and takes minutes over one array of some devices' size. */
#ifdef __SANITIZE_THREAD__
#define HUGE_ARRAYS 0
#else
#define HUGE_ARRAYS 1
#endif

static void a_buffer_can_be_too_large(void)
{
    if (!HUGE_ARRAYS)
        return;
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "fill", .params = fill_params, .param_count = 2, .opencl_source = FILL_TEXT));
    EACH_PLACE(place)
    {
        char why[160] = "";
        allot_array *y = allot_array_new(NOBODY, ALLOT_U8, opencl(place)->device.max_buffer_bytes + 1);
        if (!y)
            continue; /* the device takes more than this machine has */
        al_task *task = make(kernel, allot_range(1), ALLOT_ARGS(allot_out(y), allot_u64(1)));
        CU_ASSERT_FALSE(place->ops->can_run(place, task, why, sizeof why));
        CU_ASSERT_PTR_NOT_NULL(strstr(why, "larger than the largest buffer"));
        place->ops->enqueue(place, task);
        /* Some devices have no more memory than one buffer may take: then it may be that. */
        CU_ASSERT_EQUAL(end(&task->future), ALLOT_TOO_LARGE);
        CU_ASSERT(strstr(message, "larger than the largest buffer") ||
                  strstr(message, "that may be used of"));
        allot_array_release(y);
    }
    allot_kernel_release(kernel);
}

static void functions_are_not_for_devices(void)
{
    EACH_PLACE(place)
    {
        char why[160] = "";
        al_task *task = al_task_create(NULL, NULL, 0, 0, 2);
        task->more = make_more();
        CU_ASSERT_FALSE(place->ops->can_run(place, task, why, sizeof why));
        CU_ASSERT_PTR_NOT_NULL(strstr(why, "plain functions"));
        place->ops->enqueue(place, task);
        CU_ASSERT(ends(&task->future, ALLOT_UNSUPPORTED, "plain functions"));
    }
}

/* I9 */
static void a_thousand_launches_build_once(void)
{
    enum {
        N = 256,
        LAUNCHES = 1000
    };
    static allot_future *futures[LAUNCHES];
    EACH_PLACE(place)
    {
        allot_kernel *axpy = make_axpy();
        allot_array *x = allot_array_full(NOBODY, ALLOT_F32, N, 1),
                    *y = allot_array_new(NOBODY, ALLOT_F32, N);
        uint64_t before = opencl(place)->programs.builds;
        bool good = true;
        for (int i = 0; i < LAUNCHES; i++)
            futures[i] =
                send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y)));
        for (int i = 0; i < LAUNCHES; i++)
            good = end(futures[i]) == ALLOT_OK && good;
        CU_ASSERT(good);
        CU_ASSERT_EQUAL(opencl(place)->programs.builds, before + 1);
        CU_ASSERT_EQUAL(((float *)data(y))[N - 1], LAUNCHES);
        allot_array_release(x);
        allot_array_release(y);
        allot_kernel_release(axpy);
    }
}

typedef struct sender {
    al_place *place;
    const allot_kernel *kernel;
    float factor;
    bool right;
} sender;

static void *send_many(void *user)
{
    enum {
        N = 64,
        ROUNDS = 200
    };
    sender *self = user;
    allot_array *x = allot_array_full(NOBODY, ALLOT_F32, N, self->factor),
                *y = allot_array_new(NOBODY, ALLOT_F32, N);
    self->right = true;
    for (int i = 0; i < ROUNDS && self->right; i++) {
        allot_future *future = send(self->place, self->kernel, allot_range(N),
                                    ALLOT_ARGS(allot_f32(self->factor), allot_in(x), allot_inout(y)));
        allot_wait(future, ALLOT_FOREVER);
        self->right = allot_future_status(future) == ALLOT_OK;
        allot_release(future);
    }
    const float *got = data(y);
    for (int i = 0; i < N && self->right; i++)
        self->right = got[i] == self->factor * self->factor * ROUNDS;
    allot_array_release(x);
    allot_array_release(y);
    return NULL;
}

/* I10 */
static void arguments_of_threads_never_mix(void)
{
    enum {
        THREADS = 4
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        pthread_t threads[THREADS];
        sender senders[THREADS];
        for (int t = 0; t < THREADS; t++) {
            senders[t] = (sender){ place, axpy, (float)(t + 1), false };
            pthread_create(&threads[t], NULL, send_many, &senders[t]);
        }
        for (int t = 0; t < THREADS; t++) {
            pthread_join(threads[t], NULL);
            CU_ASSERT(senders[t].right);
        }
    }
    allot_kernel_release(axpy);
}

/* Arrays and futures may all be let go while the launch is on its way. */
static void nobody_needs_to_wait(void)
{
    enum {
        N = 1000
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        for (int i = 0; i < 100; i++) {
            allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
            allot_release(
                send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y))));
            allot_array_release(x);
            allot_array_release(y);
        }
    }
    allot_kernel_release(axpy);
}

static _Atomic int freed, freed_in_callback;

static void free_memory(void *memory, void *user)
{
    (void)user;
    freed_in_callback += (al_opencl_here() & AL_OPENCL_CALLED_BACK) != 0;
    free(memory);
    freed++;
}

/* B5, and no code of the user's in a driver's thread. */
static void memory_is_given_back_outside_callbacks(void)
{
    enum {
        N = 1024,
        ROUNDS = 50
    };
    allot_kernel *axpy = make_axpy();
    EACH_PLACE(place)
    {
        freed = freed_in_callback = 0;
        for (int i = 0; i < ROUNDS; i++) {
            allot_array *x = counting(ALLOT_F32, N);
            allot_array *y =
                allot_array_wrap(NOBODY, ALLOT_F32, N, calloc(N, sizeof(float)), free_memory, NULL);
            allot_future *future =
                send(place, axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y)));
            allot_array_release(x);
            allot_array_release(y);
            allot_release(future);
        }
        while (freed < ROUNDS)
            sched_yield();
        CU_ASSERT_EQUAL(freed_in_callback, 0);
    }
    allot_kernel_release(axpy);
}

static void what_has_not_started_can_be_taken_back(void)
{
    enum {
        N = 64,
        LAUNCHES = 300
    };
    static al_task *tasks[LAUNCHES];
    EACH_PLACE(place)
    {
        allot_kernel *axpy = make_axpy(); /* its build holds the first one up */
        allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
        size_t done = 0, back = 0;
        for (int i = 0; i < LAUNCHES; i++) {
            tasks[i] = make(axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y)));
            place->ops->enqueue(place, tasks[i]);
        }
        al_task *any = place->ops->withdraw(place, NULL);
        for (int i = 0; i < LAUNCHES; i++) {
            bool mine = tasks[i] == any || place->ops->withdraw(place, tasks[i]) == tasks[i];
            if (mine) {
                CU_ASSERT(al_future_drop(&tasks[i]->future));
                al_task_drop(tasks[i]);
                back++;
            }
            done += end(&tasks[i]->future) == ALLOT_OK;
        }
        CU_ASSERT_EQUAL(done + back, LAUNCHES);
        CU_ASSERT_EQUAL(((float *)data(y))[1], (float)(1 + done));
        allot_array_release(x);
        allot_array_release(y);
        allot_kernel_release(axpy);
    }
}

static void cancelled_launches_do_not_run(void)
{
    enum {
        N = 64,
        LAUNCHES = 100
    };
    static al_task *tasks[LAUNCHES];
    EACH_PLACE(place)
    {
        allot_kernel *axpy = make_axpy();
        allot_array *x = counting(ALLOT_F32, N), *y = counting(ALLOT_F32, N);
        size_t ran = 0;
        for (int i = 0; i < LAUNCHES; i++) {
            tasks[i] = make(axpy, allot_range(N), ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y)));
            place->ops->enqueue(place, tasks[i]);
        }
        for (int i = 0; i < LAUNCHES; i++)
            ran += !al_future_drop(&tasks[i]->future);
        for (int i = 0; i < LAUNCHES; i++)
            end(&tasks[i]->future);
        CU_ASSERT_EQUAL(((float *)data(y))[1], (float)(1 + ran));
        allot_array_release(x);
        allot_array_release(y);
        allot_kernel_release(axpy);
    }
}

static void describes_itself(void)
{
    EACH_PLACE(place)
    {
        char id[32];
        snprintf(id, sizeof id, "opencl:%zu", place_at);
        allot_place_info info = { .size = sizeof info };
        al_place_describe(place, &info);
        printf("\n  %s: %s (%s), %d units, %llu MiB, shares memory %d, doubles %d, enqueues at once %d",
               info.id, info.name, info.driver, info.workers, (unsigned long long)info.memory_bytes >> 20,
               info.shares_memory, info.has_f64, opencl(place)->direct);
        CU_ASSERT_STRING_EQUAL(info.id, id);
        CU_ASSERT_EQUAL(info.kind, ALLOT_OPENCL);
        CU_ASSERT(info.name[0] && info.driver[0]);
        CU_ASSERT(info.workers > 0 && info.memory_bytes > 0 && info.max_array_bytes > 0);
    }
}

static size_t count_calm_threads(void)
{
    size_t count = 0;
    DIR *threads = opendir("/proc/self/task");
    for (struct dirent *entry; threads && (entry = readdir(threads));)
        count += atoi(entry->d_name) > 0 && sched_getscheduler(atoi(entry->d_name)) == SCHED_BATCH;
    if (threads)
        closedir(threads);
    return count;
}

/* PoCL's pthread device names itself so, and is the one with workers of its own. */
static void workers_of_cpu_devices_are_calm(void)
{
    bool all_on_cpu = true, has_workers = false, calm = false;
    EACH_PLACE(place)
    {
        all_on_cpu = all_on_cpu && opencl(place)->device.on_cpu;
        has_workers = has_workers || strncmp(opencl(place)->device.name, "pthread", 7) == 0;
        calm = opencl(place)->calm;
    }
    CU_ASSERT_NOT_EQUAL(sched_getscheduler(0), SCHED_BATCH);
    CU_ASSERT_EQUAL(count_calm_threads() != 0, calm);
    if (sched_getscheduler(0) == SCHED_OTHER && has_workers)
        CU_ASSERT_EQUAL(calm, all_on_cpu);
}

static size_t discover(void)
{
    static const al_place_config config = { 1, 1 };
    char why[512];
    size_t count = al_opencl_kind.discover(&config, places, PLACES_MAX, why, sizeof why);
    if (count == 0)
        printf("%s\n", why);
    return count;
}

/* Run last: what was only on the devices is in the arrays when the places are gone. */
static void closing_brings_the_data_back(void)
{
    enum {
        N = 1000
    };
    allot_kernel *axpy = make_axpy();
    allot_array *x = counting(ALLOT_F32, N), *y[PLACES_MAX];
    EACH_PLACE(place)
    {
        y[place_at] = counting(ALLOT_F32, N);
        CU_ASSERT(ends(send(place, axpy, allot_range(N),
                            ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y[place_at]))),
                       ALLOT_OK, ""));
        place->ops->close(place);
        const float *got = data(y[place_at]);
        CU_ASSERT(got && got[N - 1] == 2 * (N - 1));
        allot_array_release(y[place_at]);
    }
    allot_array_release(x);
    allot_kernel_release(axpy);
}

static void closing_what_was_never_opened(void)
{
    place_count = discover();
    CU_ASSERT(place_count > 0);
    EACH_PLACE(place)
    {
        place->ops->close(place);
    }
}

/* I7: another process, as a driver loader reads its environment once. */
static void check_without_driver(const char *folder)
{
    char *arguments[] = { (char *)"test_opencl", (char *)"--no-driver", NULL };
    char *environment[64], vendors[128];
    size_t count = 0;
    for (char **each = environ; *each && count < 60; each++)
        if (strncmp(*each, "OCL_ICD", 7) != 0)
            environment[count++] = *each;
    snprintf(vendors, sizeof vendors, "OCL_ICD_VENDORS=%s", folder);
    environment[count++] = vendors;
    environment[count] = NULL;
    pid_t child;
    int status = -1;
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&child, test_program(), NULL, NULL, arguments, environment), 0);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void no_driver_is_no_crash(void)
{
    check_without_driver("/nonexistent");
}

static void an_empty_folder_is_no_crash(void)
{
    char folder[] = "/tmp/allot_test_opencl_XXXXXX";
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    check_without_driver(folder);
    rmdir(folder);
}

static allot_status return_ok(allot_call *call, const void *in, void *out)
{
    return call && !in && !out ? ALLOT_OK : ALLOT_FAILED;
}

/* Whether what is sent to a place ends with a status and words of its message. */
static bool on_place_ends(allot_executor *executor, const char *place, allot_status status, const char *words)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 4, 1),
                *y = allot_array_full(executor, ALLOT_F32, 4, 1);
    allot_future *future =
        allot_launch(executor, allot_axpy(), allot_range(4),
                     ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), ALLOT_HINTS(.place_id = place));
    bool right = allot_wait(future, ALLOT_FOREVER) == ALLOT_OK && allot_future_status(future) == status &&
                 strstr(allot_future_error(future), words);
    if (!right)
        printf("%s: %s: %s\n", place ? place : "any", allot_status_name(allot_future_status(future)),
               allot_future_error(future));
    allot_release(future);
    allot_array_release(x);
    allot_array_release(y);
    return right;
}

static bool function_runs(allot_executor *executor, allot_kind kind)
{
    allot_future *future = allot_submit(executor, return_ok, NULL, 0, 0, ALLOT_HINTS(.place = kind));
    bool right = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    allot_release(future);
    return right;
}

/* An executor beside no driver: says so, and its CPU places work; so does one of devices alone, but for them.
 */
static bool executors_live_without_driver(void)
{
    allot_executor *executor = allot_open(NULL);
    allot_executor *bare = allot_open(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_OPENCL)));
    if (!executor || !bare)
        return false;
    bool right = strstr(allot_devices_message(executor), "no OpenCL platform") != NULL;
    right &= on_place_ends(executor, "opencl:0", ALLOT_NO_DEVICE, "no such device");
    right &= on_place_ends(executor, NULL, ALLOT_OK, "");
    right &= function_runs(executor, ALLOT_THREAD) && function_runs(executor, ALLOT_PROCESS);
    right &= on_place_ends(bare, NULL, ALLOT_NO_PLACE, "no OpenCL platform");
    right &= allot_close(bare) == ALLOT_OK && allot_close(executor) == ALLOT_OK;
    return right;
}

static int without_driver(void)
{
    static const al_place_config config = { 1, 1 };
    char why[512];
    size_t count = al_opencl_kind.discover(&config, places, PLACES_MAX, why, sizeof why);
    bool right = count == 0 && strstr(why, "no OpenCL platform") && executors_live_without_driver();
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const test_fact facts[] = {
    { "computes", computes },
    { "computes in double precision or says why not", doubles_or_a_reason },
    { "B16 an empty range succeeds with nothing done", nothing_to_do },
    { "an empty array is a pointer like others", an_empty_array_is_a_pointer },
    { "views start at any offset", views_at_any_offset },
    { "overlapping views can be read", overlapping_views_are_read },
    { "strides reach the kernel", strides_reach_the_kernel },
    { "only what is missing moves", only_what_is_missing_moves },
    { "data goes from device to device", data_goes_from_device_to_device },
    { "what the host writes later is seen", the_host_writes_again },
    { "wrapped memory works at any address", wrapped_memory_works },
    { "runs what has no parameters", runs_what_has_no_parameters },
    { "copies from and to pinned pages", copies_from_pinned_pages },
    { "what an upload takes is learned by its size", uploads_are_learned_by_size },
    { "I1 a syntax error brings the build log, once", a_syntax_error_brings_the_log },
    { "I2 what the entry takes is checked by name", what_the_entry_takes_is_checked },
    { "I3 work-groups must fit", work_groups_must_fit },
    { "ranges of any length need few work-group sizes", any_length_needs_few_shapes },
    { "in more dimensions groups divide the range", more_dimensions_are_divided },
    { "the size that a kernel requires is kept", a_required_group_is_kept },
    { "I4 a buffer can be too large", a_buffer_can_be_too_large },
    { "functions are not for devices", functions_are_not_for_devices },
    { "I9 a thousand launches build once", a_thousand_launches_build_once },
    { "I10 arguments of threads never mix", arguments_of_threads_never_mix },
    { "nobody needs to wait", nobody_needs_to_wait },
    { "B5 the user's memory is freed once, outside callbacks", memory_is_given_back_outside_callbacks },
    { "what has not started can be taken back", what_has_not_started_can_be_taken_back },
    { "cancelled launches do not run", cancelled_launches_do_not_run },
    { "describes itself", describes_itself },
    { "threads of CPU drivers let their submitter go on, of others not", workers_of_cpu_devices_are_calm },
    { "I7 without a driver there is no device, in words, and the CPU places work", no_driver_is_no_crash },
    { "I7 a folder without drivers is the same", an_empty_folder_is_no_crash },
    { "closing brings the data back", closing_brings_the_data_back },
    { "what was never opened can be closed", closing_what_was_never_opened },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--no-driver") == 0)
        return without_driver();
    place_count = discover();
    if (place_count == 0)
        return test_skip("no OpenCL device");
    EACH_PLACE(place)
    {
        al_failure failure = { 0 };
        if (place->ops->open(place, &failure) != ALLOT_OK) {
            printf("%s: %s\n", place->id, failure.message);
            return EXIT_FAILURE;
        }
    }
    return test_main("the OpenCL place", facts);
}
