/* A worker's side of sharing: which objects of its parent it has opened, and for which task.
 *
 * A worker keeps what it has opened for tasks to come, up to a bound, and lets go of what was destroyed. All
 * of it belongs to the thread that runs the worker's tasks. */
#ifndef AL_SYNC_BORROW_H
#define AL_SYNC_BORROW_H

#include "sync/object.h"

/* Asks the parent for an object: its descriptor, or -1; *form receives what it is. */
typedef int (*al_sync_ask)(void *user, const allot_sync_ref *ref, al_sync_form *form);

/* This process, in this thread, can ask a parent for objects. */
void al_borrow_from(al_sync_ask ask, void *user);

/* Around each task of a worker, in the same thread: `stopping` (not 0: it is to end) is what its waits look
 * at. Objects that were opened in between may not be used afterwards. */
void al_borrow_begin(const _Atomic uint32_t *stopping);
void al_borrow_end(void);

/* The object, asked for if need be; NULL if it cannot be had. */
al_sync_object *al_sync_borrow(const allot_sync_ref *ref);

#endif
