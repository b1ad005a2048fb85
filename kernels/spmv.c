/* y = A*x for a sparse matrix in compressed row storage: rows are independent, their entries lie together. */
#include "once.h"
#include <allot/numeric.h>
#include <stdarg.h>
#include <stdio.h>

extern const char allot_spmv_cl[];

enum {
    ROW_START,
    COLUMN,
    VALUE,
    X,
    Y
}; /* the parameters */

static void rows_f32(size_t begin, size_t end, const int32_t *row_start, const int32_t *column,
                     const float *value, const float *x, float *restrict y)
{
    for (size_t row = begin; row < end; row++) {
        float sum = 0;
        for (int32_t entry = row_start[row]; entry < row_start[row + 1]; entry++)
            sum += value[entry] * x[column[entry]];
        y[row] = sum;
    }
}

static void rows_f64(size_t begin, size_t end, const int32_t *row_start, const int32_t *column,
                     const double *value, const double *x, double *restrict y)
{
    for (size_t row = begin; row < end; row++) {
        double sum = 0;
        for (int32_t entry = row_start[row]; entry < row_start[row + 1]; entry++)
            sum += value[entry] * x[column[entry]];
        y[row] = sum;
    }
}

static allot_status run(allot_call *call, const allot_part *part)
{
    (void)call;
    const allot_value *args = part->args;
    if (part->type == ALLOT_F32)
        rows_f32(part->begin, part->end, args[ROW_START].data, args[COLUMN].data, args[VALUE].data,
                 args[X].data, args[Y].data);
    else
        rows_f64(part->begin, part->end, args[ROW_START].data, args[COLUMN].data, args[VALUE].data,
                 args[X].data, args[Y].data);
    return ALLOT_OK;
}

static const char *check(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type;
    if (range.rank != 1)
        return "the range needs 1 dimension, the rows of the matrix";
    if (args[ROW_START].count <= range.size[0])
        return "row_start needs one element more than there are rows";
    if (args[COLUMN].count != args[VALUE].count)
        return "column and value must be equally long";
    return NULL;
}

/* A multiplication and an addition an entry; the matrix, x and y move once. */
static allot_work work(allot_type type, allot_ndrange range, const allot_value *args)
{
    double rows = (double)range.size[0], entries = (double)args[VALUE].count;
    double real = (double)allot_type_size(type), index = sizeof(int32_t);
    double matrix = entries * (real + index) + (rows + 1) * index;
    return (allot_work){ .flops = 2 * entries, .bytes = matrix + (rows + (double)args[X].count) * real };
}

const allot_kernel *allot_spmv(void)
{
    static const allot_param params[] = {
        [ROW_START] = { .name = "row_start",
                        .type = ALLOT_I32,
                        .access = ALLOT_READ,
                        .distribution = ALLOT_HALO,
                        .after = 1 },
        [COLUMN] = { .name = "column", .type = ALLOT_I32, .access = ALLOT_READ },
        [VALUE] = { .name = "value", .access = ALLOT_READ },
        [X] = { .name = "x", .access = ALLOT_READ },
        [Y] = { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    };
    /* Rows of no entry to seven, columns in any order. */
    static const double row_start[] = { 0, 2, 2, 5, 6, 13, 13, 16, 17 };
    static const double column[] = { 0, 7, 1, 2, 3, 5, 6, 5, 4, 3, 2, 1, 0, 7, 0, 7, 4 };
    static const allot_selftest_arg test_args[] = {
        [ROW_START] = { .shape = { 9 }, .values = row_start },
        [COLUMN] = { .shape = { 17 }, .values = column },
        [VALUE] = { .shape = { 17 } },
        [X] = { .shape = { 8 } },
        [Y] = { .shape = { 8 } },
    };
    static const allot_selftest test = { .range = { 1, { 8 } }, .args = test_args };
    static const allot_type types[] = { ALLOT_F32, ALLOT_F64, ALLOT_NO_TYPE };
    static _Atomic(allot_kernel *) kept;
    return kernel_once(&kept, ALLOT_KERNEL(.name = "spmv", .params = params, .param_count = 5, .types = types,
                                           .cpu = run, .grain = 256, .opencl_source = allot_spmv_cl,
                                           .work = work, .check = check, .selftest = &test));
}

/* ---- Checking a structure ---- */

__attribute__((format(printf, 3, 4))) static allot_status bad(char *message, size_t size, const char *format,
                                                              ...)
{
    va_list values;
    va_start(values, format);
    if (message && size > 0)
        vsnprintf(message, size, format, values);
    va_end(values);
    return ALLOT_INVALID;
}

static allot_status check_row(size_t row, size_t columns, size_t entries, const int32_t *row_start,
                              const int32_t *column, char *message, size_t size)
{
    int32_t begin = row_start[row], end = row_start[row + 1];
    if (end < begin)
        return bad(message, size, "row %zu: it ends at entry %d, before it begins at %d", row, end, begin);
    if ((size_t)end > entries)
        return bad(message, size, "row %zu: it ends at entry %d, and there are %zu", row, end, entries);
    for (int32_t entry = begin; entry < end; entry++)
        if (column[entry] < 0 || (size_t)column[entry] >= columns)
            return bad(message, size, "row %zu: entry %d lies in column %d, and there are %zu", row, entry,
                       column[entry], columns);
    return ALLOT_OK;
}

allot_status allot_spmv_check(size_t rows, size_t columns, size_t entries, const int32_t *row_start,
                              const int32_t *column, char *message, size_t size)
{
    if (!row_start || (entries > 0 && !column))
        return bad(message, size, "row_start or column is NULL");
    if (row_start[0] != 0)
        return bad(message, size, "row 0: it begins at entry %d, not at 0", row_start[0]);
    for (size_t row = 0; row < rows; row++) {
        allot_status status = check_row(row, columns, entries, row_start, column, message, size);
        if (status != ALLOT_OK)
            return status;
    }
    if ((size_t)row_start[rows] != entries)
        return bad(message, size, "the last row ends at entry %d, and there are %zu", row_start[rows],
                   entries);
    return ALLOT_OK;
}

void allot_spmv_reference(allot_type type, size_t rows, const int32_t *row_start, const int32_t *column,
                          const void *value, const void *x, double *out)
{
    for (size_t row = 0; row < rows; row++) {
        double sum = 0;
        for (int32_t entry = row_start[row]; entry < row_start[row + 1]; entry++)
            sum += element(type, value, (size_t)entry) * element(type, x, (size_t)column[entry]);
        out[row] = sum;
    }
}
