#include "base/setting.h"
#include "base/log.h"
#include <stdlib.h>

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
