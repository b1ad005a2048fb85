/* The order of launches: who must wait for whom, by the bytes of arrays that each declared to read or write.
 *
 * Of each range of an array that is in use it is known who writes it last and who reads it after that. A
 * reader waits for the last writers of what it overlaps, a writer for the readers too, and stands for them
 * from then on. So a launch costs by those that it waits for, however many others use the array.
 *
 * A node stands for one launch (or one mapping by the host). It becomes ready when all that it must wait for
 * is released; it is released when its own work is over. One lock orders the launches of the whole process,
 * so that launches with several arrays from several threads can never wait for each other in a circle, and
 * arrays outlive executors. */
#ifndef AL_EXECUTOR_GRAPH_H
#define AL_EXECUTOR_GRAPH_H

#include "core/array.h"
#include "executor/rank.h"

typedef struct al_node al_node;
typedef struct al_edge al_edge;
typedef struct al_turn al_turn;
typedef struct al_access al_access;

struct al_access {
    al_node *node;
    allot_array *array; /* held by the node's owner */
    size_t begin, end;
    bool writes;
    /* Guarded by the graph's lock: */
    al_turn *turn; /* of its range, where it is the writer or among the readers; NULL: released, or a later
                      writer stands for it */
    al_access *older, *newer; /* of the readers */
};

struct al_edge {
    al_edge *next;
    al_node *to;
};

struct al_node {
    _Atomic uint32_t waiting;     /* what it still waits for; starts at 1 for whoever sets it up */
    void (*ready)(al_node *node); /* called once, with no lock held, when `waiting` falls to 0 */
    al_node *next_ready;
    int priority;        /* of those that become ready together the greater goes first, */
    al_rank rank;        /* of equal ones that of the greater rank */
    al_edge *successors; /* guarded by the graph's lock */
    al_access *accesses;
    size_t access_count;
};

void al_node_init(al_node *node, void (*ready)(al_node *node), al_access *accesses, size_t access_count);

/* Puts the node behind every access in flight that conflicts with one of its own, in one step. False when
 * memory is out: then nothing was done. */
bool al_graph_add(al_node *node);

/* The node's work is over: takes its accesses out and lets its successors go. */
void al_graph_release(al_node *node);

/* One thing that the node waits for has come. Calls of `ready` do not nest: a long chain does not grow the
 * stack. */
void al_node_arrive(al_node *node);

/* The graph's lock, for the lists of mappings that arrays keep beside their accesses. */
void al_graph_lock(void);
void al_graph_unlock(void);

/* With the lock held: how many nodes have been added so far, and how many of them are not released. */
typedef struct al_graph_size {
    unsigned long added, inside;
} al_graph_size;
al_graph_size al_graph_size_locked(void);

#endif
