/* C = alpha*A*B + beta*C, a work-item a tile of ROWS x COLUMNS of C, its sums in registers.
 * At the ragged edges a tile reads the last row or column again, and writes only what exists.
 * The tile is the one that gemm.c says. */
#define ROWS 8
#define COLUMNS 16

#ifdef T_f32
typedef float16 T16;
#else
typedef double16 T16;
#endif

/* Elements of a row of B from b on: `columns` of them exist, `stride` apart. */
static T16 gather(global const T *b, ulong stride, uint columns)
{
    T lane[COLUMNS];
    for (uint j = 0; j < COLUMNS; j++)
        lane[j] = b[min(j, columns - 1) * stride];
    return vload16(0, lane);
}

static void add_products(T16 *sum, global const T *const *row, ulong at, T16 b)
{
    for (uint r = 0; r < ROWS; r++)
        sum[r] = mad((T16)(row[r][at]), b, sum[r]);
}

/* beta = 0 must not read C: it may hold anything. */
static void write_row(global T *c, ulong stride, uint columns, T beta, T16 sum)
{
    T lane[COLUMNS];
    vstore16(sum, 0, lane);
    for (uint j = 0; j < columns; j++)
        c[j * stride] = beta == 0 ? lane[j] : mad(beta, c[j * stride], lane[j]);
}

kernel void gemm(T alpha, global const T *a, allot_layout a_layout, global const T *b, allot_layout b_layout, T beta,
                 global T *c, allot_layout c_layout)
{
    const ulong m = c_layout.shape[0], n = c_layout.shape[1], k = alpha == 0 ? 0 : a_layout.shape[1];
    const ulong i = get_global_id(0) * ROWS, j = get_global_id(1) * COLUMNS;
    if (i >= m || j >= n)
        return;
    const uint columns = (uint)min(n - j, (ulong)COLUMNS);
    global const T *row[ROWS];
    T16 sum[ROWS];
    for (uint r = 0; r < ROWS; r++) {
        row[r] = a + min(i + r, m - 1) * a_layout.stride[0];
        sum[r] = (T16)(0);
    }
    b += j * b_layout.stride[1];
    if (columns == COLUMNS && b_layout.stride[1] == 1)
        for (ulong p = 0; p < k; p++)
            add_products(sum, row, p * a_layout.stride[1], vload16(0, b + p * b_layout.stride[0]));
    else
        for (ulong p = 0; p < k; p++)
            add_products(sum, row, p * a_layout.stride[1],
                         gather(b + p * b_layout.stride[0], b_layout.stride[1], columns));
    c += i * c_layout.stride[0] + j * c_layout.stride[1];
    for (uint r = 0; r < ROWS && i + r < m; r++)
        write_row(c + r * c_layout.stride[0], c_layout.stride[1], columns, beta, alpha * sum[r]);
}
