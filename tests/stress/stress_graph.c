/* Property: launches on random views of a few arrays, spread over all places, leave what the same launches
 * leave one after the other. Usage: stress_graph [SECONDS [SEED]]; TEST_SEED sets the seed too; a failure
 * prints the one that repeats it. */
#include "probe_kernels.h"
#include "random.h"
#include "support.h"
#include <string.h>
#include <unistd.h>

enum {
    ARRAYS = 4,
    LENGTH_MAX = 600,
    STEPS_MAX = 60,
    PLACES_MAX = 8
};

static allot_place_info places[PLACES_MAX];
static size_t place_count;

/* One round: the arrays, their mirrors, and what was launched. */
typedef struct round_state {
    allot_executor *executor;
    random_state *random;
    size_t length;
    allot_array *arrays[ARRAYS];
    uint32_t mirror[ARRAYS][LENGTH_MAX];
    allot_future *futures[STEPS_MAX];
    size_t future_count;
} round_state;

static size_t below(round_state *state, size_t limit)
{
    return (size_t)(random_next(state->random) % limit);
}

/* Rows × columns with a row stride, anywhere in [begin, end); the elements never overlap. */
static allot_view random_view(round_state *state, int array, size_t rows, size_t columns, size_t begin,
                              size_t end)
{
    size_t most = rows > 1 ? (end - begin - columns) / (rows - 1) : columns;
    size_t stride = columns + (most > columns ? below(state, most - columns + 1) : 0);
    size_t extent = (rows - 1) * stride + columns;
    size_t offset = begin + below(state, end - begin - extent + 1);
    return allot_view_2d(state->arrays[array], offset, rows, columns, stride);
}

static allot_hints random_hints(round_state *state)
{
    allot_hints hints;
    allot_hints_init(&hints);
    if (below(state, 5)) /* else wherever it is best */
        hints.place_id = places[below(state, place_count)].id;
    if (state->future_count && below(state, 8) == 0)
        hints.after = &state->futures[below(state, state->future_count)], hints.after_count = 1;
    return hints;
}

static void keep(round_state *state, allot_future *future)
{
    state->futures[state->future_count++] = future;
}

static void random_shape(round_state *state, size_t *rows, size_t *columns, size_t room)
{
    *columns = 1 + below(state, 9);
    *rows = 1 + below(state, room / *columns < 40 ? room / *columns : 40);
}

static void step_affine(round_state *state)
{
    int array = (int)below(state, ARRAYS);
    size_t rows, columns;
    random_shape(state, &rows, &columns, state->length);
    allot_view view = random_view(state, array, rows, columns, 0, state->length);
    uint32_t a = (uint32_t)random_next(state->random) | 1, b = (uint32_t)random_next(state->random);
    allot_hints hints = random_hints(state);
    keep(state, allot_launch(state->executor, probe_kernel(PROBE_AFFINE), allot_range_2d(rows, columns),
                             ALLOT_ARGS(allot_inout_view(view), allot_u32(a), allot_u32(b)), &hints));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            uint32_t *y = &state->mirror[array][view.offset + i * view.stride[0] + j];
            *y = a * *y + b;
        }
}

static void step_mix(round_state *state)
{
    int from = (int)below(state, ARRAYS), to = (int)below(state, ARRAYS);
    size_t half = from == to ? state->length / 2 : state->length, rows, columns;
    random_shape(state, &rows, &columns, half);
    allot_view x = random_view(state, from, rows, columns, 0, half);
    allot_view y = random_view(state, to, rows, columns, state->length - half, state->length);
    uint32_t a = (uint32_t)random_next(state->random);
    allot_hints hints = random_hints(state);
    keep(state, allot_launch(state->executor, probe_kernel(PROBE_MIX), allot_range_2d(rows, columns),
                             ALLOT_ARGS(allot_in_view(x), allot_inout_view(y), allot_u32(a)), &hints));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            uint32_t *e = &state->mirror[to][y.offset + i * y.stride[0] + j];
            *e = a * *e + state->mirror[from][x.offset + i * x.stride[0] + j];
        }
}

/* FILL, REVERSE or BLUR: one dimension; the last two from one array to another. */
static void step_line(round_state *state)
{
    int from = (int)below(state, ARRAYS), to = (from + 1 + (int)below(state, ARRAYS - 1)) % ARRAYS;
    size_t count = 1 + below(state, state->length), x_at = below(state, state->length - count + 1);
    size_t y_at = below(state, state->length - count + 1);
    const uint32_t *x = &state->mirror[from][x_at];
    uint32_t *y = &state->mirror[to][y_at], b = (uint32_t)random_next(state->random);
    allot_arg in = allot_in_view(allot_view_1d(state->arrays[from], x_at, count));
    allot_arg out = allot_out_view(allot_view_1d(state->arrays[to], y_at, count));
    allot_hints hints = random_hints(state);
    size_t kind = below(state, 3);
    if (kind == 0)
        keep(state, allot_launch(state->executor, probe_kernel(PROBE_FILL), allot_range(count),
                                 ALLOT_ARGS(out, allot_u32(b)), &hints));
    else
        keep(state, allot_launch(state->executor, probe_kernel(kind == 1 ? PROBE_REVERSE : PROBE_BLUR),
                                 allot_range(count), ALLOT_ARGS(in, out), &hints));
    for (size_t i = 0; i < count; i++)
        y[i] = kind == 0   ? b + (uint32_t)i
               : kind == 1 ? x[count - 1 - i]
                           : (i ? x[i - 1] : 0) + x[i] + (i + 1 < count ? x[i + 1] : 0);
}

/* The host takes part. */
static bool step_map(round_state *state)
{
    int array = (int)below(state, ARRAYS);
    size_t bytes = state->length * sizeof(uint32_t);
    const allot_access accesses[] = { ALLOT_READ, ALLOT_READ_WRITE, ALLOT_WRITE };
    allot_access access = accesses[below(state, 3)];
    uint32_t *data = allot_array_map(state->arrays[array], access);
    if (!data) {
        printf("map: %s\n", allot_last_error());
        return false;
    }
    bool right = access == ALLOT_WRITE || memcmp(data, state->mirror[array], bytes) == 0;
    if (access == ALLOT_READ_WRITE) {
        size_t at = below(state, state->length);
        state->mirror[array][at] = data[at] = (uint32_t)random_next(state->random);
    } else if (access == ALLOT_WRITE) {
        for (size_t i = 0; i < state->length; i++)
            state->mirror[array][i] = data[i] = (uint32_t)random_next(state->random);
    }
    return allot_array_unmap(state->arrays[array]) == ALLOT_OK && right;
}

static bool end_round(round_state *state)
{
    bool right = true;
    for (int i = 0; i < ARRAYS; i++) {
        const uint32_t *data = allot_array_map(state->arrays[i], ALLOT_READ);
        for (size_t j = 0; data && j < state->length; j++)
            if (data[j] != state->mirror[i][j]) {
                printf("array %d element %zu is %u, should be %u\n", i, j, data[j], state->mirror[i][j]);
                right = false;
                break;
            }
        right = right && data;
        if (data)
            allot_array_unmap(state->arrays[i]);
        allot_array_release(state->arrays[i]);
    }
    for (size_t i = 0; i < state->future_count; i++) {
        if (allot_get(state->futures[i], NULL, 0, ALLOT_FOREVER) != ALLOT_OK) {
            printf("launch %zu: %s\n", i, allot_future_error(state->futures[i]));
            right = false;
        }
        allot_release(state->futures[i]);
    }
    return right;
}

static bool one_round(allot_executor *executor, random_state *random)
{
    static round_state state;
    memset(&state, 0, sizeof state);
    state.executor = executor, state.random = random;
    state.length = 40 + below(&state, LENGTH_MAX - 40);
    for (int i = 0; i < ARRAYS; i++) {
        for (size_t j = 0; j < state.length; j++)
            state.mirror[i][j] = (uint32_t)random_next(random);
        state.arrays[i] = allot_array_from(executor, ALLOT_U32, state.length, state.mirror[i]);
        if (!state.arrays[i])
            return false;
    }
    bool right = true;
    size_t steps = 1 + below(&state, STEPS_MAX);
    for (size_t i = 0; i < steps && right; i++)
        switch (below(&state, 7)) {
        case 0:
            right = step_map(&state);
            break;
        case 1:
        case 2:
            step_affine(&state);
            break;
        case 3:
        case 4:
            step_mix(&state);
            break;
        default:
            step_line(&state);
        }
    return end_round(&state) && right;
}

static void find_places(allot_executor *executor)
{
    for (size_t i = 0; i < PLACES_MAX; i++)
        places[i].size = sizeof places[i];
    size_t count = allot_places(executor, places, PLACES_MAX);
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (places[i].state != ALLOT_PLACE_ASIDE)
            places[place_count++] = places[i];
}

int main(int argc, char **argv)
{
    int64_t seconds = argc > 1 ? atoi(argv[1]) : 6;
    uint64_t seed = random_seed(argc > 2 ? argv[2] : NULL);
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 3, .processes = 2));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        return EXIT_FAILURE;
    }
    find_places(executor);
    alarm((unsigned)seconds + 60);
    int64_t end = now_ns() + seconds * SECOND;
    uint64_t rounds = 0;
    bool right = true;
    while (right && (rounds == 0 || now_ns() < end)) {
        random_state random = random_start(seed + rounds);
        right = one_round(executor, &random);
        if (!right) /* this seed shows it in its first round */
            printf("FAILED: repeat with TEST_SEED=%llu\n", (unsigned long long)(seed + rounds));
        rounds++;
    }
    allot_close(executor);
    probe_kernels_free();
    printf("%llu rounds over %zu places, seed %llu\n", (unsigned long long)rounds, place_count,
           (unsigned long long)seed);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
