/* Reading what the kernel tells in small files: one line each, and lists such as "0-3,8". */
#ifndef AL_TOPOLOGY_SYSFS_H
#define AL_TOPOLOGY_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

#define AL_SYSFS_CPU "/sys/devices/system/cpu"

/* Reads the first line of a file into text, without its newline; false if there is none. */
bool al_sysfs_line(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The number that a file begins with; -1: there is no such file, or no number in it. */
long al_sysfs_number(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The next range of a list such as "0-3,8,10-11"; false at its end or where it is malformed. */
bool al_sysfs_range(const char **list, long *first, long *last);

/* How many numbers a list holds; 0 where that is no sensible number. */
int al_sysfs_count(const char *list);

#endif
