#include "topology/layout.h"
#include <math.h>
#include <stdlib.h>

int al_layout_default_workers(const al_cpu_list *list, double quota_cpus)
{
    int count = list->count > 0 ? list->count : 1;
    return quota_cpus > 0 && quota_cpus < count ? (int)ceil(quota_cpus) : count;
}

/* ---- Homes ---- */

/* The next band in the order of filling after (efficiency, sibling): first all first hardware threads of the
 * fastest kind, then of the next kind, and so on to the slowest; then all second ones, fastest first. */
static bool comes_before(const al_cpu *a, const al_cpu *b)
{
    return a->sibling != b->sibling ? a->sibling < b->sibling : a->efficiency > b->efficiency;
}

/* The first of the list in the band after that of `last` (NULL: in the first band); NULL: there is none. */
static const al_cpu *first_of_next_band(const al_cpu_list *list, const al_cpu *last)
{
    const al_cpu *first = NULL;
    for (int i = 0; i < list->count; i++) {
        const al_cpu *cpu = &list->cpus[i];
        if ((!last || comes_before(last, cpu)) && (!first || comes_before(cpu, first)))
            first = cpu;
    }
    return first;
}

/* Appends the CPUs of the same band as `of`, as far as there is room. */
static int fill_band(al_layout *layout, int filled, const al_cpu_list *list, const al_cpu *of)
{
    for (int i = 0; i < list->count && filled < layout->workers; i++) {
        const al_cpu *cpu = &list->cpus[i];
        if (cpu->sibling == of->sibling && cpu->efficiency == of->efficiency)
            layout->homes[filled++] = *cpu;
    }
    return filled;
}

al_layout *al_layout_create(const al_cpu_list *list, int workers)
{
    static const al_cpu unknown = { -1, 0, -1, -1, -1, -1, -1, 0 };
    al_layout *layout = malloc(sizeof *layout + (size_t)workers * sizeof layout->homes[0]);
    if (!layout)
        return NULL;
    layout->workers = workers;
    int filled = 0;
    for (const al_cpu *band = NULL; filled < workers && (band = first_of_next_band(list, band));)
        filled = fill_band(layout, filled, list, band);
    for (int once = filled; filled < workers; filled++)
        layout->homes[filled] = once ? layout->homes[filled % once] : unknown;
    return layout;
}

/* ---- Neighbours ---- */

static bool shared(int a, int b)
{
    return a >= 0 && a == b;
}

al_distance al_layout_distance(const al_layout *layout, int worker, int other)
{
    const al_cpu *a = &layout->homes[worker], *b = &layout->homes[other];
    if (shared(a->number, b->number))
        return AL_SAME_CPU;
    if (shared(a->core, b->core))
        return AL_SAME_CORE;
    if (shared(a->l2, b->l2) || shared(a->l3, b->l3))
        return AL_SAME_CACHE;
    if (shared(a->numa_node, b->numa_node))
        return AL_SAME_NODE;
    return shared(a->package, b->package) ? AL_SAME_PACKAGE : AL_FAR;
}

/* Appends those at one distance, beginning with the one whose rank among them is the worker's own number: if
 * each began with the first, all workers of a package would try the same worker of the next. */
static int append_at(const al_layout *layout, int worker, al_distance distance, uint16_t *order, int count)
{
    int size = 0;
    for (int other = 0; other < layout->workers; other++)
        size += other != worker && al_layout_distance(layout, worker, other) == distance;
    if (size == 0)
        return count;
    int at = size - worker % size; /* so that the one of rank worker % size comes first */
    for (int other = 0; other < layout->workers; other++)
        if (other != worker && al_layout_distance(layout, worker, other) == distance)
            order[count + at++ % size] = (uint16_t)other;
    return count + size;
}

void al_layout_order(const al_layout *layout, int worker, uint16_t *order, int *ends)
{
    int count = 0;
    for (al_distance distance = AL_SAME_CPU; distance < AL_DISTANCES; distance++) {
        count = append_at(layout, worker, distance, order, count);
        if (ends)
            ends[distance] = count;
    }
}
