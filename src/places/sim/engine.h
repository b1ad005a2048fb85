/* The simulated machine while it runs: devices, memories, links, and what happens next. Private to this room.
 *
 * One thread at a time lets time pass: the stepper. Only it acquires arrays, begins and ends tasks. The lock
 * is never held while anything outside this room is called. */
#ifndef AL_PLACES_SIM_ENGINE_H
#define AL_PLACES_SIM_ENGINE_H

#include "places/sim/cost.h"
#include "places/sim/machine.h"
#include "places/sim/sim.h"

typedef struct al_sim_device al_sim_device;
typedef struct al_sim_memory al_sim_memory;
typedef struct al_sim_item al_sim_item;
typedef struct al_sim_copy al_sim_copy;

/* ---- Links ---- */

/* One end of links: a transfer takes each end that it passes for bytes / rate of its own. */
typedef struct al_sim_end {
    int64_t free_ns; /* when the transfers so far have passed */
    int64_t busy_ns; /* how long they took it altogether */
} al_sim_end;

typedef struct al_sim_node {
    al_sim_end bus, in, out; /* its devices' shared link; the network */
    al_sim_memory *memory;   /* of every node but the first, whose memory is the host's */
} al_sim_node;

/* ---- Memories ---- */

struct al_sim_memory {
    al_memory base; /* first */
    al_sim *sim;
    const al_sim_class *class; /* of the device that owns it; NULL: a node's */
    size_t node;
    al_sim_end in, out;
    double bytes; /* held now; this and the list are guarded by the machine's lock */
    al_sim_copy *longest_unused, *last_used; /* all its copies, by their last use */
};

struct al_sim_copy {
    al_copy base;               /* first */
    _Atomic int64_t arrives_ns; /* when all that is current here has come */
    _Atomic int64_t at_host_ns; /* when all that was brought from here to the host has come */
    _Atomic unsigned pins;      /* tasks that need it and are not over */
    al_sim_copy *used_before, *used_after;
};

/* What the stepper brings for one task. */
typedef struct al_sim_plan {
    int64_t ready_ns; /* when all of it has come */
    int64_t room_ns;  /* when what had to go has gone */
} al_sim_plan;

/* Acquires a launch's arrays for a device and says when they will have come; pins their copies. */
allot_status al_sim_bring(al_sim_device *device, al_task *task, int64_t *ready_ns, al_failure *failure);
/* Takes the pins back. */
void al_sim_unpin(al_sim_device *device, al_task *task);
void al_sim_memory_init(al_sim_memory *memory, al_sim *sim, const al_sim_class *class, size_t node);

/* ---- Devices ---- */

enum {
    AL_SIM_WINDOW = 32 /* the most launches whose data has been asked for */
};

struct al_sim_item {
    al_task *task;  /* NULL: unused */
    uint64_t order; /* of arrival */
    int priority;
    double urgency;
    bool brings;      /* the stepper has it in hand; cannot be withdrawn */
    bool looks;       /* its arrays stay for it: al_task_look() */
    size_t at;        /* index in the queue; SIZE_MAX: not there */
    int64_t ready_ns; /* when its data has come */
    int64_t began_ns, ran_ns;
    allot_status status; /* how bringing its data went, or what its end will be */
    al_failure failure;
    al_sim_item *next; /* of unused ones */
};

struct al_sim_device {
    al_place base; /* first */
    al_sim *sim;
    const al_sim_class *class;
    size_t number; /* of the machine's devices */
    size_t index;  /* within its class, over all nodes */
    size_t node;
    al_sim_memory *memory; /* NULL: the host's */
    bool owns_memory;
    int64_t death_ns;
    uint64_t launches;  /* begun */
    uint64_t *compiled; /* ids of kernels that ran here, where compiling costs something */
    size_t compiled_count, compiled_capacity;
    /* Guarded by the machine's lock: */
    al_sim_item **queue; /* a heap, the first to run at its root */
    size_t queued, queue_capacity;
    al_sim_item *window[AL_SIM_WINDOW]; /* their data is on its way or here; in order */
    size_t window_count;
    al_sim_item *running;
    bool dead, open;
    bool touched; /* in the machine's list */
    al_sim_device *next_touched;
    int64_t event_ns; /* when something happens here next */
    uint64_t event_order;
    size_t event_at; /* index among the events; SIZE_MAX: none */
};

extern const al_place_ops al_sim_ops;
static inline al_sim_device *al_sim_device_from(const al_place *place)
{
    return place->ops == &al_sim_ops ? (al_sim_device *)place : NULL;
}

/* With the lock held. The queue: by priority, then by urgency, then by arrival. */
bool al_sim_queue_push(al_sim_device *device, al_sim_item *item);
al_sim_item *al_sim_queue_pop(al_sim_device *device);
void al_sim_queue_remove(al_sim_device *device, al_sim_item *item);
bool al_sim_comes_before(const al_sim_item *a, const al_sim_item *b);

/* Without the lock, by the stepper: something may have changed for this device. Begins what it can. */
void al_sim_device_go(al_sim_device *device);
/* Its moment has come. */
void al_sim_device_event(al_sim_device *device);

/* ---- The machine ---- */

struct al_sim {
    al_sim_machine *machine; /* owned */
    uint64_t seed;
    _Atomic int64_t now_ns;
    _Atomic int64_t moved_ns; /* grows by what each transfer takes: memories are timed by it */
    bool (*may_pass)(void *of);
    void *may_pass_of;
    al_sim_device **devices;
    size_t device_count, open_count; /* open_count: not closed yet */
    al_sim_node *nodes;

    pthread_mutex_t lock;               /* guards all below and what is said above */
    int64_t (*next_alarm_ns)(void *of); /* NULL: there are no alarms */
    void (*ring)(void *of, int64_t now_ns);
    void *alarms_of;
    bool stepping;
    pthread_t stepper;
    unsigned depth;         /* the stepper's steps that are not over: code that it runs may wait */
    al_sim_device **events; /* a heap; room for every device */
    size_t event_count;
    uint64_t orders; /* counts arrivals, and events */
    al_sim_device *touched, *last_touched;
    al_sim_item *unused;
    al_sim *next; /* of those that are open; guarded by that list's lock */
    unsigned users;
};

static inline int64_t al_sim_now(const al_sim *sim)
{
    return al_clock_of(&sim->now_ns);
}

/* With the lock held. */
void al_sim_touch(al_sim_device *device);
void al_sim_set_event(al_sim_device *device, int64_t at_ns);
void al_sim_clear_event(al_sim_device *device);

/* When bytes that leave `from` (NULL: the host's memory) at earliest_ns or later are at `to`, by way of the
 * links between them; occupies these. Takes the lock. *start_ns: when they left. */
int64_t al_sim_transfer(al_sim *sim, al_sim_memory *from, al_sim_memory *to, size_t bytes,
                        int64_t earliest_ns, int64_t *start_ns);
/* True if there is a way from one to the other that does not store in the host's memory. */
bool al_sim_direct(const al_sim *sim, const al_sim_memory *from, const al_sim_memory *to);

/* All bytes have come that are on their way for the host: time passes until then, if nothing else happens
 * before. */
void al_sim_pass_until(al_sim *sim, int64_t at_ns);

/* From now on waiting threads let its time pass; or no more: none does when it returns. */
void al_sim_list(al_sim *sim);
void al_sim_unlist(al_sim *sim);

void al_sim_close_device(al_sim_device *device);

#endif
