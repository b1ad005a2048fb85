#include <allot/allot.h>
#include <stdio.h>

static allot_status square(allot_call *call, const void *in, void *out)
{
    *(double *)out = *(const double *)in * *(const double *)in;
    return ALLOT_OK; /* or allot_fail(call, status, "what went wrong: %d", detail) */
}

int main(void)
{
    enum { N = 1 << 20 };
    allot_executor *ex = allot_open(NULL); /* every place of this machine; NULL: allot_open_error() says why */
    allot_array *x = allot_array_full(ex, ALLOT_F32, N, 1.0), *y = allot_array_full(ex, ALLOT_F32, N, 0.5);
    double three = 3, nine;

    allot_future *f[] = {
        allot_submit(ex, square, &three, sizeof three, sizeof nine, NULL), /* a thread */
        allot_submit(ex, square, &three, sizeof three, sizeof nine, ALLOT_HINTS(.place = ALLOT_PROCESS)), /* apart */
        allot_launch(ex, allot_axpy(), allot_range(N), ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), NULL), /* where it is best */
    };
    allot_wait_all(f, 3, ALLOT_FOREVER);

    if (allot_get(f[1], &nine, sizeof nine, 0) != ALLOT_OK)
        fprintf(stderr, "%s\n", allot_future_error(f[1])); /* a crash there is an error here */
    const float *result = allot_array_map(y, ALLOT_READ); /* waits, brings the current copy */
    printf("%g %g\n", nine, result[0]); /* 9 2.5 */
    allot_array_unmap(y);
    allot_explain(f[2], stdout); /* every candidate, its predicted cost, the choice, what happened */

    allot_release_all(f, 3);
    allot_array_release(x), allot_array_release(y);
    allot_close(ex);
}
