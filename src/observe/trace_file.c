/* The trace's file: JSON of complete events ("ph":"X"), one line each, that Perfetto and about:tracing read.
 *
 * Viewers want the events of one lane nested or apart. A worker's events are (a wait that helps nests); those
 * of a thread that completes what runs elsewhere at once, worker processes or a device, are not: they are
 * spread over extra lanes. */
#include "observe/trace_file.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANES_MAX   64
#define LANE_STRIDE (UINT32_C(1) << 22) /* above every thread id: Linux's PID_MAX_LIMIT */
#define NONE        SIZE_MAX

/* ---- Lanes ---- */

typedef struct placed_event {
    const al_trace_event *event;
    size_t outer; /* index of the event that encloses it in its lane, or NONE */
    uint32_t lane;
} placed_event;

static int by_thread_and_start(const void *left, const void *right)
{
    const al_trace_event *a = ((const placed_event *)left)->event, *b = ((const placed_event *)right)->event;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    if (a->started_ns != b->started_ns)
        return a->started_ns < b->started_ns ? -1 : 1;
    return a->ended_ns > b->ended_ns ? -1 : a->ended_ns < b->ended_ns; /* the enclosing one first */
}

/* True if event `index` nests in what is open in a lane, whose innermost open event is *top; then it is the
 * innermost. */
static bool fits(placed_event *events, size_t index, size_t *top)
{
    const al_trace_event *event = events[index].event;
    while (*top != NONE && events[*top].event->ended_ns <= event->started_ns)
        *top = events[*top].outer;
    if (*top != NONE && events[*top].event->ended_ns < event->ended_ns)
        return false;
    events[index].outer = *top;
    *top = index;
    return true;
}

/* Gives each of one thread's events, sorted by start, its lane; returns how many lanes that takes. */
static uint32_t assign_lanes(placed_event *events, size_t begin, size_t end)
{
    size_t tops[LANES_MAX];
    uint32_t used = 1;
    for (size_t i = 0; i < LANES_MAX; i++)
        tops[i] = NONE;
    for (size_t i = begin; i < end; i++) {
        uint32_t lane = 0;
        while (lane < LANES_MAX - 1 && !fits(events, i, &tops[lane]))
            lane++;
        events[i].lane = lane;
        used = lane >= used ? lane + 1 : used;
    }
    return used;
}

static placed_event *sorted_events(const al_trace_record *record, size_t *count)
{
    *count = 0;
    for (const al_trace_chunk *chunk = record->chunks; chunk; chunk = chunk->next)
        *count += chunk->event_count;
    placed_event *events = malloc((*count + 1) * sizeof *events);
    size_t index = 0;
    for (const al_trace_chunk *chunk = record->chunks; events && chunk; chunk = chunk->next)
        for (size_t at = 0; at < chunk->used_bytes; index++) {
            const al_trace_event *event = (const void *)(chunk->events + at);
            events[index] = (placed_event){ .event = event, .outer = NONE };
            at += event->size_bytes;
        }
    if (events)
        qsort(events, *count, sizeof *events, by_thread_and_start);
    return events;
}

/* ---- JSON ---- */

/* Microseconds with three decimals; not by %f, whose point depends on the host's locale. */
static void put_us(FILE *file, const char *name, int64_t ns)
{
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    fprintf(file, "\"%s\":%s%llu.%03u,", name, ns < 0 ? "-" : "", (unsigned long long)(size / 1000),
            (unsigned)(size % 1000));
}

static void put_event(FILE *file, const placed_event *placed, int64_t began_ns)
{
    const al_trace_event *event = placed->event;
    fputs(",\n{\"name\":", file);
    al_json_put_text(file, event->texts);
    fputs(",\"cat\":", file);
    al_json_put_text(file, event->texts + event->place_at);
    fprintf(file, ",\"ph\":\"X\",\"pid\":%ld,\"tid\":%llu,", (long)getpid(),
            (unsigned long long)event->thread + (unsigned long long)placed->lane * LANE_STRIDE);
    put_us(file, "ts", event->started_ns - began_ns);
    put_us(file, "dur", event->ended_ns - event->started_ns);
    fputs("\"args\":{", file);
    if (event->submitted_ns)
        put_us(file, "queued_us", event->started_ns - event->submitted_ns);
    fprintf(file, "\"status\":\"%s\",\"code\":%d}}", allot_status_name((allot_status)event->status),
            event->status);
}

static const char *thread_name(const al_trace_record *record, uint32_t id)
{
    const al_trace_thread *thread = record->threads;
    while (thread && thread->id != id)
        thread = thread->next;
    return thread ? thread->name : "thread";
}

static void put_lane_name(FILE *file, const al_trace_record *record, uint32_t thread, uint32_t lane)
{
    char name[40];
    if (lane == 0)
        snprintf(name, sizeof name, "%s", thread_name(record, thread));
    else
        snprintf(name, sizeof name, "%s (%u)", thread_name(record, thread), lane + 1);
    fprintf(file, ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%ld,\"tid\":%llu,\"args\":{\"name\":",
            (long)getpid(), (unsigned long long)thread + (unsigned long long)lane * LANE_STRIDE);
    al_json_put_text(file, name);
    fputs("}}", file);
}

/* All events and lane names of the thread whose events begin at `begin`; returns where the next one's begin.
 */
static size_t put_thread(FILE *file, const al_trace_record *record, placed_event *events, size_t begin,
                         size_t count)
{
    uint32_t thread = events[begin].event->thread;
    size_t end = begin;
    while (end < count && events[end].event->thread == thread)
        end++;
    uint32_t lanes = assign_lanes(events, begin, end);
    for (uint32_t lane = 0; lane < lanes; lane++)
        put_lane_name(file, record, thread, lane);
    for (size_t i = begin; i < end; i++)
        put_event(file, &events[i], record->began_ns);
    return end;
}

allot_status al_trace_write(FILE *file, const al_trace_record *record)
{
    size_t count;
    placed_event *events = sorted_events(record, &count);
    if (!events)
        return ALLOT_NO_MEMORY;
    fprintf(file,
            "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"version\":\"allot "
            "%s\",\"events\":%zu,\"dropped\":%llu},\n",
            allot_version(), count, (unsigned long long)record->dropped);
    fprintf(file,
            "\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%ld,\"args\":{\"name\":"
            "\"allot\"}}",
            (long)getpid());
    for (size_t begin = 0; begin < count;)
        begin = put_thread(file, record, events, begin, count);
    fputs("\n]}\n", file);
    free(events);
    return ALLOT_OK;
}
