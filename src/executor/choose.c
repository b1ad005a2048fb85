#include "executor/choose.h"
#include "base/clock.h"
#include "placement/policy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t place_count(const allot_executor *executor)
{
    return atomic_load_explicit(&executor->place_count, memory_order_acquire);
}

static double seconds(int64_t ns)
{
    return (double)ns * 1e-9;
}

/* ---- Who could ---- */

/* What the hints say about a place: true if they leave it open, else why not. */
static bool hints_allow(const al_place *place, const al_terms *terms, char *why, size_t size)
{
    bool named = terms->place_id != NULL, asked = terms->kind != ALLOT_ANYWHERE;
    if ((named && strcmp(terms->place_id, place->id) != 0) || (asked && terms->kind != place->kind))
        snprintf(why, size, "the hints ask for %s", named ? terms->place_id : allot_kind_name(terms->kind));
    else if (terms->forbid & ALLOT_KIND_BIT(place->kind))
        snprintf(why, size, "the hints forbid %s", allot_kind_name(place->kind));
    else if (place->only_by_name && !named && !asked)
        snprintf(why, size, "used only when asked for");
    else
        return true;
    return false;
}

static bool names_device(const al_terms *terms)
{
    return terms->kind == ALLOT_OPENCL || (terms->place_id && strncmp(terms->place_id, "opencl", 6) == 0);
}

/* A deterministic launch that went now to the CPU and now to a device would have other bits each time. */
static bool strays(const al_place *place, const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    return place->kind == ALLOT_OPENCL && launch && launch->deterministic && launch->kernel->desc.cpu &&
           !names_device(al_terms_of(task));
}

static void write_aside(const al_place *place, char *why, size_t size)
{
    char message[128];
    al_place_message(place, message, sizeof message);
    snprintf(why, size, "set aside: %s", message);
}

static bool possible(const al_place *place, const al_task *task, char *why, size_t size)
{
    why[0] = '\0';
    if (!hints_allow(place, al_terms_of(task), why, size))
        return false;
    if (atomic_load(&place->state) == ALLOT_PLACE_ASIDE) {
        write_aside(place, why, size);
        return false;
    }
    if (!place->ops->can_run(place, task, why, size))
        return false;
    if (!strays(place, task))
        return true;
    snprintf(why, size, "a deterministic launch leaves the CPU's places only when asked to");
    return false;
}

bool al_choose_needs_devices(const allot_executor *executor, const al_task *task)
{
    const al_terms *terms = al_terms_of(task);
    char why[256];
    if (names_device(terms))
        return true;
    if (!al_task_launch(task) || !al_kernel_has_opencl(al_task_launch(task)->kernel) ||
        terms->kind != ALLOT_ANYWHERE || terms->place_id || terms->forbid & ALLOT_KIND_BIT(ALLOT_OPENCL))
        return false;
    for (size_t i = 0; i < place_count(executor); i++)
        if (possible(executor->places[i], task, why, sizeof why))
            return false;
    return true;
}

/* ---- What is wrong if nobody can ---- */

static void list_places(const allot_executor *executor, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < place_count(executor) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", executor->places[i]->id);
}

static bool is_named(const allot_executor *executor, const char *place_id)
{
    for (size_t i = 0; i < place_count(executor); i++)
        if (strcmp(executor->places[i]->id, place_id) == 0)
            return true;
    return false;
}

/* No place is what the hints ask for. */
static allot_status not_there(const allot_executor *executor, const al_terms *terms, al_failure *failure)
{
    char ids[256];
    const char *asked = terms->place_id ? terms->place_id : allot_kind_name(terms->kind);
    list_places(executor, ids, sizeof ids);
    if (terms->place_id && is_named(executor, terms->place_id))
        return al_failure_set(failure, ALLOT_NO_PLACE,
                              "the hints contradict each other: place_id '%s', place %s", terms->place_id,
                              allot_kind_name(terms->kind));
    if (names_device(terms))
        return al_failure_set(failure, ALLOT_NO_DEVICE, "%s: no such device (places: %s)%s%s", asked, ids,
                              executor->devices_message[0] ? ": " : "", executor->devices_message);
    if (terms->place_id)
        return al_failure_set(failure, ALLOT_NOT_FOUND, "no place is called '%s': there are %s", asked, ids);
    if (!ids[0])
        return al_failure_set(failure, ALLOT_NO_PLACE, "the executor has no place; its devices: %s",
                              executor->devices_message[0] ? executor->devices_message : "not looked for");
    return al_failure_set(
        failure, ALLOT_NO_PLACE,
        "the hints leave no place: there are %s, of which process and inline run only what asks for them",
        ids);
}

static allot_status nobody(allot_executor *executor, const al_task *task, al_failure *failure)
{
    char why[256], reasons[1024] = "";
    size_t asked_for = 0, used = 0;
    for (size_t i = 0; i < place_count(executor); i++) {
        const al_place *place = executor->places[i];
        if (!hints_allow(place, al_terms_of(task), why, sizeof why))
            continue;
        asked_for++;
        if (!possible(place, task, why, sizeof why) && used < sizeof reasons)
            used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%s: %s", used ? "; " : "",
                                     place->id, why);
    }
    if (!asked_for)
        return not_there(executor, al_terms_of(task), failure);
    return al_failure_set(failure, ALLOT_NO_PLACE, "%s cannot run: %s", al_task_name(task), reasons);
}

/* ---- Plain functions: the first place that the hints leave ---- */

static al_place *choose_for_function(allot_executor *executor, const al_task *task)
{
    char why[256];
    for (size_t i = 0; i < place_count(executor); i++) {
        al_place *place = executor->places[i];
        if (possible(place, task, why, sizeof why) && al_executor_ensure_open(executor, place))
            return place;
    }
    return NULL;
}

/* ---- Launches: decided by cost ---- */

static al_model_key key_of(const al_place *place, const al_launch *launch)
{
    return (al_model_key){ .kernel = launch->kernel->desc.name,
                           .type = launch->type,
                           .place = place->id,
                           .kind = place->kind,
                           .workers = place->width,
                           .place_class = place->class_id };
}

/* Places that run on the same CPUs are one resource: what is queued on one delays the others. */
static double ready_s(const allot_executor *executor, const al_place *place)
{
    int64_t queued_ns = 0;
    for (size_t i = 0; i < place_count(executor); i++) {
        al_place *other = executor->places[i];
        if (other == place || (other->shares_cpus && place->shares_cpus))
            queued_ns += atomic_load_explicit(&other->backlog_ns, memory_order_relaxed);
    }
    return seconds(queued_ns);
}

static uint64_t missing_bytes(const al_place *place, const al_launch *launch)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        if (al_argument_is_array(argument) && argument->access & ALLOT_READ)
            missing += al_array_missing(argument->view.array, place->memory, argument->begin, argument->end);
    }
    return missing;
}

static void predict(allot_executor *executor, const al_place *place, const al_launch *launch,
                    allot_candidate *candidate)
{
    al_prediction prediction;
    al_model_key key = key_of(place, launch);
    al_model_predict(executor->model, &key, launch->work, &prediction);
    candidate->samples = prediction.samples;
    candidate->ready_s = ready_s(executor, place);
    candidate->transfer_s = al_model_transfer_s(executor->model, place->id, missing_bytes(place, launch));
    candidate->compile_s = prediction.compile_s;
    candidate->run_s = prediction.run_s;
    candidate->low_s = prediction.low_s;
    candidate->total_s = candidate->ready_s + candidate->transfer_s + candidate->compile_s + candidate->run_s;
}

/* The decision and its candidates in one block, which is freed with the task. */
static allot_decision *record(allot_executor *executor, const al_task *task)
{
    size_t count = place_count(executor);
    allot_decision *decision = calloc(1, sizeof *decision + count * sizeof(allot_candidate));
    if (!decision)
        return NULL;
    allot_candidate *candidates = (allot_candidate *)(decision + 1);
    decision->size = sizeof *decision;
    snprintf(decision->task, sizeof decision->task, "%s", al_task_name(task));
    snprintf(decision->type, sizeof decision->type, "%s", allot_type_name(al_task_launch(task)->type));
    decision->flops = al_task_launch(task)->work.flops;
    decision->bytes = al_task_launch(task)->work.bytes;
    decision->candidate_count = count;
    decision->candidates = candidates;
    decision->chosen = -1;
    for (size_t i = 0; i < count; i++) {
        allot_candidate *candidate = &candidates[i];
        const al_place *place = executor->places[i];
        snprintf(candidate->place, sizeof candidate->place, "%s", place->id);
        candidate->possible = possible(place, task, candidate->reason, sizeof candidate->reason);
        if (candidate->possible)
            predict(executor, place, al_task_launch(task), candidate);
    }
    return decision;
}

/* Why the one place that is left was taken. */
static const char *without_choice(allot_executor *executor, const al_task *task)
{
    if (al_terms_of(task)->kind != ALLOT_ANYWHERE || al_terms_of(task)->place_id)
        return "asked for";
    if (al_devices_searching(executor))
        return "the only place so far: devices are still being looked for";
    return "the only place that can run it";
}

static al_choice decide(allot_executor *executor, const al_task *task, const allot_decision *decision)
{
    al_snapshot snapshot = { decision->candidates, decision->candidate_count,
                             seconds(atomic_load_explicit(&executor->busy_ns, memory_order_relaxed)),
                             seconds(atomic_load_explicit(&executor->explored_ns, memory_order_relaxed)) };
    al_choice choice = al_policy_choose(&snapshot);
    size_t open = 0;
    for (size_t i = 0; i < decision->candidate_count; i++)
        open += decision->candidates[i].possible;
    if (open == 1) {
        snprintf(choice.why, sizeof choice.why, "%s", without_choice(executor, task));
        choice.explores = false;
    }
    return choice;
}

/* What a kernel's own account says may be any number: it must fit, and be no gift to its place. */
static int64_t charge_ns(double run_s)
{
    const double most_s = 1e6;
    return run_s >= 0 && run_s < most_s ? (int64_t)(run_s * 1e9) : run_s < 0 ? 0 : (int64_t)(most_s * 1e9);
}

static void charge(allot_executor *executor, al_task *task, al_place *place, const allot_candidate *candidate)
{
    al_terms *terms = al_terms_of(task);
    terms->decided = place;
    terms->alone = candidate->ready_s == 0;
    terms->predicted_ns = charge_ns(candidate->run_s + candidate->compile_s);
    atomic_store_explicit(&task->more->charged_ns, terms->predicted_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&place->backlog_ns, terms->predicted_ns, memory_order_relaxed);
    if (terms->explores) /* now, so that launches submitted at once do not all spend the same budget */
        atomic_fetch_add_explicit(&executor->explored_ns, terms->predicted_ns, memory_order_relaxed);
}

static al_place *choose_for_launch(allot_executor *executor, al_task *task, allot_status *status)
{
    allot_decision *decision = record(executor, task);
    if (!decision) {
        *status = ALLOT_NO_MEMORY;
        return NULL;
    }
    al_place *place = NULL;
    al_choice choice;
    while (!place && (choice = decide(executor, task, decision)).chosen >= 0) {
        allot_candidate *candidate = (allot_candidate *)&decision->candidates[choice.chosen];
        place = executor->places[choice.chosen];
        if (!al_executor_ensure_open(executor, place)) {
            candidate->possible = false;
            write_aside(place, candidate->reason, sizeof candidate->reason);
            place = NULL;
        }
    }
    decision->chosen = choice.chosen;
    memcpy(decision->why, choice.why, sizeof decision->why);
    if (place) {
        al_terms_of(task)->explores = choice.explores;
        charge(executor, task, place, &decision->candidates[choice.chosen]);
    }
    task->more->decided_ns = al_task_now_ns(task);
    atomic_store_explicit(&task->more->decision, decision, memory_order_release);
    return place;
}

al_place *al_choose(allot_executor *executor, al_task *task, allot_status *status, al_failure *failure)
{
    *status = ALLOT_OK;
    al_place *place = al_task_launch(task) ? choose_for_launch(executor, task, status)
                                           : choose_for_function(executor, task);
    if (!place && *status == ALLOT_OK)
        *status = nobody(executor, task, failure);
    return place;
}

/* ---- When the place that was chosen failed ---- */

al_place *al_choose_fallback(allot_executor *executor, const al_task *task)
{
    char why[256];
    for (size_t i = 0; i < place_count(executor); i++) {
        al_place *place = executor->places[i];
        if (place->kind != ALLOT_OPENCL && possible(place, task, why, sizeof why) &&
            al_executor_ensure_open(executor, place))
            return place;
    }
    return NULL;
}

/* ---- Afterwards ---- */

/* What the launch cost its caller there, but for transfers and compilation. One that found the place idle
 * shows what waking it and giving notice cost too; of one that queued only the variant's own time can be
 * told. */
static int64_t cost_ns(const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    int64_t whole_ns =
        task->more->ended_ns - task->more->decided_ns - (int64_t)launch->moved.ns - launch->compiled_ns;
    return al_terms_of(task)->alone && whole_ns > launch->ran_ns ? whole_ns : launch->ran_ns;
}

static void learn_run(allot_executor *executor, const al_task *task)
{
    const al_terms *terms = al_terms_of(task);
    const al_launch *launch = al_task_launch(task);
    al_model_key key = key_of(terms->decided, launch);
    al_model_learn(executor->model, &key, launch->work, seconds(cost_ns(task)), seconds(launch->compiled_ns));
    if (launch->moved.count)
        al_model_learn_transfer(executor->model, terms->decided->id, launch->moved.bytes, launch->moved.count,
                                seconds((int64_t)launch->moved.ns));
    int64_t spent_ns = launch->ran_ns + launch->compiled_ns;
    atomic_fetch_add_explicit(&executor->busy_ns, spent_ns, memory_order_relaxed);
    if (terms->explores)
        atomic_fetch_add_explicit(&executor->explored_ns, spent_ns - terms->predicted_ns,
                                  memory_order_relaxed);
}

void al_choose_learn(allot_executor *executor, al_task *task)
{
    al_terms *terms = al_terms_of(task);
    if (!terms->decided)
        return;
    al_place_discharge(terms->decided, task); /* one that never ran */
    if (allot_future_status(&task->future) == ALLOT_OK && al_task_launch(task)->items)
        learn_run(executor, task);
}
