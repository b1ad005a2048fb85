/* JSON values from what C has: text that may not be UTF-8, figures that may not be finite. */
#ifndef AL_CLI_JSON_H
#define AL_CLI_JSON_H

#include <allot/allot.h>
#include <jansson.h>
#include <stdio.h>

/* A string; bytes that are no UTF-8 (drivers' names) become '?'. */
json_t *al_json_text(const char *text);
/* A string, or null for "". */
json_t *al_json_text_or_null(const char *text);
/* A number, or null for what is not finite. */
json_t *al_json_real(double value);
json_t *al_json_count(uint64_t value);
/* A decision record. */
json_t *al_json_decision(const allot_decision *decision);

/* Digits of a number: whole figures up to 1e12 stay exact, and no noise of binary fractions shows. */
enum {
    AL_JSON_DIGITS = 12
};

/* Writes the value and a newline; takes the reference. False when memory is out or the stream reports an
 * error. */
bool al_json_print(json_t *value, FILE *stream);

#endif
