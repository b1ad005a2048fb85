#include "opencl.h"
#include "opencl_raw.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BYTES    ((size_t)64 << 20)
#define COUNT    (BYTES / sizeof(float))
#define MEMORIES 5  /* a round: which pages one happens to get makes a difference of some percent */
#define MOVES    5  /* in each */
#define MAPS     21 /* the same, of no more than their ends */
#define MOST     (MEMORIES * MAPS)
#define ASKEW    64 /* bytes behind a page's begin: aligned for copies, and no pages to share */
#define PAGE     4096
#define FACTOR   2654435761u
#define BOTH(x)  ((x)[0] + (x)[COUNT - 1])

/* look: what the host wrote arrived. mark: what the device wrote is to be brought. Both touch two elements
 * alone, so that moving is all that takes time. fill: all of it is written, to be read. */
static const char look_text[] = "kernel void look(global const float *x, global float *y, ulong last)\n"
                                "{\n    y[0] = x[0] + x[last];\n}\n";
static const char mark_text[] = "kernel void mark(global float *x, float value, ulong last)\n"
                                "{\n    x[0] = value;\n    x[last] = value;\n}\n";
static const char fill_text[] = "kernel void fill(global uint *x, uint seed)\n"
                                "{\n    size_t i = get_global_id(0);\n"
                                "    x[i] = (uint)i * 2654435761u + seed;\n}\n";

typedef enum way {
    IN,
    OUT,
    READ,   /* mapped, and read whole */
    MAPPED, /* alone */
} way;

/* What the question asks. */
static way way_of(const bench_round *round)
{
    const char *question = bench_question(round);
    return strstr(question, "_latency") ? MAPPED
           : strstr(question, "_map")   ? READ
           : strstr(question, "_in")    ? IN
                                        : OUT;
}

static bool is_shared(way which)
{
    return which == READ || which == MAPPED;
}

/* Each side's own: a driver that had pinned the other's pages would move them faster. */
static float *memory_askew(void)
{
    unsigned char *block = aligned_alloc(PAGE, BYTES + PAGE);
    for (size_t i = 0; block && i < COUNT; i++)
        ((float *)(block + ASKEW))[i] = 1;
    return block ? (float *)(block + ASKEW) : NULL;
}

static void free_askew(void *memory, void *user)
{
    (void)user;
    free(memory ? (unsigned char *)memory - ASKEW : NULL);
}

static void check(bench_round *round, float found, float expected)
{
    if (found != expected)
        bench_fail(round, "the ends add up to %g, not to %g", (double)found, (double)expected);
}

/* What a host does with a result: looks at each element. */
static uint32_t add_up(const uint32_t *x)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < COUNT; i++)
        sum += x[i];
    return sum;
}

static void check_sum(bench_round *round, uint32_t found, uint32_t seed)
{
    uint32_t pairs = (uint32_t)(COUNT / 2 * (COUNT - 1)), expected = pairs * FACTOR + (uint32_t)COUNT * seed;
    if (found != expected)
        bench_fail(round, "the elements add up to %u, not to %u", found, expected);
}

/* ---- Ours ---- */

static struct {
    allot_executor *executor;
    char place_id[32];
    allot_kernel *look, *mark, *fill;
    allot_array *x, *y; /* the memory that moves, and one element */
} ours;

static bool make_kernels(bench_round *round)
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
    static const allot_param fills[] = {
        { .name = "x", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
        { .name = "seed", .type = ALLOT_U32 },
    };
    const allot_place_info *device = ours_place(round, ALLOT_OPENCL);
    if (!device)
        return false;
    ours.executor = ours_executor(round);
    memcpy(ours.place_id, device->id, sizeof ours.place_id);
    ours.look = allot_kernel_create(
        ALLOT_KERNEL(.name = "look", .params = looks, .param_count = 3, .opencl_source = look_text));
    ours.mark = allot_kernel_create(
        ALLOT_KERNEL(.name = "mark", .params = marks, .param_count = 3, .opencl_source = mark_text));
    ours.fill = allot_kernel_create(
        ALLOT_KERNEL(.name = "fill", .params = fills, .param_count = 2, .opencl_source = fill_text));
    if (!ours.look || !ours.mark || !ours.fill)
        bench_fail(round, "kernels: %s", allot_last_error());
    return bench_fine(round);
}

static bool begin_ours(bench_round *round, way which)
{
    if (!ours.fill && !make_kernels(round))
        return false;
    allot_type type = which == READ ? ALLOT_U32 : ALLOT_F32;
    float *memory = is_shared(which) ? NULL : memory_askew();
    ours.x = is_shared(which) ? allot_array_full(ours.executor, type, COUNT, 1)
             : memory         ? allot_array_wrap(ours.executor, type, COUNT, memory, free_askew, NULL)
                              : NULL;
    ours.y = allot_array_full(ours.executor, ALLOT_F32, 1, 0);
    if (!ours.x || !ours.y)
        bench_fail(round, "arrays: %s", allot_last_error());
    return bench_fine(round);
}

static void end_ours(void)
{
    allot_array_release(ours.x);
    allot_array_release(ours.y);
    ours.x = ours.y = NULL;
}

static void finish(bench_round *round, allot_future *future)
{
    if (allot_get(future, NULL, 0, ALLOT_FOREVER) != ALLOT_OK)
        bench_fail(round, "a launch failed: %s", allot_future_error(future));
    allot_release(future);
}

/* The host writes both ends, the device looks at them. */
static int64_t go_in(bench_round *round, uint32_t number)
{
    float value = (float)number, *x = allot_array_map(ours.x, ALLOT_READ_WRITE);
    if (x)
        x[0] = x[COUNT - 1] = value;
    allot_array_unmap(ours.x);
    int64_t start_ns = bench_now_ns();
    finish(round, allot_launch(ours.executor, ours.look, allot_range(1),
                               ALLOT_ARGS(allot_in(ours.x), allot_out(ours.y), allot_u64(COUNT - 1)),
                               ALLOT_HINTS(.place_id = ours.place_id)));
    int64_t took_ns = bench_now_ns() - start_ns;
    const float *y = allot_array_map(ours.y, ALLOT_READ);
    check(round, y ? *y : -1, 2 * value);
    allot_array_unmap(ours.y);
    return took_ns;
}

static int64_t come_out(bench_round *round, uint32_t number)
{
    float value = (float)number;
    finish(round, allot_launch(ours.executor, ours.mark, allot_range(1),
                               ALLOT_ARGS(allot_inout(ours.x), allot_f32(value), allot_u64(COUNT - 1)),
                               ALLOT_HINTS(.place_id = ours.place_id)));
    int64_t start_ns = bench_now_ns();
    const float *x = allot_array_map(ours.x, ALLOT_READ);
    float both = x ? BOTH(x) : -1;
    allot_array_unmap(ours.x);
    int64_t took_ns = bench_now_ns() - start_ns;
    check(round, both, 2 * value);
    return took_ns;
}

static int64_t read_whole(bench_round *round, uint32_t seed)
{
    finish(round, allot_launch(ours.executor, ours.fill, allot_range(COUNT),
                               ALLOT_ARGS(allot_out(ours.x), allot_u32(seed)),
                               ALLOT_HINTS(.place_id = ours.place_id)));
    int64_t start_ns = bench_now_ns();
    const uint32_t *x = allot_array_map(ours.x, ALLOT_READ);
    uint32_t sum = x ? add_up(x) : 0;
    allot_array_unmap(ours.x);
    int64_t took_ns = bench_now_ns() - start_ns;
    if (!x)
        bench_fail(round, "it cannot be mapped: %s", allot_last_error());
    check_sum(round, sum, seed);
    return took_ns;
}

/* ---- The raw calls ---- */

static struct {
    const opencl_raw *device;
    cl_command_queue queue;
    cl_kernel look, mark, fill;
    cl_mem x, y;
    float *memory; /* NULL: the buffer's own is mapped */
} raw;

static bool make_raw_kernels(bench_round *round)
{
    raw.device = opencl_raw_device(round);
    if (!raw.device)
        return false;
    raw.queue = raw.device->queues[0];
    raw.look = opencl_raw_kernel(round, raw.device, look_text, "look");
    raw.mark = opencl_raw_kernel(round, raw.device, mark_text, "mark");
    raw.fill = opencl_raw_kernel(round, raw.device, fill_text, "fill");
    return bench_fine(round);
}

static bool set_arguments(void)
{
    const cl_ulong last = COUNT - 1;
    return clSetKernelArg(raw.look, 0, sizeof(cl_mem), &raw.x) == CL_SUCCESS &&
           clSetKernelArg(raw.look, 1, sizeof(cl_mem), &raw.y) == CL_SUCCESS &&
           clSetKernelArg(raw.look, 2, sizeof last, &last) == CL_SUCCESS &&
           clSetKernelArg(raw.mark, 0, sizeof(cl_mem), &raw.x) == CL_SUCCESS &&
           clSetKernelArg(raw.mark, 2, sizeof last, &last) == CL_SUCCESS &&
           clSetKernelArg(raw.fill, 0, sizeof(cl_mem), &raw.x) == CL_SUCCESS;
}

/* Pages that nobody has written are all one, and quick to read. */
static bool touch(void)
{
    const float one = 1;
    return clEnqueueFillBuffer(raw.queue, raw.x, &one, sizeof one, 0, BYTES, 0, NULL, NULL) == CL_SUCCESS &&
           clFinish(raw.queue) == CL_SUCCESS;
}

static bool begin_raw(bench_round *round, way which)
{
    if (!raw.fill && !make_raw_kernels(round))
        return false;
    raw.memory = is_shared(which) ? NULL : memory_askew();
    raw.x = opencl_raw_buffer(round, raw.device, is_shared(which) ? CL_MEM_ALLOC_HOST_PTR : 0, BYTES);
    raw.y = opencl_raw_buffer(round, raw.device, 0, sizeof(float));
    if (bench_fine(round) && !((raw.memory || is_shared(which)) && set_arguments() && touch()))
        bench_fail(round, "the raw calls: no memory, or arguments were not taken");
    return bench_fine(round);
}

static void end_raw(void)
{
    if (raw.x)
        clReleaseMemObject(raw.x);
    if (raw.y)
        clReleaseMemObject(raw.y);
    free_askew(raw.memory, NULL);
    raw.x = raw.y = NULL;
    raw.memory = NULL;
}

static int64_t go_in_raw(bench_round *round, uint32_t number)
{
    float value = (float)number, both = -1;
    raw.memory[0] = raw.memory[COUNT - 1] = value;
    int64_t start_ns = bench_now_ns();
    bool fine =
        clEnqueueWriteBuffer(raw.queue, raw.x, CL_FALSE, 0, BYTES, raw.memory, 0, NULL, NULL) == CL_SUCCESS &&
        opencl_raw_run(raw.queue, raw.look, 1, NULL, NULL) == CL_SUCCESS && clFinish(raw.queue) == CL_SUCCESS;
    int64_t took_ns = bench_now_ns() - start_ns;
    if (fine)
        clEnqueueReadBuffer(raw.queue, raw.y, CL_TRUE, 0, sizeof both, &both, 0, NULL, NULL);
    check(round, both, 2 * value);
    return took_ns;
}

static float read_both(void)
{
    cl_int code;
    if (raw.memory)
        return clEnqueueReadBuffer(raw.queue, raw.x, CL_TRUE, 0, BYTES, raw.memory, 0, NULL, NULL) ==
                       CL_SUCCESS
                   ? BOTH(raw.memory)
                   : -1;
    float *x = clEnqueueMapBuffer(raw.queue, raw.x, CL_TRUE, CL_MAP_READ, 0, BYTES, 0, NULL, NULL, &code);
    float both = code == CL_SUCCESS ? BOTH(x) : -1;
    if (code == CL_SUCCESS)
        clEnqueueUnmapMemObject(raw.queue, raw.x, x, 0, NULL, NULL);
    clFlush(raw.queue);
    return both;
}

static int64_t come_out_raw(bench_round *round, uint32_t number)
{
    float value = (float)number;
    clSetKernelArg(raw.mark, 1, sizeof value, &value);
    opencl_raw_run(raw.queue, raw.mark, 1, NULL, NULL);
    clFinish(raw.queue);
    int64_t start_ns = bench_now_ns();
    float both = read_both();
    int64_t took_ns = bench_now_ns() - start_ns;
    check(round, both, 2 * value);
    return took_ns;
}

static int64_t read_whole_raw(bench_round *round, uint32_t seed)
{
    cl_int code;
    clSetKernelArg(raw.fill, 1, sizeof seed, &seed);
    opencl_raw_run(raw.queue, raw.fill, COUNT, NULL, NULL);
    clFinish(raw.queue);
    int64_t start_ns = bench_now_ns();
    uint32_t *x = clEnqueueMapBuffer(raw.queue, raw.x, CL_TRUE, CL_MAP_READ, 0, BYTES, 0, NULL, NULL, &code);
    uint32_t sum = code == CL_SUCCESS ? add_up(x) : 0;
    if (code == CL_SUCCESS)
        clEnqueueUnmapMemObject(raw.queue, raw.x, x, 0, NULL, NULL);
    clFlush(raw.queue);
    int64_t took_ns = bench_now_ns() - start_ns;
    if (code != CL_SUCCESS)
        bench_fail(round, "clEnqueueMapBuffer: %d", (int)code);
    check_sum(round, sum, seed);
    return took_ns;
}

/* ---- In turn ---- */

typedef struct side {
    bool (*begin)(bench_round *round, way which);
    int64_t (*moves[4])(bench_round *round, uint32_t value); /* by way: one move, and its time */
    void (*end)(void);
    double found, paired; /* and not asked for yet; ours: how many times as fast as the raw calls */
    bool waits;
} side;

static side sides[2] = {
    { begin_ours, { go_in, come_out, read_whole, come_out }, end_ours, 0, 0, false },
    { begin_raw, { go_in_raw, come_out_raw, read_whole_raw, come_out_raw }, end_raw, 0, 0, false },
};

static void note(side *of, way which, int64_t *times_ns, size_t count)
{
    double middle_ns = (double)bench_middle(times_ns, count);
    of->found = which == MAPPED ? middle_ns : (double)BYTES / middle_ns;
    of->waits = true;
}

/* Of each two moves side by side: what slows the machine down for a while slows both. */
static double pair_up(const int64_t *ours_ns, const int64_t *raw_ns, size_t count)
{
    const double parts = 1e6;
    int64_t ratios[MOST];
    for (size_t i = 0; i < count; i++)
        ratios[i] = (int64_t)(parts * (double)raw_ns[i] / (double)(ours_ns[i] ? ours_ns[i] : 1));
    return (double)bench_middle(ratios, count) / parts;
}

typedef struct moves {
    int64_t times_ns[2][MOST]; /* by side */
    size_t count;
} moves;

/* After one move each that finds pages which nobody has used. */
static void move_in_turn(bench_round *round, way which, size_t first, moves *all)
{
    size_t count = which == MAPPED ? MAPS : MOVES;
    for (size_t i = 0; i <= count; i++)
        for (size_t k = 0; k < 2 && bench_fine(round); k++) {
            size_t who = (first + i + k) % 2;
            int64_t took_ns = sides[who].moves[which](round, (uint32_t)i + 2);
            if (i)
                all->times_ns[who][all->count + i - 1] = took_ns;
        }
    all->count += count;
}

static void ask_both(bench_round *round)
{
    moves all = { .count = 0 };
    way which = way_of(round);
    for (size_t i = 0; i < MEMORIES && bench_fine(round); i++) {
        size_t first = i % 2;
        if (sides[first].begin(round, which) && sides[1 - first].begin(round, which))
            move_in_turn(round, which, first, &all);
        sides[0].end();
        sides[1].end();
    }
    if (!bench_fine(round) || !all.count)
        return;
    sides[0].paired = pair_up(all.times_ns[0], all.times_ns[1], all.count);
    for (size_t k = 0; k < 2; k++)
        note(&sides[k], which, all.times_ns[k], all.count);
}

/* Both are measured when the first of them is asked. */
static void answer(bench_round *round, side *asked)
{
    if (!asked->waits)
        ask_both(round);
    if (asked->waits)
        bench_record(round, "", asked->found);
    if (asked->waits && asked == &sides[0])
        bench_record(round, "_paired", asked->paired);
    asked->waits = false;
}

void opencl_bandwidth(bench_round *round)
{
    answer(round, &sides[0]);
}

void opencl_bandwidth_raw(bench_round *round)
{
    answer(round, &sides[1]);
}
