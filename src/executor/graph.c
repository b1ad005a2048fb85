#include "executor/graph.h"
#include <stdlib.h>

struct al_edge {
    al_edge *next;
    al_node *to;
};

static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards every array's accesses and every node's successors */

void al_graph_lock(void)
{
    pthread_mutex_lock(&lock);
}

void al_graph_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void al_node_init(al_node *node, void (*ready)(al_node *node), al_access *accesses, size_t access_count)
{
    *node = (al_node){ .ready = ready, .accesses = accesses, .access_count = access_count };
    atomic_init(&node->waiting, 1);
}

/* ---- Readiness ---- */

/* Nodes that are ready, in order, and wait for the outer call to come to them. */
static _Thread_local struct {
    al_node *first, *last;
    bool running;
} pending;

static void run_pending(void)
{
    pending.running = true;
    while (pending.first) {
        al_node *node = pending.first;
        pending.first = node->next_ready;
        node->ready(node); /* may free it */
    }
    pending.running = false;
}

void al_node_arrive(al_node *node)
{
    /* acq_rel: what released predecessors did happens before ready(). */
    if (atomic_fetch_sub_explicit(&node->waiting, 1, memory_order_acq_rel) != 1)
        return;
    node->next_ready = NULL;
    if (pending.first)
        pending.last->next_ready = node;
    else
        pending.first = node;
    pending.last = node;
    if (!pending.running)
        run_pending();
}

/* ---- Adding ---- */

static bool connect(al_node *from, al_node *to)
{
    if (from->successors && from->successors->to == to)
        return true; /* two accesses of the same pair of launches */
    al_edge *edge = malloc(sizeof *edge);
    if (!edge)
        return false;
    *edge = (al_edge){ from->successors, to };
    from->successors = edge;
    atomic_fetch_add_explicit(&to->waiting, 1, memory_order_relaxed);
    return true;
}

/* Walks back in time. A writer of all these bytes stands for everything before it, which it waits for itself.
 */
static bool wait_for_conflicts(al_access *access)
{
    for (al_access *other = access->array->accesses; other; other = other->older) {
        bool overlaps = other->begin < access->end && access->begin < other->end;
        if (!overlaps || other->node == access->node || !(access->writes || other->writes))
            continue;
        if (!connect(other->node, access->node))
            return false;
        if (other->writes && other->begin <= access->begin && other->end >= access->end)
            break;
    }
    return true;
}

static void link_access(al_access *access)
{
    access->newer = NULL;
    access->older = access->array->accesses;
    if (access->older)
        access->older->newer = access;
    access->array->accesses = access;
}

static void unlink_access(al_access *access)
{
    if (access->older)
        access->older->newer = access->newer;
    if (access->newer)
        access->newer->older = access->older;
    else
        access->array->accesses = access->older;
}

/* Takes back the edges to a node that could not be added whole: each is the newest of its predecessor. */
static void disconnect(al_node *node)
{
    for (size_t i = 0; i < node->access_count; i++) {
        for (al_access *other = node->accesses[i].array->accesses; other; other = other->older) {
            al_edge *edge = other->node->successors;
            if (edge && edge->to == node) {
                other->node->successors = edge->next;
                atomic_fetch_sub_explicit(&node->waiting, 1, memory_order_relaxed);
                free(edge);
            }
        }
    }
}

bool al_graph_add(al_node *node)
{
    bool added = true;
    al_graph_lock();
    for (size_t i = 0; added && i < node->access_count; i++)
        added = wait_for_conflicts(&node->accesses[i]);
    for (size_t i = 0; added && i < node->access_count; i++)
        link_access(&node->accesses[i]);
    if (!added)
        disconnect(node);
    al_graph_unlock();
    return added;
}

/* Edges are kept newest first; who came first should go first. */
static al_edge *in_order(al_edge *newest)
{
    al_edge *first = NULL;
    while (newest) {
        al_edge *next = newest->next;
        newest->next = first;
        first = newest;
        newest = next;
    }
    return first;
}

void al_graph_release(al_node *node)
{
    if (!node->access_count)
        return;
    al_graph_lock();
    for (size_t i = 0; i < node->access_count; i++)
        unlink_access(&node->accesses[i]);
    al_edge *edges = node->successors;
    node->successors = NULL;
    al_graph_unlock();
    edges = in_order(edges);
    while (edges) {
        al_edge *edge = edges;
        edges = edge->next;
        al_node_arrive(edge->to);
        free(edge);
    }
}
