/* Element types, arguments, ranges and views: the plain values of the interface. */
#include <allot/kernel.h>
#include <string.h>

size_t allot_type_size(allot_type type)
{
    switch (type) {
#define TYPE_SIZE(name, size, cl, text)                                                                      \
    case ALLOT_##name:                                                                                       \
        return size;
        ALLOT_TYPE_LIST(TYPE_SIZE)
    default:
        return 0;
    }
}

const char *allot_type_name(allot_type type)
{
    switch (type) {
#define TYPE_NAME(name, size, cl, text)                                                                      \
    case ALLOT_##name:                                                                                       \
        return text;
        ALLOT_TYPE_LIST(TYPE_NAME)
    default:
        return "?";
    }
}

allot_type allot_type_named(const char *name)
{
#define TYPE_NAMED(enumerator, size, cl, text)                                                               \
    if (name && strcmp(name, text) == 0)                                                                     \
        return ALLOT_##enumerator;
    ALLOT_TYPE_LIST(TYPE_NAMED)
    return ALLOT_NO_TYPE;
}

/* ---- Ranges ---- */

allot_ndrange allot_range(size_t n)
{
    return (allot_ndrange){ 1, { n, 1, 1 } };
}

allot_ndrange allot_range_2d(size_t rows, size_t columns)
{
    return (allot_ndrange){ 2, { rows, columns, 1 } };
}

allot_ndrange allot_range_3d(size_t planes, size_t rows, size_t columns)
{
    return (allot_ndrange){ 3, { planes, rows, columns } };
}

/* ---- Views ---- */

allot_view allot_view_all(allot_array *array)
{
    return allot_view_1d(array, 0, allot_array_count(array));
}

allot_view allot_view_1d(allot_array *array, size_t offset, size_t count)
{
    return (allot_view){ array, offset, 1, { count, 1, 1 }, { 1, 1, 1 } };
}

allot_view allot_view_2d(allot_array *array, size_t offset, size_t rows, size_t columns, size_t row_stride)
{
    return (allot_view){ array, offset, 2, { rows, columns, 1 }, { row_stride, 1, 1 } };
}

allot_view allot_view_3d(allot_array *array, size_t offset, size_t planes, size_t rows, size_t columns)
{
    return (allot_view){ array, offset, 3, { planes, rows, columns }, { rows * columns, columns, 1 } };
}

/* ---- Arguments ---- */

static allot_arg with_access(allot_view view, allot_access access)
{
    return (allot_arg){ .type = ALLOT_NO_TYPE, .access = access, .view = view };
}

allot_arg allot_in_view(allot_view view)
{
    return with_access(view, ALLOT_READ);
}

allot_arg allot_out_view(allot_view view)
{
    return with_access(view, ALLOT_WRITE);
}

allot_arg allot_inout_view(allot_view view)
{
    return with_access(view, ALLOT_READ_WRITE);
}

allot_arg allot_in(allot_array *array)
{
    return allot_in_view(allot_view_all(array));
}

allot_arg allot_out(allot_array *array)
{
    return allot_out_view(allot_view_all(array));
}

allot_arg allot_inout(allot_array *array)
{
    return allot_inout_view(allot_view_all(array));
}

allot_arg allot_f32(float value)
{
    return (allot_arg){ .type = ALLOT_F32, .scalar.f32 = value };
}

allot_arg allot_f64(double value)
{
    return (allot_arg){ .type = ALLOT_F64, .scalar.f64 = value };
}

allot_arg allot_i32(int32_t value)
{
    return (allot_arg){ .type = ALLOT_I32, .scalar.i = value };
}

allot_arg allot_u32(uint32_t value)
{
    return (allot_arg){ .type = ALLOT_U32, .scalar.u = value };
}

allot_arg allot_i64(int64_t value)
{
    return (allot_arg){ .type = ALLOT_I64, .scalar.i = value };
}

allot_arg allot_u64(uint64_t value)
{
    return (allot_arg){ .type = ALLOT_U64, .scalar.u = value };
}

allot_arg allot_bytes(const void *data, size_t bytes)
{
    return (allot_arg){ .type = ALLOT_U8, .data = data, .bytes = bytes };
}

allot_arg allot_local(size_t bytes)
{
    return (allot_arg){ .type = ALLOT_U8, .bytes = bytes };
}
