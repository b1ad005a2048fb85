/* What the suites share: a watchdog a fact, gates at which tasks of any process can be held, looks into
 * /proc. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "test.h"
#include <allot/allot.h>
#include <pthread.h>
#include <stdatomic.h>

/* Also for Valgrind, which runs the build with plain malloc. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(ALLOT_PLAIN_MALLOC)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

/* A repeat count; a tenth of it where a sanitizer slows everything down. */
#define ROUNDS(n) (TEST_SANITIZED ? ((n) + 9) / 10 : (n))

#define MICROSECOND INT64_C(1000)
#define MILLISECOND INT64_C(1000000)
#define SECOND      (1000 * MILLISECOND)

/* ---- Facts ---- */

typedef struct watched_suite {
    const char *name;
    const test_fact *facts;
    void (*prepare)(void); /* called before each fact; NULL: nothing to prepare */
} watched_suite;

/* Runs suites like test_main(), each fact under a watchdog of 20 s (TEST_WATCHDOG_S sets another). An
 * argument runs only the facts whose text contains it. */
int watched_main(int argc, char **argv, const watched_suite *suites, size_t count);

bool status_is(allot_status actual, allot_status expected);
/* Like CU_ASSERT_EQUAL for statuses, and says which one it was. */
#define CHECK_STATUS(actual, expected)                                                                       \
    CU_assertImplementation(status_is((actual), (expected)), __LINE__, #actual " is " #expected, __FILE__,   \
                            "", CU_FALSE)
#define CHECK(condition)   CU_ASSERT(condition)
#define REQUIRE(condition) CU_ASSERT_FATAL(condition)

/* ---- Gates ---- */

#define GATE_TALLIES 1000

/* Lies in memory that worker processes can map. */
typedef struct gate_page {
    _Atomic uint32_t arrived, opened, left;
    _Atomic uint32_t inside, most_inside;
    _Atomic uint32_t tally[GATE_TALLIES]; /* the test's own counts */
} gate_page;

typedef struct test_gate {
    uint64_t key; /* what a task is given: names the gate in any process */
    gate_page *page;
} test_gate;

test_gate gate_create(void);
void gate_destroy(test_gate *gate);
/* For tests: waits until `count` tasks have arrived; lets all through, those that come later too. */
void gate_await(const test_gate *gate, uint32_t count);
void gate_open(test_gate *gate);
uint32_t gate_tally(const test_gate *gate, size_t index);

/* For tasks, in whatever process: the gate's page by its key, to be given back. */
gate_page *gate_page_of(uint64_t key);
void gate_page_done(uint64_t key, gate_page *page);
/* Arrives, waits until the gate is open, leaves. */
void gate_pass(uint64_t key);
/* The same, but gives up (false) when the call is to stop. */
bool gate_pass_unless_stopped(uint64_t key, allot_call *call);
void gate_count(uint64_t key, size_t index);

/* ---- Task functions, usable on every place that runs plain functions ---- */

allot_status task_square(allot_call *call, const void *in, void *out); /* double → double */
allot_status task_nothing(allot_call *call, const void *in, void *out);
allot_status task_gate(allot_call *call, const void *in, void *out); /* uint64_t key */
allot_status task_patient(allot_call *call, const void *in,
                          void *out); /* key; ends early, with ALLOT_OK, when asked to stop */
allot_status task_fail(allot_call *call, const void *in,
                       void *out); /* allot_status → that error, with a message */
#define FAIL_TEXT "row 17 is singular"
typedef struct tally_input {
    uint64_t key, index;
} tally_input;
allot_status task_tally(allot_call *call, const void *in, void *out); /* tally_input */

/* ---- Waiting and looking ---- */

/* Waits (without sleeping for a fixed time) until the count is reached. */
void await_count(const _Atomic uint32_t *word, uint32_t count);
int64_t now_ns(void);
/* Takes so long without giving the processor away, which on a busy machine takes milliseconds: to meet what
 * runs beside at another moment each time. */
void linger(int64_t ns);
int count_threads(void);
/* True once a count is no more than it was; waits up to 2 s, since the kernel lists a thread that was joined
 * a moment longer. */
bool falls_to(int (*count)(void), int most);
int count_fds(void);
int count_children(void); /* zombies too */
size_t resident_bytes(void);

/* Starts `count` threads of one function and waits for them; each gets its element of `inputs`. */
void run_threads(size_t count, void *(*function)(void *), void *inputs, size_t input_size);
pthread_t start_thread(void *(*function)(void *), void *input);
void join_thread(pthread_t thread);

/* Waits for the future, fetches its status, releases it. */
allot_status finish(allot_future *future);
/* True if the array can be read, and its first `count` elements, floats, have that value. */
bool all_are(allot_array *array, size_t count, float expected);
/* True if the executor has a place of that kind that is not aside. */
bool has_place(allot_executor *executor, allot_kind kind);
/* True if a device is oclgrind, which simulates one instruction at a time: what is to last a moment need not
 * have many. */
bool has_simulator(allot_executor *executor);

#endif
