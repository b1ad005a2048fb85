/* The loops of conv2d.c for one element type and vector width: see wide.h. */

typedef T OF(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));

#define LANES    (VECTOR_BYTES / sizeof(T))
#define LOAD(at) (*(const OF(vector) *)(at))

/* ---- Rows, with their borders filled in ---- */

/* Elements [from, to) of a row of the image, counted along its pixels and channels; beyond the ends it is the
 * border. */
TARGET static void OF(gather)(const filter *of, const T *row, ptrdiff_t from, ptrdiff_t to, T *out)
{
    ptrdiff_t channels = (ptrdiff_t)of->channels, columns = (ptrdiff_t)of->columns;
    for (ptrdiff_t at = from; at < to; at++) {
        ptrdiff_t channel = (at % channels + channels) % channels, column = (at - channel) / channels;
        bool inside = column >= 0 && column < columns;
        column = column < 0 ? 0 : column < columns ? column : columns - 1;
        *out++ = inside || of->border == ALLOT_BORDER_CLAMP
                     ? row[(size_t)column * of->image->stride[1] + (size_t)channel * of->image->stride[2]]
                     : 0;
    }
}

/* Elements [from, to) of row i, which may lie outside too. */
TARGET static void OF(read_row)(const filter *of, ptrdiff_t i, ptrdiff_t from, ptrdiff_t to, T *out)
{
    ptrdiff_t rows = (ptrdiff_t)of->rows, length = (ptrdiff_t)(of->columns * of->channels);
    if ((i < 0 || i >= rows) && of->border == ALLOT_BORDER_ZERO) {
        memset(out, 0, (size_t)(to - from) * sizeof *out);
        return;
    }
    i = i < 0 ? 0 : i < rows ? i : rows - 1;
    const T *row = (const T *)of->image->data + (size_t)i * of->image->stride[0];
    ptrdiff_t inner = from < 0 ? 0 : from, end = to < length ? to : length;
    if (!of->image_dense)
        inner = end = to;
    OF(gather)(of, row, from, inner, out);
    memcpy(out + (inner - from), row + inner, (size_t)(end - inner) * sizeof *out);
    OF(gather)(of, row, end, to, out + (end - from));
}

/* ---- Sums ---- */

/* out = the sum over a row's weights, for `count` elements: the one pass of a separable filter that is done
 * row by row. Rounded up to whole vectors. */
TARGET static void OF(add_along)(const filter *of, size_t count, const T *row, T *restrict out)
{
    const T *weights = of->row_weights;
    for (size_t at = 0; at < count; at += 4 * LANES) {
        OF(vector) sum[4] = { { 0 } };
        for (size_t q = 0; q < of->width; q++)
            for (size_t v = 0; v < 4; v++)
                sum[v] += weights[q] * LOAD(row + at + q * of->channels + v * LANES);
        memcpy(out + at, sum, sizeof sum);
    }
}

/* BAND rows of two vectors each, with their sums in registers. Row p of the band reads rows p to p + height
 * - 1.
 */
TARGET static void OF(add_tile)(const filter *of, const T *weights, size_t width, T *const *rows, size_t at,
                                T *restrict out)
{
    OF(vector) sum[BAND][2] = { { { 0 } } };
    for (size_t p = 0; p < of->height; p++)
        for (size_t q = 0; q < width; q++) {
            const T weight = weights[p * width + q];
            for (size_t r = 0; r < BAND; r++) {
                const T *from = rows[p + r] + at + q * of->channels;
                sum[r][0] += weight * LOAD(from);
                sum[r][1] += weight * LOAD(from + LANES);
            }
        }
    memcpy(out, sum, sizeof sum);
}

TARGET static void OF(write)(const filter *of, size_t i, size_t at, size_t count, const T *from)
{
    const allot_value *out = of->out;
    T *row = (T *)out->data + i * out->stride[0];
    if (of->out_dense)
        memcpy(row + at, from, count * sizeof *row);
    else
        for (size_t e = at; e < at + count; e++)
            row[e / of->channels * out->stride[1] + e % of->channels * out->stride[2]] = *from++;
}

/* ---- A strip: elements [from, from + count) of rows [begin, end) ---- */

/* The next row that a band needs, into its place in the ring. `wide` has room for a row before its first
 * pass. */
TARGET static void OF(fill)(const filter *of, ptrdiff_t i, size_t from, size_t count, T *wide, T *row)
{
    ptrdiff_t reach = (ptrdiff_t)(of->width / 2 * of->channels);
    T *to = of->row_weights ? wide : row;
    OF(read_row)(of, i, (ptrdiff_t)from - reach, (ptrdiff_t)(from + count) + reach, to);
    if (of->row_weights)
        OF(add_along)(of, count, wide, row);
}

TARGET static void OF(add_band)(const filter *of, size_t i, size_t rows, size_t from, size_t count,
                                T *const *ring)
{
    const T *weights = of->weights;
    size_t width = of->row_weights ? 1 : of->width;
    for (size_t at = 0; at < count; at += 2 * LANES) {
        T tile[BAND * 2 * LANES];
        OF(add_tile)(of, weights, width, ring, at, tile);
        for (size_t r = 0; r < rows; r++)
            OF(write)(of, i + r, from + at, at_most(count - at, 2 * LANES), tile + r * 2 * LANES);
    }
}

TARGET static void OF(add_strip)(const filter *of, size_t begin, size_t end, size_t from, size_t count,
                                 void *block)
{
    size_t deep = of->height + BAND - 1, above = of->height / 2;
    T *wide = block, *slots = wide + of->pitch, *ring[SIDE_MAX + BAND - 1];
    ptrdiff_t next = (ptrdiff_t)begin - (ptrdiff_t)above;
    for (size_t i = begin; i < end; i += BAND) {
        for (; next < (ptrdiff_t)(i + deep - above);
             next++) /* row r of the image lies in slot (r + above) % deep */
            OF(fill)
        (of, next, from, count, wide, slots + (size_t)(next + (ptrdiff_t)above) % deep * of->pitch);
        for (size_t p = 0; p < deep; p++)
            ring[p] = slots + (i + p) % deep * of->pitch;
        OF(add_band)(of, i, at_most(end - i, BAND), from, count, ring);
    }
}

#undef LANES
#undef LOAD
#undef T
#undef OF
#undef TARGET
#undef VECTOR_BYTES
