#include "core/number.h"
#include <math.h>
#include <string.h>

/* IEEE 754 binary16 from a double, rounded to nearest even through binary32's exponent range. */
static uint16_t half_from(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value))
        return 0x7e00;
    if (magnitude >= 65520.0) /* rounds up to 2^16: infinity */
        return sign | 0x7c00;
    if (magnitude < 0x1p-14) /* subnormal: steps of 2^-24 */
        return sign | (uint16_t)nearbyint(magnitude * 0x1p24);
    int exponent;
    double fraction = frexp(magnitude, &exponent); /* in [0.5, 1) */
    /* The carry of a fraction that rounds up to 1 moves into the exponent by itself. */
    return sign | (uint16_t)(((exponent + 13) << 10) + (int)nearbyint(fraction * 2048.0));
}

static bool store_integer(void *to, allot_type type, double value)
{
    double whole = trunc(value);
#define STORE_INTEGER(name, kind, low, above)                                                                \
    case ALLOT_##name:                                                                                       \
        if (!(whole >= (low) && whole < (above)))                                                            \
            return false;                                                                                    \
        memcpy(to, &(kind){ (kind)whole }, sizeof(kind));                                                    \
        return true;
    switch (type) {
        STORE_INTEGER(I8, int8_t, -0x1p7, 0x1p7)
        STORE_INTEGER(U8, uint8_t, 0, 0x1p8)
        STORE_INTEGER(I16, int16_t, -0x1p15, 0x1p15)
        STORE_INTEGER(U16, uint16_t, 0, 0x1p16)
        STORE_INTEGER(I32, int32_t, -0x1p31, 0x1p31)
        STORE_INTEGER(U32, uint32_t, 0, 0x1p32)
        STORE_INTEGER(I64, int64_t, -0x1p63, 0x1p63)
        STORE_INTEGER(U64, uint64_t, 0, 0x1p64)
    default:
        return false;
    }
#undef STORE_INTEGER
}

bool al_number_store(void *to, allot_type type, double value)
{
    switch (type) {
    case ALLOT_F16:
        memcpy(to, &(uint16_t){ half_from(value) }, 2);
        return true;
    case ALLOT_F32:
        memcpy(to, &(float){ (float)value }, 4);
        return true;
    case ALLOT_F64:
        memcpy(to, &value, 8);
        return true;
    case ALLOT_C32:
        memcpy(to, (float[2]){ (float)value, 0 }, 8);
        return true;
    case ALLOT_C64:
        memcpy(to, (double[2]){ value, 0 }, 16);
        return true;
    default:
        return store_integer(to, type, value);
    }
}

static double as_double(const allot_arg *scalar)
{
    switch (scalar->type) {
    case ALLOT_F32:
        return scalar->scalar.f32;
    case ALLOT_F64:
        return scalar->scalar.f64;
    case ALLOT_U32:
    case ALLOT_U64:
        return (double)scalar->scalar.u;
    default:
        return (double)scalar->scalar.i;
    }
}

bool al_number_convert(void *to, allot_type type, const allot_arg *scalar)
{
    if (type == scalar->type && (type == ALLOT_C32 || type == ALLOT_C64)) {
        memcpy(to, scalar->scalar.bytes, allot_type_size(type));
        return true;
    }
    bool floating = scalar->type == ALLOT_F32 || scalar->type == ALLOT_F64;
    bool to_floating = type >= ALLOT_F16;
    if (floating && !to_floating)
        return false;
    if (!floating && type == scalar->type &&
        allot_type_size(type) == 8) { /* beyond what a double holds exactly */
        memcpy(to, &scalar->scalar.u, 8);
        return true;
    }
    if (!floating && type == ALLOT_U64 && scalar->type == ALLOT_I64)
        return scalar->scalar.i >= 0 && (memcpy(to, &scalar->scalar.i, 8), true);
    if (!floating && type == ALLOT_I64 && scalar->type == ALLOT_U64)
        return scalar->scalar.u <= INT64_MAX && (memcpy(to, &scalar->scalar.u, 8), true);
    return al_number_store(to, type, as_double(scalar));
}
