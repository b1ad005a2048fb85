#include "base/setting.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double al_setting(const char *name, double least, double most, double otherwise)
{
    const char *text = getenv(name);
    char *end;
    if (!text || !*text)
        return otherwise;
    double value = strtod(text, &end);
    if (!*end && end != text && value >= least && value <= most)
        return value;
    al_log(AL_LOG_WARNING, "%s: '%s' is no number from %g to %g: %g is taken", name, text, least, most,
           otherwise);
    return otherwise;
}

static void warn_of_word(const char *name, const char *text, const char *const words[])
{
    char known[200] = "";
    for (size_t i = 0, used = 0; words[i] && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", words[i]);
    al_log(AL_LOG_WARNING, "%s: '%s' is none of %s: it is passed over", name, text, known);
}

size_t al_setting_word(const char *name, const char *const words[], size_t otherwise)
{
    const char *text = getenv(name);
    if (!text || !*text)
        return otherwise;
    for (size_t i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    warn_of_word(name, text, words);
    return otherwise;
}
