#include "executor/record.h"
#include "base/blocks.h"
#include "executor/affinity.h"
#include "executor/eligible.h"
#include "places/select.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CANDIDATES = 4, /* of which there is room at first */
    TEXTS_BYTES = 2048,   /* of reasons that are not static; what does not fit is left unexplained */
    HOLDERS = 16,
    AHEAD = 5 /* candidates between the one that is written and the one that is fetched to be */
};

/* A record while its candidates are gathered: how many there will be is known only at the end. */
typedef struct draft {
    const al_price *price;
    al_sheet *sheet;   /* NULL: it is to be had by no one */
    al_record *record; /* NULL: memory was out */
    size_t count, capacity;
    size_t rows; /* of the sheet, that are given out: one to each place looked at, in their order */
    al_eligible_launch launch;
    size_t text_bytes;
    char texts[TEXTS_BYTES];
} draft;

static size_t bytes_for(size_t candidates, size_t text_bytes)
{
    return sizeof(al_record) + candidates * sizeof(allot_candidate) + text_bytes;
}

static void resize(draft *made, size_t capacity, size_t text_bytes)
{
    al_record *record = al_blocks_take(bytes_for(capacity, text_bytes));
    if (record && made->record)
        memcpy(record, made->record, bytes_for(made->count, 0));
    al_blocks_give(made->record);
    made->record = record;
    made->capacity = capacity;
}

static void draft_init(draft *made, const al_price *price, size_t room)
{
    made->price = price;
    made->sheet = al_price_sheet(price);
    made->launch = al_eligible_begin(price->task);
    made->record = NULL;
    made->count = made->rows = made->text_bytes = 0;
    resize(made, room, 0);
}

/* ---- One candidate ---- */

static const char *keep_text(draft *made, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > sizeof made->texts - made->text_bytes)
        return "it cannot run it";
    char *kept = made->texts + made->text_bytes;
    made->text_bytes += size;
    return memcpy(kept, text, size);
}

static bool is_listed(const draft *made, size_t from, const al_place *place)
{
    for (size_t i = from; i < made->count && made->record; i++)
        if (made->record->candidates[i].index == place->index)
            return true;
    return false;
}

static void set_impossible(draft *made, const al_place *place, const char *why, const char *room,
                           allot_candidate *candidate)
{
    *candidate = (allot_candidate){ .place = place->id,
                                    .index = place->index,
                                    .reason = why == room ? keep_text(made, room) : why,
                                    .alike = place->alike->name,
                                    .kind = place->kind,
                                    .shares_cpus = place->shares_cpus,
                                    .history_ms = -1 };
}

/* `row` as in al_price_of(). False if it cannot run the task. */
static bool add(draft *made, al_place *place, al_sheet_row *row, size_t alike_count)
{
    char room[AL_REASON_MAX];
    if (made->count == made->capacity && made->record)
        resize(made, 2 * made->capacity, 0);
    if (!made->record)
        return false;
    allot_candidate *candidate = &made->record->candidates[made->count++];
    const char *why = al_eligible_not(place, made->price->task, room);
    if (why)
        set_impossible(made, place, why, room, candidate);
    else
        al_price_of(made->price, place, row ? made->sheet : NULL, row, candidate);
    candidate->alike_count = alike_count;
    return !why;
}

/* ---- All of them ---- */

/* Of a class of many: those that have the data already. */
static void add_holders(draft *made, const al_class *alike, size_t first, size_t alike_count)
{
    al_place *holders[HOLDERS];
    size_t count = al_price_holders(made->price, holders, HOLDERS);
    for (size_t i = 0; i < count; i++)
        if (holders[i]->alike == alike && !is_listed(made, first, holders[i]))
            add(made, holders[i], NULL, alike_count);
}

static al_sheet_row *next_row(draft *made)
{
    return made->sheet ? &made->sheet->rows[made->rows++] : NULL;
}

/* A record of many is larger than what is left of the nearest cache since its block was last used. */
static inline void fetch(const allot_candidate *candidate)
{
    for (size_t at = 0; at < sizeof *candidate; at += 64)
        __builtin_prefetch((const char *)candidate + at, 1);
}

/* Of the classes the first ones that are what most are: one place that can run it and of which nothing new
 * was learned. Returns how many, which are added. */
static size_t add_plain(draft *made, al_class *const *classes, size_t count)
{
    char room[AL_REASON_MAX];
    const al_price *price = made->price;
    if (!made->sheet || !made->record)
        return 0;
    const al_sheet_row *row = made->sheet->rows + made->rows;
    allot_candidate *candidate = made->record->candidates + made->count;
    size_t added = 0, most = made->capacity - made->count < count ? made->capacity - made->count : count;
    for (; added < most; added++, row++, candidate++) {
        const al_place *place = classes[added]->first;
        if (added + AHEAD < most)
            fetch(candidate + AHEAD);
        if (atomic_load_explicit(&classes[added]->count, memory_order_relaxed) != 1 ||
            !al_sheet_holds(made->sheet, row, place) ||
            !al_eligible_plainly(&made->launch, place, price->task, room))
            break;
        al_price_row(price, place, row, candidate);
        candidate->alike_count = 1;
    }
    made->rows += added;
    made->count += added;
    return added;
}

static void add_class(draft *made, al_class *alike)
{
    al_place *worth[AL_CLASS_FEW];
    size_t alike_count = atomic_load_explicit(&alike->count, memory_order_relaxed), first = made->count;
    if (alike_count == 1) {
        add(made, alike->first, next_row(made), 1);
        return;
    }
    bool possible = false;
    size_t count = al_class_look(alike, worth, &alike_count);
    for (size_t i = 0; i < count; i++)
        possible = add(made, worth[i], next_row(made), alike_count) || possible;
    if (alike_count > AL_CLASS_FEW && possible)
        add_holders(made, alike, first, alike_count);
}

static void add_classes(draft *made, al_class *const *classes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        i += add_plain(made, classes + i, count - i);
        if (i < count)
            add_class(made, classes[i]);
    }
}

/* The rows of classes that are left out are kept for when they are not. */
static void add_kind(draft *made, al_class *const *classes, size_t count, allot_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        size_t members = atomic_load_explicit(&classes[i]->count, memory_order_relaxed);
        if (classes[i]->first->kind == kind)
            add_class(made, classes[i]);
        else
            made->rows += members > AL_CLASS_FEW ? 1 : members;
    }
}

/* Where it would be if all classes had one place. */
static al_sheet_row *row_of(draft *made, const al_class *alike, al_class *const *classes, size_t count)
{
    size_t index = 0;
    while (index < count && classes[index] != alike)
        index++;
    return made->sheet && index < count ? &made->sheet->rows[index] : NULL;
}

/* Devices by a word, those of one class together. */
static void add_meant(draft *made, al_class *const *classes, size_t count, const char *word)
{
    const allot_executor *executor = made->price->executor;
    size_t places = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t c = 0; c < count; c++) {
        al_sheet_row *row = classes[c]->count == 1 ? row_of(made, classes[c], classes, count) : NULL;
        for (size_t i = 0; i < places && classes[c]->first->device_types; i++)
            if (executor->places[i]->alike == classes[c] && al_select_means(word, executor->places[i]))
                add(made, executor->places[i], row, classes[c]->count);
    }
}

/* What the hints name: none other can be chosen. */
static void add_named(draft *made, al_class *const *classes, size_t count, const al_terms *terms)
{
    const allot_executor *executor = made->price->executor;
    const char *named = terms->place_id;
    size_t places = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < places; i++) {
        al_place *place = executor->places[i];
        if (place->id[0] == named[0] && strcmp(place->id, named) == 0) {
            add(made, place, row_of(made, place->alike, classes, count), place->alike->count);
            return;
        }
    }
    if (terms->word)
        add_meant(made, classes, count, terms->word);
}

/* All whom the hints do not leave out by asking for another place, or for places of another kind. */
static void add_all(draft *made, const al_price *price)
{
    const al_terms *terms = al_terms_of(price->task);
    size_t count = atomic_load_explicit(&price->executor->class_count, memory_order_acquire);
    al_class *const *classes = price->executor->classes;
    /* Room for classes of one place each; others make more. */
    draft_init(made, price, terms->place_id ? 1 : count > FIRST_CANDIDATES ? count : FIRST_CANDIDATES);
    if (terms->place_id)
        add_named(made, classes, count, terms);
    else if (terms->kind != ALLOT_ANYWHERE)
        add_kind(made, classes, count, terms->kind);
    else
        add_classes(made, classes, count);
    al_sheet_give(made->sheet);
}

/* ---- The block ---- */

/* Takes the room that is too much away, and the texts in. */
static al_record *settle(draft *made)
{
    size_t spare = made->capacity - made->count;
    if (made->record && (made->text_bytes || spare > FIRST_CANDIDATES))
        resize(made, made->count, made->text_bytes);
    if (!made->record || !made->text_bytes)
        return made->record;
    char *texts = memcpy((char *)made->record + bytes_for(made->count, 0), made->texts, made->text_bytes);
    for (size_t i = 0; i < made->count; i++) {
        const char **reason = &made->record->candidates[i].reason;
        if (*reason >= made->texts && *reason < made->texts + made->text_bytes)
            *reason = texts + (*reason - made->texts);
    }
    return made->record;
}

static double left_s(int64_t deadline_ns, int64_t now_ns)
{
    if (deadline_ns == INT64_MAX)
        return 0;
    return deadline_ns > now_ns ? (double)(deadline_ns - now_ns) * 1e-9 : 1e-9;
}

/* Those that would have been candidates had the hints not asked for others. */
static size_t left_out(const al_price *price, const al_record *record)
{
    const al_terms *terms = al_terms_of(price->task);
    const allot_executor *executor = price->executor;
    if (terms->place_id)
        return atomic_load_explicit(&executor->place_count, memory_order_relaxed) -
               record->snapshot.candidate_count;
    size_t classes = atomic_load_explicit(&executor->class_count, memory_order_acquire), count = 0;
    for (size_t i = 0; i < classes && terms->kind != ALLOT_ANYWHERE; i++)
        if (executor->classes[i]->first->kind != terms->kind)
            count += atomic_load_explicit(&executor->classes[i]->count, memory_order_relaxed);
    return count;
}

/* All of a decision that is 0 at first, which is not the whole of its texts. */
static void clear(allot_decision *decision)
{
    const size_t texts_end = offsetof(allot_decision, retried_why) + sizeof decision->retried_why;
    memset(decision, 0, offsetof(allot_decision, retried_on));
    decision->retried_on[0] = decision->retried_why[0] = '\0';
    memset((char *)decision + texts_end, 0, sizeof *decision - texts_end);
}

static void describe(al_record *record, const al_price *price, size_t count)
{
    allot_executor *executor = price->executor;
    const al_terms *terms = al_terms_of(price->task);
    const al_launch *launch = price->launch;
    record->snapshot = (allot_snapshot){
        .size = sizeof record->snapshot,
        .task = al_task_name(price->task),
        .type = launch->kernel->has_type ? allot_type_name(launch->type) : "",
        .flops = launch->work.flops,
        .bytes = launch->work.bytes,
        .candidate_count = count,
        .candidates = record->candidates,
        .argument = "",
        .number = atomic_fetch_add_explicit(&executor->decisions, 1, memory_order_relaxed),
        .busy_s = (double)atomic_load_explicit(&executor->busy_ns, memory_order_relaxed) * 1e-9,
        .explored_s = (double)atomic_load_explicit(&executor->explored_ns, memory_order_relaxed) * 1e-9,
        .retried_s = (double)atomic_load_explicit(&executor->retried_ns, memory_order_relaxed) * 1e-9,
        .deadline_s = left_s(terms->deadline_ns, price->now_ns),
        .rank_s = al_rank_of(&al_terms_of(price->task)->node),
        .prefer = terms->prefer,
        .deterministic = launch->deterministic,
    };
    allot_decision *decision = &record->decision;
    clear(decision);
    decision->size = sizeof *decision;
    decision->task = record->snapshot.task;
    decision->type = record->snapshot.type;
    decision->flops = launch->work.flops;
    decision->bytes = launch->work.bytes;
    decision->candidate_count = count;
    decision->candidates = record->candidates;
    decision->chosen = -1;
    decision->why = "";
    decision->policy = allot_policy_name(executor->policy);
    decision->snapshot = &record->snapshot;
    decision->left_out = left_out(price, record);
    decision->left_out_why = decision->left_out ? al_eligible_asks_for(terms) : "";
}

al_record *al_record_create(const al_price *price)
{
    draft made;
    add_all(&made, price);
    al_record *record = settle(&made);
    if (!record)
        return NULL;
    describe(record, price, made.count);
    al_affinity_note(price->executor, record);
    return record;
}

void al_record_rule_out(al_record *record, size_t index, const char *reason)
{
    record->candidates[index].possible = false;
    record->candidates[index].reason = al_intern(reason); /* it may outlive the place, and there are few */
}

void al_record_set_aside(al_record *record, size_t index, const al_place *place)
{
    char reason[AL_REASON_MAX], message[128];
    al_place_message(place, message, sizeof message);
    snprintf(reason, sizeof reason, "set aside: %s", message);
    al_record_rule_out(record, index, reason);
}
