/* `allot replay FILE`: the decisions of a log, asked again of other policies, without hardware.
 *
 * Each policy sees what was seen then, and nothing that followed from its own choices: queues, predictions
 * and the time spent so far are those of the log. Policies with a history of their own (dmda, auto_tune)
 * build it as they go: from what was measured where they choose as was chosen then, else from what was
 * predicted. */
#include "cli.h"
#include "decision_file.h"
#include "json.h"
#include "options.h"
#include "text.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLICIES = 64
};

/* What one policy comes to. */
typedef struct tally {
    char name[96];
    size_t asked, agreed, explored;
    double predicted_s; /* of what it chose */
    double regret_s;    /* that, less the lowest prediction each time */
} tally;

typedef struct replay {
    const char *path;
    bool json;
    char names[POLICIES][96];
    size_t name_count;
    al_decisions decisions;
    tally tallies[POLICIES];
    al_problem *problem;
} replay;

static const struct argp_option options[] = {
    { "policy", 'p', "LIST", 0,
      "The policies to ask, with commas between them, like eft,random:7 (default: every one that there is)",
      0 },
    { "json", 'j', NULL, 0, "Print JSON; on failure {\"error\": TEXT}", 0 },
    { 0 },
};

static bool add_policy(const char *name, void *user, al_problem *problem)
{
    replay *self = user;
    allot_policy *policy = allot_policy_create(name);
    if (!policy)
        return al_problem_set(problem, AL_EXIT_USAGE, "--policy: %s", allot_last_error());
    allot_policy_destroy(policy);
    if (self->name_count == POLICIES)
        return al_problem_set(problem, AL_EXIT_USAGE, "--policy: at most %d policies", POLICIES);
    snprintf(self->names[self->name_count], sizeof self->names[0], "%s", name);
    self->name_count++;
    return true;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    replay *self = state->input;
    bool told = self->problem->code != 0;
    switch (key) {
    case 'p':
        if (!told)
            al_option_list("--policy", argument, add_policy, self, self->problem);
        return 0;
    case 'j':
        self->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (self->path && !told)
            al_problem_set(self->problem, AL_EXIT_USAGE, "'%.60s' is one word too many: one file at a time",
                           argument);
        self->path = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool take_all_policies(replay *self)
{
    allot_policy_info infos[POLICIES];
    for (size_t i = 0; i < POLICIES; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_policies(infos, POLICIES);
    for (size_t i = 0; i < count && i < POLICIES; i++)
        if (!add_policy(infos[i].name, self, self->problem))
            return false;
    return true;
}

/* ---- Asking ---- */

static double least_s(const allot_snapshot *snapshot)
{
    double least = INFINITY;
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        if (snapshot->candidates[i].possible && snapshot->candidates[i].total_s < least)
            least = snapshot->candidates[i].total_s;
    return least;
}

/* What is not finite says nothing and is left out of sums. */
static void count_choice(tally *to, const al_logged *logged, int chosen, bool explores)
{
    to->asked++;
    to->agreed += chosen == logged->chosen;
    to->explored += explores;
    if (chosen < 0)
        return;
    double total_s = logged->candidates[chosen].total_s, least = least_s(&logged->snapshot);
    if (!isfinite(total_s) || !isfinite(least))
        return;
    to->predicted_s += total_s;
    to->regret_s += total_s - least;
}

static void teach(allot_policy *policy, const al_logged *logged, int chosen)
{
    if (chosen < 0)
        return;
    const allot_candidate *candidate = &logged->candidates[chosen];
    double run_s = candidate->run_s, beside_s = candidate->transfer_s + candidate->compile_s;
    if (chosen == logged->chosen && logged->succeeded) {
        run_s = logged->ran_s;
        beside_s = logged->moved_s + logged->compiled_s;
    }
    allot_policy_learn(policy, &logged->snapshot, chosen, run_s, run_s + beside_s);
}

/* The executors of one log have each a policy of their own, as they had then; those that were open at the
 * same time wrote in turns. */
typedef struct asked {
    struct asked *next;
    const char *run;
    allot_policy *policy;
} asked;

/* Moves it to the front: the next line is most often of the same executor. NULL: out of memory. */
static allot_policy *policy_of(asked **all, const char *run, const char *name)
{
    asked **link = all;
    while (*link && strcmp((*link)->run, run) != 0)
        link = &(*link)->next;
    asked *found = *link;
    if (found)
        *link = found->next;
    else if ((found = calloc(1, sizeof *found)))
        *found = (asked){ .run = run, .policy = allot_policy_create(name) };
    if (!found)
        return NULL;
    found->next = *all;
    *all = found;
    return found->policy;
}

static void forget(asked *all)
{
    for (asked *next; all; all = next) {
        next = all->next;
        allot_policy_destroy(all->policy);
        free(all);
    }
}

static bool ask(replay *self, const char *name, tally *to)
{
    asked *all = NULL;
    bool right = true;
    snprintf(to->name, sizeof to->name, "%s", name);
    for (size_t i = 0; i < self->decisions.count; i++) {
        const al_logged *logged = &self->decisions.all[i];
        allot_choice choice;
        allot_policy *policy = policy_of(&all, logged->run, name);
        right = policy && allot_policy_choose(policy, &logged->snapshot, &choice) == ALLOT_OK;
        if (!right)
            break;
        count_choice(to, logged, choice.chosen, choice.explores);
        teach(policy, logged, choice.chosen);
    }
    forget(all);
    return right || al_problem_set(self->problem, AL_EXIT_FAILED, "out of memory");
}

/* ---- Telling ---- */

typedef struct measured {
    size_t count;
    double predicted_s, took_s, regret_s;
} measured;

static measured measure(const al_decisions *decisions)
{
    measured sum = { 0 };
    for (size_t i = 0; i < decisions->count; i++) {
        const al_logged *logged = &decisions->all[i];
        if (logged->chosen < 0 || !logged->succeeded || !isfinite(logged->candidates[logged->chosen].total_s))
            continue;
        sum.count++;
        sum.predicted_s += logged->candidates[logged->chosen].total_s;
        sum.took_s += logged->queued_s + logged->moved_s + logged->compiled_s + logged->ran_s;
        sum.regret_s += isfinite(logged->regret_s) ? logged->regret_s : 0;
    }
    return sum;
}

static tally recorded(const al_decisions *decisions)
{
    tally sum = { .name = "recorded" };
    for (size_t i = 0; i < decisions->count; i++)
        count_choice(&sum, &decisions->all[i], decisions->all[i].chosen, decisions->all[i].explores);
    return sum;
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void put_tally(al_table *table, const tally *row, const char *name)
{
    char text[AL_FIGURE], cell[160];
    double least_total_s = row->predicted_s - row->regret_s;
    snprintf(cell, sizeof cell, "  %s", name);
    al_table_cell(table, cell);
    snprintf(cell, sizeof cell, "%.1f %%", 100 * share(row->agreed, row->asked));
    al_table_cell(table, cell);
    al_table_cell(table, al_text_seconds(text, row->predicted_s));
    al_table_cell(table, al_text_seconds(text, row->regret_s));
    if (least_total_s > 0)
        snprintf(cell, sizeof cell, "%.3f", row->predicted_s / least_total_s);
    else
        snprintf(cell, sizeof cell, "-");
    al_table_cell(table, cell);
    al_table_cell(table, al_text_count(text, row->explored));
}

static void print_text(const replay *self)
{
    static const al_table_column headings[] = { { "  policy", false },    { "chose as then", true },
                                                { "predicted", true },    { "regret", true },
                                                { "to the least", true }, { "explored", true } };
    char count[AL_FIGURE], took[AL_FIGURE], predicted[AL_FIGURE], regret[AL_FIGURE], name[160];
    measured sum = measure(&self->decisions);
    tally then = recorded(&self->decisions);
    printf("%s: %s decisions\n\n", self->path, al_text_count(count, self->decisions.count));
    al_table *table = al_table_create(headings, sizeof headings / sizeof headings[0]);
    snprintf(name, sizeof name, "recorded (%s)", self->decisions.all[0].policy);
    put_tally(table, &then, name);
    for (size_t i = 0; i < self->name_count; i++)
        put_tally(table, &self->tallies[i], self->tallies[i].name);
    al_table_print(table, stdout);
    al_table_destroy(table);
    printf(
        "\nPredicted: the totals of what was chosen, by what the model thought then. Regret: those less the "
        "least each time.\n");
    if (sum.count)
        printf(
            "Measured: %s of them took %s where %s was predicted, %s %s than the best others were predicted "
            "to.\n",
            al_text_count(count, sum.count), al_text_seconds(took, sum.took_s),
            al_text_seconds(predicted, sum.predicted_s), al_text_seconds(regret, fabs(sum.regret_s)),
            sum.regret_s > 0 ? "more" : "less");
}

static json_t *tally_json(const tally *row)
{
    return json_pack("{so so so so so}", "policy", al_json_text(row->name), "agreement",
                     al_json_real(share(row->agreed, row->asked)), "predicted_s",
                     al_json_real(row->predicted_s), "regret_s", al_json_real(row->regret_s), "explored",
                     al_json_count(row->explored));
}

static bool print_json(const replay *self)
{
    measured sum = measure(&self->decisions);
    tally then = recorded(&self->decisions);
    json_t *policies = json_array();
    for (size_t i = 0; i < self->name_count; i++)
        json_array_append_new(policies, tally_json(&self->tallies[i]));
    json_t *was = tally_json(&then);
    json_object_set_new(was, "policy", al_json_text(self->decisions.all[0].policy));
    json_object_set_new(was, "measured",
                        json_pack("{so so so so}", "decisions", al_json_count(sum.count), "predicted_s",
                                  al_json_real(sum.predicted_s), "took_s", al_json_real(sum.took_s),
                                  "regret_s", al_json_real(sum.regret_s)));
    al_failures_as_json(false);
    return al_json_print(json_pack("{so so so}", "decisions", al_json_count(self->decisions.count),
                                   "recorded", was, "policies", policies),
                         stdout);
}

static bool run(replay *self)
{
    if (self->problem->code)
        return false;
    if (!self->path)
        return al_problem_set(self->problem, AL_EXIT_USAGE,
                              "name a decision log: `allot run axpy --decisions FILE' "
                              "writes one");
    if (!self->name_count && !take_all_policies(self))
        return false;
    if (!al_decisions_read(&self->decisions, self->path, self->problem))
        return false;
    for (size_t i = 0; i < self->name_count; i++)
        if (!ask(self, self->names[i], &self->tallies[i]))
            return false;
    if (!self->json)
        print_text(self);
    return !self->json || print_json(self) ||
           al_problem_set(self->problem, AL_EXIT_FAILED, "cannot print it");
}

int al_replay_run(int argc, char **argv)
{
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE",
        .doc =
            "Asks policies for the decisions of a log again, without hardware, and compares what they would "
            "have "
            "chosen.\v"
            "FILE is a decision log: written by `allot run ... --decisions FILE', or by any program with "
            "ALLOT_DECISIONS=FILE in its environment.\n\n"
            "Each policy sees what was seen then: queues, predictions and time spent are those of the log, "
            "and "
            "not what would have followed from its own choices. dmda and auto_tune build their histories as "
            "they "
            "go: from what was measured where they choose as was chosen, else from what was predicted, known "
            "at once.\n\n" //
        AL_EXIT_HELP,
    };
    al_problem problem = { 0 };
    static replay self; /* large */
    self = (replay){ .problem = &problem };
    argp_parse(&parser, argc, argv, 0, NULL, &self);
    al_failures_as_json(self.json);
    bool ok = run(&self);
    al_decisions_free(&self.decisions);
    return ok ? AL_EXIT_OK : al_problem_tell(&problem, "allot replay");
}
