#include "executor/record.h"
#include "base/blocks.h"
#include "executor/affinity.h"
#include "executor/eligible.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CANDIDATES = 4, /* of which there is room at first */
    TEXTS_BYTES = 2048,   /* of reasons that are not static; what does not fit is left unexplained */
    HOLDERS = 16
};

/* A record while its candidates are gathered: how many there will be is known only at the end. */
typedef struct draft {
    const al_price *price;
    al_sheet *sheet;   /* NULL: it is to be had by no one */
    al_record *record; /* NULL: memory was out */
    size_t count, capacity;
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

/* Room for classes of one place each; others make more. */
static void draft_init(draft *made, const al_price *price, size_t classes)
{
    made->price = price;
    made->sheet = al_price_sheet(price);
    made->record = NULL;
    made->count = made->text_bytes = 0;
    resize(made, classes > FIRST_CANDIDATES ? classes : FIRST_CANDIDATES, 0);
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

static void add_class(draft *made, al_class *alike, size_t index)
{
    al_sheet_row *rows = made->sheet ? made->sheet->rows + index * AL_CLASS_FEW : NULL;
    al_place *worth[AL_CLASS_FEW];
    size_t alike_count = atomic_load_explicit(&alike->count, memory_order_relaxed), first = made->count;
    if (alike_count == 1) {
        add(made, alike->first, rows, 1);
        return;
    }
    bool possible = false;
    size_t count = al_class_look(alike, worth, &alike_count);
    for (size_t i = 0; i < count; i++)
        possible = add(made, worth[i], rows ? rows + i : NULL, alike_count) || possible;
    if (alike_count > AL_CLASS_FEW && possible)
        add_holders(made, alike, first, alike_count);
}

/* The one that the hints name, if it is one of many and not listed for its own sake. */
static void add_named(draft *made)
{
    const allot_executor *executor = made->price->executor;
    const char *named = al_terms_of(made->price->task)->place_id;
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; named && i < count; i++) {
        al_place *place = executor->places[i];
        if (strcmp(place->id, named) == 0 && !is_listed(made, 0, place))
            add(made, place, NULL, place->alike->count);
    }
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

static void describe(al_record *record, const al_price *price, size_t count)
{
    allot_executor *executor = price->executor;
    const al_terms *terms = al_terms_of(price->task);
    const al_launch *launch = price->launch;
    record->snapshot = (allot_snapshot){
        .size = sizeof record->snapshot,
        .task = al_task_name(price->task),
        .type = allot_type_name(launch->type),
        .flops = launch->work.flops,
        .bytes = launch->work.bytes,
        .candidate_count = count,
        .candidates = record->candidates,
        .argument = "",
        .number = atomic_fetch_add_explicit(&executor->decisions, 1, memory_order_relaxed),
        .busy_s = (double)atomic_load_explicit(&executor->busy_ns, memory_order_relaxed) * 1e-9,
        .explored_s = (double)atomic_load_explicit(&executor->explored_ns, memory_order_relaxed) * 1e-9,
        .deadline_s = left_s(terms->deadline_ns, price->now_ns),
        .rank_s = al_rank_of(&al_terms_of(price->task)->node),
        .prefer = terms->prefer,
        .deterministic = launch->deterministic,
    };
    record->decision = (allot_decision){
        .size = sizeof record->decision,
        .task = record->snapshot.task,
        .type = record->snapshot.type,
        .flops = launch->work.flops,
        .bytes = launch->work.bytes,
        .candidate_count = count,
        .candidates = record->candidates,
        .chosen = -1,
        .why = "",
        .policy = allot_policy_name(executor->policy),
        .snapshot = &record->snapshot,
    };
}

al_record *al_record_create(const al_price *price)
{
    draft made;
    size_t classes = atomic_load_explicit(&price->executor->class_count, memory_order_acquire);
    draft_init(&made, price, classes);
    for (size_t i = 0; i < classes; i++)
        add_class(&made, price->executor->classes[i], i);
    al_sheet_give(made.sheet);
    add_named(&made);
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
