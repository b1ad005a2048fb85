/* spmv on a sparse matrix, repeated along the diagonal until it has about n rows; x is a second input, or
 * seeded. */
#include "workload.h"

#include <allot/numeric.h>
#include <math.h>
#include <stdlib.h>

enum {
    SEEDED_ROWS = 2000,
    SEEDED_BAND = 10 /* of the seeded matrix: columns on either side of the diagonal */
};

/* The matrix repeated: `copies` blocks on the diagonal. */
typedef struct blocks {
    const al_matrix *block;
    size_t copies;
    size_t rows, columns, entries;
    int32_t *row_start, *column;
    void *value;
} blocks;

static size_t copies_of(const al_feed *feed)
{
    size_t rows = feed->inputs[0] ? feed->inputs[0]->matrix.rows : SEEDED_ROWS;
    if (!feed->n_given)
        return 1;
    if (feed->n == 0 || rows == 0)
        return 0;
    size_t copies = feed->n / rows + (feed->n % rows >= (rows + 1) / 2);
    return copies ? copies : 1;
}

static size_t size(const al_feed *feed)
{
    size_t rows = feed->inputs[0] ? feed->inputs[0]->matrix.rows : SEEDED_ROWS;
    return copies_of(feed) * rows;
}

/* Entries: structure and values twice (ours, the arrays'), absolute values. Rows: starts, x, y and what is
 * expected. */
static double bytes(const al_feed *feed, size_t n)
{
    double element = (double)allot_type_size(feed->type), copies = (double)copies_of(feed);
    double entries =
        feed->inputs[0] ? (double)feed->inputs[0]->matrix.entries : SEEDED_ROWS * (2.0 * SEEDED_BAND + 1);
    double columns = feed->inputs[0] ? (double)feed->inputs[0]->matrix.columns : SEEDED_ROWS;
    return copies * entries * (8 + 3 * element) + (double)n * (24 + 2 * element) +
           copies * columns * 3 * element;
}

/* A banded matrix of seeded values: what stands in when there is no file. */
static bool seed_matrix(al_input *input, al_problem *problem)
{
    al_matrix *matrix = &input->matrix;
    size_t most = (size_t)SEEDED_ROWS * (2 * SEEDED_BAND + 1);
    *input = (al_input){ .kind = AL_MATRIX, .name = "a seeded band matrix" };
    *matrix = (al_matrix){ .rows = SEEDED_ROWS, .columns = SEEDED_ROWS };
    matrix->row_start = calloc(SEEDED_ROWS + 1, sizeof *matrix->row_start);
    matrix->column = calloc(most, sizeof *matrix->column);
    matrix->value = calloc(most, sizeof *matrix->value);
    if (!matrix->row_start || !matrix->column || !matrix->value)
        return al_out_of_memory(problem);
    for (int32_t row = 0; row < SEEDED_ROWS; row++) {
        int32_t first = row > SEEDED_BAND ? row - SEEDED_BAND : 0;
        int32_t last = row + SEEDED_BAND < SEEDED_ROWS ? row + SEEDED_BAND : SEEDED_ROWS - 1;
        for (int32_t column = first; column <= last; column++) {
            matrix->column[matrix->entries] = column;
            matrix->value[matrix->entries] = al_value_seeded(3, matrix->entries);
            matrix->entries++;
        }
        matrix->row_start[row + 1] = (int32_t)matrix->entries;
    }
    return true;
}

static void free_blocks(blocks *b)
{
    free(b->row_start);
    free(b->column);
    free(b->value);
}

static void repeat_structure(blocks *b)
{
    const al_matrix *block = b->block;
    b->row_start[0] = 0;
    for (size_t copy = 0; copy < b->copies; copy++) {
        size_t entry = copy * block->entries, row = copy * block->rows, column = copy * block->columns;
        for (size_t i = 0; i < block->rows; i++)
            b->row_start[row + i + 1] = (int32_t)(entry + (size_t)block->row_start[i + 1]);
        for (size_t i = 0; i < block->entries; i++)
            b->column[entry + i] = (int32_t)(column + (size_t)block->column[i]);
    }
}

static bool make_blocks(blocks *b, const al_matrix *block, size_t copies, allot_type type,
                        al_problem *problem)
{
    const al_block values = {
        .type = ALLOT_F64, .rank = 1, .shape = { block->entries }, .data = block->value
    };
    *b = (blocks){ .block = block, .copies = copies };
    b->rows = block->rows * copies;
    b->columns = block->columns * copies;
    b->entries = block->entries * copies;
    if (b->entries > INT32_MAX || b->columns > INT32_MAX)
        return al_problem_set(
            problem, AL_EXIT_USAGE,
            "spmv with n = %zu has %zu entries, more than its 32-bit indices count: choose a smaller n",
            b->rows, b->entries);
    b->row_start = calloc(b->rows + 1, sizeof *b->row_start);
    b->column = calloc(b->entries + 1, sizeof *b->column);
    if (!b->row_start || !b->column)
        return al_out_of_memory(problem);
    repeat_structure(b);
    char message[200];
    if (allot_spmv_check(b->rows, b->columns, b->entries, b->row_start, b->column, message, sizeof message) !=
        ALLOT_OK)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s", message);
    b->value = al_values_make(&values, 0, type, b->entries, problem);
    return b->value != NULL;
}

static double longest_row(const al_matrix *matrix)
{
    int32_t longest = 0;
    for (size_t i = 0; i < matrix->rows; i++) {
        int32_t length = matrix->row_start[i + 1] - matrix->row_start[i];
        longest = length > longest ? length : longest;
    }
    return longest;
}

static bool expect(al_workload *work, const blocks *b, const void *x, al_problem *problem)
{
    void *x_size = al_values_absolute(work->type, x, b->columns, problem);
    void *value_size = al_values_absolute(work->type, b->value, b->entries, problem);
    bool ok = x_size && value_size;
    if (ok) {
        allot_spmv_reference(work->type, b->rows, b->row_start, b->column, b->value, x, work->expected);
        allot_spmv_reference(work->type, b->rows, b->row_start, b->column, value_size, x_size, work->scale);
        work->roundings = 2 * longest_row(b->block);
    }
    free(x_size);
    free(value_size);
    return ok;
}

/* y begins as NaN: a row that is never written shows. */
static bool set_arguments(al_workload *work, const blocks *b, const void *x_data, al_problem *problem)
{
    allot_array *start = al_workload_array(work, ALLOT_I32, b->rows + 1, b->row_start, problem);
    allot_array *column = start ? al_workload_array(work, ALLOT_I32, b->entries, b->column, problem) : NULL;
    allot_array *value = column ? al_workload_array(work, work->type, b->entries, b->value, problem) : NULL;
    allot_array *x = value ? al_workload_array(work, work->type, b->columns, x_data, problem) : NULL;
    allot_array *y = x ? al_workload_array(work, work->type, b->rows, NULL, problem) : NULL;
    void *initial = y ? calloc(b->rows + 1, allot_type_size(work->type)) : NULL;
    if (!initial)
        return y ? al_out_of_memory(problem) : false;
    for (size_t i = 0; i < b->rows; i++)
        al_value_set(work->type, initial, i, NAN);
    work->range = allot_range(b->rows);
    work->args[work->arg_count++] = allot_in(start);
    work->args[work->arg_count++] = allot_in(column);
    work->args[work->arg_count++] = allot_in(value);
    work->args[work->arg_count++] = allot_in(x);
    work->args[work->arg_count++] = allot_out(y);
    allot_view view = allot_view_all(y);
    return al_workload_result(work, y, &view, initial, problem);
}

/* The matrix is whole, however small an n was asked for. */
static void describe(al_workload *work, const al_feed *feed, const al_input *matrix, const blocks *b)
{
    char times[60] = "", nearest[60] = "";
    if (b->copies == 0)
        snprintf(times, sizeof times, ", none of it used");
    else if (b->copies > 1)
        snprintf(times, sizeof times, ", %zu times on the diagonal", b->copies);
    if (feed->n_given && feed->n != work->n)
        snprintf(nearest, sizeof nearest, "%s (the nearest to n = %zu)", b->copies > 1 ? "" : ", whole",
                 feed->n);
    snprintf(work->input, sizeof work->input, "%s%s%s", matrix->name, times, nearest);
    al_workload_describe(work, feed->inputs[1], b->columns, "its columns");
}

static bool init(al_workload *work, const al_feed *feed, al_problem *problem)
{
    al_input seeded = { 0 };
    blocks b = { 0 };
    void *x = NULL;
    const al_block *second = feed->inputs[1] ? &feed->inputs[1]->block : NULL;
    const al_input *input = feed->inputs[0] ? feed->inputs[0] : &seeded;
    bool ok = (feed->inputs[0] || seed_matrix(&seeded, problem)) &&
              make_blocks(&b, &input->matrix, copies_of(feed), feed->type, problem);
    if (ok)
        x = al_values_make(second, 2, feed->type, b.columns, problem);
    ok = x && set_arguments(work, &b, x, problem) && expect(work, &b, x, problem);
    describe(work, feed, input, &b);
    free(x);
    free_blocks(&b);
    al_input_free(&seeded);
    return ok;
}

const al_workload_kind al_spmv_kind = {
    .name = "spmv",
    .says = "y = A*x, A sparse with about n rows",
    .kernel = allot_spmv,
    .data = "bcsstk13.mtx",
    .inputs = { { "A", AL_MATRIX }, { "x", AL_DENSE } },
    .sizes = { 2003, 20030, 100150 },
    .size = size,
    .bytes = bytes,
    .init = init,
};
