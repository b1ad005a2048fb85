/* The trace: what is recorded, and that its file is JSON as viewers want it. */
#include "observe/metrics.h"
#include "observe/trace.h"
#include "observe/trace_file.h"
#include "base/clock.h"
#include "test.h"
#include <allot/allot.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char path[] = "/tmp/allot_test_trace_XXXXXX";
static int64_t base_ns; /* the tests' zero: a moment after the start */

static void start(void)
{
    CU_ASSERT_EQUAL_FATAL(allot_trace_start(path), ALLOT_OK);
    base_ns = al_clock_now_ns();
}

static void record(const char *name, int64_t submitted_us, int64_t started_us, int64_t ended_us,
                   allot_status status)
{
    al_trace_task(name, "thread", base_ns + submitted_us * 1000, base_ns + started_us * 1000,
                  base_ns + ended_us * 1000, status);
}

/* Stops the trace and reads its file; to be freed with json_decref. */
static json_t *stop(void)
{
    json_error_t error;
    CU_ASSERT_EQUAL(allot_trace_stop(), ALLOT_OK);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        printf("%s:%d: %s\n", path, error.line, error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    return root;
}

/* The nth event of a phase; NULL if there are fewer. */
static json_t *event_of(json_t *root, const char *phase, size_t nth)
{
    size_t index;
    json_t *event;
    json_array_foreach(json_object_get(root, "traceEvents"), index, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "ph")), phase) == 0 && nth-- == 0)
            return event;
    }
    return NULL;
}

static json_t *event_named(json_t *root, const char *name)
{
    json_t *event;
    for (size_t i = 0; (event = event_of(root, "X", i)); i++)
        if (strcmp(json_string_value(json_object_get(event, "name")), name) == 0)
            return event;
    return NULL;
}

static double number(json_t *event, const char *key)
{
    return json_number_value(json_object_get(event, key));
}

static const char *text(json_t *event, const char *key)
{
    const char *value = json_string_value(json_object_get(event, key));
    return value ? value : "";
}

static void event_says_what_happened(void)
{
    start();
    CU_ASSERT(al_trace_on);
    record("axpy", 100, 250, 1000, ALLOT_OK);
    record("bad", 2000, 2001, 2003, ALLOT_USER + 3);
    json_t *root = stop();
    CU_ASSERT_FALSE(al_trace_on);
    json_t *event = event_named(root, "axpy"), *args = json_object_get(event, "args");
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_STRING_EQUAL(text(event, "cat"), "thread");
    CU_ASSERT_EQUAL(number(event, "pid"), getpid());
    CU_ASSERT_EQUAL(number(event, "tid"), gettid());
    CU_ASSERT(number(event, "ts") >= 250);
    CU_ASSERT_DOUBLE_EQUAL(number(event, "dur"), 750, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(number(args, "queued_us"), 150, 1e-9);
    CU_ASSERT_STRING_EQUAL(text(args, "status"), "ALLOT_OK");
    json_t *bad = event_named(root, "bad");
    CU_ASSERT_EQUAL(number(json_object_get(bad, "args"), "code"), ALLOT_USER + 3);
    CU_ASSERT_DOUBLE_EQUAL(number(bad, "ts") - number(event, "ts"), 1751, 1e-6);
    json_decref(root);
}

static void unknown_times_are_left_out(void)
{
    start();
    al_trace_task("early", "inline", 0, base_ns - 5000000000, base_ns, ALLOT_OK);
    al_trace_task("never ran", "inline", base_ns, 0, base_ns + 7000, ALLOT_CANCELLED);
    json_t *root = stop(), *early = event_named(root, "early"), *never = event_named(root, "never ran");
    CU_ASSERT(number(early, "ts") < 0);
    CU_ASSERT_PTR_NULL(json_object_get(json_object_get(early, "args"), "queued_us"));
    CU_ASSERT_EQUAL(number(never, "dur"), 0);
    CU_ASSERT_DOUBLE_EQUAL(number(json_object_get(never, "args"), "queued_us"), 7, 1e-9);
    json_decref(root);
}

static void names_are_escaped(void)
{
    static const char *const kept[] = { "", "quote\" back\\slash", "line\nfeed\ttab\x01\x1f\x7f",
                                        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" };
    start();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        record(kept[i], 0, 0, 1, ALLOT_OK);
    record("bad \xff\xc3( \xed\xa0\x80 \xf0\x9f", 0, 0, 1, ALLOT_OK);
    json_t *root = stop();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        CU_ASSERT_PTR_NOT_NULL(event_named(root, kept[i]));
#define BAD "\xef\xbf\xbd" /* what stands for a byte that is not UTF-8 */
    CU_ASSERT_PTR_NOT_NULL(event_named(root, "bad " BAD BAD "( " BAD BAD BAD " " BAD BAD));
    json_decref(root);
}

static void long_names_are_cut(void)
{
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    start();
    record(name, 0, 0, 1, ALLOT_OK);
    json_t *root = stop();
    CU_ASSERT_EQUAL(strlen(text(event_of(root, "X", 0), "name")), 255);
    json_decref(root);
}

static void lanes_hold_what_nests(void)
{
    start();
    record("inner", 0, 10, 20, ALLOT_OK); /* recorded first, as a helping wait does */
    record("outer", 0, 5, 30, ALLOT_OK);
    record("crossing", 0, 25, 40, ALLOT_OK);
    record("apart", 0, 50, 60, ALLOT_OK);
    json_t *root = stop();
    double lane = number(event_named(root, "outer"), "tid");
    CU_ASSERT_EQUAL(number(event_named(root, "inner"), "tid"), lane);
    CU_ASSERT_EQUAL(number(event_named(root, "apart"), "tid"), lane);
    CU_ASSERT_NOT_EQUAL(number(event_named(root, "crossing"), "tid"), lane);
    json_decref(root);
}

#define THREADS      4
#define EACH_RECORDS 5000

static void *record_many(void *name)
{
    prctl(PR_SET_NAME, name);
    for (int i = 0; i < EACH_RECORDS; i++) {
        int64_t now_ns = al_clock_now_ns();
        al_trace_task(name, "thread", now_ns - 100, now_ns - 50, now_ns, ALLOT_OK);
    }
    return NULL;
}

static void every_thread_has_its_lane(void)
{
    static char names[THREADS][16] = { "worker-0", "worker-1", "worker-2", "worker-3" };
    pthread_t threads[THREADS];
    start();
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, record_many, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    json_t *root = stop(), *lane;
    size_t named = 0;
    for (size_t i = 0; (lane = event_of(root, "M", i)); i++)
        named += strncmp(text(json_object_get(lane, "args"), "name"), "worker-", 7) == 0;
    CU_ASSERT(named >= THREADS);
    CU_ASSERT_EQUAL(number(json_object_get(root, "otherData"), "events"), THREADS * EACH_RECORDS);
    CU_ASSERT_EQUAL(number(json_object_get(root, "otherData"), "dropped"), 0);
    json_decref(root);
}

static void one_trace_at_a_time(void)
{
    CU_ASSERT_EQUAL(allot_trace_stop(), ALLOT_INVALID);
    start();
    CU_ASSERT_EQUAL(allot_trace_start(path), ALLOT_INVALID);
    json_t *root = stop();
    CU_ASSERT_PTR_NULL(event_of(root, "X", 0));
    json_decref(root);
    CU_ASSERT_EQUAL(allot_trace_stop(), ALLOT_INVALID);
}

/* The last line of the log. */
static void keep_line(allot_log_level level, const char *line, void *user)
{
    (void)level;
    snprintf(user, 200, "%s", line);
}

static void what_cannot_be_written_is_said(void)
{
    char line[200] = "";
    allot_set_log(keep_line, line, ALLOT_LOG_WARNING);
    CU_ASSERT_EQUAL(allot_trace_start(NULL), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_trace_start(""), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_trace_start("/nonexistent/trace.json"), ALLOT_SYSTEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "/nonexistent/trace.json"));
    CU_ASSERT_EQUAL(allot_trace_start("/dev/full"), ALLOT_OK);
    record("lost", 0, 0, 1, ALLOT_OK);
    CU_ASSERT_EQUAL(allot_trace_stop(), ALLOT_SYSTEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "could not be written"));
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

static void memory_is_bounded(void)
{
    char line[200] = "";
    size_t usual = al_trace_chunks_max;
    al_trace_chunks_max = 2;
    allot_set_log(keep_line, line, ALLOT_LOG_WARNING);
    start();
    for (int i = 0; i < 50000; i++)
        record("axpy", 0, 2 * i, 2 * i + 1, ALLOT_OK);
    json_t *root = stop(), *other = json_object_get(root, "otherData");
    CU_ASSERT(number(other, "dropped") > 1000);
    CU_ASSERT_EQUAL(number(other, "events") + number(other, "dropped"), 50000);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "the trace was full"));
    json_decref(root);
    al_trace_chunks_max = usual;
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

static allot_status succeed(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    return ALLOT_OK;
}

static allot_status give_up(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return allot_fail(call, ALLOT_USER + 7, "on purpose");
}

/* What a user does: start, submit, wait, stop; every task that is done is in the file then. */
static void tasks_are_recorded(void)
{
    allot_executor *executor = allot_open(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    start();
    allot_future *futures[] = {
        allot_submit(executor, succeed, NULL, 0, 0, ALLOT_HINTS(.name = "the good one")),
        allot_submit(executor, give_up, NULL, 0, 0,
                     ALLOT_HINTS(.name = "the bad one", .place = ALLOT_INLINE)),
        allot_submit(executor, succeed, NULL, 0, 0, NULL),
    };
    CU_ASSERT_EQUAL(allot_wait_all(futures, 3, ALLOT_FOREVER), ALLOT_OK);
    json_t *root = stop();
    CU_ASSERT_STRING_EQUAL(text(event_named(root, "the good one"), "cat"), "thread");
    json_t *bad = event_named(root, "the bad one");
    CU_ASSERT_STRING_EQUAL(text(bad, "cat"), "inline");
    CU_ASSERT_EQUAL(number(json_object_get(bad, "args"), "code"), ALLOT_USER + 7);
    CU_ASSERT(number(json_object_get(bad, "args"), "queued_us") >= 0);
    CU_ASSERT_PTR_NOT_NULL(event_of(root, "X", 2));
    CU_ASSERT_PTR_NULL(event_of(root, "X", 3));
    json_decref(root);
    allot_release_all(futures, 3);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static void process_figures_are_real(void)
{
    uint64_t cpu_ns, resident_bytes, later_ns;
    al_metrics_process(&cpu_ns, &resident_bytes);
    CU_ASSERT(cpu_ns > 0);
    CU_ASSERT(resident_bytes > 100000);
    do
        al_metrics_process(&later_ns, &resident_bytes);
    while (later_ns == cpu_ns);
    CU_ASSERT(later_ns > cpu_ns);
}

static const test_fact facts[] = {
    { "an event says name, place, times, status", event_says_what_happened },
    { "times that are not known are left out", unknown_times_are_left_out },
    { "names are escaped, and what is not UTF-8 replaced", names_are_escaped },
    { "long names are cut", long_names_are_cut },
    { "a lane holds what nests, what crosses goes to another", lanes_hold_what_nests },
    { "every thread has its named lane", every_thread_has_its_lane },
    { "there is one trace at a time", one_trace_at_a_time },
    { "what cannot be written is said", what_cannot_be_written_is_said },
    { "the memory of a trace is bounded and what is left out is said", memory_is_bounded },
    { "the tasks of an executor are recorded", tasks_are_recorded },
    { "CPU time and memory of the process are real", process_figures_are_real },
    { NULL, NULL },
};

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return EXIT_FAILURE;
    close(fd);
    int code = test_main("trace", facts);
    unlink(path);
    return code;
}
