#include "options.h"

#include "number.h"
#include <string.h>

bool al_option_count(size_t *value, const char *option, const char *text, al_problem *problem)
{
    switch (al_number_count(text, value)) {
    case AL_NUMBER_OK:
        return true;
    case AL_NUMBER_TOO_LARGE:
        return al_problem_set(problem, AL_EXIT_USAGE, "%s %.40s: too large", option, text);
    case AL_NUMBER_MALFORMED:
        break;
    }
    return al_problem_set(problem, AL_EXIT_USAGE,
                          "%s '%.40s': give a whole number of 0 or more, like 1000 or 1e6", option, text);
}

bool al_option_repeats(size_t *value, const char *text, al_problem *problem)
{
    if (al_number_count(text, value) == AL_NUMBER_OK && *value >= 1 && *value <= AL_REPEATS_MAX)
        return true;
    return al_problem_set(problem, AL_EXIT_USAGE, "--repeat '%.40s': give a whole number from 1 to %d", text,
                          AL_REPEATS_MAX);
}

bool al_option_type(allot_type *type, const char *text, al_problem *problem)
{
    *type = allot_type_named(text);
    if (*type == ALLOT_F32 || *type == ALLOT_F64)
        return true;
    return al_problem_set(problem, AL_EXIT_USAGE, "--type '%.40s': f32 and f64 are there", text);
}

bool al_option_list(const char *option, const char *text,
                    bool (*item)(const char *word, void *user, al_problem *problem), void *user,
                    al_problem *problem)
{
    char word[64];
    if (!*text)
        return al_problem_set(problem, AL_EXIT_USAGE, "%s: the list is empty", option);
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        if (length == 0)
            return al_problem_set(problem, AL_EXIT_USAGE, "%s '%.100s': a name is missing at a comma", option,
                                  text);
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word), at);
        if (!item(word, user, problem))
            return false;
        at += length;
        if (!*at)
            return true;
    }
}
