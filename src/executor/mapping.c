/* The host's own access to an array: a node in the graph like a launch's, granted when it is ready and
 * released by unmap. */
#include "base/clock.h"
#include "executor/graph.h"
#include "core/future.h"
#include <stdlib.h>

typedef struct al_mapping {
    al_node node; /* first */
    al_access access;
    _Atomic bool granted;
    pthread_t thread;
    allot_array *array;      /* held */
    struct al_mapping *next; /* newest first; guarded by the graph's lock */
} al_mapping;

static void grant(al_node *node)
{
    atomic_store(&((al_mapping *)node)->granted, true);
    al_epoch_bump();
}

static bool is_granted(void *of)
{
    return atomic_load(&((al_mapping *)of)->granted);
}

static al_mapping *create(allot_array *array, allot_access access)
{
    al_mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return NULL;
    mapping->access = (al_access){ .node = &mapping->node,
                                   .array = array,
                                   .end = array->size_bytes,
                                   .writes = (access & ALLOT_WRITE) != 0 };
    al_node_init(&mapping->node, grant, &mapping->access, array->size_bytes ? 1 : 0);
    mapping->thread = pthread_self();
    mapping->array = array;
    if (!al_graph_add(&mapping->node)) {
        free(mapping);
        return NULL;
    }
    allot_array_hold(array);
    return mapping;
}

static void destroy(al_mapping *mapping)
{
    al_graph_release(&mapping->node);
    allot_array_release(mapping->array);
    free(mapping);
}

static void link_mapping(al_mapping *mapping)
{
    al_graph_lock();
    mapping->next = mapping->array->mappings;
    mapping->array->mappings = mapping;
    al_graph_unlock();
}

void *allot_array_map(allot_array *array, allot_access access)
{
    if (al_forked())
        return al_last_error(ALLOT_FORKED, "allot_array_map: %s", allot_status_text(ALLOT_FORKED));
    if (!array || access < ALLOT_READ || access > ALLOT_READ_WRITE)
        return al_last_error(ALLOT_INVALID, "allot_array_map: %s",
                             array ? "not an access" : "the array is NULL");
    al_mapping *mapping = create(array, access);
    if (!mapping)
        return al_last_error(ALLOT_NO_MEMORY, "allot_array_map: out of memory");
    if (access & ALLOT_READ)
        al_array_host_waits(array);
    al_node_arrive(&mapping->node);
    al_wait_until(is_granted, mapping, INT64_MAX);
    if (access & ALLOT_READ)
        al_array_host_reads(array);
    al_failure failure = { 0 };
    allot_status status = al_array_acquire(array, NULL, 0, array->size_bytes, access, NULL, NULL, &failure);
    if (status != ALLOT_OK) {
        destroy(mapping);
        return al_last_error_take(status, &failure);
    }
    link_mapping(mapping);
    return array->host;
}

/* This thread's newest mapping, else the oldest one of any thread. */
static al_mapping *take_mapping(allot_array *array)
{
    al_mapping **chosen = NULL;
    al_graph_lock();
    for (al_mapping **link = &array->mappings; *link; link = &(*link)->next) {
        chosen = link;
        if (pthread_equal((*link)->thread, pthread_self()))
            break;
    }
    al_mapping *mapping = chosen ? *chosen : NULL;
    if (mapping)
        *chosen = mapping->next;
    al_graph_unlock();
    return mapping;
}

allot_status allot_array_unmap(allot_array *array)
{
    if (!array)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    al_mapping *mapping = take_mapping(array);
    if (!mapping)
        return ALLOT_INVALID;
    if (mapping->access.writes)
        al_array_publish(array, NULL, 0, array->size_bytes);
    destroy(mapping);
    return ALLOT_OK;
}
