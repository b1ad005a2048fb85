/* A machine's description for users: allot/simulate.h. */
#include "places/sim/cost.h"
#include <allot/simulate.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const al_sim_machine *inside(const allot_machine *machine)
{
    return (const al_sim_machine *)machine;
}

allot_machine *allot_machine_load(const char *path)
{
    al_failure failure = { 0 };
    allot_status status;
    if (!path)
        return al_last_error(ALLOT_INVALID, "allot_machine_load: the path is NULL");
    al_sim_machine *machine = al_sim_machine_load(path, &status, &failure);
    return machine ? (allot_machine *)machine : al_last_error_take(status, &failure);
}

void allot_machine_destroy(allot_machine *machine)
{
    al_sim_machine_destroy((al_sim_machine *)machine);
}

const char *allot_machine_name(const allot_machine *machine)
{
    return machine ? inside(machine)->name : "";
}

size_t allot_machine_nodes(const allot_machine *machine)
{
    return machine ? inside(machine)->nodes : 0;
}

static void describe(const al_sim_class *class, size_t nodes, allot_machine_class *info)
{
    allot_machine_class whole = { .kind = class->kind,
                                  .count = class->count * nodes,
                                  .own_memory = class->own_memory,
                                  .memory_bytes = class->memory_bytes,
                                  .to_bytes_per_s = class->to.bytes_per_s,
                                  .from_bytes_per_s = class->from.bytes_per_s };
    snprintf(whole.name, sizeof whole.name, "%s", class->name);
    whole.size = info->size < sizeof whole ? info->size : sizeof whole;
    memcpy(info, &whole, whole.size);
}

size_t allot_machine_classes(const allot_machine *machine, allot_machine_class *infos, size_t capacity)
{
    if (!machine)
        return 0;
    const al_sim_machine *self = inside(machine);
    size_t stride = infos && capacity ? infos->size : 0; /* the caller's header may be older or newer */
    for (size_t i = 0; infos && i < self->class_count && i < capacity; i++)
        describe(&self->classes[i], self->nodes, (allot_machine_class *)((char *)infos + i * stride));
    return self->class_count;
}

size_t allot_machine_class_of(const allot_machine *machine, size_t place)
{
    size_t each = 0;
    if (!machine || place >= al_sim_machine_places(inside(machine)))
        return SIZE_MAX;
    const al_sim_machine *self = inside(machine);
    for (size_t i = 0; i < self->class_count; i++)
        each += self->classes[i].count;
    size_t found = 0;
    for (place %= each; place >= self->classes[found].count; found++)
        place -= self->classes[found].count;
    return found;
}

double allot_machine_run_s(const allot_machine *machine, size_t of_class, const char *kernel, allot_work work)
{
    if (!machine || !kernel || of_class >= inside(machine)->class_count)
        return INFINITY;
    const al_sim_class *class = &inside(machine)->classes[of_class];
    return class->launch_s + al_sim_cost_of(class, kernel, work).mean_s;
}
