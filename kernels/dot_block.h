/* The loops of dot.c for one element type and vector width: see wide.h. */

typedef T OF(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));

#define LANES (VECTOR_BYTES / sizeof(T))
#define BLOCK (ROUNDS * CHAINS * LANES)

/* One block: CHAINS vectors of sums, ROUNDS products to each lane, then pairwise. */
TARGET static T OF(add_block)(const T *x, const T *y)
{
    OF(vector) sum[CHAINS] = { { 0 } };
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t chain = 0; chain < CHAINS; chain++) {
            size_t at = (round * CHAINS + chain) * LANES;
            sum[chain] += *(const OF(vector) *)(x + at) * *(const OF(vector) *)(y + at);
        }
    for (size_t step = CHAINS / 2; step > 0; step /= 2)
        for (size_t chain = 0; chain < step; chain++)
            sum[chain] += sum[chain + step];
    T lane[LANES];
    memcpy(lane, &sum[0], sizeof lane);
    for (size_t step = LANES / 2; step > 0; step /= 2)
        for (size_t i = 0; i < step; i++)
            lane[i] += lane[i + step];
    return lane[0];
}

/* A block that is short or has strides, filled up with zeros. */
TARGET static T OF(add_gathered)(size_t count, const T *x, size_t x_stride, const T *y, size_t y_stride)
{
    T dense_x[BLOCK] = { 0 }, dense_y[BLOCK] = { 0 };
    for (size_t i = 0; i < count; i++) {
        dense_x[i] = x[i * x_stride];
        dense_y[i] = y[i * y_stride];
    }
    return OF(add_block)(dense_x, dense_y);
}

/* The blocks' sums are added with compensation, which costs little as there are few. */
TARGET static T OF(dot)(size_t n, const T *x, size_t x_stride, const T *y, size_t y_stride)
{
    T sum = 0, lost = 0;
    for (size_t i = 0; i < n; i += BLOCK, x += BLOCK * x_stride, y += BLOCK * y_stride) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        bool whole = count == BLOCK && x_stride == 1 && y_stride == 1;
        T block = whole ? OF(add_block)(x, y) : OF(add_gathered)(count, x, x_stride, y, y_stride);
        T next = sum + block;
        lost += fabs((double)sum) >= fabs((double)block) ? (sum - next) + block : (block - next) + sum;
        sum = next;
    }
    return isfinite(lost) ? sum + lost : sum; /* of an infinite sum nothing is lost */
}

#undef LANES
#undef BLOCK
#undef T
#undef OF
#undef TARGET
#undef VECTOR_BYTES
