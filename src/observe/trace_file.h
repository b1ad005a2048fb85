/* What a trace has recorded, and its file in Chrome's trace event format. */
#ifndef AL_OBSERVE_TRACE_FILE_H
#define AL_OBSERVE_TRACE_FILE_H

#include <allot/status.h>
#include <stdio.h>

/* One finished task. Lies in a chunk, one behind the other. */
typedef struct al_trace_event {
    int64_t submitted_ns, started_ns, ended_ns; /* submitted_ns 0: not known */
    uint32_t thread;
    int32_t status;
    uint32_t size_bytes; /* of this event, texts and padding counted */
    uint32_t place_at;   /* where in `texts` the place's name begins */
    char texts[];        /* the task's name, the place's name, each ended by a zero byte */
} al_trace_event;

#define AL_TRACE_CHUNK_BYTES (1 << 20)

typedef struct al_trace_chunk {
    struct al_trace_chunk *next;
    size_t used_bytes, event_count;
    _Alignas(8) unsigned char events[AL_TRACE_CHUNK_BYTES - 64];
} al_trace_chunk;

typedef struct al_trace_thread {
    struct al_trace_thread *next;
    uint32_t id;
    char name[16];
} al_trace_thread;

typedef struct al_trace_record {
    int64_t began_ns;
    al_trace_chunk *chunks;
    al_trace_thread *threads;
    uint64_t dropped; /* events for which there was no room */
} al_trace_record;

/* How many chunks, of 1 MiB each, a trace may fill; what comes later is counted as dropped. A test lowers it.
 */
extern size_t al_trace_chunks_max;

/* Writes the whole file. ALLOT_NO_MEMORY; whether the stream took it is the caller's to ask. */
allot_status al_trace_write(FILE *file, const al_trace_record *record);

#endif
