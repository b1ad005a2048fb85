/* A simulated machine from its file to its places, and back. */
#include "places/sim/sim.h"
#include "places/sim/engine.h"
#include <stdio.h>
#include <stdlib.h>

/* Of devices that build nothing: known not to, which 0 is not. */
#define NO_BUILD_S 1e-9

/* ---- Making it ---- */

static bool has_own_node_memory(const al_sim *sim, size_t node)
{
    for (size_t i = 0; node && i < sim->machine->class_count; i++)
        if (!sim->machine->classes[i].own_memory)
            return true;
    return false;
}

static al_sim_memory *create_memory(al_sim *sim, const al_sim_class *class, size_t node)
{
    al_sim_memory *memory = malloc(sizeof *memory);
    if (memory)
        al_sim_memory_init(memory, sim, class, node);
    return memory;
}

static bool create_nodes(al_sim *sim)
{
    sim->nodes = calloc(sim->machine->nodes, sizeof *sim->nodes);
    bool there = sim->nodes != NULL;
    for (size_t i = 0; there && i < sim->machine->nodes; i++)
        if (has_own_node_memory(sim, i))
            there = (sim->nodes[i].memory = create_memory(sim, NULL, i)) != NULL;
    return there;
}

/* Takes the machine over, also when memory is out. */
static al_sim *create(al_sim_machine *machine, uint64_t seed)
{
    al_sim *sim = calloc(1, sizeof *sim);
    if (!sim) {
        al_sim_machine_destroy(machine);
        return NULL;
    }
    size_t count = al_sim_machine_places(machine);
    sim->machine = machine;
    sim->seed = seed ? seed : machine->seed;
    atomic_init(&sim->now_ns, 1);
    pthread_mutex_init(&sim->lock, NULL);
    sim->events = calloc(count, sizeof(al_sim_device *));
    sim->devices = calloc(count, sizeof(al_sim_device *));
    if (sim->events && sim->devices && create_nodes(sim))
        return sim;
    al_sim_discard(sim);
    return NULL;
}

al_sim *al_sim_open(const char *path, uint64_t seed, allot_status *status, al_failure *failure)
{
    al_sim_machine *machine = al_sim_machine_load(path, status, failure);
    if (!machine)
        return NULL;
    al_sim *sim = create(machine, seed);
    if (!sim)
        *status = al_failure_set(failure, ALLOT_NO_MEMORY, "%s: out of memory", path);
    return sim;
}

static void destroy_memory(al_sim_memory *memory)
{
    if (!memory)
        return;
    al_memory_fini(&memory->base);
    free(memory);
}

void al_sim_discard(al_sim *sim)
{
    if (!sim)
        return;
    for (size_t i = 0; sim->nodes && i < sim->machine->nodes; i++)
        destroy_memory(sim->nodes[i].memory);
    while (sim->unused) {
        al_sim_item *item = sim->unused;
        sim->unused = item->next;
        free(item);
    }
    free(sim->nodes);
    free(sim->events);
    free(sim->devices);
    pthread_mutex_destroy(&sim->lock);
    al_sim_machine_destroy(sim->machine);
    free(sim);
}

/* ---- Its places ---- */

/* "gpu" if there is but one, "gpu:3", "n12/gpu:3". */
static const char *place_id(const al_sim *sim, const al_sim_class *class, size_t node, size_t index)
{
    char id[64]; /* by the reader's limits at most 31 bytes */
    if (sim->machine->nodes > 1)
        snprintf(id, sizeof id, "n%zu/%s:%zu", node, class->name, index);
    else if (class->count > 1)
        snprintf(id, sizeof id, "%s:%zu", class->name, index);
    else
        snprintf(id, sizeof id, "%s", class->name);
    return al_intern(id);
}

static al_sim_device *create_device(al_sim *sim, const al_sim_class *class, size_t node, size_t index)
{
    al_sim_device *device = al_place_allocate(sizeof *device);
    if (!device)
        return NULL;
    char class_id[100];
    snprintf(class_id, sizeof class_id, "simulated:%s/%s", sim->machine->name, class->name);
    device->base.ops = &al_sim_ops;
    device->base.kind = class->kind;
    device->base.id = place_id(sim, class, node, index);
    device->base.class_id = al_intern(class_id);
    device->base.width = class->width;
    device->base.runs_all_c = class->memory_bytes <= 0;
    device->base.compile_s = class->compile_s > 0 ? class->compile_s : NO_BUILD_S;
    device->sim = sim;
    device->class = class;
    device->number = sim->device_count;
    device->index = node * class->count + index;
    device->node = node;
    device->death_ns = al_sim_death_ns(class, device->index);
    device->event_at = SIZE_MAX;
    device->owns_memory = class->own_memory;
    device->memory = class->own_memory ? create_memory(sim, class, node) : sim->nodes[node].memory;
    if (class->own_memory && !device->memory) {
        free(device);
        return NULL;
    }
    device->base.memory = device->memory ? &device->memory->base : NULL;
    return device;
}

static void destroy_device(al_sim_device *device)
{
    if (device->owns_memory)
        destroy_memory(device->memory);
    free(device->queue);
    free(device->compiled);
    free(device);
}

static bool create_class(al_sim *sim, const al_sim_class *class, size_t node, al_place **places)
{
    for (size_t i = 0; i < class->count; i++) {
        al_sim_device *device = create_device(sim, class, node, i);
        if (!device)
            return false;
        places[sim->device_count] = &device->base;
        sim->devices[sim->device_count++] = device;
    }
    return true;
}

size_t al_sim_place_count(const al_sim *sim)
{
    return al_sim_machine_places(sim->machine);
}

bool al_sim_places(al_sim *sim, al_place **places)
{
    bool made = true;
    for (size_t node = 0; made && node < sim->machine->nodes; node++)
        for (size_t i = 0; made && i < sim->machine->class_count; i++)
            made = create_class(sim, &sim->machine->classes[i], node, places);
    while (!made && sim->device_count)
        destroy_device(sim->devices[--sim->device_count]);
    sim->open_count = sim->device_count;
    if (made)
        al_sim_list(sim);
    return made;
}

/* What happened here last, a task that was cancelled, may not have been looked at. */
static void forget_touched(al_sim *sim, al_sim_device *device)
{
    pthread_mutex_lock(&sim->lock);
    al_sim_device *before = NULL, *each = device->touched ? sim->touched : NULL;
    for (; each && each != device; each = each->next_touched)
        before = each;
    if (each)
        *(before ? &before->next_touched : &sim->touched) = device->next_touched;
    if (each && sim->last_touched == device)
        sim->last_touched = before;
    device->touched = false;
    pthread_mutex_unlock(&sim->lock);
}

void al_sim_close_device(al_sim_device *device)
{
    al_sim *sim = device->sim;
    forget_touched(sim, device);
    destroy_device(device);
    if (--sim->open_count)
        return;
    al_sim_unlist(sim);
    al_sim_discard(sim);
}

const _Atomic int64_t *al_sim_clock(const al_sim *sim)
{
    return &sim->now_ns;
}

void al_sim_hold_time(al_sim *sim, bool (*may_pass)(void *of), void *of)
{
    sim->may_pass = may_pass;
    sim->may_pass_of = of;
}

void al_sim_set_alarms(al_sim *sim, int64_t (*next_ns)(void *of), void (*ring)(void *of, int64_t now_ns),
                       void *of)
{
    pthread_mutex_lock(&sim->lock);
    sim->next_alarm_ns = next_ns;
    sim->ring = ring;
    sim->alarms_of = of;
    pthread_mutex_unlock(&sim->lock);
}
