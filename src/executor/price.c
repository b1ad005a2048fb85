#include "executor/price.h"
#include "topology/distance.h"
#include <math.h>

/* ---- Once a launch ---- */

static void add_read(al_price *price, const al_argument *argument)
{
    al_array_whereabouts(argument->view.array, argument->begin, argument->end,
                         &price->reads[price->read_count]);
    price->read_bytes += (double)price->reads[price->read_count].bytes;
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
    price->now_ns = al_task_now_ns(task);
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
}

/* ---- Transfers ---- */

static const struct al_seen_copy *copy_in(const al_whereabouts *where, const al_memory *memory)
{
    for (size_t i = 0; i < where->count; i++)
        if (where->copies[i].memory == memory)
            return &where->copies[i];
    return NULL;
}

/* From the first copy elsewhere that has some of it to the host. */
static double fetch_s(const al_whereabouts *where, const al_memory *but, size_t bytes)
{
    for (size_t i = 0; i < where->count; i++) {
        const struct al_seen_copy *copy = &where->copies[i];
        if (copy->memory == but || copy->lacks >= where->bytes)
            continue;
        const al_place *owner = copy->memory->owner;
        bool moves = !copy->shares_pages && owner && owner->alike->link;
        return moves ? al_model_link_s(owner->alike->link, AL_FROM_PLACE, bytes, 1) : 0;
    }
    return 0;
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

static double transfer_s(const al_price *price, const al_place *place)
{
    double seconds = 0;
    size_t bytes = 0, count = 0;
    for (size_t i = 0; i < price->read_count; i++) {
        const al_whereabouts *where = &price->reads[i];
        size_t own = place->memory ? lacks(where, place->memory) : where->host_lacks;
        size_t fetched = own < where->host_lacks ? own : where->host_lacks;
        if (fetched)
            seconds += fetch_s(where, place->memory, fetched);
        bytes += place->memory ? own : 0;
        count += place->memory && own;
    }
    if (count && place->alike->link)
        seconds += al_model_link_s(place->alike->link, AL_TO_PLACE, bytes, count);
    return seconds;
}

static double return_s(const al_price *price, const al_place *place)
{
    if (!place->memory || !place->alike->link)
        return 0;
    bool shares = atomic_load_explicit(&place->memory->shares_host, memory_order_relaxed);
    double bytes = shares ? price->return_bytes_unshared : price->return_bytes;
    return bytes >= 1 ? al_model_link_s(place->alike->link, AL_FROM_PLACE, (uint64_t)bytes, 1) : 0;
}

/* What its reads cost more there because their node is another. */
static double far_s(const al_price *price, const al_place *place)
{
    const double node_bytes_per_s = 8e9; /* of one core, as the model's prior has it */
    int near = price->task->more->node;
    if (!place->node || near < 0 || near == place->node - 1)
        return 0;
    double ratio = al_distance_ratio(near, place->node - 1);
    return (ratio - 1) * price->read_bytes / (node_bytes_per_s * place->width);
}

/* ---- A place ---- */

int al_price_workers(const al_price *price, const al_place *place)
{
    if (!place->shares_cpus)
        return 1;
    if (al_terms_of(price->task)->bound == ALLOT_IO_BOUND)
        return 0;
    int most = place->load->width;
    if (place->kind == ALLOT_INLINE)
        return 1;
    if (place->kind == ALLOT_OPENCL)
        return most;
    size_t parts = al_launch_parts(price->launch, (size_t)place->width);
    return parts < (size_t)most ? (int)parts : most;
}

static void predict(const al_price *price, const al_place *place, al_prediction *prediction)
{
    al_model *model = price->executor->model;
    al_model_entry *entry =
        price->page ? al_page_entry(price->page, model, place, price->launch->kernel) : NULL;
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
    al_model_predict(model, &key, price->launch->work, prediction);
}

void al_price_of(const al_price *price, const al_place *place, allot_candidate *candidate)
{
    al_prediction prediction;
    predict(price, place, &prediction);
    int64_t wait_ns = al_load_wait_ns(place->load, al_price_workers(price, place), price->now_ns);
    double begin_s = wait_ns ? 0 : prediction.launch_s; /* of those that queue it is hidden */
    candidate->watts = place->alike->watts;
    candidate->samples = prediction.samples;
    candidate->ready_s = (double)wait_ns * 1e-9;
    candidate->transfer_s = transfer_s(price, place) + far_s(price, place);
    candidate->compile_s = prediction.compile_s;
    candidate->run_s = prediction.run_s + begin_s;
    candidate->low_s = prediction.low_s + begin_s;
    candidate->high_s = prediction.high_s + begin_s;
    candidate->spread = prediction.spread;
    candidate->return_s = return_s(price, place);
    double beside_s = candidate->ready_s + candidate->transfer_s + candidate->compile_s + candidate->return_s;
    candidate->total_s = beside_s + candidate->run_s;
    candidate->bound_s = beside_s + candidate->low_s;
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
