#include "places/load.h"
#include <stdlib.h>

/* Sums of predictions that may be absurd: they stay in range. */
#define MOST_NS (INT64_MAX / 4)

static int64_t area_of(int64_t predicted_ns, int workers)
{
    int64_t area_ns;
    return __builtin_mul_overflow(predicted_ns, (int64_t)workers, &area_ns) || area_ns > MOST_NS ? MOST_NS
                                                                                                 : area_ns;
}

static int64_t plus(int64_t a, int64_t b)
{
    return a > MOST_NS - b ? MOST_NS : a + b;
}

static int64_t get(const _Atomic int64_t *value)
{
    return atomic_load_explicit((_Atomic int64_t *)value, memory_order_relaxed);
}

static void set(_Atomic int64_t *value, int64_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

static void set_slot(al_ready *ready, size_t slot, int64_t free_at_ns);

static void tell(al_load *load)
{
    if (load->ready)
        set_slot(load->ready, load->slot, get(&load->free_at_ns));
}

void al_load_charge(al_load *load, int64_t predicted_ns, int workers, int64_t now_ns)
{
    int64_t area_ns = area_of(predicted_ns, workers), free_at_ns;
    al_spin_lock(&load->lock);
    free_at_ns = get(&load->free_at_ns) > now_ns ? get(&load->free_at_ns) : now_ns;
    set(&load->area_ns, plus(get(&load->area_ns), area_ns));
    set(&load->free_at_ns, plus(free_at_ns, area_ns / load->width));
    load->busy += workers;
    tell(load);
    al_spin_unlock(&load->lock);
}

uint32_t al_load_begin(al_load *load, int64_t predicted_ns, int workers)
{
    set(&load->running_ns, area_of(predicted_ns, workers));
    return atomic_fetch_add_explicit(&load->begun, 1, memory_order_relaxed);
}

/* What is left begins now: what ran was over later or sooner than was thought. */
void al_load_discharge(al_load *load, int64_t predicted_ns, int workers, int64_t now_ns)
{
    int64_t area_ns = area_of(predicted_ns, workers);
    al_spin_lock(&load->lock);
    load->busy -= workers;
    int64_t left_ns = load->busy > 0 && get(&load->area_ns) > area_ns ? get(&load->area_ns) - area_ns : 0;
    set(&load->area_ns, left_ns);
    set(&load->running_ns, 0);
    set(&load->free_at_ns, plus(now_ns, left_ns / load->width));
    tell(load);
    al_spin_unlock(&load->lock);
}

/* ---- Which of many is free first ---- */

static size_t better(const al_ready *ready, size_t a, size_t b)
{
    int64_t a_ns = a < ready->count ? ready->free_at_ns[a] : INT64_MAX;
    int64_t b_ns = b < ready->count ? ready->free_at_ns[b] : INT64_MAX;
    return b_ns < a_ns ? b : a;
}

/* With the lock held. */
static void play(al_ready *ready, size_t slot)
{
    for (size_t at = (ready->capacity + slot) / 2; at >= 1; at /= 2)
        ready->winners[at] = better(ready, ready->winners[2 * at], ready->winners[2 * at + 1]);
}

static void set_slot(al_ready *ready, size_t slot, int64_t free_at_ns)
{
    al_spin_lock(&ready->lock);
    if (ready->free_at_ns[slot] != INT64_MAX) {
        ready->free_at_ns[slot] = free_at_ns;
        play(ready, slot);
    }
    al_spin_unlock(&ready->lock);
}

/* Twice the room, with the lock held. Every leaf plays anew. */
static bool grow(al_ready *ready)
{
    size_t capacity = ready->capacity ? 2 * ready->capacity : 4;
    int64_t *free_at_ns = realloc(ready->free_at_ns, capacity * sizeof *free_at_ns);
    if (free_at_ns)
        ready->free_at_ns = free_at_ns;
    size_t *winners = free_at_ns ? malloc(2 * capacity * sizeof *winners) : NULL;
    if (!winners)
        return false;
    free(ready->winners);
    ready->winners = winners;
    ready->capacity = capacity;
    winners[0] = 0;
    for (size_t slot = 0; slot < capacity; slot++)
        winners[capacity + slot] = slot;
    for (size_t at = capacity - 1; at >= 1; at--)
        winners[at] = better(ready, winners[2 * at], winners[2 * at + 1]);
    return true;
}

bool al_ready_add(al_ready *ready, al_load *load)
{
    al_spin_lock(&ready->lock);
    bool there = ready->count < ready->capacity || grow(ready);
    if (there) {
        load->slot = ready->count++;
        load->ready = ready;
        ready->free_at_ns[load->slot] = get(&load->free_at_ns);
        play(ready, load->slot);
    }
    al_spin_unlock(&ready->lock);
    return there;
}

void al_ready_withdraw(al_ready *ready, const al_load *load)
{
    set_slot(ready, load->slot, INT64_MAX);
}

void al_ready_return(al_ready *ready, const al_load *load)
{
    al_spin_lock(&ready->lock);
    ready->free_at_ns[load->slot] = get(&load->free_at_ns);
    play(ready, load->slot);
    al_spin_unlock(&ready->lock);
}

size_t al_ready_first(al_ready *ready)
{
    al_spin_lock(&ready->lock);
    size_t first = ready->count ? ready->winners[1] : 0;
    al_spin_unlock(&ready->lock);
    return first;
}

void al_ready_fini(al_ready *ready)
{
    free(ready->free_at_ns);
    free(ready->winners);
    *ready = (al_ready){ 0 };
}
