#include "topology/sysfs.h"
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_first_line(char *text, size_t size, const char *path)
{
    FILE *file = fopen(path, "re");
    bool read = file && fgets(text, (int)size, file);
    if (file)
        fclose(file);
    if (read)
        text[strcspn(text, "\n")] = '\0';
    return read;
}

bool al_sysfs_line(char *text, size_t size, const char *format, ...)
{
    char path[PATH_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(path, sizeof path, format, values);
    va_end(values);
    return read_first_line(text, size, path);
}

long al_sysfs_number(const char *format, ...)
{
    char path[PATH_MAX], text[64];
    va_list values;
    va_start(values, format);
    vsnprintf(path, sizeof path, format, values);
    va_end(values);
    if (!read_first_line(text, sizeof text, path) || !isdigit((unsigned char)text[0]))
        return -1;
    long number = strtol(text, NULL, 10);
    return number < INT_MAX ? number : -1;
}

bool al_sysfs_range(const char **list, long *first, long *last)
{
    char *end;
    *first = strtol(*list, &end, 10);
    if (end == *list)
        return false;
    *last = *first;
    if (*end == '-')
        *last = strtol(end + 1, &end, 10);
    *list = *end == ',' ? end + 1 : end;
    return *first >= 0 && *last >= *first && *last < INT_MAX;
}

int al_sysfs_count(const char *list)
{
    long count = 0, first, last;
    while (count < INT_MAX && al_sysfs_range(&list, &first, &last))
        count += last - first + 1;
    return count < INT_MAX ? (int)count : 0;
}
