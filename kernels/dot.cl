/* x·y: a work-group adds up ITEMS * EACH elements. Its items read side by side, four elements at a time, and
 * keep sums of their own; these are then added in two steps, each behind a barrier that all items reach. */
#define ITEMS 64 /* of a group */
#define EACH  64 /* elements of an item */
#define STEP  8  /* sums that an item adds in each of the two steps */

#ifdef T_f32
typedef float4 T4;
#else
typedef double4 T4;
#endif

static T add_strided(ulong begin, ulong end, global const T *x, ulong dx, global const T *y, ulong dy)
{
    T sum = 0;
    for (ulong i = begin + get_local_id(0); i < end; i += ITEMS)
        sum = mad(x[i * dx], y[i * dy], sum);
    return sum;
}

static T add_dense(ulong begin, global const T *x, global const T *y)
{
    T4 sum = (T4)(0);
    x += begin;
    y += begin;
    for (uint i = 0; i < EACH / 4; i++) {
        const uint at = i * ITEMS + get_local_id(0);
        sum = mad(vload4(at, x), vload4(at, y), sum);
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

kernel void dot_product(global const T *x, allot_layout x_layout, global const T *y, allot_layout y_layout,
                        global T *result)
{
    local T of_item[ITEMS], of_step[STEP];
    const ulong n = x_layout.shape[0], dx = x_layout.stride[0], dy = y_layout.stride[0];
    const ulong begin = get_group_id(0) * (ulong)(ITEMS * EACH), end = min(n, begin + ITEMS * EACH);
    const uint item = get_local_id(0);
    const bool dense = begin + ITEMS * EACH <= n && dx == 1 && dy == 1;
    of_item[item] = dense ? add_dense(begin, x, y) : add_strided(begin, end, x, dx, y, dy);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item < STEP) {
        T sum = 0;
        for (uint i = 0; i < STEP; i++)
            sum += of_item[item * STEP + i];
        of_step[item] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item == 0) {
        T sum = 0;
        for (uint i = 0; i < STEP; i++)
            sum += of_step[i];
        result[get_group_id(0)] = sum;
    }
}
