/* Numbers that the environment may set. */
#ifndef AL_BASE_SETTING_H
#define AL_BASE_SETTING_H

/* The variable's number; `otherwise` where it is not set or empty, and, with a warning, where it is none from
 * `least` to `most`. */
double al_setting(const char *name, double least, double most, double otherwise);

#endif
