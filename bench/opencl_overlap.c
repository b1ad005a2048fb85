#include "opencl.h"
#include "opencl_raw.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TILES   16
#define FLOATS  ((size_t)1 << 20) /* a tile's */
#define BYTES   (FLOATS * sizeof(float))
#define ASKEW   64 /* bytes behind a page's begin: no pages to share, so that there is something to move */
#define PAGE    4096
#define REPEATS 5

/* About as long as a tile's way there. */
static const char text[] = "kernel void steps(global const float *x, global float *y)\n"
                           "{\n"
                           "    float v = x[get_global_id(0)];\n"
                           "    v = v * 0.5f + 1;\n"
                           "    v = v * 0.5f + 1;\n"
                           "    y[get_global_id(0)] = v * 0.5f + 1;\n"
                           "}\n";

static float expected(float v)
{
    for (int i = 0; i < 3; i++)
        v = v * 0.5f + 1;
    return v;
}

/* Host memory of a tile; each tile and each repeat begins with another value. */
static float *tile_memory(void)
{
    unsigned char *block = aligned_alloc(PAGE, BYTES + PAGE);
    for (size_t i = 0; block && i < FLOATS; i++)
        ((float *)(block + ASKEW))[i] = 0;
    return block ? (float *)(block + ASKEW) : NULL;
}

static float value_of(size_t tile, size_t repeat)
{
    return (float)(tile * 10 + repeat);
}

static void check(bench_round *round, const float *y, size_t tile, size_t repeat)
{
    float wanted = expected(value_of(tile, repeat));
    if (!y || y[0] != wanted || y[FLOATS - 1] != wanted)
        bench_fail(round, "tile %zu ends with %g and %g, not with %g", tile, y ? (double)y[0] : -1,
                   y ? (double)y[FLOATS - 1] : -1, (double)wanted);
}

/* A way through the tiles: what was written to each beforehand, and then all of them, timed. */
typedef struct steps {
    bool (*write)(bench_round *round, void *it, size_t tile, float value);
    void (*serial)(bench_round *round, void *it, size_t repeat);
    void (*piped)(bench_round *round, void *it, size_t repeat);
} steps;

static int64_t time_once(bench_round *round, const steps *how, void *it, size_t repeat, bool piped)
{
    for (size_t i = 0; i < TILES; i++)
        if (!how->write(round, it, i, value_of(i, repeat)))
            bench_fail(round, "tile %zu cannot be written", i);
    int64_t start_ns = bench_now_ns();
    if (bench_fine(round))
        (piped ? how->piped : how->serial)(round, it, repeat);
    return bench_now_ns() - start_ns;
}

/* ---- Ours ---- */

typedef struct ours {
    allot_executor *executor;
    allot_kernel *kernel;
    char place_id[32];
    allot_array *x[TILES], *y[TILES];
} ours;

static allot_array *wrap(allot_executor *executor)
{
    float *memory = tile_memory();
    return memory ? allot_array_wrap(executor, ALLOT_F32, FLOATS, memory, NULL, NULL) : NULL;
}

static bool start(bench_round *round, ours *it)
{
    static const allot_param params[] = {
        { .name = "x", .type = ALLOT_F32, .access = ALLOT_READ, .distribution = ALLOT_SLICED },
        { .name = "y", .type = ALLOT_F32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    };
    it->executor = ours_executor(round);
    it->kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "steps", .params = params, .param_count = 2, .opencl_source = text));
    bool fine = it->kernel != NULL;
    for (size_t i = 0; fine && i < TILES; i++)
        fine = (it->x[i] = wrap(it->executor)) && (it->y[i] = wrap(it->executor));
    if (!fine)
        bench_fail(round, "kernels or arrays: %s", allot_last_error());
    return fine;
}

static bool write_tile(bench_round *round, void *user, size_t tile, float value)
{
    ours *it = user;
    float *x = allot_array_map(it->x[tile], ALLOT_WRITE);
    (void)round;
    for (size_t i = 0; x && i < FLOATS; i++)
        x[i] = value;
    return x && allot_array_unmap(it->x[tile]) == ALLOT_OK;
}

static allot_future *launch_tile(ours *it, size_t tile)
{
    return allot_launch(it->executor, it->kernel, allot_range(FLOATS),
                        ALLOT_ARGS(allot_in(it->x[tile]), allot_out(it->y[tile])),
                        ALLOT_HINTS(.place_id = it->place_id));
}

static void read_tile(bench_round *round, ours *it, size_t tile, size_t repeat)
{
    const float *y = allot_array_map(it->y[tile], ALLOT_READ);
    check(round, y, tile, repeat);
    allot_array_unmap(it->y[tile]);
}

static void run_serial(bench_round *round, void *user, size_t repeat)
{
    for (size_t i = 0; i < TILES; i++) {
        allot_future *future = launch_tile(user, i);
        allot_wait(future, ALLOT_FOREVER);
        read_tile(round, user, i, repeat);
        allot_release(future);
    }
}

static void run_piped(bench_round *round, void *user, size_t repeat)
{
    allot_future *futures[TILES];
    for (size_t i = 0; i < TILES; i++)
        futures[i] = launch_tile(user, i);
    for (size_t i = 0; i < TILES; i++)
        read_tile(round, user, i, repeat);
    allot_release_all(futures, TILES);
}

static ours our_side;

static bool ready(bench_round *round)
{
    const allot_place_info *device = ours_place(round, ALLOT_OPENCL);
    if (!device || (!our_side.executor && !start(round, &our_side)))
        return false;
    memcpy(our_side.place_id, device->id, sizeof our_side.place_id);
    return true;
}

/* ---- The raw calls ---- */

typedef struct raw {
    const opencl_raw *device;
    cl_kernel kernel[TILES]; /* each with its tile's arguments */
    cl_mem x[TILES], y[TILES];
    float *from[TILES], *to[TILES];
} raw;

static bool start_tile(bench_round *round, raw *it, size_t i)
{
    return (it->kernel[i] = opencl_raw_kernel(round, it->device, text, "steps")) &&
           (it->x[i] = opencl_raw_buffer(round, it->device, 0, BYTES)) &&
           (it->y[i] = opencl_raw_buffer(round, it->device, 0, BYTES)) && (it->from[i] = tile_memory()) &&
           (it->to[i] = tile_memory()) &&
           clSetKernelArg(it->kernel[i], 0, sizeof(cl_mem), &it->x[i]) == CL_SUCCESS &&
           clSetKernelArg(it->kernel[i], 1, sizeof(cl_mem), &it->y[i]) == CL_SUCCESS;
}

static bool start_raw(bench_round *round, raw *it)
{
    it->device = opencl_raw_device(round);
    bool fine = it->device != NULL;
    for (size_t i = 0; fine && i < TILES; i++)
        fine = start_tile(round, it, i);
    return fine;
}

static bool write_raw(bench_round *round, void *user, size_t tile, float value)
{
    raw *it = user;
    (void)round;
    for (size_t i = 0; i < FLOATS; i++)
        it->from[tile][i] = value;
    return true;
}

/* A step of each kind in its own queue, or all in the first. The events of those before it: */
static cl_int go(raw *it, size_t i, bool piped, cl_event events[3])
{
    const cl_command_queue *queues = it->device->queues;
    cl_int code =
        clEnqueueWriteBuffer(queues[0], it->x[i], CL_FALSE, 0, BYTES, it->from[i], 0, NULL, &events[0]);
    clFlush(queues[0]);
    if (code == CL_SUCCESS)
        code = opencl_raw_run(queues[piped ? 1 : 0], it->kernel[i], FLOATS, &events[0], &events[1]);
    clFlush(queues[piped ? 1 : 0]);
    if (code == CL_SUCCESS)
        code = clEnqueueReadBuffer(queues[piped ? 2 : 0], it->y[i], CL_FALSE, 0, BYTES, it->to[i], 1,
                                   &events[1], &events[2]);
    clFlush(queues[piped ? 2 : 0]);
    return code;
}

static void end(bench_round *round, raw *it, size_t i, cl_event events[3], size_t repeat)
{
    if (clWaitForEvents(1, &events[2]) != CL_SUCCESS)
        bench_fail(round, "tile %zu failed", i);
    for (size_t e = 0; e < 3; e++)
        clReleaseEvent(events[e]);
    check(round, it->to[i], i, repeat);
}

static void run_raw_serial(bench_round *round, void *user, size_t repeat)
{
    for (size_t i = 0; i < TILES && bench_fine(round); i++) {
        cl_event events[3];
        if (go(user, i, false, events) == CL_SUCCESS)
            end(round, user, i, events, repeat);
        else
            bench_fail(round, "tile %zu was not taken", i);
    }
}

static void run_raw_piped(bench_round *round, void *user, size_t repeat)
{
    cl_event events[TILES][3];
    size_t taken = 0;
    while (taken < TILES && go(user, taken, true, events[taken]) == CL_SUCCESS)
        taken++;
    for (size_t i = 0; i < taken; i++)
        end(round, user, i, events[i], repeat);
    if (taken < TILES)
        bench_fail(round, "tile %zu was not taken", taken);
}

static raw raw_side;

static bool ready_raw(bench_round *round)
{
    return raw_side.to[TILES - 1] || start_raw(round, &raw_side);
}

/* ---- In turn ---- */

typedef struct side {
    bool (*ready)(bench_round *round);
    steps how;
    void *it;
    double serial_ns, piped_ns; /* found, and not asked for yet */
    bool waits;
} side;

static side sides[2] = {
    { ready, { write_tile, run_serial, run_piped }, &our_side, 0, 0, false },
    { ready_raw, { write_raw, run_raw_serial, run_raw_piped }, &raw_side, 0, 0, false },
};

/* After one run each that finds pages which nobody has used. */
static void run_in_turn(bench_round *round)
{
    int64_t times_ns[2][2][REPEATS]; /* by side, and serial or piped */
    for (size_t i = 0; i <= REPEATS; i++)
        for (size_t piped = 0; piped < 2; piped++)
            for (size_t k = 0; k < 2 && bench_fine(round); k++) {
                size_t who = (i + k) % 2;
                int64_t took_ns = time_once(round, &sides[who].how, sides[who].it, 2 * i + piped, piped == 1);
                if (i)
                    times_ns[who][piped][i - 1] = took_ns;
            }
    for (size_t k = 0; k < 2 && bench_fine(round); k++) {
        sides[k].serial_ns = (double)bench_middle(times_ns[k][0], REPEATS);
        sides[k].piped_ns = (double)bench_middle(times_ns[k][1], REPEATS);
        sides[k].waits = true;
    }
}

/* Both are measured when the first of them is asked. */
static void answer(bench_round *round, side *asked)
{
    if (!asked->waits && sides[0].ready(round) && sides[1].ready(round))
        run_in_turn(round);
    if (!asked->waits)
        return;
    bench_record(round, "", asked->serial_ns / asked->piped_ns);
    bench_record(round, "_serial", asked->serial_ns / TILES);
    bench_record(round, "_piped", asked->piped_ns / TILES);
    asked->waits = false;
}

void opencl_overlap(bench_round *round)
{
    answer(round, &sides[0]);
}

void opencl_overlap_raw(bench_round *round)
{
    answer(round, &sides[1]);
}
