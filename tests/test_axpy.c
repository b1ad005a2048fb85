#include "numeric.h"

typedef struct problem {
    allot_type type;
    size_t n;
    void *x, *y;
    double a, *want, *magnitude;
} problem;

static problem problem_new(allot_type type, size_t n)
{
    problem p = { .type = type, .n = n, .a = 1.75 };
    p.x = reals_seeded(type, n, 1);
    p.y = reals_seeded(type, n, 2);
    p.want = reals_new(ALLOT_F64, n);
    p.magnitude = reals_new(ALLOT_F64, n);
    allot_axpy_reference(type, n, p.a, p.x, p.y, p.want);
    void *x = reals_absolute(type, n, p.x), *y = reals_absolute(type, n, p.y);
    allot_axpy_reference(type, n, p.a, x, y, p.magnitude);
    free(x), free(y);
    return p;
}

static void problem_free(problem *p)
{
    free(p->x), free(p->y), free(p->want), free(p->magnitude);
}

static void refers_to_the_formula(void)
{
    const float x[] = { 1, -2, 3 }, y[] = { 10, 20, 30 };
    double out[3];
    allot_axpy_reference(ALLOT_F32, 3, 2, x, y, out);
    CU_ASSERT_EQUAL(out[0], 12);
    CU_ASSERT_EQUAL(out[1], 16);
    CU_ASSERT_EQUAL(out[2], 36);
}

static void is_made_once(void)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(allot_axpy());
    CU_ASSERT_PTR_EQUAL(allot_axpy(), allot_axpy());
    CU_ASSERT_STRING_EQUAL(allot_kernel_name(allot_axpy()), "axpy");
}

/* Two parts give what one gives, and a part leaves the others' elements alone. */
static void computes_a_part(void)
{
    for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++) {
        problem p = problem_new(type, 101);
        float a_f32 = (float)p.a;
        allot_value args[] = {
            { .data = type == ALLOT_F32 ? (void *)&a_f32 : (void *)&p.a, .count = 1 },
            { .data = p.x, .count = p.n, .shape = { p.n, 1, 1 }, .stride = { 1, 1, 1 } },
            { .data = p.y, .count = p.n, .shape = { p.n, 1, 1 }, .stride = { 1, 1, 1 } },
        };
        double before = real_at(type, p.y, 37);
        CU_ASSERT_EQUAL(run_part(allot_axpy(), type, allot_range(p.n), args, 0, 37), ALLOT_OK);
        CU_ASSERT_EQUAL(real_at(type, p.y, 37), before);
        CU_ASSERT_EQUAL(run_part(allot_axpy(), type, allot_range(p.n), args, 37, p.n), ALLOT_OK);
        CU_ASSERT_EQUAL(count_wrong(type, p.n, p.y, p.want, p.magnitude, 2), 0);
        problem_free(&p);
    }
}

static void check_at(const allot_place_info *place, allot_type type, size_t n)
{
    problem p = problem_new(type, n);
    allot_array *x = array_of(type, n, p.x), *y = array_of(type, n, p.y);
    allot_status status = launch_at(place, allot_axpy(), allot_range(n),
                                    ALLOT_ARGS(allot_f64(p.a), allot_in(x), allot_inout(y)));
    CU_ASSERT_EQUAL(status, ALLOT_OK);
    const void *got = allot_array_map(y, ALLOT_READ);
    CU_ASSERT(got && count_wrong(type, n, got, p.want, p.magnitude, 2) == 0);
    allot_array_unmap(y);
    allot_array_release(x), allot_array_release(y);
    problem_free(&p);
}

static void agrees_with_the_reference_everywhere(void)
{
    for (size_t i = 0; i < place_count; i++)
        for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++)
            for (size_t s = 0; s <= RAGGED && can_compute(&places[i], type); s++)
                check_at(&places[i], type, s < RAGGED ? ragged[s] : 200003);
}

/* What lies around a view stays as it was. */
static void takes_views(void)
{
    for (size_t i = 0; i < place_count; i++) {
        allot_array *x = allot_array_full(executor, ALLOT_F32, 100, 3);
        allot_array *y = allot_array_full(executor, ALLOT_F32, 100, 1);
        allot_status status = launch_at(&places[i], allot_axpy(), allot_range(20),
                                        ALLOT_ARGS(allot_f32(2), allot_in_view(allot_view_1d(x, 7, 20)),
                                                   allot_inout_view(allot_view_1d(y, 50, 20))));
        CU_ASSERT_EQUAL(status, ALLOT_OK);
        const float *got = allot_array_map(y, ALLOT_READ);
        for (size_t j = 0; got && j < 100; j++)
            CU_ASSERT_EQUAL(got[j], j >= 50 && j < 70 ? 7 : 1);
        allot_array_unmap(y);
        allot_array_release(x), allot_array_release(y);
    }
}

static void accounts_for_its_work(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_F64, 1000),
                *y = allot_array_new(executor, ALLOT_F64, 1000);
    allot_work work = allot_kernel_work(allot_axpy(), allot_range(1000),
                                        ALLOT_ARGS(allot_f64(2), allot_in(x), allot_inout(y)));
    CU_ASSERT_EQUAL(work.flops, 2000);
    CU_ASSERT_EQUAL(work.bytes, 24000);
    allot_array_release(x), allot_array_release(y);
}

static void refuses_other_ranks(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_F32, 12), *y = allot_array_new(executor, ALLOT_F32, 12);
    const allot_ndrange ranges[] = { allot_range_2d(3, 4), allot_range_3d(3, 2, 2) };
    for (int i = 0; i < 2; i++) {
        allot_future *future = allot_launch(executor, allot_axpy(), ranges[i],
                                            ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), NULL);
        CU_ASSERT_EQUAL(allot_future_status(future), ALLOT_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), "1 dimension"));
        allot_release(future);
    }
    allot_array_release(x), allot_array_release(y);
}

int main(void)
{
    static const test_fact facts[] = {
        { "the reference is the formula", refers_to_the_formula },
        { "the kernel is made once", is_made_once },
        { "the C variant computes its part and no more", computes_a_part },
        { "every place agrees with the reference at ragged sizes", agrees_with_the_reference_everywhere },
        { "every place takes views and leaves alone what lies around", takes_views },
        { "a range of other than one dimension is refused", refuses_other_ranks },
        { "it accounts for its flops and bytes", accounts_for_its_work },
        { NULL, NULL },
    };
    return numeric_main("axpy", facts);
}
