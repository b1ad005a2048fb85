/* Writing JSON's strings and numbers, whatever the locale. */
#ifndef AL_BASE_JSON_H
#define AL_BASE_JSON_H

#include <stdio.h>

/* A string: what is no UTF-8 becomes U+FFFD. Errors stay in the stream. */
void al_json_put_text(FILE *file, const char *text);

/* A number that reads back as the same one; JSON has none that is not finite: those become "nan", "inf" and
 * "-inf". */
void al_json_put_number(FILE *file, double value);

#endif
