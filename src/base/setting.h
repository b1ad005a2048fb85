/* Numbers and words that the environment may set. */
#ifndef AL_BASE_SETTING_H
#define AL_BASE_SETTING_H

#include <stddef.h>

/* The variable's number; `otherwise` where it is not set or empty, and, with a warning, where it is none from
 * `least` to `most`. */
double al_setting(const char *name, double least, double most, double otherwise);

/* The index of the variable's word among those up to NULL; `otherwise` where it is not set or empty, and,
 * with a warning, where it is none of them. */
size_t al_setting_word(const char *name, const char *const words[], size_t otherwise);

#endif
