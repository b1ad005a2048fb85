/* The socket between the parent and one worker: rare messages, some of them carrying a descriptor.
 *
 * A record socket (SOCK_SEQPACKET): one message is one record. Sending never blocks and never raises SIGPIPE.
 */
#ifndef AL_PLACES_PROCESS_WIRE_H
#define AL_PLACES_PROCESS_WIRE_H

#include "sync/object.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AL_BUILD_ID_MAX 64

typedef enum al_wire_kind {
    /* From the worker. */
    AL_WIRE_HELLO = 1, /* it lives, and sets itself up */
    AL_WIRE_READY, /* it has reached its loop; or, `index` being a status, it cannot, and `path` says why */
    AL_WIRE_WAKE,  /* a slot is done and the parent sleeps */
    AL_WIRE_GROWN, /* it holds more memory than it should: let it end */
    AL_WIRE_ASK,   /* for the object that `sync` names */
    /* To the worker. */
    AL_WIRE_MODULE, /* module `index` is this one */
    AL_WIRE_ARRAY,  /* map the descriptor, `size` bytes, as array `index`, in place of what was there */
    AL_WIRE_FORGET, /* unmap array `index` */
    AL_WIRE_SETUP,  /* map the descriptor, `size` bytes: an al_setup */
    AL_WIRE_LEND,   /* the object that was asked for, with its descriptor or none; the one answer to an ASK */
    AL_WIRE_PARCEL  /* map the descriptor, `size` bytes: arguments and result of the next call */
} al_wire_kind;

typedef struct al_wire_message {
    uint32_t kind; /* al_wire_kind */
    uint32_t index;
    uint64_t size;
    uint32_t is_program; /* of a module: the host program itself */
    uint32_t build_id_size;
    unsigned char build_id[AL_BUILD_ID_MAX];
    struct {
        allot_sync_ref ref;
        al_sync_form form;
    } sync;
    char path[PATH_MAX]; /* of a module, ended by a zero; only as much as is used is sent */
} al_wire_message;

/* Sends one message, with a descriptor unless fd is -1. False with errno set: EAGAIN when the socket is full.
 */
bool al_wire_send(int socket, const al_wire_message *message, int fd);

/* Sends one message without any content but its kind. */
bool al_wire_signal(int socket, al_wire_kind kind);

typedef enum al_wire_result {
    AL_WIRE_OK,
    AL_WIRE_EMPTY, /* nothing there (only without `wait`) */
    AL_WIRE_END    /* the other side is gone, or what came is not a message */
} al_wire_result;

/* Receives one message; *fd (NULL: none is wanted) receives its descriptor, close-on-exec, or -1. */
al_wire_result al_wire_receive(int socket, al_wire_message *message, int *fd, bool wait);

#endif
