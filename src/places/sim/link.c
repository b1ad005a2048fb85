/* Transfers: each link that bytes pass is theirs for as long as its rate needs, in the order in which they
 * were asked for. */
#include "places/sim/engine.h"
#include <math.h>

enum {
    HOPS_MAX = 6
};

typedef struct hop {
    al_sim_end *end;
    double bytes_per_s;
} hop;

typedef struct way {
    hop hops[HOPS_MAX];
    size_t count;
    double latency_s;
} way;

static void pass(way *by, al_sim_end *end, al_sim_rate rate)
{
    if (!(rate.bytes_per_s > 0))
        return;
    by->hops[by->count++] = (hop){ end, rate.bytes_per_s };
}

static size_t node_of(const al_sim_memory *memory)
{
    return memory ? memory->node : 0;
}

static bool is_device(const al_sim_memory *memory)
{
    return memory && memory->class;
}

/* The direct link between two devices; NULL: there is none. */
static const al_sim_link *link_between(const al_sim *sim, const al_sim_memory *from, const al_sim_memory *to)
{
    const al_sim_machine *machine = sim->machine;
    if (!is_device(from) || !is_device(to) || from->node != to->node)
        return NULL;
    for (size_t i = 0; i < machine->link_count; i++) {
        const al_sim_link *link = &machine->links[i];
        if (&machine->classes[link->from] == from->class && &machine->classes[link->to] == to->class)
            return link;
    }
    return NULL;
}

bool al_sim_direct(const al_sim *sim, const al_sim_memory *from, const al_sim_memory *to)
{
    return from->sim == sim && to->sim == sim &&
           (from->node != 0 || to->node != 0 || link_between(sim, from, to));
}

static way find_way(al_sim *sim, al_sim_memory *from, al_sim_memory *to)
{
    const al_sim_machine *machine = sim->machine;
    way found = { .count = 0 };
    const al_sim_link *link = link_between(sim, from, to);
    if (link) {
        pass(&found, &from->out, link->rate);
        pass(&found, &to->in, link->rate);
        found.latency_s = link->rate.latency_s;
        return found;
    }
    if (is_device(from)) {
        pass(&found, &from->out, from->class->from);
        pass(&found, &sim->nodes[from->node].bus, machine->bus);
        found.latency_s += from->class->from.latency_s;
    }
    if (node_of(from) != node_of(to)) {
        pass(&found, &sim->nodes[node_of(from)].out, machine->network);
        pass(&found, &sim->nodes[node_of(to)].in, machine->network);
        found.latency_s += machine->network.latency_s;
    }
    if (is_device(to)) {
        pass(&found, &sim->nodes[to->node].bus, machine->bus);
        pass(&found, &to->in, to->class->to);
        found.latency_s += to->class->to.latency_s;
    }
    return found;
}

static double slowest(const way *by)
{
    double rate = INFINITY;
    for (size_t i = 0; i < by->count; i++)
        rate = by->hops[i].bytes_per_s < rate ? by->hops[i].bytes_per_s : rate;
    return rate;
}

int64_t al_sim_transfer(al_sim *sim, al_sim_memory *from, al_sim_memory *to, size_t bytes,
                        int64_t earliest_ns, int64_t *start_ns)
{
    way by = find_way(sim, from, to);
    pthread_mutex_lock(&sim->lock);
    int64_t start = earliest_ns;
    for (size_t i = 0; i < by.count; i++)
        if (by.hops[i].end->free_ns > start)
            start = by.hops[i].end->free_ns;
    for (size_t i = 0; i < by.count; i++) {
        int64_t takes_ns = al_sim_ns((double)bytes / by.hops[i].bytes_per_s);
        by.hops[i].end->free_ns = start + takes_ns;
        by.hops[i].end->busy_ns += takes_ns;
    }
    pthread_mutex_unlock(&sim->lock);
    *start_ns = start;
    return start + al_sim_ns(by.latency_s + (double)bytes / slowest(&by));
}
