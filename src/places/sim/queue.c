/* A device's queue: a binary heap, the highest priority first, then the most urgent by the policy (its rank),
 * then the first that came. */
#include "places/sim/engine.h"
#include <stdint.h>
#include <stdlib.h>

enum {
    FIRST_CAPACITY = 16
};

bool al_sim_comes_before(const al_sim_item *a, const al_sim_item *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->urgency != b->urgency ? a->urgency > b->urgency : a->order < b->order;
}

static void put(al_sim_device *device, size_t at, al_sim_item *item)
{
    device->queue[at] = item;
    item->at = at;
}

static void rise(al_sim_device *device, size_t at, al_sim_item *item)
{
    while (at && al_sim_comes_before(item, device->queue[(at - 1) / 2])) {
        put(device, at, device->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(device, at, item);
}

static void sink(al_sim_device *device, size_t at, al_sim_item *item)
{
    for (size_t child; (child = 2 * at + 1) < device->queued; at = child) {
        if (child + 1 < device->queued && al_sim_comes_before(device->queue[child + 1], device->queue[child]))
            child++;
        if (!al_sim_comes_before(device->queue[child], item))
            break;
        put(device, at, device->queue[child]);
    }
    put(device, at, item);
}

bool al_sim_queue_push(al_sim_device *device, al_sim_item *item)
{
    if (device->queued == device->queue_capacity) {
        size_t capacity = device->queue_capacity ? 2 * device->queue_capacity : FIRST_CAPACITY;
        al_sim_item **queue = realloc(device->queue, capacity * sizeof *queue);
        if (!queue)
            return false;
        device->queue = queue;
        device->queue_capacity = capacity;
    }
    rise(device, device->queued++, item);
    return true;
}

void al_sim_queue_remove(al_sim_device *device, al_sim_item *item)
{
    size_t at = item->at;
    al_sim_item *last = device->queue[--device->queued];
    item->at = SIZE_MAX;
    if (last == item)
        return;
    if (at && al_sim_comes_before(last, device->queue[(at - 1) / 2]))
        rise(device, at, last);
    else
        sink(device, at, last);
}

al_sim_item *al_sim_queue_pop(al_sim_device *device)
{
    al_sim_item *first = device->queued ? device->queue[0] : NULL;
    if (first)
        al_sim_queue_remove(device, first);
    return first;
}
