#include "../kernels/gemm.h"
#include "numeric.h"
#include "support.h"

/* How a matrix may lie in memory. */
typedef enum layout {
    IN_ROWS,
    IN_COLUMNS,
    PADDED_ROWS,
    PADDED_COLUMNS,
    SCATTERED, /* unit stride nowhere */
    LAYOUTS
} layout;

static void strides(layout lies, size_t rows, size_t columns, size_t stride[2])
{
    const size_t all[LAYOUTS][2] = {
        { columns, 1 }, { 1, rows }, { columns + 3, 1 }, { 1, rows + 5 }, { 2 * columns + 1, 2 },
    };
    memcpy(stride, all[lies], sizeof all[lies]);
}

static size_t span(size_t rows, size_t columns, const size_t stride[2])
{
    return rows && columns ? (rows - 1) * stride[0] + (columns - 1) * stride[1] + 1 : 0;
}

/* The dense matrix laid out so; what lies between its elements is NaN, so that reading it shows. */
static void *spread(allot_type type, const void *dense, size_t rows, size_t columns, const size_t stride[2])
{
    size_t count = span(rows, columns, stride);
    void *data = reals_new(type, count);
    for (size_t i = 0; i < count; i++)
        real_set(type, data, i, NAN);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            real_set(type, data, i * stride[0] + j * stride[1], real_at(type, dense, i * columns + j));
    return data;
}

typedef struct problem {
    allot_type type;
    size_t m, n, k;
    double alpha, beta;
    layout lies[3];  /* A, B, C */
    void *a, *b, *c; /* dense */
    double *want, *magnitude;
} problem;

static problem problem_new(problem p)
{
    p.a = reals_seeded(p.type, p.m * p.k, 5);
    p.b = reals_seeded(p.type, p.k * p.n, 6);
    p.c = reals_seeded(p.type, p.m * p.n, 7);
    if (p.beta == 0) /* must not be read then */
        for (size_t i = 0; i < p.m * p.n; i++)
            real_set(p.type, p.c, i, NAN);
    p.want = reals_new(ALLOT_F64, p.m * p.n);
    p.magnitude = reals_new(ALLOT_F64, p.m * p.n);
    allot_gemm_reference(p.type, p.m, p.n, p.k, p.alpha, p.a, p.b, p.beta, p.c, p.want);
    void *a = reals_absolute(p.type, p.m * p.k, p.a), *b = reals_absolute(p.type, p.k * p.n, p.b);
    void *c = reals_absolute(p.type, p.m * p.n, p.c);
    allot_gemm_reference(p.type, p.m, p.n, p.k, fabs(p.alpha), a, b, fabs(p.beta), c, p.magnitude);
    free(a), free(b), free(c);
    return p;
}

static void problem_free(problem *p)
{
    free(p->a), free(p->b), free(p->c), free(p->want), free(p->magnitude);
}

/* Takes the result out of its layout and compares; what lay between must still be NaN. */
static void check_result(const problem *p, const void *c, const size_t stride[2])
{
    void *dense = reals_new(p->type, p->m * p->n), *holes = reals_new(p->type, span(p->m, p->n, stride));
    size_t touched = 0;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            real_set(p->type, dense, i * p->n + j, real_at(p->type, c, i * stride[0] + j * stride[1]));
            real_set(p->type, holes, i * stride[0] + j * stride[1], 1);
        }
    for (size_t i = 0; i < span(p->m, p->n, stride); i++)
        touched += real_at(p->type, holes, i) == 0 && !isnan(real_at(p->type, c, i));
    size_t wrong = count_wrong(p->type, p->m * p->n, dense, p->want, p->magnitude, p->k + 2);
    if (wrong || touched)
        printf("\n    %s m %zu n %zu k %zu alpha %g beta %g layouts %d %d %d: %zu wrong, %zu touched",
               allot_type_name(p->type), p->m, p->n, p->k, p->alpha, p->beta, p->lies[0], p->lies[1],
               p->lies[2], wrong, touched);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(touched, 0);
    free(dense), free(holes);
}

/* ---- The ways of the C variant, by hand ---- */

typedef bool (*way)(const al_gemm_product *product);

/* False if this way does not take it. */
static bool compute(const problem *p, way how)
{
    al_gemm_product product = {
        .type = p->type, .m = p->m, .n = p->n, .k = p->k, .alpha = p->alpha, .beta = p->beta
    };
    strides(p->lies[0], p->m, p->k, product.a.stride);
    strides(p->lies[1], p->k, p->n, product.b.stride);
    strides(p->lies[2], p->m, p->n, product.c.stride);
    product.a.data = spread(p->type, p->a, p->m, p->k, product.a.stride);
    product.b.data = spread(p->type, p->b, p->k, p->n, product.b.stride);
    product.c.data = spread(p->type, p->c, p->m, p->n, product.c.stride);
    bool done = how(&product);
    if (done)
        check_result(p, product.c.data, product.c.stride);
    free(product.a.data), free(product.b.data), free(product.c.data);
    return done;
}

/* Calls it for every combination of layouts, both types and the factors that matter; counts what it took. */
static size_t compute_all(size_t m, size_t n, size_t k, way how)
{
    static const double factors[][2] = { { 1, 0 }, { -1.5, 1 }, { 2, 0.5 } };
    size_t taken = 0;
    for (int combination = 0; combination < LAYOUTS * LAYOUTS * LAYOUTS; combination++)
        for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++) {
            const double *factor = factors[combination % 3];
            problem p =
                problem_new((problem){ .type = type,
                                       .m = m,
                                       .n = n,
                                       .k = k,
                                       .alpha = factor[0],
                                       .beta = factor[1],
                                       .lies = { combination % LAYOUTS, combination / LAYOUTS % LAYOUTS,
                                                 combination / LAYOUTS / LAYOUTS } });
            taken += compute(&p, how);
            problem_free(&p);
        }
    return taken;
}

static const size_t shapes[][3] = {
    { 1, 1, 1 }, { 1, 5, 3 },   { 5, 1, 3 },    { 4, 8, 1 },
    { 5, 9, 7 }, { 3, 2, 300 }, { 33, 17, 65 }, { 65, 270, 9 },
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static void plain_loops_take_every_layout(void)
{
    const size_t all = (size_t)LAYOUTS * LAYOUTS * LAYOUTS * 2;
    for (size_t s = 0; s < SHAPES; s++)
        CU_ASSERT_EQUAL(compute_all(shapes[s][0], shapes[s][1], shapes[s][2], al_gemm_plain), all);
}

/* Where it was found: four of five layouts of each matrix have a unit stride. */
static void blas_takes_unit_strides(void)
{
    for (size_t s = 0; s < SHAPES; s++) {
        size_t taken = compute_all(shapes[s][0], shapes[s][1], shapes[s][2], al_gemm_blas);
        CU_ASSERT(taken == 0 || taken >= 4 * 4 * 4 * 2);
    }
}

/* A row repeated by a stride of 0, as one may give A and B: BLAS does not take that, the variant does. */
static void takes_a_stride_of_zero(void)
{
    float a[] = { 1, 2, 3 }, b[] = { 1, 1, 1 }, c[4] = { 0 };
    al_gemm_product product = { .type = ALLOT_F32,
                                .m = 2,
                                .n = 2,
                                .k = 3,
                                .alpha = 1,
                                .a = { a, { 0, 1 } },
                                .b = { b, { 1, 0 } },
                                .c = { c, { 2, 1 } } };
    CU_ASSERT(!al_gemm_blas(&product));
    CU_ASSERT(al_gemm_plain(&product));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(c[i], 6);
}

static allot_value dense(void *data, size_t rows, size_t columns)
{
    return (allot_value){
        .data = data, .count = rows * columns, .shape = { rows, columns, 1 }, .stride = { columns, 1, 1 }
    };
}

static void computes_a_part(void)
{
    for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++) {
        problem p =
            problem_new((problem){ .type = type, .m = 41, .n = 19, .k = 23, .alpha = 1.5, .beta = 1 });
        float alpha = 1.5f, beta = 1;
        bool single = type == ALLOT_F32;
        allot_value args[] = { { .data = single ? (void *)&alpha : (void *)&p.alpha, .count = 1 },
                               dense(p.a, p.m, p.k),
                               dense(p.b, p.k, p.n),
                               { .data = single ? (void *)&beta : (void *)&p.beta, .count = 1 },
                               dense(p.c, p.m, p.n) };
        double before = real_at(type, p.c, 13 * p.n);
        allot_ndrange range = allot_range_2d(p.m, p.n);
        CU_ASSERT_EQUAL(run_part(allot_gemm(), type, range, args, 0, 13), ALLOT_OK);
        CU_ASSERT_EQUAL(real_at(type, p.c, 13 * p.n), before);
        CU_ASSERT_EQUAL(run_part(allot_gemm(), type, range, args, 13, p.m), ALLOT_OK);
        check_result(&p, p.c, (const size_t[]){ p.n, 1 });
        problem_free(&p);
    }
}

/* ---- Every place ---- */

static allot_view view_of(allot_type type, const void *dense_data, size_t rows, size_t columns, layout lies)
{
    allot_view view = { .rank = 2, .shape = { rows, columns, 1 } };
    strides(lies, rows, columns, view.stride);
    void *data = spread(type, dense_data, rows, columns, view.stride);
    view.array = array_of(type, span(rows, columns, view.stride), data);
    free(data);
    return view;
}

static void check_at(const allot_place_info *place, problem given)
{
    problem p = problem_new(given);
    allot_view a = view_of(p.type, p.a, p.m, p.k, p.lies[0]), b = view_of(p.type, p.b, p.k, p.n, p.lies[1]);
    allot_view c = view_of(p.type, p.c, p.m, p.n, p.lies[2]);
    allot_status status = launch_at(place, allot_gemm(), allot_range_2d(p.m, p.n),
                                    ALLOT_ARGS(allot_f64(p.alpha), allot_in_view(a), allot_in_view(b),
                                               allot_f64(p.beta), allot_inout_view(c)));
    CU_ASSERT_EQUAL(status, ALLOT_OK);
    const void *got = allot_array_map(c.array, ALLOT_READ);
    CU_ASSERT_PTR_NOT_NULL(got);
    if (got)
        check_result(&p, got, c.stride);
    allot_array_unmap(c.array);
    allot_array_release(a.array), allot_array_release(b.array), allot_array_release(c.array);
    problem_free(&p);
}

static void agrees_with_the_reference_everywhere(void)
{
    static const size_t sizes[] = { 0, 1, 2, 3, 63, 64, 65, 127, 200 };
    size_t count = sizeof sizes / sizeof sizes[0] - has_simulator(executor);
    for (size_t i = 0; i < place_count; i++)
        for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++)
            for (size_t s = 0; s < count && can_compute(&places[i], type); s++)
                check_at(&places[i], (problem){ .type = type,
                                                .m = sizes[s],
                                                .n = sizes[s],
                                                .k = sizes[s],
                                                .alpha = 1.25,
                                                .beta = s % 2 ? -0.5 : 0 });
}

static void takes_every_layout_everywhere(void)
{
    for (size_t i = 0; i < place_count; i++)
        for (int combination = 0; combination < LAYOUTS * LAYOUTS * LAYOUTS; combination++) {
            const size_t *shape = shapes[combination % (int)SHAPES];
            layout a = combination % LAYOUTS, b = combination / LAYOUTS % LAYOUTS,
                   c = combination / LAYOUTS / LAYOUTS;
            check_at(&places[i], (problem){ .type = ALLOT_F32,
                                            .m = shape[0],
                                            .n = shape[1],
                                            .k = shape[2],
                                            .alpha = 2,
                                            .beta = combination % 2,
                                            .lies = { a, b, c } });
        }
}

/* As in BLAS: with alpha 0 or no inner length C is only scaled, and NaN in A and B does not spread. */
static void scales_alone_everywhere(void)
{
    for (size_t i = 0; i < place_count; i++)
        for (size_t k = 0; k <= 4; k += 4) {
            allot_array *a = allot_array_full(executor, ALLOT_F32, 3 * k, NAN),
                        *c = allot_array_full(executor, ALLOT_F32, 6, 3);
            allot_status status =
                launch_at(&places[i], allot_gemm(), allot_range_2d(3, 2),
                          ALLOT_ARGS(allot_f32(0), allot_in_view(allot_view_2d(a, 0, 3, k, k)),
                                     allot_in_view(allot_view_2d(a, 0, k, 2, 2)), allot_f32(2),
                                     allot_inout_view(allot_view_2d(c, 0, 3, 2, 2))));
            CU_ASSERT_EQUAL(status, ALLOT_OK);
            const float *got = allot_array_map(c, ALLOT_READ);
            for (int j = 0; got && j < 6; j++)
                CU_ASSERT_EQUAL(got[j], 6);
            allot_array_unmap(c);
            allot_array_release(a), allot_array_release(c);
        }
}

static void refuse(size_t a_columns, size_t b_rows, size_t b_columns, size_t range_columns, const char *says)
{
    allot_array *x = allot_array_new(executor, ALLOT_F32, 100),
                *c = allot_array_new(executor, ALLOT_F32, 100);
    allot_future *future =
        allot_launch(executor, allot_gemm(), allot_range_2d(3, range_columns),
                     ALLOT_ARGS(allot_f32(1), allot_in_view(allot_view_2d(x, 0, 3, a_columns, a_columns)),
                                allot_in_view(allot_view_2d(x, 0, b_rows, b_columns, b_columns)),
                                allot_f32(0), allot_inout_view(allot_view_2d(c, 0, 3, 5, 5))),
                     NULL);
    CU_ASSERT_EQUAL(allot_future_status(future), ALLOT_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), says));
    allot_release(future);
    allot_array_release(x), allot_array_release(c);
}

static void refuses_shapes_that_do_not_agree(void)
{
    refuse(4, 5, 5, 5, "as many columns as B has rows");
    refuse(4, 4, 6, 5, "as many columns as the range");
    refuse(4, 4, 5, 4, "as many columns as the range");
}

int main(void)
{
    static const test_fact facts[] = {
        { "plain loops take every layout", plain_loops_take_every_layout },
        { "BLAS takes what has a unit stride", blas_takes_unit_strides },
        { "a stride of 0 is taken", takes_a_stride_of_zero },
        { "the C variant computes its rows and no more", computes_a_part },
        { "every place agrees with the reference at ragged sizes", agrees_with_the_reference_everywhere },
        { "every place takes every layout", takes_every_layout_everywhere },
        { "alpha 0 and an empty inner length only scale", scales_alone_everywhere },
        { "shapes that do not agree are refused", refuses_shapes_that_do_not_agree },
        { NULL, NULL },
    };
    return numeric_main("gemm", facts);
}
