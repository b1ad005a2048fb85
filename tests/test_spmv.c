#include "numeric.h"

/* A matrix of `rows` x `columns` whose row i holds i % 5 + (a long row now and then) seeded entries; some
 * rows are empty. */
typedef struct matrix {
    allot_type type;
    size_t rows, columns, entries;
    int32_t *row_start, *column;
    void *value, *x;
    double *want, *magnitude;
    size_t longest;
} matrix;

static size_t row_length(size_t row)
{
    return row % 97 == 13 ? 100 : row % 5;
}

static void fill_structure(matrix *m)
{
    for (size_t row = 0; row < m->rows; row++) {
        size_t length = row_length(row);
        m->row_start[row + 1] = m->row_start[row] + (int32_t)length;
        for (size_t e = 0; e < length; e++)
            m->column[(size_t)m->row_start[row] + e] = (int32_t)((row * 31 + e * 17) % m->columns);
        if (length > m->longest)
            m->longest = length;
    }
}

static matrix matrix_new(allot_type type, size_t rows, size_t columns)
{
    matrix m = { .type = type, .rows = rows, .columns = columns };
    for (size_t row = 0; row < rows; row++)
        m.entries += row_length(row);
    m.row_start = calloc(rows + 1, sizeof *m.row_start);
    m.column = calloc(m.entries + 1, sizeof *m.column);
    m.value = reals_seeded(type, m.entries, 3);
    m.x = reals_seeded(type, columns, 4);
    m.want = reals_new(ALLOT_F64, rows);
    m.magnitude = reals_new(ALLOT_F64, rows);
    if (!m.row_start || !m.column)
        abort();
    fill_structure(&m);
    allot_spmv_reference(type, rows, m.row_start, m.column, m.value, m.x, m.want);
    void *value = reals_absolute(type, m.entries, m.value), *x = reals_absolute(type, columns, m.x);
    allot_spmv_reference(type, rows, m.row_start, m.column, value, x, m.magnitude);
    free(value), free(x);
    return m;
}

static void matrix_free(matrix *m)
{
    free(m->row_start), free(m->column), free(m->value), free(m->x), free(m->want), free(m->magnitude);
}

static void refers_to_the_formula(void)
{
    /* [ 2 0 1 ; 0 0 0 ; 0 3 0 ] * [ 1 2 3 ]' */
    const int32_t row_start[] = { 0, 2, 2, 3 }, column[] = { 0, 2, 1 };
    const double value[] = { 2, 1, 3 }, x[] = { 1, 2, 3 };
    double out[3];
    allot_spmv_reference(ALLOT_F64, 3, row_start, column, value, x, out);
    CU_ASSERT_EQUAL(out[0], 5);
    CU_ASSERT_EQUAL(out[1], 0);
    CU_ASSERT_EQUAL(out[2], 6);
}

static allot_value vector(void *data, size_t count)
{
    return (allot_value){ .data = data, .count = count, .shape = { count, 1, 1 }, .stride = { 1, 1, 1 } };
}

static void computes_a_part(void)
{
    for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++) {
        matrix m = matrix_new(type, 211, 50);
        void *y = reals_new(type, m.rows);
        allot_value args[] = { vector(m.row_start, m.rows + 1), vector(m.column, m.entries),
                               vector(m.value, m.entries), vector(m.x, m.columns), vector(y, m.rows) };
        real_set(type, y, 100, 42);
        CU_ASSERT_EQUAL(run_part(allot_spmv(), type, allot_range(m.rows), args, 0, 100), ALLOT_OK);
        CU_ASSERT_EQUAL(real_at(type, y, 100), 42);
        CU_ASSERT_EQUAL(run_part(allot_spmv(), type, allot_range(m.rows), args, 100, m.rows), ALLOT_OK);
        CU_ASSERT_EQUAL(count_wrong(type, m.rows, y, m.want, m.magnitude, m.longest), 0);
        free(y);
        matrix_free(&m);
    }
}

static void check_at(const allot_place_info *place, allot_type type, size_t rows)
{
    matrix m = matrix_new(type, rows, rows / 2 + 1);
    allot_array *row_start = array_of(ALLOT_I32, rows + 1, m.row_start);
    allot_array *column = array_of(ALLOT_I32, m.entries, m.column),
                *value = array_of(type, m.entries, m.value);
    allot_array *x = array_of(type, m.columns, m.x), *y = allot_array_new(executor, type, rows);
    allot_status status = launch_at(
        place, allot_spmv(), allot_range(rows),
        ALLOT_ARGS(allot_in(row_start), allot_in(column), allot_in(value), allot_in(x), allot_out(y)));
    CU_ASSERT_EQUAL(status, ALLOT_OK);
    const void *got = allot_array_map(y, ALLOT_READ);
    CU_ASSERT(got && count_wrong(type, rows, got, m.want, m.magnitude, m.longest) == 0);
    allot_array_unmap(y);
    allot_array_release(row_start), allot_array_release(column), allot_array_release(value);
    allot_array_release(x), allot_array_release(y);
    matrix_free(&m);
}

static void agrees_with_the_reference_everywhere(void)
{
    for (size_t i = 0; i < place_count; i++)
        for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++)
            for (size_t s = 0; s <= RAGGED && can_compute(&places[i], type); s++)
                check_at(&places[i], type, s < RAGGED ? ragged[s] : 20011);
}

static void refuses_what_does_not_agree(void)
{
    allot_array *starts = allot_array_new(executor, ALLOT_I32, 4),
                *column = allot_array_new(executor, ALLOT_I32, 5);
    allot_array *value = allot_array_new(executor, ALLOT_F32, 6),
                *y = allot_array_new(executor, ALLOT_F32, 4);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 4);
    const allot_ndrange ranges[] = { allot_range(4), allot_range(3), allot_range_2d(3, 1) };
    const char *const says[] = { "row_start needs", "equally long", "1 dimension" };
    for (int i = 0; i < 3; i++) {
        allot_future *future = allot_launch(
            executor, allot_spmv(), ranges[i],
            ALLOT_ARGS(allot_in(starts), allot_in(column), allot_in(value), allot_in(x), allot_out(y)), NULL);
        CU_ASSERT_EQUAL(allot_future_status(future), ALLOT_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), says[i]));
        allot_release(future);
    }
    allot_array_release(starts), allot_array_release(column), allot_array_release(value);
    allot_array_release(x), allot_array_release(y);
}

typedef struct structure {
    const char *says; /* part of the message; NULL: valid */
    size_t rows, columns, entries;
    int32_t row_start[5], column[5];
} structure;

static void checks_a_structure(void)
{
    static const structure table[] = {
        { NULL, 0, 0, 0, { 0 }, { 0 } },
        { NULL, 3, 3, 3, { 0, 2, 2, 3 }, { 0, 2, 1 } },
        { "row 0", 1, 1, 1, { 1, 1 }, { 0 } },
        { "row 1", 3, 3, 3, { 0, 2, 1, 3 }, { 0, 1, 2 } },
        { "row 2", 3, 3, 3, { 0, 1, 2, 4 }, { 0, 1, 2 } },
        { "row 1: entry 1 lies in column 3", 2, 3, 2, { 0, 1, 2 }, { 0, 3 } },
        { "column -1", 1, 3, 1, { 0, 1 }, { -1 } },
        { "last row ends at entry 2", 2, 3, 3, { 0, 1, 2 }, { 0, 1, 2 } },
        { "row 0", 1, 1, 0, { 0, -1 }, { 0 } },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const structure *s = &table[i];
        char message[100] = "";
        allot_status status = allot_spmv_check(s->rows, s->columns, s->entries, s->row_start, s->column,
                                               message, sizeof message);
        CU_ASSERT_EQUAL(status, s->says ? ALLOT_INVALID : ALLOT_OK);
        CU_ASSERT(!s->says || strstr(message, s->says));
    }
}

static void checks_without_room_for_a_message(void)
{
    const int32_t row_start[] = { 0, 1 }, column[] = { 7 };
    char message[8];
    CU_ASSERT_EQUAL(allot_spmv_check(1, 1, 1, row_start, column, NULL, 0), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_spmv_check(1, 1, 1, row_start, column, message, sizeof message), ALLOT_INVALID);
    CU_ASSERT_EQUAL(strlen(message), 7);
    CU_ASSERT_EQUAL(allot_spmv_check(1, 1, 1, NULL, column, message, sizeof message), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_spmv_check(1, 1, 1, row_start, NULL, message, sizeof message), ALLOT_INVALID);
}

int main(void)
{
    static const test_fact facts[] = {
        { "the reference is the formula", refers_to_the_formula },
        { "the C variant computes its rows and no more", computes_a_part },
        { "every place agrees with the reference at ragged sizes", agrees_with_the_reference_everywhere },
        { "a launch whose lengths or dimensions do not agree is refused", refuses_what_does_not_agree },
        { "a bad structure is named by row", checks_a_structure },
        { "a check needs no room for its message", checks_without_room_for_a_message },
        { NULL, NULL },
    };
    return numeric_main("spmv", facts);
}
