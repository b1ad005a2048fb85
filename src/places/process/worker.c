#include "places/process/worker.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/yield.h"
#include "core/call.h"
#include "core/chunk.h"
#include "core/kernel.h"
#include "places/process/crash.h"
#include "places/process/limits.h"
#include "places/process/seal.h"
#include "places/process/slot.h"
#include "places/process/streams.h"
#include "places/process/symbol.h"
#include "places/process/wire.h"
#include "sync/borrow.h"
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SPIN_NS  50000 /* how long it looks for the next call before it sleeps: about what a wake costs */
#define ALONE_NS 1500  /* of that, how long without letting others have this CPU */
#define DOZE_NS  5000000000 /* how often it looks whether the parent is still there */
#define LAST_S   10         /* for what is done last by one that ends without being asked */

/* A module that the parent told of. */
typedef struct module {
    bool known;
    char *path;          /* NULL: not known, or memory was out */
    allot_status status; /* not OK: it could not be loaded, and `failure` says why */
    bool outdated;       /* since an older build of it is loaded here: a new process could load it */
    uintptr_t base;
    al_failure failure;
} module;

typedef struct mapping {
    unsigned char *address; /* NULL: nothing */
    size_t bytes;
} mapping;

typedef struct worker {
    al_door door;
    al_page *page;
    uint64_t turn;    /* of the next call */
    uint32_t mail;    /* messages read */
    int64_t ended_ns; /* of the call before, where the next one follows at once; 0: it does not */
    bool owes_notice; /* of a part that was done while more of its launch lay ahead */
    module modules[AL_MODULES_MAX];
    mapping arrays[AL_ARRAYS_MAX];
    mapping parcel;
    mapping setup;
    al_limits limits;
} worker;

/* ---- The signal that asks to stop ---- */

static const _Atomic uint32_t *_Atomic current_stopping; /* of the call in progress */

/* SIGTERM after a stop only interrupts what blocks, so that the code can look at its flag; SIGKILL follows
 * after the grace. Without a stop it ends the process, as it would anywhere. */
static void on_terminate(int number)
{
    const _Atomic uint32_t *stopping = current_stopping;
    if (stopping && atomic_load_explicit(stopping, memory_order_relaxed))
        return;
    signal(number, SIG_DFL);
    raise(number);
}

/* ---- Mail ---- */

static void unmap(mapping *what)
{
    if (what->address)
        munmap(what->address, what->bytes);
    *what = (mapping){ 0 };
}

static void map(mapping *to, int fd, size_t bytes, int rights)
{
    unmap(to);
    void *address = fd < 0 || !bytes ? MAP_FAILED : mmap(NULL, bytes, rights, MAP_SHARED, fd, 0);
    if (address != MAP_FAILED)
        *to = (mapping){ address, bytes };
}

/* Libraries stay loaded, for their functions may be called any time: so does one that the host has let go of
 * and loaded anew from another file of that name. */
static bool has_older_build(const worker *self, const char *path)
{
    for (size_t i = 0; path && i < AL_MODULES_MAX; i++)
        if (self->modules[i].path && self->modules[i].status == ALLOT_OK &&
            strcmp(self->modules[i].path, path) == 0)
            return true;
    return false;
}

static void learn_module(worker *self, const al_wire_message *message)
{
    if (message->index >= AL_MODULES_MAX)
        return;
    module *to = &self->modules[message->index];
    al_failure_fini(&to->failure);
    free(to->path);
    to->path = NULL;
    to->known = true;
    to->status = al_module_load(message, &to->base, &to->failure);
    to->outdated = to->status != ALLOT_OK && !message->is_program && has_older_build(self, message->path);
    to->path = strdup(message->path);
}

static void take_message(worker *self, const al_wire_message *message, int fd)
{
    switch ((al_wire_kind)message->kind) {
    case AL_WIRE_MODULE:
        learn_module(self, message);
        break;
    case AL_WIRE_ARRAY:
        if (message->index < AL_ARRAYS_MAX)
            map(&self->arrays[message->index], fd, message->size, PROT_READ | PROT_WRITE);
        break;
    case AL_WIRE_FORGET:
        if (message->index < AL_ARRAYS_MAX)
            unmap(&self->arrays[message->index]);
        break;
    case AL_WIRE_PARCEL:
        map(&self->parcel, fd, message->size, PROT_READ | PROT_WRITE);
        break;
    case AL_WIRE_SETUP:
        map(&self->setup, fd, message->size, PROT_READ);
        break;
    default:
        break;
    }
}

static void receive(worker *self, al_wire_message *message, int *fd)
{
    if (al_wire_receive(self->door.socket, message, fd, true) != AL_WIRE_OK)
        _exit(EXIT_FAILURE); /* the parent is gone, or user code closed our socket */
}

static void read_one(worker *self, const al_wire_message *message, int fd)
{
    self->mail++;
    take_message(self, message, fd);
    if (fd >= 0)
        close(fd);
}

/* There may be more read than were counted: ask() takes what comes before its answer. */
static void read_mail(worker *self, uint32_t until)
{
    while ((int32_t)(until - self->mail) > 0) {
        al_wire_message message;
        int fd;
        receive(self, &message, &fd);
        read_one(self, &message, fd);
    }
}

/* In a task: gets a sync object from the parent. */
static int ask(void *of, const allot_sync_ref *ref, al_sync_form *form)
{
    worker *self = of;
    al_wire_message message;
    int fd;
    memset(&message, 0, offsetof(al_wire_message, path) + 1);
    message.kind = AL_WIRE_ASK;
    message.sync.ref = *ref;
    if (!al_wire_send(self->door.socket, &message, -1))
        return -1;
    for (;;) {
        receive(self, &message, &fd);
        if (message.kind == AL_WIRE_LEND)
            break;
        read_one(self, &message, fd);
    }
    *form = message.sync.form;
    return fd;
}

/* ---- Calls ---- */

static allot_status find_code(worker *self, al_symbol symbol, al_code *code, al_failure *failure)
{
    const module *from = symbol.module < AL_MODULES_MAX ? &self->modules[symbol.module] : NULL;
    if (!from || !from->known)
        return al_failure_set(failure, ALLOT_NOT_FOUND, "the worker was not told of module %u",
                              symbol.module);
    if (from->status != ALLOT_OK)
        return al_failure_set(failure, from->status, "%s",
                              from->failure.message ? from->failure.message : "the module cannot be loaded");
    *(uintptr_t *)code = from->base + symbol.offset;
    return ALLOT_OK;
}

/* Where arguments and result lie, and their sizes; false if the parcel with them could not be mapped. */
static bool find_bytes(worker *self, const al_slot *slot, allot_call *call, unsigned char **bytes)
{
    al_slot_parcel sizes = { 0 };
    if (!slot->in_parcel) {
        call->in_size = slot->in_size;
        call->out_size = slot->out_size;
        *bytes = al_page_bytes(self->page, self->turn, call->in_size, call->out_size);
        return true;
    }
    memcpy(&sizes, al_page_body(self->page, self->turn)->bytes, sizeof sizes);
    call->in_size = sizes.in_size;
    call->out_size = sizes.out_size;
    *bytes = self->parcel.address;
    return *bytes && self->parcel.bytes >= al_slot_out_offset(call->in_size) + call->out_size;
}

static allot_status run_function(worker *self, const al_slot *slot, al_code code, allot_call *call)
{
    unsigned char *bytes;
    if (!find_bytes(self, slot, call, &bytes))
        return al_failure_set(&call->failure, ALLOT_NO_MEMORY,
                              "the worker cannot map the task's arguments and result");
    void *in = call->in_size ? bytes : NULL;
    void *out = call->out_size ? bytes + al_slot_out_offset(call->in_size) : NULL;
    if (out && !slot->in_parcel) /* a parcel is new, and so zero */
        memset(out, 0, call->out_size);
    if (slot->kind == AL_SLOT_CHUNK)
        return al_chunk_run((allot_function)code, call, in, out);
    return ((allot_function)code)(call, in, out);
}

static allot_status run_part(worker *self, al_code code, allot_call *call)
{
    al_slot_part *part = (al_slot_part *)al_page_body(self->page, self->turn)->bytes;
    allot_value values[AL_PARAMS_MAX];
    for (size_t i = 0; i < part->arg_count && i < AL_PARAMS_MAX; i++) {
        al_slot_argument *argument = &part->args[i];
        values[i] = argument->value;
        values[i].data = argument->scalar;
        if (!argument->is_array)
            continue;
        unsigned char *address = self->arrays[argument->index % AL_ARRAYS_MAX].address;
        if (!address)
            return al_failure_set(&call->failure, ALLOT_NO_MEMORY, "the worker cannot map an array");
        values[i].data = address + argument->offset;
    }
    allot_part what = { part->type, part->range, part->begin, part->end, values };
    return ((allot_cpu_variant)code)(call, &what);
}

/* Two, so that there is still work while the parent, woken after the first, gives more. */
static bool has_parts_ahead(worker *self)
{
    for (uint64_t turn = self->turn + 1; turn <= self->turn + 2; turn++) {
        al_slot *slot = al_page_slot(self->page, turn);
        if (atomic_load(&slot->word) != al_slot_word(turn, AL_SLOT_QUEUED) || slot->kind != AL_SLOT_NEXT_PART)
            return false;
    }
    return true;
}

static void notify(worker *self)
{
    uint32_t whom = atomic_load(&self->page->notify) ? atomic_exchange(&self->page->notify, 0) : 0;
    self->owes_notice = false;
    if (whom & AL_NOTIFY_KEEPER)
        al_wire_signal(self->door.socket, AL_WIRE_WAKE);
    if (whom & AL_NOTIFY_WAITERS) {
        al_futex_wake(&self->page->notify, INT_MAX, AL_FUTEX_SHARED);
        sched_yield(); /* whoever woke us may want to go on where he was, and that is here */
    }
}

static _Noreturn void end(worker *self);

/* The call goes back into the queue with all that were given after it, once the parent hears of our end; for
 * which a finalizer has its time, and no more. */
static _Noreturn void decline(worker *self, al_slot *slot)
{
    signal(SIGALRM, SIG_DFL);
    alarm(LAST_S);
    al_slot_change(slot, self->turn, AL_SLOT_RUNNING, AL_SLOT_QUEUED);
    end(self);
}

static void run(worker *self, al_slot *slot)
{
    allot_call call = { .stopping = &slot->stopping, .place = "process" };
    al_code code = NULL;
    atomic_store_explicit(&current_stopping, &slot->stopping, memory_order_relaxed);
    al_borrow_begin(&slot->stopping);
    int64_t start_ns = self->ended_ns ? self->ended_ns : al_clock_now_ns();
    al_limits_call(&self->limits, true);
    allot_status status = find_code(self, (al_symbol){ slot->module, slot->offset }, &code, &call.failure);
    bool is_part = slot->kind == AL_SLOT_PART || slot->kind == AL_SLOT_NEXT_PART;
    if (status == ALLOT_OK ? !al_seal_admits(code) : self->modules[slot->module % AL_MODULES_MAX].outdated)
        decline(self, slot);
    if (status == ALLOT_OK && is_part)
        status = run_part(self, code, &call);
    else if (status == ALLOT_OK)
        status = run_function(self, slot, code, &call);
    al_limits_call(&self->limits, false);
    if (al_seal_declined())
        decline(self, slot);
    self->ended_ns = al_clock_now_ns();
    slot->ran_ns = (uint64_t)(self->ended_ns - start_ns);
    al_borrow_end();
    unmap(&self->parcel);
    al_streams_flush(); /* who sees the result sees what was printed before it */
    al_slot_respond(self->page, self->turn, status, &call.failure);
    atomic_store_explicit(&current_stopping, NULL, memory_order_relaxed);
    if (!al_slot_change(slot, self->turn, AL_SLOT_RUNNING, AL_SLOT_DONE))
        _exit(EXIT_SUCCESS); /* being killed: the parent has given the task up */
    /* seq_cst, as the change before: either the parent sees the slot before it sleeps, or we see that it
     * does. */
    if (is_part && status == ALLOT_OK && has_parts_ahead(self))
        self->owes_notice = true;
    else
        notify(self);
    if (al_limits_grown(&self->limits))
        al_wire_signal(self->door.socket, AL_WIRE_GROWN);
}

/* ---- First and last ---- */

static const al_setup *setup_of(const worker *self)
{
    return (const al_setup *)(const void *)self->setup.address; /* NULL: there is none */
}

/* The initializer or the finalizer, with data of its own. */
static allot_status call_once(worker *self, al_symbol symbol, al_failure *failure)
{
    const al_setup *setup = setup_of(self);
    static const _Atomic uint32_t never;
    allot_call call = { .stopping = &never, .in_size = setup->data_size, .place = "process" };
    al_code code = NULL;
    void *data = setup->data_size ? malloc(setup->data_size) : NULL;
    if (setup->data_size && !data)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "no memory for its data");
    if (data)
        memcpy(data, setup->data, setup->data_size);
    allot_status status = find_code(self, symbol, &code, &call.failure);
    if (status == ALLOT_OK)
        status = ((allot_function)code)(&call, data, NULL);
    free(data);
    al_streams_flush();
    *failure = call.failure;
    return status;
}

static void tell_ready(worker *self, allot_status status, const char *what, const al_failure *failure)
{
    al_wire_message message;
    memset(&message, 0, sizeof message);
    message.kind = AL_WIRE_READY;
    message.index = (uint32_t)status;
    if (status != ALLOT_OK)
        snprintf(message.path, sizeof message.path, "%s: %s", what,
                 failure->message ? failure->message : allot_status_text(status));
    al_wire_send(self->door.socket, &message, -1);
}

static _Noreturn void give_up(worker *self, allot_status status, const char *what, const al_failure *failure)
{
    tell_ready(self, status, what, failure);
    _exit(EXIT_FAILURE);
}

/* Before the first call. The initializer may take its time, so the parent hears of us before. */
static void begin(worker *self)
{
    al_failure failure = { 0 };
    read_mail(self, self->page->first_mail);
    const al_setup *setup = setup_of(self);
    bool expected = self->page->first_mail != 0;
    if (setup)
        al_wire_signal(self->door.socket, AL_WIRE_HELLO);
    allot_status status =
        expected && !setup ? ALLOT_NO_MEMORY : al_limits_begin(&self->limits, setup, &failure);
    if (status != ALLOT_OK)
        give_up(self, status, "a worker process cannot be set up", &failure);
    if (setup && setup->initializes) {
        status = call_once(self, setup->initialize, &failure);
        if (status != ALLOT_OK)
            give_up(self, status, "the initializer of a worker process failed", &failure);
    }
    al_limits_ready(&self->limits);
    tell_ready(self, ALLOT_OK, "", &failure);
}

static _Noreturn void end(worker *self)
{
    al_failure ignored = { 0 };
    if (setup_of(self) && setup_of(self)->finalizes)
        call_once(self, setup_of(self)->finalize, &ignored);
    al_streams_flush();
    _exit(EXIT_SUCCESS);
}

/* ---- The loop ---- */

static bool has_turn(worker *self)
{
    uint64_t word = atomic_load(&al_page_slot(self->page, self->turn)->word);
    return al_slot_turn_of(word) >= self->turn && al_slot_state_of(word) != AL_SLOT_FREE;
}

/* True if there is something to do: a call whose turn it is, mail, or the end. */
static bool called(worker *self)
{
    return has_turn(self) || atomic_load(&self->page->mail) != self->mail ||
           atomic_load(&self->page->closing);
}

/* What was given before the parent said so is still done: hence the order of the two looks. */
static bool is_over(worker *self)
{
    return atomic_load(&self->page->closing) && !has_turn(self);
}

/* Who is at work elsewhere calls again at once. If it has not, it may want this very CPU. */
static bool spin(worker *self)
{
    int64_t start_ns = al_clock_now_ns(), now_ns = start_ns;
    while (now_ns - start_ns < SPIN_NS) {
        for (int i = 0; i < 32; i++) {
            if (called(self))
                return true;
            al_pause();
        }
        now_ns = al_clock_now_ns();
        if (now_ns - start_ns > ALONE_NS)
            now_ns = al_yield(now_ns);
    }
    return false;
}

static void sleep_until_called(worker *self)
{
    al_page *page = self->page;
    while (!called(self)) {
        uint32_t bell = atomic_load_explicit(&page->bell, memory_order_acquire);
        atomic_store(&page->worker_sleeps, 1); /* seq_cst: pairs with al_page_ring() */
        if (!called(self))
            al_futex_wait(&page->bell, bell, al_clock_deadline_ns(DOZE_NS), AL_FUTEX_SHARED);
        atomic_store_explicit(&page->worker_sleeps, 0, memory_order_relaxed);
        if (getppid() != self->door.parent)
            _exit(EXIT_FAILURE);
    }
}

/* One step: whatever called() saw. */
static void answer(worker *self)
{
    al_page *page = self->page;
    al_slot *slot = al_page_slot(page, self->turn);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    /* After the word: mail that a call needs was counted before the call was published. */
    read_mail(self, atomic_load_explicit(&page->mail, memory_order_acquire));
    if (al_slot_turn_of(word) < self->turn || al_slot_state_of(word) == AL_SLOT_FREE)
        return;
    if (word == al_slot_word(self->turn, AL_SLOT_QUEUED) &&
        al_slot_change(slot, self->turn, AL_SLOT_QUEUED, AL_SLOT_RUNNING))
        run(self, slot);
    self->turn++; /* done, or taken back by the parent */
}

_Noreturn void al_worker_main(const al_door *door)
{
    static worker self;
    self.door = *door;
    self.turn = 1;
    self.page = al_page_map(door->page);
    close(door->page);
    if (!self.page)
        _exit(EXIT_FAILURE);
    prctl(PR_SET_NAME, "allot-worker");
    struct sigaction action = { .sa_handler = on_terminate };
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    al_borrow_from(ask, &self);
    al_crash_watch(&self.page->crash);
    begin(&self);
    while (!is_over(&self)) {
        if (!called(&self)) {
            self.ended_ns = 0;
            if (self.owes_notice)
                notify(&self);
            if (!spin(&self))
                sleep_until_called(&self);
        }
        answer(&self);
    }
    end(&self);
}
