#include "places/process/slot.h"
#include "base/futex.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool al_slot_change(al_slot *slot, uint64_t turn, al_slot_state from, al_slot_state to)
{
    uint64_t word = al_slot_word(turn, from);
    return atomic_compare_exchange_strong(&slot->word, &word, al_slot_word(turn, to));
}

bool al_slot_kill(al_slot *slot, uint64_t turn)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    for (int tries = 0; tries < 100; tries++) {
        if (word == al_slot_word(turn, AL_SLOT_DONE))
            return false;
        if (atomic_compare_exchange_strong_explicit(&slot->word, &word, al_slot_word(turn, AL_SLOT_KILLING),
                                                    memory_order_acq_rel, memory_order_acquire))
            return true;
    }
    /* No honest worker changes the word that often. */
    atomic_store_explicit(&slot->word, al_slot_word(turn, AL_SLOT_KILLING), memory_order_release);
    return true;
}

al_page *al_page_map(int fd)
{
    void *page = mmap(NULL, sizeof(al_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

al_page *al_page_create(int *fd)
{
    *fd = al_shared_create("allot-worker", sizeof(al_page));
    if (*fd < 0)
        return NULL;
    al_page *page = al_page_map(*fd);
    if (page)
        return page;
    int error = errno;
    close(*fd);
    errno = error;
    return NULL;
}

void al_page_unmap(al_page *page)
{
    if (page)
        munmap(page, sizeof *page);
}

_Atomic uint32_t *al_page_ring(al_page *page)
{
    /* seq_cst, as is the publishing, and the worker's falling asleep: either it sees what was published, or
     * we see that it sleeps. */
    if (!atomic_load(&page->worker_sleeps))
        return NULL;
    atomic_store_explicit(&page->worker_sleeps, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&page->bell, 1, memory_order_release);
    return &page->bell;
}

void al_page_wake(_Atomic uint32_t *bell)
{
    if (bell)
        al_futex_wake(bell, 1, AL_FUTEX_SHARED);
}

allot_status al_slot_answer(al_page *page, uint64_t turn, al_failure *failure, int64_t *ran_ns)
{
    const al_slot *slot = al_page_slot(page, turn);
    const al_slot_body *body = al_page_body(page, turn);
    /* Each read once: a worker gone wrong may change them under our hands. */
    allot_status status = (allot_status) * (const volatile int32_t *)&slot->status;
    size_t message_size = *(const volatile uint16_t *)&slot->message_size;
    size_t payload_size = *(const volatile uint16_t *)&slot->payload_size;
    *ran_ns = (int64_t)(*(const volatile uint64_t *)&slot->ran_ns & INT64_MAX);
    if (message_size > sizeof body->message)
        message_size = sizeof body->message;
    if (payload_size > sizeof body->payload)
        payload_size = sizeof body->payload;
    if (message_size)
        al_failure_set(failure, status, "%.*s", (int)message_size, body->message);
    if (payload_size)
        al_failure_payload(failure, body->payload, payload_size);
    return status;
}

void al_slot_respond(al_page *page, uint64_t turn, allot_status status, al_failure *failure)
{
    al_slot *slot = al_page_slot(page, turn);
    al_slot_body *body = al_page_body(page, turn);
    slot->status = (int32_t)status;
    slot->message_size = 0;
    slot->payload_size = 0;
    if (failure->message) {
        slot->message_size = (uint16_t)strnlen(failure->message, sizeof body->message);
        memcpy(body->message, failure->message, slot->message_size);
    }
    if (failure->payload && failure->payload_size <= sizeof body->payload) {
        slot->payload_size = (uint16_t)failure->payload_size;
        memcpy(body->payload, failure->payload, slot->payload_size);
    }
    if (failure->message || failure->payload)
        al_failure_fini(failure);
}
