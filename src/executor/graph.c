#include "executor/graph.h"
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards every array's turns, every node's
                                                            successors and rank, and the size */
static al_graph_size graph_size;

void al_graph_lock(void)
{
    pthread_mutex_lock(&lock);
}

void al_graph_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

al_graph_size al_graph_size_locked(void)
{
    return graph_size;
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
    bool unsorted; /* some have a priority or a rank, and came since they were sorted */
} pending __attribute__((tls_model("initial-exec")));

static bool goes_before(const al_node *one, const al_node *other)
{
    if (one->priority != other->priority)
        return one->priority > other->priority;
    return one->rank.rank_s >= other->rank.rank_s;
}

static al_node *merge(al_node *one, al_node *other)
{
    al_node *first = NULL, **link = &first;
    while (one && other) {
        al_node **from = goes_before(one, other) ? &one : &other;
        *link = *from;
        link = &(*from)->next_ready;
        *from = (*from)->next_ready;
    }
    *link = one ? one : other;
    return first;
}

/* Those of equal priority and rank stay in their order. `count` nodes, of which there are more than none. */
static al_node *sorted(al_node *first, size_t count)
{
    if (count < 2)
        return first;
    al_node *before = first;
    for (size_t i = 1; i < count / 2; i++)
        before = before->next_ready;
    al_node *second = before->next_ready;
    before->next_ready = NULL;
    return merge(sorted(first, count / 2), sorted(second, count - count / 2));
}

/* Several have become ready together: by priority, and by rank where the policy wants that. */
static void sort_pending(void)
{
    size_t count = 0;
    if (!pending.unsorted)
        return;
    pending.unsorted = false;
    for (al_node *node = pending.first; node; node = node->next_ready, count++)
        al_rank_of(node);
    if (count < 2)
        return;
    pending.first = sorted(pending.first, count);
    for (pending.last = pending.first; pending.last->next_ready;)
        pending.last = pending.last->next_ready;
}

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
    /* acquire and acq_rel: what released predecessors did happens before ready(). The last one is alone. */
    if (atomic_load_explicit(&node->waiting, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&node->waiting, 1, memory_order_acq_rel) != 1)
        return;
    node->next_ready = NULL;
    pending.unsorted = pending.unsorted || node->rank.wanted || node->priority != 0;
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

/* One range of an array, and those that use it. */
struct al_turn {
    al_span span;       /* first */
    al_access *writer;  /* the last one, if it is not released */
    al_access *readers; /* since then, newest first, that are not released */
    size_t expected;    /* accesses that are about to stand in it */
};

static bool is_unused(const al_span *span)
{
    const al_turn *turn = (const al_turn *)span;
    return !turn->writer && !turn->readers && !turn->expected;
}

/* An access that waits for the last writer of a turn and, if it writes, for its readers. */
static bool wait_for_turn(al_span *span, void *of)
{
    al_turn *turn = (al_turn *)span;
    const al_access *access = of;
    if (turn->writer && turn->writer->node != access->node && !connect(turn->writer->node, access->node))
        return false;
    for (al_access *reader = turn->readers; access->writes && reader; reader = reader->older)
        if (reader->node != access->node && !connect(reader->node, access->node))
            return false;
    return true;
}

static bool visit_turns(al_access *access, bool (*visit)(al_span *span, void *of))
{
    return al_spans_visit(&access->array->turns, access->begin, access->end, visit, access);
}

/* The turn that it will stand in is made first, so that all that can fail is over before anybody waits. */
static bool wait_for_conflicts(al_access *access)
{
    al_spans *turns = &access->array->turns;
    access->turn = al_spans_have(turns, access->begin, access->end, sizeof(al_turn), is_unused);
    if (!access->turn)
        return false;
    access->turn->expected++;
    return visit_turns(access, wait_for_turn);
}

static void leave_turn(al_access *access)
{
    al_turn *turn = access->turn;
    access->turn = NULL;
    if (!turn)
        return;
    if (turn->writer == access) {
        turn->writer = NULL;
        return;
    }
    if (access->older)
        access->older->newer = access->newer;
    if (access->newer)
        access->newer->older = access->older;
    else
        turn->readers = access->older;
}

/* A writer of all of a turn's bytes stands for everybody in it: it waits for them. */
static bool take_over(al_span *span, void *of)
{
    al_turn *turn = (al_turn *)span;
    const al_access *access = of;
    if (span->begin < access->begin || span->end > access->end)
        return true;
    if (turn->writer)
        leave_turn(turn->writer);
    while (turn->readers)
        leave_turn(turn->readers);
    return true;
}

static void take_turn(al_access *access)
{
    al_turn *turn = access->turn;
    turn->expected--;
    if (access->writes) {
        visit_turns(access, take_over);
        turn->writer = access;
        return;
    }
    access->newer = NULL;
    access->older = turn->readers;
    if (access->older)
        access->older->newer = access;
    turn->readers = access;
}

/* Takes back the edges to a node that could not be added whole: they are the newest of its predecessor. */
static void disconnect_from(al_node *from, al_node *node)
{
    for (al_edge *edge; (edge = from->successors) && edge->to == node;) {
        from->successors = edge->next;
        atomic_fetch_sub_explicit(&node->waiting, 1, memory_order_relaxed);
        free(edge);
    }
}

static bool disconnect_turn(al_span *span, void *of)
{
    const al_turn *turn = (const al_turn *)span;
    const al_access *access = of;
    if (turn->writer)
        disconnect_from(turn->writer->node, access->node);
    for (al_access *reader = turn->readers; reader; reader = reader->older)
        disconnect_from(reader->node, access->node);
    return true;
}

static void take_back(al_access *access)
{
    visit_turns(access, disconnect_turn);
    if (access->turn)
        access->turn->expected--;
    access->turn = NULL;
}

static bool is_counted(const al_node *node)
{
    return node->access_count || node->rank.wanted;
}

bool al_graph_add(al_node *node)
{
    bool added = true;
    if (!is_counted(node))
        return true;
    al_graph_lock();
    for (size_t i = 0; added && i < node->access_count; i++)
        added = wait_for_conflicts(&node->accesses[i]);
    for (size_t i = 0; i < node->access_count; i++)
        (added ? take_turn : take_back)(&node->accesses[i]);
    if (added) {
        graph_size.added++;
        graph_size.inside++;
    }
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
    if (!is_counted(node))
        return;
    al_graph_lock();
    for (size_t i = 0; i < node->access_count; i++)
        leave_turn(&node->accesses[i]);
    al_edge *edges = node->successors;
    node->successors = NULL;
    graph_size.inside--;
    al_graph_unlock();
    edges = in_order(edges);
    bool outer = !pending.running;
    pending.running = true; /* all of them come before the first goes */
    while (edges) {
        al_edge *edge = edges;
        edges = edge->next;
        al_node_arrive(edge->to);
        free(edge);
    }
    sort_pending();
    if (outer)
        run_pending();
}
