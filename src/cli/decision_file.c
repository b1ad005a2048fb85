#include "decision_file.h"

#include "file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the reader stands, for messages. */
typedef struct reader {
    al_file *file;
    size_t line;
    al_problem *problem;
    char within[40]; /* "candidates[2]." */
} reader;

static bool expect(reader *at, const char *name, const char *what)
{
    return al_file_problem_at_line(at->file, at->line, at->problem, "%s%s: %s is expected", at->within, name,
                                   what);
}

/* ---- Members: each is optional and 0 by default, as the writer leaves it out ---- */

static bool read_number(reader *at, const json_t *object, const char *name, double *value)
{
    const json_t *member = json_object_get(object, name);
    const char *word = json_string_value(member);
    *value = json_number_value(member);
    if (!member || json_is_number(member))
        return true;
    if (word && strcmp(word, "nan") == 0)
        *value = NAN;
    else if (word && (strcmp(word, "inf") == 0 || strcmp(word, "-inf") == 0))
        *value = word[0] == '-' ? -INFINITY : INFINITY;
    else
        return expect(at, name, "a number");
    return true;
}

static bool read_count(reader *at, const json_t *object, const char *name, uint64_t *value)
{
    const json_t *member = json_object_get(object, name);
    *value = member ? (uint64_t)json_integer_value(member) : 0;
    if (!member || (json_is_integer(member) && json_integer_value(member) >= 0))
        return true;
    return expect(at, name, "a whole number of 0 or more");
}

static bool read_flag(reader *at, const json_t *object, const char *name, bool *value)
{
    const json_t *member = json_object_get(object, name);
    *value = json_is_true(member);
    return !member || json_is_boolean(member) || expect(at, name, "true or false");
}

static bool read_text(reader *at, const json_t *object, const char *name, bool needed, const char **value)
{
    const json_t *member = json_object_get(object, name);
    *value = member ? json_string_value(member) : "";
    if (*value && (member || !needed))
        return true;
    return expect(at, name, "a text");
}

/* ---- Candidates ---- */

static allot_kind kind_named(const char *name)
{
    static const struct {
        const char *name;
        allot_kind kind;
    } kinds[] = {
#define KIND(name, value, text) { text, ALLOT_##name },
        ALLOT_KIND_LIST(KIND)
#undef KIND
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return ALLOT_ANYWHERE;
}

static bool read_costs(reader *at, const json_t *object, allot_candidate *candidate)
{
    const struct {
        const char *name;
        double *value;
    } costs[] = { { "ready_s", &candidate->ready_s },     { "transfer_s", &candidate->transfer_s },
                  { "compile_s", &candidate->compile_s }, { "run_s", &candidate->run_s },
                  { "return_s", &candidate->return_s },   { "total_s", &candidate->total_s },
                  { "low_s", &candidate->low_s },         { "high_s", &candidate->high_s },
                  { "spread", &candidate->spread },       { "bound_s", &candidate->bound_s },
                  { "watts", &candidate->watts },         { "usual_ratio", &candidate->usual_ratio } };
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (!read_number(at, object, costs[i].name, costs[i].value))
            return false;
    return read_count(at, object, "samples", &candidate->samples);
}

static bool read_candidate(reader *at, const json_t *object, allot_candidate *candidate)
{
    const char *kind;
    uint64_t index, alike_count;
    if (!json_is_object(object))
        return expect(at, "", "an object");
    if (!read_text(at, object, "place", true, &candidate->place) ||
        !read_text(at, object, "kind", true, &kind) ||
        !read_text(at, object, "alike", false, &candidate->alike) ||
        !read_text(at, object, "reason", false, &candidate->reason) ||
        !read_count(at, object, "index", &index) || !read_count(at, object, "alike_count", &alike_count) ||
        !read_flag(at, object, "shares_cpus", &candidate->shares_cpus))
        return false;
    candidate->kind = kind_named(kind);
    candidate->index = (size_t)index;
    candidate->alike_count = alike_count ? (size_t)alike_count : 1;
    candidate->possible = !json_object_get(object, "reason");
    candidate->history_ms = -1;
    return read_costs(at, object, candidate);
}

static bool read_candidates(reader *at, const json_t *line, al_logged *logged)
{
    const json_t *list = json_object_get(line, "candidates");
    if (!json_is_array(list))
        return expect(at, "candidates", "a list");
    size_t count = json_array_size(list);
    logged->candidates = calloc(count ? count : 1, sizeof *logged->candidates);
    if (!logged->candidates)
        return al_problem_set(at->problem, AL_EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < count; i++) {
        snprintf(at->within, sizeof at->within, "candidates[%zu].", i);
        if (!read_candidate(at, json_array_get(list, i), &logged->candidates[i]))
            return false;
    }
    at->within[0] = '\0';
    logged->snapshot.candidates = logged->candidates;
    logged->snapshot.candidate_count = count;
    return true;
}

/* ---- A line ---- */

static bool read_snapshot(reader *at, const json_t *line, al_logged *logged)
{
    allot_snapshot *snapshot = &logged->snapshot;
    bool energy;
    snapshot->size = sizeof *snapshot;
    snapshot->argument = "";
    if (!read_count(at, line, "decision", &snapshot->number) ||
        !read_text(at, line, "task", true, &snapshot->task) ||
        !read_text(at, line, "type", false, &snapshot->type) ||
        !read_number(at, line, "flops", &snapshot->flops) ||
        !read_number(at, line, "bytes", &snapshot->bytes) ||
        !read_number(at, line, "busy_s", &snapshot->busy_s) ||
        !read_number(at, line, "explored_s", &snapshot->explored_s) ||
        !read_number(at, line, "retried_s", &snapshot->retried_s) ||
        !read_number(at, line, "deadline_s", &snapshot->deadline_s) ||
        !read_number(at, line, "rank_s", &snapshot->rank_s) || !read_flag(at, line, "energy", &energy) ||
        !read_flag(at, line, "deterministic", &snapshot->deterministic))
        return false;
    snapshot->prefer = energy ? ALLOT_PREFER_ENERGY : ALLOT_PREFER_TIME;
    return read_candidates(at, line, logged);
}

static bool read_outcome(reader *at, const json_t *line, al_logged *logged)
{
    const json_t *outcome = json_object_get(line, "outcome");
    const char *status;
    if (!outcome)
        return true;
    if (!json_is_object(outcome))
        return expect(at, "outcome", "an object");
    snprintf(at->within, sizeof at->within, "outcome.");
    if (!read_text(at, outcome, "status", true, &status))
        return false;
    /* One that was run again elsewhere says nothing of the place that was chosen. */
    logged->succeeded =
        strcmp(status, allot_status_name(ALLOT_OK)) == 0 && !json_object_get(outcome, "retried_on");
    if (!logged->succeeded)
        return true;
    return read_number(at, outcome, "queued_s", &logged->queued_s) &&
           read_number(at, outcome, "moved_s", &logged->moved_s) &&
           read_number(at, outcome, "compiled_s", &logged->compiled_s) &&
           read_number(at, outcome, "ran_s", &logged->ran_s) &&
           read_number(at, outcome, "regret_s", &logged->regret_s);
}

static bool read_choice(reader *at, const json_t *line, al_logged *logged)
{
    const json_t *chosen = json_object_get(line, "chosen");
    json_int_t index = json_integer_value(chosen);
    if (!json_is_integer(chosen) || index < -1 || index >= (json_int_t)logged->snapshot.candidate_count)
        return expect(at, "chosen", "the index of a candidate, or -1");
    if (index >= 0 && !logged->candidates[index].possible)
        return expect(at, "chosen", "a candidate without a reason against it");
    logged->chosen = (int)index;
    return read_flag(at, line, "explores", &logged->explores);
}

static bool read_line(reader *at, const char *text, size_t length, al_logged *logged)
{
    json_error_t error;
    logged->line = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!logged->line)
        return al_file_problem_at_line(at->file, at->line, at->problem, "no JSON: %s", error.text);
    if (!json_is_object(logged->line) || !json_object_get(logged->line, "decision"))
        return al_file_problem_at_line(
            at->file, at->line, at->problem,
            "no decision: each line of a decision log is an object with the member "
            "\"decision\"");
    return read_text(at, logged->line, "run", false, &logged->run) &&
           read_text(at, logged->line, "policy", false, &logged->policy) &&
           read_snapshot(at, logged->line, logged) && read_choice(at, logged->line, logged) &&
           read_outcome(at, logged->line, logged);
}

/* ---- The file ---- */

static al_logged *add(al_decisions *decisions)
{
    if (decisions->count == decisions->capacity) {
        size_t capacity = decisions->capacity ? 2 * decisions->capacity : 256;
        al_logged *all = realloc(decisions->all, capacity * sizeof *all);
        if (!all)
            return NULL;
        decisions->all = all;
        decisions->capacity = capacity;
    }
    al_logged *logged = &decisions->all[decisions->count++];
    *logged = (al_logged){ .chosen = -1 };
    return logged;
}

static bool read_lines(al_decisions *decisions, reader *at)
{
    const char *data = at->file->data, *end = data + at->file->size;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t length = (size_t)((newline ? newline : end) - data);
        at->line++;
        if (length) {
            al_logged *logged = add(decisions);
            if (!logged)
                return al_problem_set(at->problem, AL_EXIT_FAILED, "out of memory");
            if (!read_line(at, data, length, logged))
                return false;
        }
        at->within[0] = '\0';
        data += length + 1;
    }
    if (!decisions->count)
        return al_problem_set(at->problem, AL_EXIT_INPUT, "%s: no decision in it", at->file->path);
    return true;
}

bool al_decisions_read(al_decisions *decisions, const char *path, al_problem *problem)
{
    al_file file;
    *decisions = (al_decisions){ 0 };
    if (!al_file_read(&file, path, problem))
        return false;
    reader at = { .file = &file, .problem = problem };
    bool ok = read_lines(decisions, &at);
    al_file_free(&file);
    return ok;
}

void al_decisions_free(al_decisions *decisions)
{
    for (size_t i = 0; i < decisions->count; i++) {
        free(decisions->all[i].candidates);
        json_decref(decisions->all[i].line);
    }
    free(decisions->all);
    *decisions = (al_decisions){ 0 };
}
