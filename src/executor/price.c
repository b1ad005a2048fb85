#include "executor/price.h"
#include "executor/eligible.h"
#include "topology/distance.h"
#include <math.h>

/* ---- Once a launch ---- */

/* The first copy, but one's own, that has some of it. */
static const struct al_seen_copy *source_of(const al_whereabouts *where, const al_memory *but)
{
    for (size_t i = 0; i < where->count; i++)
        if (where->copies[i].memory != but && where->copies[i].lacks < where->bytes)
            return &where->copies[i];
    return NULL;
}

static double fetch_s(const struct al_seen_copy *source, size_t bytes)
{
    const al_place *owner = source ? source->memory->owner : NULL;
    return !owner || source->shares_pages ? 0 : al_class_link_s(owner->alike, AL_FROM_PLACE, bytes, 1);
}

static void add_read(al_price *price, const al_argument *argument)
{
    al_whereabouts *where = &price->reads[price->read_count];
    struct al_price_read *way = &price->ways[price->read_count];
    al_array_whereabouts(argument->view.array, argument->begin, argument->end, where);
    const struct al_seen_copy *source = where->host_lacks ? source_of(where, NULL) : NULL;
    way->source = source ? source->memory : NULL;
    way->fetch_s = fetch_s(source, where->host_lacks);
    price->read_bytes += (double)where->bytes;
    price->read_count++;
}

static void add_written(al_price *price, const al_argument *argument)
{
    allot_array *array = argument->view.array;
    double bytes = al_array_read_back_share(array) * (double)(argument->end - argument->begin);
    price->return_bytes += bytes;
    price->return_bytes_unshared += array->host_bytes ? 0 : bytes;
}

void al_price_begin(al_price *price, allot_executor *executor, const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    price->executor = executor;
    price->task = task;
    price->launch = launch;
    price->size = al_size_of(launch->work);
    price->page = al_book_page(&executor->book, launch->kernel->desc.name, launch->type);
    price->now_ns = al_terms_of(task)->at_once ? task->more->submitted_ns : al_task_now_ns(task);
    price->return_bytes = price->return_bytes_unshared = price->read_bytes = 0;
    price->read_count = 0;
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        if (!al_argument_is_array(argument) || argument->begin == argument->end)
            continue;
        if (argument->access & ALLOT_READ)
            add_read(price, argument);
        if (argument->access & ALLOT_WRITE)
            add_written(price, argument);
    }
    price->returns = price->return_bytes >= 1;
}

/* ---- Transfers ---- */

static const struct al_seen_copy *copy_in(const al_whereabouts *where, const al_memory *memory)
{
    for (size_t i = 0; i < where->count; i++)
        if (where->copies[i].memory == memory)
            return &where->copies[i];
    return NULL;
}

static size_t lacks(const al_whereabouts *where, al_memory *memory)
{
    const struct al_seen_copy *copy = copy_in(where, memory);
    if (copy)
        return copy->lacks;
    return where->has_pages && atomic_load_explicit(&memory->shares_host, memory_order_relaxed)
               ? 0
               : where->bytes;
}

/* To the host first, from wherever it is, of what it lacks too. */
static double first_s(const al_price *price, size_t index, const al_memory *memory, size_t bytes)
{
    const al_whereabouts *where = &price->reads[index];
    const struct al_price_read *way = &price->ways[index];
    if (!bytes || !way->source)
        return 0;
    if (bytes == where->host_lacks && way->source != memory)
        return way->fetch_s;
    return fetch_s(source_of(where, memory), bytes);
}

static double transfer_s(const al_price *price, const al_place *place)
{
    double seconds = 0;
    size_t bytes = 0, count = 0;
    for (size_t i = 0; i < price->read_count; i++) {
        const al_whereabouts *where = &price->reads[i];
        size_t own = place->memory ? lacks(where, place->memory) : where->host_lacks;
        seconds += first_s(price, i, place->memory, own < where->host_lacks ? own : where->host_lacks);
        bytes += place->memory ? own : 0;
        count += place->memory && own;
    }
    if (count)
        seconds += al_class_link_s(place->alike, AL_TO_PLACE, bytes, count);
    return seconds;
}

double al_price_return_s(const al_price *price, const al_place *place)
{
    if (!place->memory)
        return 0;
    bool shares = atomic_load_explicit(&place->memory->shares_host, memory_order_relaxed);
    double bytes = shares ? price->return_bytes_unshared : price->return_bytes;
    return bytes >= 1 ? al_class_link_s(place->alike, AL_FROM_PLACE, (uint64_t)bytes, 1) : 0;
}

/* What its reads cost more there because their node is another: of a device the copies, which take moved_s,
 * at most as many times longer as an access. */
static double far_s(const al_price *price, const al_place *place, double moved_s)
{
    const double node_bytes_per_s = 8e9; /* of one core, as the model's prior has it */
    int near = price->task->more->node;
    if (near < 0 || !place->node || near == place->node - 1)
        return 0;
    double ratio = al_distance_ratio(near, place->node - 1);
    return (ratio - 1) * (place->memory ? moved_s : price->read_bytes / (node_bytes_per_s * place->width));
}

double al_price_moving_s(const al_price *price, const al_place *place)
{
    double moved_s = transfer_s(price, place);
    return moved_s + far_s(price, place, moved_s);
}

/* ---- A place ---- */

int al_price_shared_workers(const al_price *price, const al_place *place)
{
    if (al_terms_of(price->task)->bound == ALLOT_IO_BOUND)
        return 0;
    int most = place->load->width;
    if (place->kind == ALLOT_INLINE)
        return 1;
    if (place->kind == ALLOT_OPENCL)
        return place->width < most ? place->width : most;
    size_t parts = al_launch_parts(price->launch, (size_t)place->width);
    return parts < (size_t)most ? (int)parts : most;
}

static al_model_entry *entry_of(const al_price *price, const al_place *place)
{
    return price->page ? al_page_entry(price->page, price->executor->model, place, price->launch->kernel)
                       : NULL;
}

/* Without an entry: memory was out. */
static void predict(const al_price *price, const al_place *place, al_model_entry *entry,
                    al_prediction *prediction)
{
    if (entry) {
        al_entry_predict(entry, &price->size, prediction);
        return;
    }
    al_model_key key = { .kernel = price->launch->kernel->desc.name,
                         .type = price->launch->type,
                         .place = place->id,
                         .kind = place->kind,
                         .workers = place->width,
                         .place_class = place->class_id };
    al_model_predict(price->executor->model, &key, price->launch->work, prediction);
}

al_sheet *al_price_sheet(const al_price *price)
{
    size_t classes = atomic_load_explicit(&price->executor->class_count, memory_order_acquire);
    return price->page ? al_sheet_take(&price->page->sheets, &price->size, classes * AL_CLASS_FEW) : NULL;
}

/* `sheet` NULL: it is kept in none. */
static void fill_row(const al_price *price, const al_place *place, al_sheet *sheet, al_sheet_row *row)
{
    al_model_entry *entry = entry_of(price, place);
    al_entry_marks marks = entry ? al_entry_marks_of(entry) : (al_entry_marks){ 0 };
    uint64_t changes = entry ? atomic_load_explicit(marks.changes, memory_order_acquire) : 0;
    al_prediction prediction;
    predict(price, place, entry, &prediction);
    *row = (al_sheet_row){ .place = entry ? place : NULL,
                           .mark = marks.changes,
                           .changes = changes,
                           .until = marks.until,
                           .samples = prediction.samples,
                           .run_s = prediction.run_s,
                           .low_s = prediction.low_s,
                           .high_s = prediction.high_s,
                           .spread = prediction.spread,
                           .compile_s = prediction.compile_s,
                           .launch_s = prediction.launch_s,
                           .launch_low_s = prediction.launch_low_s,
                           .id = place->id,
                           .alike = place->alike->name,
                           .index = (uint32_t)place->index,
                           .watts = place->alike->watts,
                           .kind = place->kind };
    if (sheet && entry)
        sheet->runs = marks.runs;
}

void al_price_of(const al_price *price, const al_place *place, al_sheet *sheet, al_sheet_row *row,
                 allot_candidate *candidate)
{
    al_sheet_row own;
    if (!row)
        fill_row(price, place, NULL, row = &own);
    else if (!al_sheet_holds(sheet, row, place))
        fill_row(price, place, sheet, row);
    al_price_row(price, place, row, candidate);
}

size_t al_price_holders(const al_price *price, al_place **holders, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < price->read_count; i++) {
        const al_whereabouts *where = &price->reads[i];
        for (size_t j = 0; j < where->count && count < capacity; j++)
            if (where->copies[j].lacks < where->bytes && where->copies[j].memory->owner)
                holders[count++] = where->copies[j].memory->owner;
    }
    return count;
}

/* ---- Where it is fastest ---- */

static uint64_t written_bytes(const al_launch *launch)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < launch->arg_count; i++)
        if (al_argument_is_array(&launch->args[i]) && launch->args[i].access & ALLOT_WRITE)
            bytes += launch->args[i].end - launch->args[i].begin;
    return bytes;
}

double al_price_least_s(allot_executor *executor, const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    al_price price = {
        .executor = executor, .task = task, .launch = launch, .size = al_size_of(launch->work)
    };
    price.page = al_book_page(&executor->book, launch->kernel->desc.name, launch->type);
    size_t classes = atomic_load_explicit(&executor->class_count, memory_order_acquire);
    double least_s = INFINITY;
    char room[AL_REASON_MAX];
    for (size_t i = 0; i < classes; i++) {
        al_class *alike = executor->classes[i];
        al_prediction prediction;
        if (al_eligible_not(alike->first, task, room))
            continue;
        predict(&price, alike->first, entry_of(&price, alike->first), &prediction);
        double move_s =
            alike->first->memory ? al_class_link_s(alike, AL_FROM_PLACE, written_bytes(launch), 1) : 0;
        least_s = fmin(least_s, prediction.run_s + move_s);
    }
    return isfinite(least_s) ? least_s : 0;
}
