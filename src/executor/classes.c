#include "executor/classes.h"
#include "executor/learn.h"
#include <stdlib.h>
#include <string.h>

static const char *class_name(const al_place *place)
{
    return place->class_id ? place->class_id : place->id;
}

/* ---- Finding and making ---- */

/* What places of one class have in common: pools of different size are not alike. */
static bool belongs(const al_class *alike, const al_place *place)
{
    const al_place *other = alike->first;
    return strcmp(alike->name, class_name(place)) == 0 && other->kind == place->kind &&
           other->width == place->width && other->shares_cpus == place->shares_cpus &&
           other->only_by_name == place->only_by_name && other->node == place->node;
}

static al_class *find(const allot_executor *executor, const al_place *place)
{
    size_t count = atomic_load_explicit(&executor->class_count, memory_order_relaxed);
    for (size_t i = count; i-- > 0;) /* alike ones come one behind the other */
        if (belongs(executor->classes[i], place))
            return executor->classes[i];
    return NULL;
}

static double watts_of(const allot_executor *executor, const al_place *place)
{
    return place->kind == ALLOT_OPENCL && !place->shares_cpus ? executor->device_watts
                                                              : executor->core_watts * place->width;
}

static al_class *create(const allot_executor *executor, al_place *place)
{
    al_class *alike = calloc(1, sizeof *alike);
    if (!alike)
        return NULL;
    allot_place_info info = { .size = sizeof info };
    al_place_describe(place, &info);
    alike->name = class_name(place);
    alike->first = place;
    alike->memory_bytes = info.memory_bytes;
    alike->watts = watts_of(executor, place);
    alike->link = al_model_find_link(executor->model, alike->name);
    atomic_init(&alike->transfers, 1);
    return alike;
}

/* ---- Joining ---- */

static bool reserve(al_class *alike)
{
    if (alike->count < alike->capacity)
        return true;
    size_t capacity = alike->capacity ? 2 * alike->capacity : 1;
    al_spin_lock(&alike->ready.lock);
    al_place **members = realloc(alike->members, capacity * sizeof(al_place *));
    if (members) {
        alike->members = members;
        alike->capacity = capacity;
    }
    al_spin_unlock(&alike->ready.lock);
    return members != NULL;
}

/* A place that shares the CPUs has no load of its own to compete by. */
static bool join(al_class *alike, al_place *place)
{
    if (!reserve(alike))
        return false;
    place->alike = alike;
    al_spin_lock(&alike->ready.lock);
    alike->members[alike->count] = place; /* before it can win */
    al_spin_unlock(&alike->ready.lock);
    if (!al_ready_add(&alike->ready, &place->own_load))
        return false;
    al_spin_lock(&alike->ready.lock);
    alike->count++;
    al_spin_unlock(&alike->ready.lock);
    return true;
}

static void prepare(allot_executor *executor, al_place *place, size_t index)
{
    place->own_load.width = 1;
    place->load = place->shares_cpus ? &executor->cpus : &place->own_load;
    place->index = index;
    if (place->memory) {
        place->memory->owner = place;
        place->memory->observe = al_learn_transfer;
    }
}

bool al_executor_list(allot_executor *executor, al_place *place)
{
    size_t index = atomic_load_explicit(&executor->place_count, memory_order_relaxed);
    size_t classes = atomic_load_explicit(&executor->class_count, memory_order_relaxed);
    if (index == executor->place_capacity)
        return false;
    prepare(executor, place, index);
    al_class *known = find(executor, place), *alike = known ? known : create(executor, place);
    if (!alike || !join(alike, place)) {
        if (alike && !known) {
            free(alike->members);
            al_ready_fini(&alike->ready);
            free(alike);
        }
        return false;
    }
    executor->places[index] = place;
    if (!known) {
        executor->classes[classes] = alike;
        atomic_store_explicit(&executor->class_count, classes + 1, memory_order_release);
    }
    atomic_store_explicit(&executor->place_count, index + 1, memory_order_release);
    return true;
}

/* ---- Looking ---- */

size_t al_class_look(al_class *alike, al_place *worth[AL_CLASS_FEW], size_t *count)
{
    size_t looked = 1;
    al_spin_lock(&alike->ready.lock);
    *count = alike->count;
    if (alike->count > AL_CLASS_FEW)
        worth[0] = alike->members[alike->ready.winners[1]];
    else
        for (looked = 0; looked < alike->count; looked++)
            worth[looked] = alike->members[looked];
    al_spin_unlock(&alike->ready.lock);
    return looked;
}

/* ---- Links ---- */

/* Another question with the same hash gets this one's answer, once in a thousand million times. */
static uint32_t hash_of(const al_class *alike, al_direction direction, uint64_t bytes, uint64_t count)
{
    uint64_t version = atomic_load_explicit(&((al_class *)alike)->transfers, memory_order_relaxed);
    uint64_t question = (bytes << 1 | (direction == AL_FROM_PLACE)) ^ count << 48 ^ version << 32;
    return (uint32_t)(question * UINT64_C(0x9e3779b97f4a7c15) >> 32) | 1; /* 0 is no answer */
}

double al_class_link_s(al_class *alike, al_direction direction, uint64_t bytes, uint64_t count)
{
    if (!alike->link || !bytes)
        return 0;
    uint32_t hash = hash_of(alike, direction, bytes, count), bits;
    _Atomic uint64_t *answer = &alike->answers[hash >> 29];
    uint64_t last = atomic_load_explicit(answer, memory_order_relaxed);
    float seconds;
    if (last >> 32 == hash) {
        bits = (uint32_t)last;
        memcpy(&seconds, &bits, sizeof seconds);
        return (double)seconds;
    }
    seconds = (float)al_model_link_s(alike->link, direction, bytes, count);
    memcpy(&bits, &seconds, sizeof bits);
    atomic_store_explicit(answer, (uint64_t)hash << 32 | bits, memory_order_relaxed);
    return (double)seconds;
}

void al_class_learn_link(al_class *alike, al_direction direction, uint64_t bytes, uint64_t count,
                         double seconds)
{
    if (!alike->link)
        return;
    al_model_link_learn(alike->link, direction, bytes, count, seconds);
    atomic_fetch_add_explicit(&alike->transfers, 1, memory_order_relaxed);
}

void al_classes_fini(allot_executor *executor)
{
    size_t count = atomic_load(&executor->class_count);
    for (size_t i = 0; i < count; i++) {
        free(executor->classes[i]->members);
        al_ready_fini(&executor->classes[i]->ready);
        free(executor->classes[i]);
    }
    free(executor->classes);
}
