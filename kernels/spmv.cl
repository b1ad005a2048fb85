/* y = A*x for a matrix in compressed row storage, a work-item a row. */
kernel void spmv(global const int *row_start, global const int *column, global const T *value, global const T *x,
                 global T *y)
{
    const size_t row = get_global_id(0);
    T sum = 0;
    for (int entry = row_start[row]; entry < row_start[row + 1]; entry++)
        sum = mad(value[entry], x[column[entry]], sum);
    y[row] = sum;
}
