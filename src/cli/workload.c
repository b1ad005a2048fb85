#include "workload.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const al_workload_kind *const al_workload_kinds[] = {
    &al_axpy_kind, &al_dot_kind, &al_gemm_kind, &al_spmv_kind, &al_conv2d_kind, &al_conv2d_separable_kind,
    NULL
};

const char *al_workload_names(void)
{
    static char names[200];
    if (names[0])
        return names;
    for (size_t i = 0; al_workload_kinds[i]; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", al_workload_kinds[i]->name);
    }
    return names;
}

const al_workload_kind *al_workload_named(const char *name, al_problem *problem)
{
    for (size_t i = 0; al_workload_kinds[i]; i++)
        if (strcmp(al_workload_kinds[i]->name, name) == 0)
            return al_workload_kinds[i];
    al_problem_set(problem, AL_EXIT_USAGE, "unknown kernel '%s': %s are there", name, al_workload_names());
    return NULL;
}

bool al_out_of_memory(al_problem *problem)
{
    return al_problem_set(problem, AL_EXIT_FAILED, "out of memory: try a smaller n");
}

/* Refuses what this machine could never hold before anything is allocated. */
static bool fits(const al_workload_kind *kind, const al_feed *feed, size_t n, al_problem *problem)
{
    double needed = kind->bytes(feed, n);
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (needed <= 0.8 * memory) /* the rest of the machine needs some too */
        return true;
    return al_problem_set(
        problem, AL_EXIT_USAGE,
        "%s %s with n = %zu needs about %.3g GiB, and this machine has %.3g: choose a smaller n", kind->name,
        allot_type_name(feed->type), n, needed / 0x1p30, memory / 0x1p30);
}

bool al_workload_init(al_workload *work, const al_workload_kind *kind, const al_feed *feed,
                      al_problem *problem)
{
    size_t n = kind->size(feed);
    *work = (al_workload){ .kind = kind, .executor = feed->executor, .type = feed->type, .n = n };
    if (!kind->kernel())
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: %s", kind->name, allot_last_error());
    return fits(kind, feed, n, problem) && kind->init(work, feed, problem);
}

void al_workload_fini(al_workload *work)
{
    for (size_t i = 0; i < work->array_count; i++)
        allot_array_release(work->arrays[i]);
    free(work->initial);
    free(work->expected);
    free(work->scale);
    *work = (al_workload){ 0 };
}

static bool array_failed(al_problem *problem)
{
    return al_problem_set(problem, AL_EXIT_FAILED, "%s", allot_last_error());
}

bool al_workload_reset(al_workload *work, al_problem *problem)
{
    for (size_t i = 0; i < work->array_count; i++) {
        bool result = work->arrays[i] == work->result;
        void *data = allot_array_map(work->arrays[i], result ? ALLOT_WRITE : ALLOT_READ_WRITE);
        if (!data)
            return array_failed(problem);
        if (result && work->count)
            memcpy(data, work->initial, work->count * allot_type_size(work->type));
        allot_array_unmap(work->arrays[i]);
    }
    return true;
}

al_moves al_workload_moves(const al_workload *work)
{
    al_moves moves = { 0 };
    for (size_t i = 0; i < work->array_count; i++) {
        allot_array_stats stats = { .size = sizeof stats };
        if (allot_array_get_stats(work->arrays[i], &stats) == ALLOT_OK)
            moves = (al_moves){ moves.count + stats.transfers, moves.ns + stats.transfer_ns };
    }
    return moves;
}

/* Below `floor` a device may flush results to zero, so a scale counts as no less: then a lost denormal is no
 * error. */
static double error_of(double got, double expected, double scale, double floor)
{
    double difference = fabs(got - expected);
    return isfinite(difference) ? difference / (scale + floor) : NAN;
}

void al_workload_judge(const al_workload *work, const void *data, al_judgement *judgement)
{
    bool single = work->type == ALLOT_F32;
    double unit = single ? FLT_EPSILON : DBL_EPSILON, floor = (single ? (double)FLT_MIN : DBL_MIN) / unit;
    size_t worst = 0;
    /* Half a unit a rounding; the reference, which is no more exact than f64, doubles it there. */
    double tolerance = (work->roundings + 8) * unit * (single ? 0.5 : 1);
    *judgement = (al_judgement){ .tolerance = tolerance };
    for (size_t i = 0; i < work->count && !isnan(judgement->max_error); i++) {
        double error = error_of(al_value_get(work->type, data, i), work->expected[i], work->scale[i], floor);
        if (error > judgement->max_error || isnan(error)) {
            judgement->max_error = error;
            worst = i;
        }
    }
    judgement->right = judgement->max_error <= tolerance;
    if (!judgement->right)
        snprintf(judgement->worst, sizeof judgement->worst,
                 "wrong result: element %zu is %.9g, and should be %.9g", worst,
                 al_value_get(work->type, data, worst), work->expected[worst]);
}

double al_value_get(allot_type type, const void *data, size_t index)
{
    return type == ALLOT_F32 ? (double)((const float *)data)[index] : ((const double *)data)[index];
}

void al_value_set(allot_type type, void *data, size_t index, double value)
{
    if (type == ALLOT_F32)
        ((float *)data)[index] = (float)value;
    else
        ((double *)data)[index] = value;
}

/* SplitMix64 (Steele, Lea, Flood 2014) as a hash of the index: any element without those before it. */
double al_value_seeded(uint64_t seed, uint64_t index)
{
    uint64_t z = (seed << 40) + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(int64_t)(z >> 11) * 0x1p-52 - 1;
}

/* Sets element `index`, or says that its value is too large for the type. */
static bool set_checked(allot_type type, void *values, size_t index, double value, al_problem *problem)
{
    al_value_set(type, values, index, value);
    return isfinite(al_value_get(type, values, index))
               ? true
               : al_problem_set(problem, AL_EXIT_INPUT,
                                "the input's value %g does not fit %s: use --type f64", value,
                                allot_type_name(type));
}

/* A block as rows and columns: a series is one long row of which each row takes the next part. */
static size_t place_of(const al_block *block, size_t row, size_t column, size_t columns)
{
    if (block->rank == 2)
        return row % block->shape[0] * block->shape[1] + column % block->shape[1];
    return (row * columns + column) % al_block_count(block);
}

void *al_values_make_2d(const al_block *block, uint64_t seed, allot_type type, size_t rows, size_t columns,
                        al_problem *problem)
{
    size_t count = rows * columns;
    bool given = block && al_block_count(block), ok = true;
    void *values = calloc(count ? count : 1, allot_type_size(type));
    if (!values)
        return al_out_of_memory(problem), NULL;
    for (size_t row = 0, i = 0; ok && row < rows; row++)
        for (size_t column = 0; ok && column < columns; column++, i++)
            ok = set_checked(type, values, i,
                             given ? al_block_real(block, place_of(block, row, column, columns))
                                   : al_value_seeded(seed, i),
                             problem);
    if (ok)
        return values;
    free(values);
    return NULL;
}

void *al_values_make(const al_block *block, uint64_t seed, allot_type type, size_t count, al_problem *problem)
{
    al_block series = { 0 };
    if (block)
        series = (al_block){
            .type = block->type, .rank = 1, .shape = { al_block_count(block) }, .data = block->data
        };
    return al_values_make_2d(block ? &series : NULL, seed, type, 1, count, problem);
}

void *al_values_absolute(allot_type type, const void *data, size_t count, al_problem *problem)
{
    void *values = calloc(count ? count : 1, allot_type_size(type));
    if (!values)
        return al_out_of_memory(problem), NULL;
    for (size_t i = 0; i < count; i++)
        al_value_set(type, values, i, fabs(al_value_get(type, data, i)));
    return values;
}

allot_array *al_workload_array(al_workload *work, allot_type type, size_t count, const void *data,
                               al_problem *problem)
{
    allot_array *array = data ? allot_array_from(work->executor, type, count, data)
                              : allot_array_new(work->executor, type, count);
    if (array)
        work->arrays[work->array_count++] = array;
    else
        array_failed(problem);
    return array;
}

void al_workload_describe(al_workload *work, const al_input *input, size_t wanted, const char *what)
{
    size_t used = strlen(work->input), size = sizeof work->input - used;
    const char *comma = used ? "; " : "";
    size_t there = input ? al_block_count(&input->block) : 0;
    if (!input && !used)
        snprintf(work->input, size, "seeded values");
    if (!input)
        return;
    if (wanted == 0)
        snprintf(work->input + used, size, "%s%s, none of it used", comma, input->name);
    else if (wanted == there)
        snprintf(work->input + used, size, "%s%s", comma, input->name);
    else
        snprintf(work->input + used, size, "%s%s, %s to %s", comma, input->name,
                 wanted < there ? "cut" : "repeated", what);
}

bool al_workload_result(al_workload *work, allot_array *result, const allot_view *view, void *initial,
                        al_problem *problem)
{
    work->result = result;
    work->initial = initial;
    work->rank = view->rank;
    work->count = 1;
    for (size_t d = 0; d < view->rank; d++) {
        work->shape[d] = view->shape[d];
        work->count *= view->shape[d];
    }
    size_t places = work->count ? work->count : 1;
    work->expected = calloc(places, sizeof *work->expected);
    work->scale = calloc(places, sizeof *work->scale);
    return work->expected && work->scale ? true : al_out_of_memory(problem);
}
