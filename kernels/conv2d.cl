/* Filters of images, a work-item a tile of the image: some rows of 16 columns, with all their channels. Channels are
 * interleaved, so a tile's row is as many runs of 16 elements as there are channels, each a vector, and a step along
 * the row is a step of as many elements. Runs near the left and right edges, and of images with holes, are gathered
 * element by element. The tiles are the ones that conv2d.c says. */
#define COLUMNS        16
#define ROWS           4
#define SEPARABLE_ROWS 8
#define ZERO           1 /* ALLOT_BORDER_ZERO */

#ifdef T_f32
typedef float16 T16;
#else
typedef double16 T16;
#endif

typedef struct {
    global const T *data;
    allot_layout layout;
    int border;
} picture;

static bool is_dense(const allot_layout *layout)
{
    return layout->stride[2] == 1 && layout->stride[1] == layout->shape[2];
}

/* A run of 16 elements of a row near its ends, or with holes: the column that each lies in, and where its channel lies
 * in a pixel. */
typedef struct {
    int column[16];
    ulong channel[16];
} run;

static run run_at(const picture *of, ulong at)
{
    const ulong channels = of->layout.shape[2];
    run r;
    ulong column = at / channels, channel = at % channels;
    for (int i = 0; i < 16; i++) {
        r.column[i] = column;
        r.channel[i] = channel * of->layout.stride[2];
        if (++channel == channels)
            channel = 0, column++;
    }
    return r;
}

/* The run `shift` columns further on; beyond the row's ends it is the border. */
static T16 gather(const picture *of, long row, const run *r, int shift)
{
    const int last = of->layout.shape[1] - 1;
    const ulong stride = of->layout.stride[1];
    global const T *from = of->data + row * of->layout.stride[0];
    T lane[16];
    for (int i = 0; i < 16; i++) {
        const int column = r->column[i] + shift, inner = clamp(column, 0, last);
        const T value = from[inner * stride + r->channel[i]];
        lane[i] = of->border == ZERO && inner != column ? 0 : value;
    }
    return vload16(0, lane);
}

/* Whether a run's weights reach no column beyond the edges, nor a row that is zeros. */
static bool meets_no_border(const picture *of, ulong i, ulong rows, ulong above, ulong at, ulong reach)
{
    const bool rows_are_there = of->border != ZERO || (i >= above && i + rows + above <= of->layout.shape[0]);
    return rows_are_there && is_dense(&of->layout) && at >= reach &&
           at + 16 + reach <= of->layout.shape[1] * of->layout.shape[2];
}

/* The row that row i is, beyond the edges of the image too; -1: zeros. */
static long row_of(const picture *of, long i)
{
    const long rows = of->layout.shape[0];
    return i >= 0 && i < rows ? i : of->border == ZERO ? -1 : clamp(i, 0L, rows - 1);
}

static void store(global T *out, const allot_layout *layout, ulong i, ulong at, T16 sum)
{
    const ulong channels = layout->shape[2], length = layout->shape[1] * channels;
    T lane[16];
    out += i * layout->stride[0];
    if (is_dense(layout) && at + 16 <= length) {
        vstore16(sum, 0, out + at);
        return;
    }
    vstore16(sum, 0, lane);
    for (ulong e = at; e < min(at + 16, length); e++)
        out[e / channels * layout->stride[1] + e % channels * layout->stride[2]] = lane[e - at];
}

/* ---- Any weights ---- */

/* Where no border is met: nothing but loads and products in the loops. */
static void add_inner_run(const picture *of, global const T *weights, const allot_layout *by, ulong i, ulong at,
                          T16 *sum)
{
    const int height = by->shape[0], width = by->shape[1], step = of->layout.shape[2];
    global const T *from[ROWS];
    T16 s0 = (T16)(0), s1 = s0, s2 = s0, s3 = s0;
    for (int p = 0; p < height; p++) {
        for (int r = 0; r < ROWS; r++)
            from[r] = of->data + row_of(of, (long)i + r + p - height / 2) * of->layout.stride[0] + at - width / 2 * step;
        for (int q = 0; q < width; q++) {
            const T16 weight = (T16)(weights[p * by->stride[0] + q * by->stride[1]]);
            s0 = mad(weight, vload16(0, from[0] + q * step), s0);
            s1 = mad(weight, vload16(0, from[1] + q * step), s1);
            s2 = mad(weight, vload16(0, from[2] + q * step), s2);
            s3 = mad(weight, vload16(0, from[3] + q * step), s3);
        }
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

/* Each run is gathered once, and then added to all rows of the tile that it counts for. */
static void add_outer_run(const picture *of, global const T *weights, const allot_layout *by, ulong i, ulong at,
                          T16 *sum)
{
    const int height = by->shape[0], width = by->shape[1];
    const run here = run_at(of, at);
    for (int r = 0; r < ROWS; r++)
        sum[r] = (T16)(0);
    for (int p = 0; p < height + ROWS - 1; p++) {
        const long row = row_of(of, (long)i + p - height / 2);
        for (int q = 0; q < width && row >= 0; q++) {
            const T16 part = gather(of, row, &here, q - width / 2);
            for (int r = 0; r < ROWS; r++)
                if (p >= r && p - r < height)
                    sum[r] = mad((T16)(weights[(p - r) * by->stride[0] + q * by->stride[1]]), part, sum[r]);
        }
    }
}

kernel void conv2d(global const T *image, allot_layout image_layout, global const T *weights, allot_layout by,
                   int border, global T *out, allot_layout out_layout)
{
    const picture of = { image, image_layout, border };
    const ulong rows = image_layout.shape[0], channels = image_layout.shape[2];
    const ulong i = get_global_id(0) * ROWS, j = get_global_id(1) * COLUMNS;
    if (i >= rows || j >= image_layout.shape[1])
        return;
    const ulong end = min(j + COLUMNS, image_layout.shape[1]) * channels;
    for (ulong at = j * channels; at < end; at += 16) {
        T16 sum[ROWS];
        if (meets_no_border(&of, i, ROWS, by.shape[0] / 2, at, by.shape[1] / 2 * channels))
            add_inner_run(&of, weights, &by, i, at, sum);
        else
            add_outer_run(&of, weights, &by, i, at, sum);
        for (int r = 0; r < ROWS && i + r < rows; r++)
            store(out, &out_layout, i + r, at, sum[r]);
    }
}

/* ---- Weights of a row times weights of a column ---- */

/* One row's sum along it; `here` is 0 where no border is met. */
static T16 add_along(const picture *of, global const T *weights, const allot_layout *along, long row, ulong at,
                     const run *here)
{
    const int width = along->shape[0], step = of->layout.shape[2];
    T16 sum = (T16)(0);
    if (here) {
        for (int q = 0; q < width; q++)
            sum = mad((T16)(weights[q * along->stride[0]]), gather(of, row, here, q - width / 2), sum);
    } else {
        global const T *from = of->data + row * of->layout.stride[0] + at - width / 2 * step;
        for (int q = 0; q < width; q++)
            sum = mad((T16)(weights[q * along->stride[0]]), vload16(0, from + q * step), sum);
    }
    return sum;
}

/* Each row that the tile reads is summed along once, and then added to all rows of the tile that it counts for. */
static void add_separable_run(const picture *of, global const T *column, const allot_layout *down,
                              global const T *row_weights, const allot_layout *along, ulong i, ulong at, T16 *sum)
{
    const int height = down->shape[0];
    const run here = run_at(of, at);
    const bool inside = meets_no_border(of, i, 0, 0, at, along->shape[0] / 2 * of->layout.shape[2]);
    for (int r = 0; r < SEPARABLE_ROWS; r++)
        sum[r] = (T16)(0);
    for (int p = 0; p < height + SEPARABLE_ROWS - 1; p++) {
        const long row = row_of(of, (long)i + p - height / 2);
        if (row < 0)
            continue;
        const T16 part = add_along(of, row_weights, along, row, at, inside ? 0 : &here);
        for (int r = 0; r < SEPARABLE_ROWS; r++)
            if (p >= r && p - r < height)
                sum[r] = mad((T16)(column[(p - r) * down->stride[0]]), part, sum[r]);
    }
}

kernel void conv2d_separable(global const T *image, allot_layout image_layout, global const T *column,
                             allot_layout down, global const T *row, allot_layout along, int border, global T *out,
                             allot_layout out_layout)
{
    const picture of = { image, image_layout, border };
    const ulong rows = image_layout.shape[0], channels = image_layout.shape[2];
    const ulong i = get_global_id(0) * SEPARABLE_ROWS, j = get_global_id(1) * COLUMNS;
    if (i >= rows || j >= image_layout.shape[1])
        return;
    const ulong end = min(j + COLUMNS, image_layout.shape[1]) * channels;
    for (ulong at = j * channels; at < end; at += 16) {
        T16 sum[SEPARABLE_ROWS];
        add_separable_run(&of, column, &down, row, &along, i, at, sum);
        for (int r = 0; r < SEPARABLE_ROWS && i + r < rows; r++)
            store(out, &out_layout, i + r, at, sum[r]);
    }
}
