#include "opencl.h"
#include "opencl_raw.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BYTES   ((size_t)64 << 20)
#define COUNT   (BYTES / sizeof(float))
#define MOVES   9
#define ASKEW   64 /* bytes behind a page's begin: aligned for copies, and no pages to share */
#define PAGE    4096
#define BOTH(x) ((x)[0] + (x)[COUNT - 1])

/* look: what the host wrote arrived. mark: what the device wrote is to be brought. Both touch two elements
 * alone, so that moving is all that takes time. */
static const char look_text[] = "kernel void look(global const float *x, global float *y, ulong last)\n"
                                "{\n    y[0] = x[0] + x[last];\n}\n";
static const char mark_text[] = "kernel void mark(global float *x, float value, ulong last)\n"
                                "{\n    x[0] = value;\n    x[last] = value;\n}\n";

typedef enum way {
    IN,
    OUT,
    MAPPED
} way;

/* What the question asks. */
static way way_of(const bench_round *round)
{
    const char *question = bench_question(round);
    return strstr(question, "_map") ? MAPPED : strstr(question, "_in") ? IN : OUT;
}

static float *memory_askew(void)
{
    static unsigned char *block;
    if (!block)
        block = aligned_alloc(PAGE, BYTES + PAGE);
    for (size_t i = 0; block && i < COUNT; i++)
        ((float *)(block + ASKEW))[i] = 1;
    return block ? (float *)(block + ASKEW) : NULL;
}

static void record(bench_round *round, int64_t *times_ns)
{
    if (bench_fine(round))
        bench_record(round, "", (double)BYTES / (double)bench_middle(times_ns, MOVES));
}

static void check(bench_round *round, float found, float expected)
{
    if (found != expected)
        bench_fail(round, "the ends add up to %g, not to %g", (double)found, (double)expected);
}

/* ---- Ours ---- */

typedef struct ours {
    allot_executor *executor;
    const allot_hints *hints;
    allot_kernel *look, *mark;
    allot_array *x, *y; /* the memory that moves, and one element */
} ours;

static bool start(bench_round *round, ours *it, way which)
{
    static const allot_param looks[] = {
        { .name = "x", .type = ALLOT_F32, .access = ALLOT_READ, .distribution = ALLOT_WHOLE },
        { .name = "y", .type = ALLOT_F32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
        { .name = "last", .type = ALLOT_U64 },
    };
    static const allot_param marks[] = {
        { .name = "x", .type = ALLOT_F32, .access = ALLOT_READ_WRITE, .distribution = ALLOT_WHOLE },
        { .name = "value", .type = ALLOT_F32 },
        { .name = "last", .type = ALLOT_U64 },
    };
    float *memory = which == MAPPED ? NULL : memory_askew();
    it->executor = ours_executor(round);
    it->look = allot_kernel_create(
        ALLOT_KERNEL(.name = "look", .params = looks, .param_count = 3, .opencl_source = look_text));
    it->mark = allot_kernel_create(
        ALLOT_KERNEL(.name = "mark", .params = marks, .param_count = 3, .opencl_source = mark_text));
    it->x = which == MAPPED ? allot_array_full(it->executor, ALLOT_F32, COUNT, 1)
            : memory        ? allot_array_wrap(it->executor, ALLOT_F32, COUNT, memory, NULL, NULL)
                            : NULL;
    it->y = allot_array_full(it->executor, ALLOT_F32, 1, 0);
    if (!it->look || !it->mark || !it->x || !it->y)
        bench_fail(round, "kernels or arrays: %s", allot_last_error());
    return bench_fine(round);
}

static void finish(bench_round *round, allot_future *future)
{
    if (allot_get(future, NULL, 0, ALLOT_FOREVER) != ALLOT_OK)
        bench_fail(round, "a launch failed: %s", allot_future_error(future));
    allot_release(future);
}

/* The host writes both ends, the device looks at them. */
static int64_t go_in(bench_round *round, const ours *it, float value)
{
    float *x = allot_array_map(it->x, ALLOT_READ_WRITE);
    if (x)
        x[0] = x[COUNT - 1] = value;
    allot_array_unmap(it->x);
    int64_t start_ns = bench_now_ns();
    finish(round,
           allot_launch(it->executor, it->look, allot_range(1),
                        ALLOT_ARGS(allot_in(it->x), allot_out(it->y), allot_u64(COUNT - 1)), it->hints));
    int64_t took_ns = bench_now_ns() - start_ns;
    const float *y = allot_array_map(it->y, ALLOT_READ);
    check(round, y ? *y : -1, 2 * value);
    allot_array_unmap(it->y);
    return took_ns;
}

static int64_t come_out(bench_round *round, const ours *it, float value)
{
    finish(round,
           allot_launch(it->executor, it->mark, allot_range(1),
                        ALLOT_ARGS(allot_inout(it->x), allot_f32(value), allot_u64(COUNT - 1)), it->hints));
    int64_t start_ns = bench_now_ns();
    const float *x = allot_array_map(it->x, ALLOT_READ);
    float both = x ? BOTH(x) : -1;
    allot_array_unmap(it->x);
    int64_t took_ns = bench_now_ns() - start_ns;
    check(round, both, 2 * value);
    return took_ns;
}

void opencl_bandwidth(bench_round *round)
{
    way which = way_of(round);
    static ours kept;
    int64_t times_ns[MOVES];
    const allot_place_info *device = ours_place(round, ALLOT_OPENCL);
    if (!device || (!kept.x && !start(round, &kept, which)))
        return;
    kept.hints = ALLOT_HINTS(.place_id = device->id);
    for (size_t i = 0; i < MOVES; i++)
        times_ns[i] = (which == IN ? go_in : come_out)(round, &kept, (float)(i + 2));
    record(round, times_ns);
}

/* ---- The raw calls ---- */

typedef struct raw {
    cl_command_queue queue;
    cl_kernel look, mark;
    cl_mem x, y;
    float *memory; /* NULL: the buffer's own is mapped */
} raw;

/* Pages that nobody has written are all one, and quick to read. */
static bool touch(const raw *it)
{
    const float one = 1;
    return clEnqueueFillBuffer(it->queue, it->x, &one, sizeof one, 0, BYTES, 0, NULL, NULL) == CL_SUCCESS &&
           clFinish(it->queue) == CL_SUCCESS;
}

static bool start_raw(bench_round *round, raw *it, way which)
{
    const opencl_raw *device = opencl_raw_device(round);
    const cl_ulong last = COUNT - 1;
    if (!device || !(it->look = opencl_raw_kernel(round, device, look_text, "look")) ||
        !(it->mark = opencl_raw_kernel(round, device, mark_text, "mark")) ||
        !(it->x = opencl_raw_buffer(round, device, which == MAPPED ? CL_MEM_ALLOC_HOST_PTR : 0, BYTES)) ||
        !(it->y = opencl_raw_buffer(round, device, 0, sizeof(float))))
        return false;
    it->queue = device->queues[0];
    it->memory = which == MAPPED ? NULL : memory_askew();
    return (it->memory || which == MAPPED) && touch(it) &&
           clSetKernelArg(it->look, 0, sizeof(cl_mem), &it->x) == CL_SUCCESS &&
           clSetKernelArg(it->look, 1, sizeof(cl_mem), &it->y) == CL_SUCCESS &&
           clSetKernelArg(it->look, 2, sizeof last, &last) == CL_SUCCESS &&
           clSetKernelArg(it->mark, 0, sizeof(cl_mem), &it->x) == CL_SUCCESS &&
           clSetKernelArg(it->mark, 2, sizeof last, &last) == CL_SUCCESS;
}

static int64_t go_in_raw(bench_round *round, const raw *it, float value)
{
    float both = -1;
    it->memory[0] = it->memory[COUNT - 1] = value;
    int64_t start_ns = bench_now_ns();
    bool fine =
        clEnqueueWriteBuffer(it->queue, it->x, CL_FALSE, 0, BYTES, it->memory, 0, NULL, NULL) == CL_SUCCESS &&
        opencl_raw_run(it->queue, it->look, 1, NULL, NULL) == CL_SUCCESS && clFinish(it->queue) == CL_SUCCESS;
    int64_t took_ns = bench_now_ns() - start_ns;
    if (fine)
        clEnqueueReadBuffer(it->queue, it->y, CL_TRUE, 0, sizeof both, &both, 0, NULL, NULL);
    check(round, both, 2 * value);
    return took_ns;
}

static float read_both(const raw *it)
{
    cl_int code;
    if (it->memory)
        return clEnqueueReadBuffer(it->queue, it->x, CL_TRUE, 0, BYTES, it->memory, 0, NULL, NULL) ==
                       CL_SUCCESS
                   ? BOTH(it->memory)
                   : -1;
    float *x = clEnqueueMapBuffer(it->queue, it->x, CL_TRUE, CL_MAP_READ, 0, BYTES, 0, NULL, NULL, &code);
    float both = code == CL_SUCCESS ? BOTH(x) : -1;
    if (code == CL_SUCCESS)
        clEnqueueUnmapMemObject(it->queue, it->x, x, 0, NULL, NULL);
    clFlush(it->queue);
    return both;
}

static int64_t come_out_raw(bench_round *round, const raw *it, float value)
{
    clSetKernelArg(it->mark, 1, sizeof value, &value);
    opencl_raw_run(it->queue, it->mark, 1, NULL, NULL);
    clFinish(it->queue);
    int64_t start_ns = bench_now_ns();
    float both = read_both(it);
    int64_t took_ns = bench_now_ns() - start_ns;
    check(round, both, 2 * value);
    return took_ns;
}

void opencl_bandwidth_raw(bench_round *round)
{
    way which = way_of(round);
    static raw kept;
    int64_t times_ns[MOVES];
    if (!kept.y && !start_raw(round, &kept, which))
        return;
    for (size_t i = 0; i < MOVES; i++)
        times_ns[i] = (which == IN ? go_in_raw : come_out_raw)(round, &kept, (float)(i + 2));
    record(round, times_ns);
}
