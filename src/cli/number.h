/* Numbers from text, strictly: the whole text is one decimal number, whatever the locale, or it is refused.
 */
#ifndef AL_CLI_NUMBER_H
#define AL_CLI_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum al_number_result {
    AL_NUMBER_OK,
    AL_NUMBER_MALFORMED, /* not a decimal number: empty, hexadecimal, "nan", "inf", something after it */
    AL_NUMBER_TOO_LARGE
} al_number_result;

/* The texts are `length` bytes and need no terminator. */
al_number_result al_number_real(const char *text, size_t length, double *value);
al_number_result al_number_integer(const char *text, size_t length, int64_t *value);

/* A count as people type it: 1000, 1e6, 2.5e3. */
al_number_result al_number_count(const char *text, size_t *value);

#endif
