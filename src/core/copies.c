/* Coherence: which bytes of an array are current in which memory, and the moves that make them so. */
#include "base/clock.h"
#include "core/array.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

void al_memory_init(al_memory *memory, const al_memory_ops *ops)
{
    memset(memory, 0, sizeof *memory);
    memory->ops = ops;
    pthread_mutex_init(&memory->lock, NULL);
}

/* ---- One mover at a time ---- */

/* False: it is captive, and its mover may never come back. */
static bool start_moving(allot_array *array)
{
    pthread_mutex_lock(&array->lock);
    while (array->moving && !array->captive)
        pthread_cond_wait(&array->moved, &array->lock);
    bool free = !array->captive;
    if (free)
        array->moving = true;
    pthread_mutex_unlock(&array->lock);
    return free;
}

static void end_moving(allot_array *array)
{
    pthread_mutex_lock(&array->lock);
    array->moving = false;
    pthread_cond_broadcast(&array->moved);
    pthread_mutex_unlock(&array->lock);
}

/* ---- Copies ---- */

static al_copy *find_copy(allot_array *array, const al_memory *memory)
{
    al_copy *copy = array->copies;
    while (copy && copy->memory != memory)
        copy = copy->next_of_array;
    return copy;
}

static void link_copy(allot_array *array, al_memory *memory, al_copy *copy)
{
    copy->memory = memory;
    copy->array = array;
    pthread_mutex_lock(&array->lock);
    copy->next_of_array = array->copies;
    array->copies = copy;
    pthread_mutex_unlock(&array->lock);
    pthread_mutex_lock(&memory->lock);
    copy->next_of_memory = memory->copies;
    if (memory->copies)
        memory->copies->previous_of_memory = copy;
    memory->copies = copy;
    pthread_mutex_unlock(&memory->lock);
}

/* The array's copy in a memory, made if need be. Called by the mover: nobody else changes array->copies. */
static allot_status have_copy(allot_array *array, al_memory *memory, al_copy **copy, al_failure *failure)
{
    *copy = find_copy(array, memory);
    if (*copy)
        return ALLOT_OK;
    allot_status status = memory->ops->create(memory, array, copy, failure);
    if (status == ALLOT_OK)
        link_copy(array, memory, *copy);
    return status;
}

static void unlink_of_array(al_copy *copy)
{
    allot_array *array = copy->array;
    pthread_mutex_lock(&array->lock);
    al_copy **link = &array->copies;
    while (*link != copy)
        link = &(*link)->next_of_array;
    *link = copy->next_of_array;
    pthread_mutex_unlock(&array->lock);
}

static void unlink_of_memory(al_memory *memory, al_copy *copy)
{
    if (copy->previous_of_memory)
        copy->previous_of_memory->next_of_memory = copy->next_of_memory;
    else
        memory->copies = copy->next_of_memory;
    if (copy->next_of_memory)
        copy->next_of_memory->previous_of_memory = copy->previous_of_memory;
}

/* The memory waits in al_memory_fini() until `leaving` is 0 again, so it is there for destroy(). */
void al_memory_forget(al_copy *copy)
{
    al_memory *memory = copy->memory;
    unlink_of_array(copy);
    pthread_mutex_lock(&memory->lock);
    unlink_of_memory(memory, copy);
    memory->leaving++;
    pthread_mutex_unlock(&memory->lock);
    al_ranges_fini(&copy->valid);
    memory->ops->destroy(copy);
    pthread_mutex_lock(&memory->lock);
    memory->leaving--;
    pthread_mutex_unlock(&memory->lock);
}

/* ---- Moves ---- */

static bool reserve_all(allot_array *array)
{
    bool there = al_ranges_reserve(&array->host_valid) && al_ranges_reserve(&array->poisoned);
    for (al_copy *copy = array->copies; there && copy; copy = copy->next_of_array)
        there = al_ranges_reserve(&copy->valid);
    return there;
}

static void count_move(al_copy *copy, size_t bytes, int64_t ns, bool to_copy, al_moved *moved)
{
    allot_array_stats *stats = &copy->array->stats;
    if (copy->shares_pages)
        bytes = 0;
    pthread_mutex_lock(&copy->array->lock);
    *(to_copy ? &stats->bytes_to : &stats->bytes_from) += bytes;
    stats->transfers += bytes ? 1 : 0;
    stats->transfer_ns += (uint64_t)ns;
    pthread_mutex_unlock(&copy->array->lock);
    atomic_fetch_add_explicit(to_copy ? &copy->memory->bytes_to : &copy->memory->bytes_from, bytes,
                              memory_order_relaxed);
    moved->bytes += bytes;
    moved->ns += (uint64_t)ns;
    moved->count += bytes ? 1 : 0;
}

static void tell_observer(const al_copy *copy, size_t bytes, int64_t ns, bool to_copy)
{
    if (bytes && !copy->shares_pages && copy->memory->observe)
        copy->memory->observe(copy->memory->owner, to_copy, bytes, ns);
}

static allot_status mark_current(al_copy *copy, al_range part, bool in_copy, al_failure *failure)
{
    allot_array *array = copy->array;
    pthread_mutex_lock(&array->lock);
    bool there = reserve_all(array);
    if (there)
        al_ranges_add(in_copy ? &copy->valid : &array->host_valid, part.begin, part.end);
    pthread_mutex_unlock(&array->lock);
    return there ? ALLOT_OK : al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
}

/* Moves [begin, end) between the host and a copy and marks it current where it went. Called by the mover. */
static allot_status move(al_copy *copy, al_range part, bool to_copy, al_moved *moved, al_failure *failure)
{
    const al_memory_ops *ops = copy->memory->ops;
    const _Atomic int64_t *clock = copy->memory->clock;
    int64_t start_ns = al_clock_of(clock);
    allot_status status = (to_copy ? ops->upload : ops->download)(copy, part.begin, part.end, failure);
    if (status != ALLOT_OK)
        return status;
    int64_t expected_ns = to_copy ? copy->expected_ns : 0;
    int64_t took_ns = expected_ns ? expected_ns : al_clock_of(clock) - start_ns;
    count_move(copy, part.end - part.begin, took_ns, to_copy, moved);
    if (!expected_ns)
        tell_observer(copy, part.end - part.begin, took_ns, to_copy);
    return mark_current(copy, part, to_copy, failure);
}

/* The first stretch of [begin, end) that the host lacks, and a copy that has the start of it. */
static bool host_lacks(allot_array *array, size_t begin, size_t end, al_range *part, al_copy **source)
{
    al_range gap;
    *source = NULL;
    pthread_mutex_lock(&array->lock);
    bool lacks = al_ranges_gap(&array->host_valid, begin, end, &gap);
    for (al_copy *copy = array->copies; lacks && copy && !*source; copy = copy->next_of_array)
        if (al_ranges_part(&copy->valid, gap.begin, gap.end, part))
            *source = copy;
    pthread_mutex_unlock(&array->lock);
    return lacks;
}

static allot_status bring_to_host(allot_array *array, size_t begin, size_t end, al_moved *moved,
                                  al_failure *failure)
{
    al_range part;
    al_copy *source;
    while (host_lacks(array, begin, end, &part, &source)) {
        if (!source)
            return al_failure_set(failure, ALLOT_DEVICE,
                                  "bytes %zu to %zu of an array are lost with their device", begin, end);
        allot_status status = move(source, part, false, moved, failure);
        if (status != ALLOT_OK)
            return status;
    }
    return ALLOT_OK;
}

static bool copy_lacks(al_copy *copy, size_t begin, size_t end, al_range *gap)
{
    pthread_mutex_lock(&copy->array->lock);
    bool lacks = al_ranges_gap(&copy->valid, begin, end, gap);
    pthread_mutex_unlock(&copy->array->lock);
    return lacks;
}

/* Straight from another memory, if there is a way: what the host lacks of the start of the gap. */
static allot_status fetch(al_copy *copy, al_range gap, al_moved *moved, al_failure *failure)
{
    const al_memory_ops *ops = copy->memory->ops;
    al_range part;
    al_copy *source;
    if (!ops->fetch || !host_lacks(copy->array, gap.begin, gap.end, &part, &source) || !source ||
        source->memory->ops != ops || part.begin != gap.begin)
        return ALLOT_UNSUPPORTED;
    int64_t start_ns = al_clock_of(copy->memory->clock);
    allot_status status = ops->fetch(copy, source, part.begin, part.end, failure);
    if (status != ALLOT_OK)
        return status;
    count_move(copy, part.end - part.begin, al_clock_of(copy->memory->clock) - start_ns, true, moved);
    return mark_current(copy, part, true, failure);
}

static allot_status through_host(al_copy *copy, al_range gap, al_moved *moved, al_failure *failure)
{
    allot_status status = bring_to_host(copy->array, gap.begin, gap.end, moved, failure);
    return status == ALLOT_OK ? move(copy, gap, true, moved, failure) : status;
}

static allot_status bring_to_copy(al_copy *copy, size_t begin, size_t end, al_moved *moved,
                                  al_failure *failure)
{
    al_range gap;
    while (copy_lacks(copy, begin, end, &gap)) {
        allot_status status = fetch(copy, gap, moved, failure);
        if (status == ALLOT_UNSUPPORTED)
            status = through_host(copy, gap, moved, failure);
        if (status != ALLOT_OK)
            return status;
    }
    return ALLOT_OK;
}

/* ---- What places ask for ---- */

#define NEVER_WRITTEN "an array that it reads was never written: "

static allot_status check_poison(allot_array *array, size_t begin, size_t end, al_failure *failure)
{
    pthread_mutex_lock(&array->lock);
    bool poisoned = array->lost || al_ranges_touches(&array->poisoned, begin, end);
    const char *cause =
        array->poison ? array->poison : "a launch that should have written it did not succeed";
    if (poisoned) /* what came of that is not said again for each launch in between */
        al_failure_set(failure, ALLOT_DEPENDENCY, "%s%s",
                       strncmp(cause, NEVER_WRITTEN, strlen(NEVER_WRITTEN)) ? NEVER_WRITTEN : "", cause);
    pthread_mutex_unlock(&array->lock);
    return poisoned ? ALLOT_DEPENDENCY : ALLOT_OK;
}

/* What is about to be overwritten is current nowhere from now on: a memory that goes away meanwhile must not
 * bring its bytes back over the new ones. */
static allot_status give_up(allot_array *array, size_t begin, size_t end, al_failure *failure)
{
    pthread_mutex_lock(&array->lock);
    bool there = reserve_all(array);
    if (there) {
        for (al_copy *copy = array->copies; copy; copy = copy->next_of_array)
            al_ranges_remove(&copy->valid, begin, end);
        al_ranges_remove(&array->host_valid, begin, end);
    }
    pthread_mutex_unlock(&array->lock);
    return there ? ALLOT_OK : al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
}

static allot_status acquire(allot_array *array, al_memory *memory, size_t begin, size_t end,
                            allot_access access, al_copy **copy, al_moved *moved, al_failure *failure)
{
    al_copy *here = NULL;
    allot_status status = memory ? have_copy(array, memory, &here, failure) : ALLOT_OK;
    if (status == ALLOT_OK && !(access & ALLOT_READ))
        status = give_up(array, begin, end, failure);
    else if (status == ALLOT_OK)
        status = memory ? bring_to_copy(here, begin, end, moved, failure)
                        : bring_to_host(array, begin, end, moved, failure);
    if (copy)
        *copy = here;
    return status;
}

allot_status al_array_acquire(allot_array *array, al_memory *memory, size_t begin, size_t end,
                              allot_access access, al_copy **copy, al_moved *moved, al_failure *failure)
{
    al_moved ignored = { 0 };
    if (copy)
        *copy = NULL;
    if (access & ALLOT_READ) {
        allot_status status = check_poison(array, begin, end, failure);
        if (status != ALLOT_OK)
            return status;
    }
    if (!start_moving(array))
        return al_failure_set(failure, ALLOT_DEVICE,
                              "an array is still in the hands of a launch that did not end and was given up");
    allot_status status = acquire(array, memory, begin, end, access, copy, moved ? moved : &ignored, failure);
    end_moving(array);
    return status;
}

void al_array_publish(allot_array *array, al_memory *memory, size_t begin, size_t end)
{
    pthread_mutex_lock(&array->lock);
    if (!reserve_all(array))
        array->lost = true; /* what is current where can no longer be said */
    else {
        for (al_copy *copy = array->copies; copy; copy = copy->next_of_array)
            (copy->memory == memory ? al_ranges_add : al_ranges_remove)(&copy->valid, begin, end);
        (memory ? al_ranges_remove : al_ranges_add)(&array->host_valid, begin, end);
        al_ranges_remove(&array->poisoned, begin, end);
    }
    if (memory)
        al_array_note_written(array);
    pthread_mutex_unlock(&array->lock);
}

void al_array_poison(allot_array *array, size_t begin, size_t end, const char *root_cause)
{
    char *cause = root_cause ? strdup(root_cause) : NULL;
    pthread_mutex_lock(&array->lock);
    if (al_ranges_reserve(&array->poisoned))
        al_ranges_add(&array->poisoned, begin, end);
    else
        array->lost = true;
    free(array->poison);
    array->poison = cause;
    pthread_mutex_unlock(&array->lock);
}

void al_array_spoil(allot_array *array, al_memory *memory, size_t begin, size_t end)
{
    pthread_mutex_lock(&array->lock);
    const al_copy *spoiled = find_copy(array, memory);
    if (!reserve_all(array))
        array->lost = true; /* what is current where can no longer be said */
    else if (spoiled) {
        for (al_copy *copy = array->copies; copy; copy = copy->next_of_array)
            if (copy == spoiled || (copy->shares_pages && spoiled->shares_pages))
                al_ranges_remove(&copy->valid, begin, end);
        if (spoiled->shares_pages)
            al_ranges_remove(&array->host_valid, begin, end);
    }
    pthread_mutex_unlock(&array->lock);
}

void al_array_doubt(allot_array *array, al_memory *memory, size_t begin, size_t end)
{
    pthread_mutex_lock(&array->lock);
    al_copy *copy = find_copy(array, memory);
    al_range part = { begin, begin };
    while (copy && al_ranges_part(&array->host_valid, part.end, end, &part)) {
        if (al_ranges_reserve(&copy->valid))
            al_ranges_remove(&copy->valid, part.begin, part.end);
        else
            array->lost = true;
    }
    pthread_mutex_unlock(&array->lock);
}

/* Where the stretch of current bytes that begins at `from` ends; `from` itself: there is none. */
static size_t current_until(const allot_array *array, size_t from, size_t end)
{
    al_range part;
    if (al_ranges_part(&array->host_valid, from, end, &part) && part.begin == from)
        return part.end;
    for (const al_copy *copy = array->copies; copy; copy = copy->next_of_array)
        if (al_ranges_part(&copy->valid, from, end, &part) && part.begin == from)
            return part.end;
    return from;
}

bool al_array_intact(allot_array *array, size_t begin, size_t end)
{
    size_t at = begin, until = end;
    pthread_mutex_lock(&array->lock);
    while (at < end && (until = current_until(array, at, end)) > at)
        at = until;
    bool intact = at >= end && !array->captive && !array->lost;
    pthread_mutex_unlock(&array->lock);
    return intact;
}

void al_array_capture(allot_array *array)
{
    pthread_mutex_lock(&array->lock);
    array->captive++;
    pthread_cond_broadcast(&array->moved);
    pthread_mutex_unlock(&array->lock);
}

void al_array_let_go(allot_array *array)
{
    pthread_mutex_lock(&array->lock);
    array->captive--;
    pthread_mutex_unlock(&array->lock);
}

/* ---- A memory that goes away ---- */

bool al_array_try_hold(allot_array *array)
{
    uint32_t references = atomic_load(&array->references);
    bool held = false;
    while (references && !held)
        held = atomic_compare_exchange_weak(&array->references, &references, references + 1);
    return held;
}

/* The first copy there, its array held; NULL when none is left. A copy whose array is being destroyed goes by
 * itself. */
static al_copy *first_copy(al_memory *memory)
{
    for (;;) {
        pthread_mutex_lock(&memory->lock);
        al_copy *copy = memory->copies;
        bool leaving = memory->leaving != 0, held = false;
        if (copy)
            held = al_array_try_hold(copy->array);
        pthread_mutex_unlock(&memory->lock);
        if (held)
            return copy;
        if (!copy && !leaving)
            return NULL;
        sched_yield();
    }
}

/* The next stretch that is current in this copy alone. */
static bool only_here(al_copy *copy, size_t from, al_range *part)
{
    allot_array *array = copy->array;
    al_range gap = { from, from };
    bool found = false;
    pthread_mutex_lock(&array->lock);
    while (!found && al_ranges_gap(&array->host_valid, gap.end, array->size_bytes, &gap))
        found = al_ranges_part(&copy->valid, gap.begin, gap.end, part);
    pthread_mutex_unlock(&array->lock);
    return found;
}

static void bring_back(al_copy *copy)
{
    al_range part = { 0, 0 };
    al_moved moved = { 0 };
    while (only_here(copy, part.end, &part)) {
        al_failure failure = { 0 };
        if (move(copy, part, false, &moved, &failure) != ALLOT_OK)
            al_array_poison(copy->array, part.begin, part.end, failure.message);
        al_failure_fini(&failure);
    }
}

static void poison_only_here(al_copy *copy, const char *reason)
{
    al_range part = { 0, 0 };
    while (only_here(copy, part.end, &part))
        al_array_poison(copy->array, part.begin, part.end, reason);
}

/* A copy whose array is held: it lets go of that. */
static void give_back(al_copy *copy, bool keep)
{
    allot_array *array = copy->array;
    bool free = start_moving(array);
    if (keep && free)
        bring_back(copy);
    else if (keep)
        poison_only_here(copy, "its device is gone, and the array was in the hands of another");
    al_memory_forget(copy);
    if (free)
        end_moving(array);
    allot_array_release(array);
}

void al_memory_clear(al_memory *memory)
{
    for (al_copy *copy; (copy = first_copy(memory));)
        give_back(copy, true);
}

void al_memory_abandon(al_memory *memory, const char *reason)
{
    for (al_copy *copy; (copy = first_copy(memory));) {
        allot_array *array = copy->array;
        poison_only_here(copy, reason);
        unlink_of_array(copy);
        pthread_mutex_lock(&memory->lock);
        unlink_of_memory(memory, copy);
        copy->next_of_memory = memory->abandoned;
        memory->abandoned = copy;
        pthread_mutex_unlock(&memory->lock);
        allot_array_release(array);
    }
}

void al_memory_fini(al_memory *memory)
{
    al_memory_clear(memory);
    for (al_copy *copy; (copy = memory->abandoned);) {
        memory->abandoned = copy->next_of_memory;
        al_ranges_fini(&copy->valid);
        memory->ops->destroy(copy);
    }
    pthread_mutex_destroy(&memory->lock);
}

void al_memory_lose(al_memory *memory)
{
    for (al_copy *copy; (copy = first_copy(memory));)
        give_back(copy, false);
}

static bool try_start_moving(allot_array *array)
{
    pthread_mutex_lock(&array->lock);
    bool free = !array->moving && !array->captive;
    if (free)
        array->moving = true;
    pthread_mutex_unlock(&array->lock);
    return free;
}

static allot_status write_back(al_copy *copy, al_failure *failure)
{
    al_range part = { 0, 0 };
    al_moved moved = { 0 };
    allot_status status = ALLOT_OK;
    while (status == ALLOT_OK && only_here(copy, part.end, &part))
        status = move(copy, part, false, &moved, failure);
    return status;
}

/* By its mover: a launch that pins it now waits for us before it looks for its copy. */
static allot_status evict_unpinned(al_copy *copy, al_failure *failure)
{
    al_memory *memory = copy->memory;
    size_t bytes = copy->array->size_bytes;
    if (atomic_load(&copy->array->pins))
        return ALLOT_UNSUPPORTED;
    allot_status status = write_back(copy, failure);
    if (status != ALLOT_OK)
        return status;
    al_memory_forget(copy);
    atomic_fetch_add_explicit(&memory->evictions, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&memory->evicted_bytes, bytes, memory_order_relaxed);
    return ALLOT_OK;
}

allot_status al_memory_try_evict(al_copy *copy, al_failure *failure)
{
    allot_array *array = copy->array;
    allot_status status = ALLOT_UNSUPPORTED;
    if (try_start_moving(array)) {
        status = evict_unpinned(copy, failure);
        end_moving(array);
    }
    allot_array_release(array);
    return status;
}

void al_memory_evict(al_copy *copy)
{
    give_back(copy, true);
}
