/* y = a*x + y, a work-item an element. */
kernel void axpy(T a, global const T *x, global T *y)
{
    const size_t i = get_global_id(0);
    y[i] = mad(a, x[i], y[i]);
}
