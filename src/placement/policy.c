#include "placement/policy.h"
#include "core/failure.h"
#include "placement/history.h"
#include "placement/policies.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MOST    31
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct allot_policy {
    allot_policy_info info;
    al_history *history; /* NULL: it needs none */
    uint64_t seed;
    char argument[64];
};

/* ---- The table ---- */

#define ROW(name_, says_, function, needs_)                                                                  \
    {                                                                                                        \
        sizeof(allot_policy_info), name_, says_, function, NULL, needs_                                      \
    }

static const allot_policy_info built_in[] = {
    ROW("eft", "earliest finish time, aware of data, with bounded trials (the default)", al_policy_eft, 0),
    ROW("heft", "as eft, and by upward rank what waits on a known graph", al_policy_heft, ALLOT_POLICY_RANK),
    ROW("heteroprio", "by affinity: where it is accelerated most, unless another kind is idle",
        al_policy_heteroprio, 0),
    ROW("dmda", "StarPU's rule: calibrate, freeze the mean of 10, add the transfer", al_policy_dmda,
        ALLOT_POLICY_HISTORY),
    ROW("auto_tune", "oneDPL's rule: each place once, then for ever the winner in whole milliseconds",
        al_policy_auto_tune, ALLOT_POLICY_HISTORY),
    ROW("least_loaded", "the place that is free first", al_policy_least_loaded, 0),
    ROW("round_robin", "the places in turn", al_policy_round_robin, 0),
    ROW("random", "any place; random:SEED", al_policy_random, 0),
    ROW("fixed", "always the same place; fixed:PLACE", al_policy_fixed, 0),
};

typedef struct registered {
    struct registered *next;
    allot_policy_info info;
    char name[NAME_MOST + 1];
    char says[];
} registered;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list, which only grows at its end */
static registered *users;

static const allot_policy_info *row(size_t index)
{
    const size_t built_in_count = sizeof built_in / sizeof *built_in;
    if (index < built_in_count)
        return &built_in[index];
    pthread_mutex_lock(&lock);
    const registered *each = users;
    for (index -= built_in_count; each && index; index--)
        each = each->next;
    pthread_mutex_unlock(&lock);
    return each ? &each->info : NULL;
}

static const allot_policy_info *find(const char *name, size_t length)
{
    const allot_policy_info *info;
    for (size_t i = 0; (info = row(i)); i++)
        if (strlen(info->name) == length && memcmp(info->name, name, length) == 0)
            return info;
    return NULL;
}

size_t allot_policies(allot_policy_info *infos, size_t capacity)
{
    const allot_policy_info *info;
    size_t count = 0, stride = infos && capacity ? infos->size : 0; /* the caller's header may be another */
    for (; (info = row(count)); count++) {
        if (count >= capacity || !infos)
            continue;
        allot_policy_info *to = (allot_policy_info *)((char *)infos + count * stride);
        size_t size = to->size < sizeof *info ? to->size : sizeof *info;
        memcpy(to, info, size);
        to->size = size;
    }
    return count;
}

/* ---- Registering ---- */

static allot_status wrong(const char *what, const char *name)
{
    al_last_error(ALLOT_INVALID, "allot_policy_register: %s%s%s", what, name ? " " : "", name ? name : "");
    return ALLOT_INVALID;
}

static void append(registered *made)
{
    pthread_mutex_lock(&lock);
    registered **link = &users;
    while (*link)
        link = &(*link)->next;
    *link = made;
    pthread_mutex_unlock(&lock);
}

allot_status allot_policy_register(const allot_policy_info *given)
{
    allot_policy_info info = { 0 };
    if (!given || !given->size)
        return wrong("the policy is NULL, or its size is 0", NULL);
    memcpy(&info, given, given->size < sizeof info ? given->size : sizeof info);
    size_t length = info.name ? strlen(info.name) : 0;
    if (!length || length > NAME_MOST || strspn(info.name, NAME_LETTERS) != length)
        return wrong("its name must be 1 to 31 letters, digits, _ or -:", info.name);
    if (!info.choose || !info.says)
        return wrong("`choose` or `says` is missing of", info.name);
    if (find(info.name, length))
        return wrong("there is already a policy", info.name);
    registered *made = calloc(1, sizeof *made + strlen(info.says) + 1);
    if (!made)
        return ALLOT_NO_MEMORY;
    made->info = info;
    made->info.size = sizeof info;
    made->info.name = strcpy(made->name, info.name);
    made->info.says = strcpy(made->says, info.says);
    append(made);
    return ALLOT_OK;
}

/* ---- One in use ---- */

static void *unknown(const char *name)
{
    char names[512] = "";
    const allot_policy_info *info;
    for (size_t i = 0, used = 0; (info = row(i)) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", info->name);
    return al_last_error(ALLOT_NOT_FOUND, "no policy is called '%.60s': there are %s", name, names);
}

/* NULL if the argument can be used. */
static const char *wrong_with(const allot_policy_info *info, const char *argument)
{
    if (strlen(argument) >= sizeof((allot_policy *)0)->argument)
        return "its argument is too long";
    if (info->choose == al_policy_random && argument[strspn(argument, "0123456789")])
        return "its seed is no whole number";
    return NULL;
}

allot_policy *allot_policy_create(const char *name)
{
    if (!name || !*name)
        return al_last_error(ALLOT_INVALID, "the policy's name is %s", name ? "empty" : "NULL");
    size_t length = strcspn(name, ":");
    const allot_policy_info *info = find(name, length);
    if (!info)
        return unknown(name);
    const char *argument = name[length] ? name + length + 1 : "";
    allot_policy *policy = calloc(1, sizeof *policy);
    bool there = policy && (!(info->needs & ALLOT_POLICY_HISTORY) || (policy->history = al_history_create()));
    const char *wrong_with_it = there ? wrong_with(info, argument) : "out of memory";
    if (wrong_with_it) {
        allot_policy_destroy(policy);
        return al_last_error(there ? ALLOT_INVALID : ALLOT_NO_MEMORY, "policy '%.60s': %s", name,
                             wrong_with_it);
    }
    policy->info = *info;
    policy->seed = strtoull(argument, NULL, 10);
    strcpy(policy->argument, argument);
    return policy;
}

void allot_policy_destroy(allot_policy *policy)
{
    if (policy)
        al_history_destroy(policy->history);
    free(policy);
}

const char *allot_policy_name(const allot_policy *policy)
{
    return policy ? policy->info.name : "";
}

uint32_t al_policy_needs(const allot_policy *policy)
{
    return policy->info.needs;
}

/* ---- Choosing ---- */

static double total(const allot_candidate *candidate)
{
    return candidate->total_s;
}

/* How many are possible, at most 2; *first is the first. */
static int count_possible(const allot_snapshot *snapshot, int *first)
{
    int count = 0;
    *first = -1;
    for (size_t i = 0; i < snapshot->candidate_count && count < 2; i++) {
        if (!snapshot->candidates[i].possible)
            continue;
        *first = count++ ? *first : (int)i;
    }
    return count;
}

static bool is_sound(const allot_snapshot *snapshot, const allot_choice *choice)
{
    return choice->chosen >= 0 && (size_t)choice->chosen < snapshot->candidate_count &&
           snapshot->candidates[choice->chosen].possible;
}

static void ask(const allot_policy *policy, const allot_snapshot *snapshot, allot_choice *choice)
{
    allot_snapshot own = *snapshot;
    own.argument = policy->argument;
    own.seed = policy->seed;
    choice->chosen = -1;
    choice->why = NULL;
    policy->info.choose(&own, policy->info.user, choice);
    if (!choice->why)
        choice->why = policy->info.says;
    if (!is_sound(snapshot, choice))
        *choice = (allot_choice){ .chosen = al_least(snapshot, total),
                                  .why = "lowest predicted cost: the policy chose no place that can run it" };
    if (isnan(choice->urgency))
        choice->urgency = 0;
}

void al_policy_pick(const allot_policy *policy, const allot_snapshot *snapshot, allot_choice *choice)
{
    int first, count = count_possible(snapshot, &first);
    *choice = (allot_choice){ .chosen = first, .why = "no place can run it" };
    if (policy->info.needs & ALLOT_POLICY_RANK && isfinite(snapshot->rank_s))
        choice->urgency = snapshot->rank_s; /* also where there is no choice */
    if (count == 1)
        choice->why = "the only one";
    else if (count > 1 && snapshot->deterministic)
        choice->why = "deterministic: always the first place that can run it";
    else if (count > 1)
        ask(policy, snapshot, choice);
    choice->size = sizeof *choice;
}

void al_policy_recall(allot_policy *policy, const allot_snapshot *snapshot, allot_candidate *candidates)
{
    if (!policy->history)
        return;
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        if (candidates[i].possible)
            al_history_recall(policy->history, snapshot, &candidates[i]);
}

void al_policy_note(allot_policy *policy, const allot_snapshot *snapshot, int chosen)
{
    if (policy->history && chosen >= 0 && (size_t)chosen < snapshot->candidate_count)
        al_history_begin(policy->history, snapshot, &snapshot->candidates[chosen]);
}

/* ---- Without an executor ---- */

/* What an older caller does not know of is 0; texts are never NULL. */
static allot_snapshot read_snapshot(const allot_snapshot *given)
{
    allot_snapshot snapshot = { 0 };
    memcpy(&snapshot, given, given->size < sizeof snapshot ? given->size : sizeof snapshot);
    snapshot.task = snapshot.task ? snapshot.task : "";
    snapshot.type = snapshot.type ? snapshot.type : "";
    snapshot.argument = snapshot.argument ? snapshot.argument : "";
    return snapshot;
}

allot_status allot_policy_choose(allot_policy *policy, const allot_snapshot *given, allot_choice *choice)
{
    if (!policy || !given || !given->size || !choice || (given->candidate_count && !given->candidates))
        return ALLOT_INVALID;
    allot_snapshot snapshot = read_snapshot(given);
    size_t count = snapshot.candidate_count;
    if (!policy->history || !count) {
        al_policy_pick(policy, &snapshot, choice);
        return ALLOT_OK;
    }
    allot_candidate *candidates = malloc(count * sizeof *candidates);
    if (!candidates)
        return ALLOT_NO_MEMORY;
    memcpy(candidates, snapshot.candidates, count * sizeof *candidates);
    snapshot.candidates = candidates;
    al_policy_recall(policy, &snapshot, candidates);
    al_policy_pick(policy, &snapshot, choice);
    al_policy_note(policy, &snapshot, choice->chosen);
    free(candidates);
    return ALLOT_OK;
}

void allot_policy_learn(allot_policy *policy, const allot_snapshot *given, int chosen, double run_s,
                        double whole_s)
{
    if (!policy || !policy->history || !given || !given->size || chosen < 0)
        return;
    allot_snapshot snapshot = read_snapshot(given);
    if ((size_t)chosen < snapshot.candidate_count && snapshot.candidates)
        al_history_end(policy->history, &snapshot, &snapshot.candidates[chosen], run_s, whole_s);
}
