/* See support.h. A gate is a memfd: its key holds the process and the descriptor, so a worker reaches it
 * through /proc. */
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- The user's cost model ---- */

/* Tests neither learn from it nor teach it; those that look at a file name one of their own. */
__attribute__((constructor)) static void keep_no_model(void)
{
    setenv("ALLOT_MODEL", "off", 0);
}

/* ---- Sanitizers' defaults, for every program that links this file ---- */

#if TEST_SANITIZED
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

/* Absurd sizes must come back as an error, as they do without the sanitizer. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:intercept_tls_get_addr=0"; /* the latter: its tracer trips over
                                                                      drivers' threads */
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* What drivers keep for good. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libRusticlOpenCL\nleak:libMesaOpenCL\nleak:libpocl\nleak:libLLVM\nleak:libOpenCL\nleak:"
           "libhwloc\n";
}
#endif

/* ---- Facts ---- */

static void (*prepare_fact)(void);

static unsigned watchdog_s(void)
{
    const char *text = getenv("TEST_WATCHDOG_S");
    return text ? (unsigned)atoi(text) : TEST_SANITIZED ? 60 : 20;
}

static void bark(int signal_number)
{
    (void)signal_number;
    CU_pTest fact =
        CU_get_current_test(); /* not safe in a signal handler; we are about to die of it anyway */
    const char *name = fact ? fact->pName : "?";
    static const char text[] = "\nHANG, killed by the watchdog: ";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0 || write(STDERR_FILENO, name, strlen(name)) < 0 ||
        write(STDERR_FILENO, "\n", 1) < 0)
        _exit(124);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void before_fact(void)
{
    signal(SIGALRM, bark);
    alarm(watchdog_s());
    if (prepare_fact)
        prepare_fact();
}

static void after_fact(void)
{
    alarm(0);
    fflush(stdout);
}

static bool add_suite(const watched_suite *suite, const char *filter)
{
    CU_pSuite made = CU_add_suite_with_setup_and_teardown(suite->name, NULL, NULL, before_fact, after_fact);
    for (const test_fact *fact = suite->facts; made && fact->says; fact++)
        if (!filter || strstr(fact->says, filter))
            CU_add_test(made, fact->says, fact->check);
    return made;
}

int watched_main(int argc, char **argv, const watched_suite *suites, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0); /* so that a killed run shows where it was */
    CU_basic_set_mode(CU_BRM_VERBOSE);
    for (size_t i = 0; i < count; i++)
        if (!add_suite(&suites[i], argc > 1 ? argv[1] : NULL))
            return EXIT_FAILURE;
    unsigned failures = 0;
    for (size_t i = 0; i < count; i++) {
        prepare_fact = suites[i].prepare;
        CU_basic_run_suite(CU_get_suite(suites[i].name));
        failures += CU_get_number_of_failures();
    }
    CU_cleanup_registry();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

bool status_is(allot_status actual, allot_status expected)
{
    if (actual != expected)
        printf("\n    got %s (%d), expected %s (%d)", allot_status_name(actual), (int)actual,
               allot_status_name(expected), (int)expected);
    return actual == expected;
}

/* ---- Gates ---- */

#define GATES_MAX 1024                        /* descriptors above this cannot be gates */
static _Atomic(gate_page *) gates[GATES_MAX]; /* this process's own, by descriptor */

static void futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec timeout = { .tv_sec = timeout_ns / SECOND, .tv_nsec = timeout_ns % SECOND };
    syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_ns ? &timeout : NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Not an assertion of CUnit: gates are made outside of suites too. */
static void must(bool there, const char *what)
{
    if (there)
        return;
    perror(what);
    abort();
}

test_gate gate_create(void)
{
    test_gate made = { 0 };
    int fd = memfd_create("gate", MFD_CLOEXEC);
    must(fd >= 0 && fd < GATES_MAX && ftruncate(fd, sizeof(gate_page)) == 0, "a gate's descriptor");
    made.page = mmap(NULL, sizeof(gate_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(made.page != MAP_FAILED, "a gate's page");
    made.key = (uint64_t)getpid() << 32 | (uint32_t)fd;
    atomic_store(&gates[fd], made.page);
    return made;
}

void gate_destroy(test_gate *gate)
{
    int fd = (int)(gate->key & UINT32_MAX);
    atomic_store(&gates[fd], NULL);
    munmap(gate->page, sizeof(gate_page));
    close(fd);
    gate->page = NULL;
}

void gate_await(const test_gate *gate, uint32_t count)
{
    for (uint32_t seen; (seen = atomic_load(&gate->page->arrived)) < count;)
        futex_wait(&gate->page->arrived, seen, 0);
}

void gate_open(test_gate *gate)
{
    atomic_store(&gate->page->opened, 1);
    futex_wake(&gate->page->opened);
}

uint32_t gate_tally(const test_gate *gate, size_t index)
{
    return atomic_load(&gate->page->tally[index]);
}

gate_page *gate_page_of(uint64_t key)
{
    unsigned pid = (unsigned)(key >> 32), fd = (unsigned)(key & UINT32_MAX);
    if (pid == (unsigned)getpid())
        return gates[fd];
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/fd/%u", pid, fd);
    int opened = open(path, O_RDWR | O_CLOEXEC);
    if (opened < 0)
        abort(); /* in a worker: shows as a dead worker with a signal */
    gate_page *page = mmap(NULL, sizeof(gate_page), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    close(opened);
    if (page == MAP_FAILED)
        abort();
    return page;
}

void gate_page_done(uint64_t key, gate_page *page)
{
    if (key >> 32 != (uint64_t)getpid())
        munmap(page, sizeof(gate_page));
}

static void arrive(gate_page *page)
{
    uint32_t inside = atomic_fetch_add(&page->inside, 1) + 1;
    uint32_t most = atomic_load(&page->most_inside);
    while (most < inside && !atomic_compare_exchange_weak(&page->most_inside, &most, inside))
        ;
    atomic_fetch_add(&page->arrived, 1);
    futex_wake(&page->arrived);
}

bool gate_pass_unless_stopped(uint64_t key, allot_call *call)
{
    gate_page *page = gate_page_of(key);
    arrive(page);
    bool stopped = false;
    while (!atomic_load(&page->opened) && !stopped) {
        futex_wait(&page->opened, 0, call ? MILLISECOND : 0); /* a flag can only be polled */
        stopped = call && allot_call_stopping(call);
    }
    atomic_fetch_sub(&page->inside, 1);
    atomic_fetch_add(&page->left, 1);
    gate_page_done(key, page);
    return !stopped;
}

void gate_pass(uint64_t key)
{
    gate_pass_unless_stopped(key, NULL);
}

void gate_count(uint64_t key, size_t index)
{
    gate_page *page = gate_page_of(key);
    atomic_fetch_add(&page->tally[index], 1);
    gate_page_done(key, page);
}

/* ---- Task functions ---- */

allot_status task_square(allot_call *call, const void *in, void *out)
{
    (void)call;
    *(double *)out = *(const double *)in * *(const double *)in;
    return ALLOT_OK;
}

allot_status task_nothing(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    return ALLOT_OK;
}

allot_status task_gate(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    gate_pass(*(const uint64_t *)in);
    return ALLOT_OK;
}

allot_status task_patient(allot_call *call, const void *in, void *out)
{
    (void)out;
    gate_pass_unless_stopped(*(const uint64_t *)in, call);
    return ALLOT_OK;
}

allot_status task_fail(allot_call *call, const void *in, void *out)
{
    (void)out;
    return allot_fail(call, *(const allot_status *)in, "%s", FAIL_TEXT);
}

allot_status task_tally(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    const tally_input *input = in;
    gate_count(input->key, input->index);
    return ALLOT_OK;
}

/* ---- Waiting and looking ---- */

void await_count(const _Atomic uint32_t *word, uint32_t count)
{
    while (atomic_load(word) < count)
        sched_yield();
}

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

void linger(int64_t ns)
{
    for (int64_t end_ns = now_ns() + ns; now_ns() < end_ns;)
        continue;
}

static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count - 2; /* . and .. */
}

int count_threads(void)
{
    return count_entries("/proc/self/task");
}

int count_fds(void)
{
    return count_entries("/proc/self/fd") - 1; /* the folder itself */
}

bool falls_to(int (*count)(void), int most)
{
    int64_t end_ns = now_ns() + 2 * SECOND;
    while (count() > most && now_ns() < end_ns)
        sched_yield();
    return count() <= most;
}

static int parent_of(const char *pid)
{
    char path[300], line[512] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *after_name = strrchr(line, ')');
    int parent = -1;
    return after_name && sscanf(after_name + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

int count_children(void)
{
    DIR *folder = opendir("/proc");
    int count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            count += parent_of(entry->d_name) == getpid();
    if (folder)
        closedir(folder);
    return count;
}

size_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

pthread_t start_thread(void *(*function)(void *), void *input)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, input) != 0)
        abort();
    return thread;
}

void join_thread(pthread_t thread)
{
    pthread_join(thread, NULL);
}

void run_threads(size_t count, void *(*function)(void *), void *inputs, size_t input_size)
{
    pthread_t *threads = calloc(count, sizeof *threads);
    must(threads != NULL, "threads");
    for (size_t i = 0; i < count; i++)
        threads[i] = start_thread(function, (char *)inputs + i * input_size);
    for (size_t i = 0; i < count; i++)
        join_thread(threads[i]);
    free(threads);
}

allot_status finish(allot_future *future)
{
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    allot_status status = allot_future_status(future);
    allot_release(future);
    return status;
}

bool all_are(allot_array *array, size_t count, float expected)
{
    const float *data = allot_array_map(array, ALLOT_READ);
    bool right = data != NULL;
    for (size_t i = 0; right && i < count; i++)
        right = data[i] == expected;
    if (data)
        allot_array_unmap(array);
    return right;
}

bool has_place(allot_executor *executor, allot_kind kind)
{
    allot_place_info infos[16];
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].kind == kind && infos[i].state != ALLOT_PLACE_ASIDE)
            return true;
    return false;
}

bool has_simulator(allot_executor *executor)
{
    allot_place_info infos[16];
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].kind == ALLOT_OPENCL && strstr(infos[i].name, "Oclgrind"))
            return true;
    return false;
}
