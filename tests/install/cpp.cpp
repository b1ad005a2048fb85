// Allot from C++17: the plain functions beside the C macros, and ALLOT_ARGS, which works here too.
#include <allot/allot.h>
#include <allot/numeric.h>

#include <cstddef>
#include <cstdio>

int main()
{
    allot_options options;
    allot_options_init(&options);
    options.threads = 2;
    allot_executor *executor = allot_open(&options);
    if (!executor) {
        std::fprintf(stderr, "%s\n", allot_open_error());
        return 1;
    }

    allot_hints hints;
    allot_hints_init(&hints);
    hints.place = ALLOT_THREAD;
    auto square = [](allot_call *, const void *in, void *out) {
        *static_cast<double *>(out) = *static_cast<const double *>(in) * *static_cast<const double *>(in);
        return ALLOT_OK;
    };
    const std::size_t n = 1000;
    double three = 3, nine = 0;
    allot_array *x = allot_array_full(executor, ALLOT_F32, n, 1.0),
                *y = allot_array_full(executor, ALLOT_F32, n, 0.5);
    allot_future *futures[] = {
        allot_submit(executor, square, &three, sizeof three, sizeof nine, &hints),
        allot_launch(executor, allot_axpy(), allot_range(n),
                     ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), &hints),
    };
    allot_status status = allot_get(futures[0], &nine, sizeof nine, ALLOT_FOREVER);
    if (status == ALLOT_OK)
        status = allot_get(futures[1], nullptr, 0, ALLOT_FOREVER);
    if (status != ALLOT_OK)
        std::fprintf(stderr, "%s: %s%s\n", allot_status_text(status), allot_future_error(futures[0]),
                     allot_future_error(futures[1]));
    const float *result = static_cast<const float *>(allot_array_map(y, ALLOT_READ));
    if (result)
        std::printf("%g %g\n", nine, static_cast<double>(result[n - 1]));
    allot_array_unmap(y);

    allot_release_all(futures, 2);
    allot_array_release(x);
    allot_array_release(y);
    return allot_close(executor) == ALLOT_OK && status == ALLOT_OK ? 0 : 1;
}
