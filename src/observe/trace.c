/* Recording: events are packed into chunks of memory under one mutex, up to a bound, and written when the
 * trace stops. */
#include "observe/trace.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/failure.h"
#include "observe/trace_file.h"
#include <allot/observe.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 255 /* bytes that are kept of a name */

size_t al_trace_chunks_max = 320; /* over 4 million events of common names */

_Atomic bool al_trace_on;

static struct {
    pthread_mutex_t lock; /* guards all below */
    FILE *file;           /* NULL: no trace is on */
    al_trace_record record;
    al_trace_chunk *last;
    size_t chunk_count;
    uint64_t generation; /* counts traces, so that each thread tells its name once in each */
} trace = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void free_record(al_trace_record *record)
{
    for (al_trace_chunk *chunk = record->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    for (al_trace_thread *thread = record->threads, *next; thread; thread = next) {
        next = thread->next;
        free(thread);
    }
}

/* ---- Recording; with the lock held ---- */

static al_trace_chunk *add_chunk(void)
{
    al_trace_chunk *chunk = trace.chunk_count < al_trace_chunks_max ? malloc(sizeof *chunk) : NULL;
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->used_bytes = chunk->event_count = 0;
    *(trace.last ? &trace.last->next : &trace.record.chunks) = chunk;
    trace.last = chunk;
    trace.chunk_count++;
    return chunk;
}

/* Room for an event; NULL: none is left. */
static al_trace_event *add_event(size_t size_bytes)
{
    al_trace_chunk *chunk = trace.last;
    if (!chunk || sizeof chunk->events - chunk->used_bytes < size_bytes)
        chunk = add_chunk();
    if (!chunk)
        return NULL;
    al_trace_event *event = (void *)(chunk->events + chunk->used_bytes);
    event->size_bytes = (uint32_t)size_bytes;
    chunk->used_bytes += size_bytes;
    chunk->event_count++;
    return event;
}

static void name_thread_once(uint32_t id)
{
    static _Thread_local uint64_t named_in;
    if (named_in == trace.generation)
        return;
    named_in = trace.generation;
    al_trace_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return;
    thread->id = id;
    pthread_getname_np(pthread_self(), thread->name, sizeof thread->name);
    thread->next = trace.record.threads;
    trace.record.threads = thread;
}

static void record_event(const al_trace_event *event, const char *name, const char *place)
{
    size_t name_length = strnlen(name, TEXT_MAX), place_length = strnlen(place, TEXT_MAX);
    size_t size = sizeof *event + name_length + 1 + place_length + 1;
    al_trace_event *kept = add_event((size + 7) / 8 * 8);
    name_thread_once(event->thread);
    if (!kept) {
        trace.record.dropped++;
        return;
    }
    uint32_t size_bytes = kept->size_bytes;
    *kept = *event;
    kept->size_bytes = size_bytes;
    kept->place_at = (uint32_t)name_length + 1;
    memcpy(kept->texts, name, name_length);
    kept->texts[name_length] = '\0';
    memcpy(kept->texts + kept->place_at, place, place_length);
    kept->texts[kept->place_at + place_length] = '\0';
}

void al_trace_task(const char *name, const char *place, int64_t submitted_ns, int64_t started_ns,
                   int64_t ended_ns, allot_status status)
{
    static _Thread_local uint32_t thread_id;
    if (thread_id == 0)
        thread_id = (uint32_t)gettid();
    if (started_ns == 0 ||
        started_ns > ended_ns) /* cancelled before it started, or begun before the trace was */
        started_ns = ended_ns;
    al_trace_event event = { .submitted_ns = submitted_ns,
                             .started_ns = started_ns,
                             .ended_ns = ended_ns,
                             .thread = thread_id,
                             .status = status };
    pthread_mutex_lock(&trace.lock);
    if (trace.file) /* it may have stopped since the caller looked */
        record_event(&event, name, place);
    pthread_mutex_unlock(&trace.lock);
}

/* ---- Start and stop ---- */

/* Takes over the file; false if a trace is on. */
static bool begin(FILE *file)
{
    pthread_mutex_lock(&trace.lock);
    bool free_to_begin = !trace.file;
    if (free_to_begin) {
        trace.file = file;
        trace.record = (al_trace_record){ .began_ns = al_clock_now_ns() };
        trace.last = NULL;
        trace.chunk_count = 0;
        trace.generation++;
        atomic_store(&al_trace_on, true);
    }
    pthread_mutex_unlock(&trace.lock);
    return free_to_begin;
}

allot_status allot_trace_start(const char *path)
{
    if (!path || !*path || atomic_load(&al_trace_on))
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    FILE *file = fopen(path, "we");
    if (!file) {
        al_log(AL_LOG_WARNING, "cannot write the trace to %s: %s", path, strerror(errno));
        return ALLOT_SYSTEM;
    }
    if (begin(file))
        return ALLOT_OK;
    fclose(file);
    return ALLOT_INVALID;
}

static allot_status write_file(FILE *file, const al_trace_record *record)
{
    allot_status status = al_trace_write(file, record);
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    if (record->dropped > 0)
        al_log(AL_LOG_WARNING, "the trace was full: %llu tasks are not in it",
               (unsigned long long)record->dropped);
    if (failed)
        al_log(AL_LOG_WARNING, "the trace could not be written in full");
    return failed ? ALLOT_SYSTEM : status;
}

allot_status allot_trace_stop(void)
{
    if (al_forked())
        return ALLOT_FORKED;
    pthread_mutex_lock(&trace.lock);
    FILE *file = trace.file;
    al_trace_record record = trace.record;
    trace.file = NULL;
    trace.record = (al_trace_record){ 0 };
    atomic_store(&al_trace_on, false);
    pthread_mutex_unlock(&trace.lock);
    if (!file)
        return ALLOT_INVALID;
    allot_status status = write_file(file, &record);
    free_record(&record);
    return status;
}
