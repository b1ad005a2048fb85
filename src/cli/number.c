#include "number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST = 127 /* characters of a number: more than any printed double needs */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. strtod alone would take
 * more. */
static bool is_decimal(const char *at, const char *end)
{
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    const char *whole = at, *after = skip_digits(at, end);
    size_t digits = (size_t)(after - whole);
    at = after;
    if (at < end && *at == '.') {
        after = skip_digits(at + 1, end);
        digits += (size_t)(after - at - 1);
        at = after;
    }
    if (digits == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        after = skip_digits(at, end);
        if (after == at)
            return false;
        at = after;
    }
    return at == end;
}

/* The locale in which a point is a point. glibc's "C" locale is static: nothing to free, cannot fail. */
static locale_t plain_locale(void)
{
    static locale_t plain;
    if (!plain)
        plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return plain;
}

al_number_result al_number_real(const char *text, size_t length, double *value)
{
    char copy[LONGEST + 1];
    if (length > LONGEST || !is_decimal(text, text + length))
        return AL_NUMBER_MALFORMED;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *value = strtod_l(copy, NULL, plain_locale());
    return isfinite(*value) ? AL_NUMBER_OK : AL_NUMBER_TOO_LARGE;
}

al_number_result al_number_integer(const char *text, size_t length, int64_t *value)
{
    const char *at = text, *end = text + length;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    if (at == end || skip_digits(at, end) != end)
        return AL_NUMBER_MALFORMED;
    int64_t magnitude = 0;
    for (; at < end; at++)
        if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
            __builtin_add_overflow(magnitude, *at - '0', &magnitude))
            return AL_NUMBER_TOO_LARGE;
    *value = negative ? -magnitude : magnitude;
    return AL_NUMBER_OK;
}

al_number_result al_number_count(const char *text, size_t *value)
{
    const double exact = 9007199254740992.0; /* 2^53: every whole number below is a double */
    double real;
    al_number_result result = al_number_real(text, strlen(text), &real);
    if (result != AL_NUMBER_OK)
        return result;
    if (real < 0 || real != floor(real))
        return AL_NUMBER_MALFORMED;
    if (real > exact)
        return AL_NUMBER_TOO_LARGE;
    *value = (size_t)real;
    return AL_NUMBER_OK;
}
