#include "executor/choose.h"
#include "executor/classes.h"
#include "executor/eligible.h"
#include "executor/learn.h"
#include "executor/record.h"
#include <math.h>

static al_class *class_at(const allot_executor *executor, size_t index)
{
    size_t count = atomic_load_explicit(&executor->class_count, memory_order_acquire);
    return index < count ? executor->classes[index] : NULL;
}

/* A member that could run the task, the one that is free first of many; NULL: none. */
static al_place *able(al_class *alike, const al_task *task)
{
    al_place *worth[AL_CLASS_FEW];
    size_t alike_count, count = al_class_look(alike, worth, &alike_count);
    char room[AL_REASON_MAX];
    for (size_t i = 0; i < count; i++)
        if (!al_eligible_not(worth[i], task, room))
            return worth[i];
    return NULL;
}

bool al_choose_needs_devices(const allot_executor *executor, const al_task *task)
{
    const al_terms *terms = al_terms_of(task);
    if (al_devices_known(executor))
        return false;
    if (al_eligible_names_device(executor, terms))
        return true;
    if (!al_task_launch(task) || !al_kernel_has_opencl(al_task_launch(task)->kernel) ||
        terms->kind != ALLOT_ANYWHERE || terms->place_id || terms->forbid & ALLOT_KIND_BIT(ALLOT_OPENCL))
        return false;
    al_class *alike;
    for (size_t i = 0; (alike = class_at(executor, i)); i++)
        if (able(alike, task))
            return false;
    return true;
}

/* ---- Plain functions: the first place that the hints leave ---- */

static al_place *choose_for_function(allot_executor *executor, const al_task *task)
{
    char room[AL_REASON_MAX];
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        al_place *place = executor->places[i];
        if (!al_eligible_not(place, task, room) && al_executor_ensure_open(executor, place))
            return place;
    }
    return NULL;
}

/* ---- Launches: decided by cost ---- */

static bool is_one_possible(const al_record *record)
{
    size_t count = 0;
    for (size_t i = 0; count < 2 && i < record->snapshot.candidate_count; i++)
        count += record->candidates[i].possible;
    return count == 1;
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

static void pick(allot_executor *executor, const al_task *task, al_record *record, allot_choice *choice)
{
    al_policy_pick(executor->policy, &record->snapshot, choice);
    if (is_one_possible(record))
        choice->why = without_choice(executor, task);
}

/* What a kernel's own account says may be any number: it must fit, and be no gift to its place. */
static int64_t charge_ns(double run_s)
{
    const double most_s = 1e6;
    return run_s >= 0 && run_s < most_s ? (int64_t)(run_s * 1e9) : run_s < 0 ? 0 : (int64_t)(most_s * 1e9);
}

static void charge(const al_price *price, al_task *task, al_record *record, const allot_choice *choice)
{
    allot_executor *executor = price->executor;
    al_terms *terms = al_terms_of(task);
    al_place *place = executor->places[record->candidates[choice->chosen].index];
    const allot_candidate *candidate = &record->candidates[choice->chosen];
    terms->decided = place;
    terms->entry =
        price->page ? al_page_entry(price->page, executor->model, place, price->launch->kernel) : NULL;
    terms->alone = candidate->ready_s == 0;
    terms->explores = choice->explores;
    terms->predicted_ns = charge_ns(candidate->run_s + candidate->compile_s);
    terms->more.urgency = choice->urgency;
    al_place_charge(place, task, terms->predicted_ns, al_price_workers(price, place), price->now_ns);
    if (terms->explores) /* now, so that launches submitted at once do not all spend the same budget */
        al_learn_explored(executor, terms->predicted_ns, candidate);
    al_policy_note(executor->policy, &record->snapshot, choice->chosen);
}

static void count_build(const al_price *price, const al_place *place, allot_candidate *candidate,
                        double built_s)
{
    al_model_entry *entry =
        price->page ? al_page_entry(price->page, price->executor->model, place, price->launch->kernel) : NULL;
    if (entry)
        al_entry_built(entry, built_s);
    candidate->total_s -= candidate->compile_s;
    candidate->bound_s -= candidate->compile_s;
    candidate->compile_s = 0;
}

/* A place like none that is known has its pace taken before anything is tried there. */
static void want_pace(const al_price *price, al_place *place)
{
    int known = AL_PACE_KNOWN;
    if (!price->page || atomic_load_explicit(&place->paced, memory_order_relaxed) != known)
        return;
    al_model_entry *entry = al_page_entry(price->page, price->executor->model, place, price->launch->kernel);
    if (entry && !al_entry_class_known(entry))
        atomic_compare_exchange_strong(&place->paced, &known, AL_PACE_WANTED);
}

/* A single run that says something quite new would hardly be believed; but a pace is the least of several. */
#define PACE_RUNS 3

/* True if it was news: then what the launch was thought to take there holds no more. */
static bool tell_pace(const al_price *price, al_place *place)
{
    int taken = AL_PACE_TAKEN;
    if (atomic_load_explicit(&place->paced, memory_order_acquire) != taken ||
        !atomic_compare_exchange_strong(&place->paced, &taken, AL_PACE_TOLD))
        return false;
    for (size_t i = 0; i < AL_PACES; i++) {
        al_model_key key = { .kernel = place->paces[i].kernel,
                             .type = ALLOT_F32,
                             .place = place->id,
                             .kind = place->kind,
                             .workers = place->width,
                             .place_class = place->class_id };
        for (int times = 0; times < PACE_RUNS; times++)
            al_model_learn(price->executor->model, &key, place->paces[i].work, place->paces[i].run_s, 0);
    }
    return true;
}

/* Nobody waits for a compiler only to try a place that may be better: meanwhile another one takes what comes.
 * NULL: it may go there; else why not now. */
static const char *not_yet(const al_price *price, al_place *place, const allot_choice *choice,
                           allot_candidate *candidate, char room[AL_REASON_MAX])
{
    double built_s = 0;
    want_pace(price, place);
    const char *why = place->prepare(place, price->launch, !choice->explores, &built_s, room, AL_REASON_MAX);
    if (built_s > 0)
        count_build(price, place, candidate, built_s);
    return !why && tell_pace(price, place) ? "how fast it is has just been measured" : why;
}

/* From when it is wanted until it is told. */
static bool is_paced(const al_place *place)
{
    int paced = atomic_load_explicit(&place->paced, memory_order_relaxed);
    return paced == AL_PACE_WANTED || paced == AL_PACE_TAKEN;
}

static bool may_wait(const al_price *price, const al_place *place, const al_record *record,
                     const allot_candidate *candidate)
{
    const al_terms *terms = al_terms_of(price->task);
    return place->prepare && (candidate->compile_s > 0 || (candidate->samples == 0 && is_paced(place))) &&
           (terms->kind == ALLOT_ANYWHERE || terms->kind == ALLOT_OPENCL) && !is_one_possible(record);
}

/* One that cannot be brought up is set aside, one that compiles is left out, and the policy asked again. */
static al_place *settle(const al_price *price, al_record *record, allot_choice *choice)
{
    allot_executor *executor = price->executor;
    char room[AL_REASON_MAX];
    for (allot_candidate *left_out = NULL;;) {
        pick(executor, price->task, record, choice);
        if (choice->chosen < 0 && !left_out)
            return NULL;
        if (choice->chosen < 0) { /* the others turned out to be none */
            left_out->possible = true;
            left_out = NULL;
            continue;
        }
        allot_candidate *candidate = &record->candidates[choice->chosen];
        al_place *place = executor->places[candidate->index];
        if (!al_executor_ensure_open(executor, place)) {
            al_record_set_aside(record, (size_t)choice->chosen, place);
            continue;
        }
        const char *why =
            may_wait(price, place, record, candidate) ? not_yet(price, place, choice, candidate, room) : NULL;
        if (!why && left_out)
            choice->why = "the best one while another compiles in the background, to be tried then";
        if (!why)
            return place;
        al_record_rule_out(record, (size_t)choice->chosen, why);
        left_out = candidate;
    }
}

static al_place *choose_for_launch(allot_executor *executor, al_task *task, allot_status *status)
{
    al_price price;
    al_price_begin(&price, executor, task);
    al_record *record = al_record_create(&price);
    if (!record) {
        *status = ALLOT_NO_MEMORY;
        return NULL;
    }
    allot_choice choice;
    al_policy_recall(executor->policy, &record->snapshot, record->candidates);
    al_place *place = settle(&price, record, &choice);
    record->decision.chosen = choice.chosen;
    record->decision.why = choice.why;
    record->decision.explores = choice.explores;
    if (place)
        charge(&price, task, record, &choice);
    task->more->decided_ns = price.now_ns; /* what deciding took is part of what the launch takes */
    atomic_store_explicit(&task->more->decision, &record->decision, memory_order_release);
    return place;
}

al_place *al_choose(allot_executor *executor, al_task *task, allot_status *status, al_failure *failure)
{
    *status = ALLOT_OK;
    al_place *place = al_task_launch(task) ? choose_for_launch(executor, task, status)
                                           : choose_for_function(executor, task);
    if (!place && *status == ALLOT_OK)
        *status = al_eligible_nobody(executor, task, failure);
    return place;
}

/* ---- When the place that was chosen failed ---- */

static bool takes_program(al_place *place, const al_task *task)
{
    char room[AL_REASON_MAX];
    double built_s;
    return place->prepare && !place->prepare(place, al_task_launch(task), true, &built_s, room, sizeof room);
}

/* What it would cost there by the decision that led to where it failed. */
static double decided_s(const al_task *task, const al_place *place)
{
    const allot_decision *decision =
        atomic_load_explicit(&task->more->decision, memory_order_acquire); /* pairs with its making */
    for (size_t i = 0; decision && i < decision->candidate_count; i++)
        if (decision->candidates[i].index == place->index && decision->candidates[i].possible)
            return decision->candidates[i].total_s;
    return INFINITY;
}

/* The first place on the CPU before all devices. */
al_place *al_choose_fallback(allot_executor *executor, const al_task *task, bool devices)
{
    char room[AL_REASON_MAX];
    al_place *best = NULL;
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        al_place *place = executor->places[i];
        bool is_device = place->kind == ALLOT_OPENCL;
        if ((is_device && (!devices || !takes_program(place, task))) || al_eligible_not(place, task, room) ||
            !al_executor_ensure_open(executor, place))
            continue;
        if (!is_device)
            return place;
        best = !best || decided_s(task, place) < decided_s(task, best) ? place : best;
    }
    return best;
}
