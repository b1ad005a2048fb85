#include "options.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS       9
#define ROUNDS_QUICK 3

/* ---- What there is ---- */

static void print_help(void)
{
    printf("usage: %s [OPTION]...\n"
           "Asks each system each question in turn, round after round; prints median, p10 and p90 over the "
           "rounds.\n"
           "  --csv            question,system,median,p10,p90,unit,runs\n"
           "  --json           the same as one object, with the machine\n"
           "  --quick          %d rounds instead of %d, a tenth of the work\n"
           "  --rounds N       1 to %d rounds\n"
           "  --only LIST      only these questions, with commas between; a name that is none stands for all "
           "that begin with it\n"
           "  --systems LIST   only these systems\n"
           "  --list           the questions and who is asked, and what is not here\n",
           program_invocation_short_name, ROUNDS_QUICK, ROUNDS, BENCH_ROUNDS_MAX);
}

static void print_list(const bench_plan *plan)
{
    char path[PATH_MAX];
    for (const bench_asked *asked = plan->questions; asked->base; asked++)
        printf("%s%s: %s\n", asked->base, asked->suffix, asked->systems);
    for (const bench_answerer *one = plan->answerers; one->system; one++)
        if (!bench_answerer_path(one, path, sizeof path))
            printf("not here: %s (it needs %s)\n", one->system, one->needs);
}

/* ---- Choosing ---- */

static bool is_question(const bench_asked *asked, const char *name, bool beginning)
{
    char whole[BENCH_NAME];
    snprintf(whole, sizeof whole, "%s%s", asked->base, asked->suffix);
    return beginning ? !strncmp(whole, name, strlen(name)) : !strcmp(whole, name);
}

static bool any_question(const bench_plan *plan, const char *name, bool beginning)
{
    for (const bench_asked *asked = plan->questions; asked->base; asked++)
        if (is_question(asked, name, beginning))
            return true;
    return false;
}

bool bench_options_question(const bench_options *options, const bench_asked *asked)
{
    for (size_t i = 0; i < options->question_count; i++) {
        const char *name = options->questions[i];
        if (is_question(asked, name, !any_question(options->plan, name, false)))
            return true;
    }
    return options->question_count == 0;
}

bool bench_options_system(const bench_options *options, const char *system)
{
    for (size_t i = 0; i < options->system_count; i++)
        if (!strcmp(options->systems[i], system))
            return true;
    return options->system_count == 0;
}

static bool known(const bench_plan *plan, const char *name, bool question)
{
    if (question && any_question(plan, name, true))
        return true;
    for (const bench_answerer *one = plan->answerers; !question && one->system; one++)
        if (!strcmp(one->system, name))
            return true;
    fprintf(stderr, "%s: no %s is named %s (--list shows them)\n", program_invocation_short_name,
            question ? "question" : "system", name);
    return false;
}

static bool take_list(const bench_plan *plan, char *list, char **names, size_t *used, bool question)
{
    char *rest;
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (!known(plan, name, question))
            return false;
        if (*used == BENCH_CHOSEN_MAX) {
            fprintf(stderr, "%s: more than %d names\n", program_invocation_short_name, BENCH_CHOSEN_MAX);
            return false;
        }
        names[(*used)++] = name;
    }
    return true;
}

static bool take_rounds(const char *text, size_t *rounds)
{
    char *rest;
    long value = strtol(text, &rest, 10);
    if (*rest || value < 1 || value > BENCH_ROUNDS_MAX) {
        fprintf(stderr, "%s: --rounds takes 1 to %d, not %s\n", program_invocation_short_name,
                BENCH_ROUNDS_MAX, text);
        return false;
    }
    *rounds = (size_t)value;
    return true;
}

/* ---- The command line ---- */

static bool take(bench_options *options, int letter, char *value)
{
    switch (letter) {
    case 'c':
        options->format = BENCH_CSV;
        return true;
    case 'j':
        options->format = BENCH_JSON;
        return true;
    case 'k':
        options->quick = true;
        return true;
    case 'r':
        return take_rounds(value, &options->rounds);
    case 'o':
        return take_list(options->plan, value, options->questions, &options->question_count, true);
    case 's':
        return take_list(options->plan, value, options->systems, &options->system_count, false);
    default:
        return false;
    }
}

int bench_options_take(bench_options *options, int argc, char **argv, const bench_plan *plan)
{
    static const struct option table[] = {
        { "csv", no_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { "quick", no_argument, NULL, 'k' },
        { "rounds", required_argument, NULL, 'r' },
        { "only", required_argument, NULL, 'o' },
        { "systems", required_argument, NULL, 's' },
        { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    *options = (bench_options){ .plan = plan };
    for (int letter; (letter = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (letter == 'h')
            return print_help(), EXIT_SUCCESS;
        if (letter == 'l')
            return print_list(plan), EXIT_SUCCESS;
        if (!take(options, letter, optarg))
            return 2;
    }
    if (!options->rounds)
        options->rounds = options->quick ? ROUNDS_QUICK : ROUNDS;
    if (optind < argc)
        fprintf(stderr, "%s: %s is not an option (--help lists them)\n", program_invocation_short_name,
                argv[optind]);
    return optind < argc ? 2 : -1;
}
