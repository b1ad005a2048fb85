#include "core/gate.h"
#include "base/futex.h"
#include "core/wait.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `unused` */
static al_gate *unused;

static al_gate *take_unused(void)
{
    pthread_mutex_lock(&lock);
    al_gate *gate = unused;
    if (gate)
        unused = gate->next;
    pthread_mutex_unlock(&lock);
    return gate;
}

static void reset(al_gate *gate)
{
    atomic_store(&gate->closed, false);
    for (size_t i = 0; i < AL_LANES; i++) {
        al_gate_cell *cell = &gate->cells[i];
        atomic_store(&cell->entered, 0);
        atomic_store(&cell->left, 0);
        atomic_store(&cell->others, 0);
        atomic_store(&cell->refused, 0);
    }
}

al_gate *al_gate_create(struct allot_executor *executor)
{
    al_gate *gate = take_unused();
    if (gate)
        reset(gate);
    else if ((gate = aligned_alloc(alignof(al_gate), sizeof *gate)))
        memset(gate, 0, sizeof *gate);
    if (gate) {
        gate->executor = executor;
        gate->clock = NULL;
    }
    return gate;
}

void al_gate_destroy(al_gate *gate)
{
    if (!gate)
        return;
    pthread_mutex_lock(&lock);
    gate->next = unused;
    unused = gate;
    pthread_mutex_unlock(&lock);
}

void al_gate_close(al_gate *gate)
{
    atomic_store(&gate->closed, true);
    al_fence_heavy();
}

/* Who left is counted before who entered: then a difference of 0 means that there was a moment in between
 * when nobody was inside, since both counts only grow. */
uint64_t al_gate_inside(const al_gate *gate)
{
    uint64_t left = 0, entered = 0;
    for (size_t i = 0; i < AL_LANES; i++)
        left += atomic_load_explicit((_Atomic uint64_t *)&gate->cells[i].left, memory_order_acquire);
    for (size_t i = 0; i < AL_LANES; i++)
        entered += atomic_load_explicit((_Atomic uint64_t *)&gate->cells[i].entered, memory_order_acquire);
    return entered - left;
}

void al_gate_notify(al_gate *gate)
{
    atomic_fetch_add(&gate->changed, 1);
    al_futex_wake(&gate->changed, INT_MAX, AL_FUTEX_PRIVATE);
    al_epoch_bump();
}

static bool is_empty(void *of)
{
    return !al_gate_inside(of);
}

static void sleep_until_empty(al_gate *gate)
{
    for (;;) {
        uint32_t seen = atomic_load(&gate->changed);
        if (is_empty(gate))
            break;
        al_futex_wait(&gate->changed, seen, INT64_MAX, AL_FUTEX_PRIVATE);
    }
}

void al_gate_drain(al_gate *gate)
{
    atomic_fetch_add(&gate->drainers, 1);
    al_fence_heavy();
    if (atomic_load(&al_helper_of_all))
        al_wait_until(is_empty, gate, INT64_MAX);
    else
        sleep_until_empty(gate);
    atomic_fetch_sub(&gate->drainers, 1);
}

static uint64_t sum(const al_gate *gate, size_t offset)
{
    uint64_t total = 0;
    for (size_t i = 0; i < AL_LANES; i++)
        total += atomic_load_explicit((_Atomic uint64_t *)((const char *)&gate->cells[i] + offset),
                                      memory_order_relaxed);
    return total;
}

uint64_t al_gate_submitted(const al_gate *gate)
{
    /* Who entered is counted first: what comes in between is left out, and never takes a task for another. */
    uint64_t entered = sum(gate, offsetof(al_gate_cell, entered));
    uint64_t others = sum(gate, offsetof(al_gate_cell, others));
    return entered > others ? entered - others : 0;
}

uint64_t al_gate_refused(const al_gate *gate)
{
    return sum(gate, offsetof(al_gate_cell, refused));
}
