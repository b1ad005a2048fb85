#include "scenario.h"

#include <stdlib.h>
#include <string.h>

void al_scenario_free(al_scenario *scenario)
{
    free(scenario->arrays);
    free(scenario->kernels);
    free(scenario->tasks);
    free(scenario->uses);
    free(scenario->afters);
    *scenario = (al_scenario){ .no_memory = false };
}

/* Room for `more` after `count`; false: the scenario is not whole. */
static bool have_room(al_scenario *scenario, void *items, size_t size, size_t *room, size_t count,
                      size_t more)
{
    void **list = items;
    if (scenario->no_memory || count + more <= *room)
        return !scenario->no_memory;
    size_t wanted = 2 * *room + more + 64;
    void *larger = count + more < UINT32_MAX ? realloc(*list, wanted * size) : NULL;
    scenario->no_memory = !larger;
    if (!larger)
        return false;
    *list = larger;
    *room = wanted;
    return true;
}

uint32_t al_scenario_array(al_scenario *scenario, double bytes)
{
    if (!have_room(scenario, &scenario->arrays, sizeof *scenario->arrays, &scenario->array_room,
                   scenario->array_count, 1))
        return 0;
    scenario->arrays[scenario->array_count] = bytes < 1 ? 1 : bytes < 1e15 ? (uint64_t)bytes : (uint64_t)1e15;
    return (uint32_t)scenario->array_count++;
}

static allot_access access_of(char letter)
{
    return letter == 'r' ? ALLOT_READ : letter == 'w' ? ALLOT_WRITE : ALLOT_READ_WRITE;
}

static bool is_same(const al_scenario_kernel *kernel, const al_scenario_kernel *other)
{
    return strcmp(kernel->name, other->name) == 0 && kernel->access_count == other->access_count &&
           memcmp(kernel->accesses, other->accesses, sizeof kernel->accesses) == 0;
}

uint32_t al_scenario_kernel_of(al_scenario *scenario, const char *name, const char *pattern)
{
    al_scenario_kernel wanted = { .access_count = 0 };
    snprintf(wanted.name, sizeof wanted.name, "%s", name);
    for (; pattern[wanted.access_count] && wanted.access_count < AL_SCENARIO_ACCESSES; wanted.access_count++)
        wanted.accesses[wanted.access_count] = access_of(pattern[wanted.access_count]);
    for (size_t i = 0; i < scenario->kernel_count; i++)
        if (is_same(&scenario->kernels[i], &wanted))
            return (uint32_t)i;
    if (!have_room(scenario, &scenario->kernels, sizeof wanted, &scenario->kernel_room,
                   scenario->kernel_count, 1))
        return 0;
    scenario->kernels[scenario->kernel_count] = wanted;
    return (uint32_t)scenario->kernel_count++;
}

static double bytes_of(const al_scenario *scenario, const al_scenario_kernel *kernel, const uint32_t *arrays)
{
    double bytes = 0;
    for (size_t i = 0; i < kernel->access_count; i++)
        bytes += (kernel->accesses[i] == ALLOT_READ_WRITE ? 2 : 1) * (double)scenario->arrays[arrays[i]];
    return bytes;
}

uint32_t al_scenario_launch(al_scenario *scenario, uint32_t kernel, double flops, double bytes,
                            const uint32_t *arrays)
{
    if (scenario->no_memory)
        return 0;
    const al_scenario_kernel *of = &scenario->kernels[kernel];
    if (!have_room(scenario, &scenario->tasks, sizeof *scenario->tasks, &scenario->task_room,
                   scenario->task_count, 1) ||
        !have_room(scenario, &scenario->uses, sizeof *scenario->uses, &scenario->use_room,
                   scenario->use_count, of->access_count))
        return 0;
    scenario->tasks[scenario->task_count] =
        (al_scenario_task){ .kernel = kernel,
                            .flops = flops,
                            .bytes = bytes > 0 ? bytes : bytes_of(scenario, of, arrays),
                            .first_use = scenario->use_count,
                            .first_after = scenario->after_count };
    for (size_t i = 0; i < of->access_count; i++)
        scenario->uses[scenario->use_count++] = arrays[i];
    return (uint32_t)scenario->task_count++;
}

void al_scenario_after(al_scenario *scenario, uint32_t task)
{
    if (!have_room(scenario, &scenario->afters, sizeof *scenario->afters, &scenario->after_room,
                   scenario->after_count, 1))
        return;
    scenario->afters[scenario->after_count++] = task;
    scenario->tasks[scenario->task_count - 1].after_count++;
}
