/* Property: whatever happens to worker processes, each task ends exactly once and says how, right results are
 * right, and afterwards nothing is left: no descriptor, process, thread or file, and no memory beyond what
 * the first round took.
 *
 *     soak_processes [--seconds N] [--seed S]
 *
 * In rounds, each with an executor of its own: threads submit tasks that work, fail, crash in every way,
 * hang, carry large arguments, launch on arrays, and use a queue and a mutex together, with random deadlines,
 * stops, cancels and retries, while another thread kills workers from outside. TEST_SEED sets the seed too;
 * processes race, so it repeats what is done, not when. */
#include "probe_kernels.h"
#include "random.h"
#include "support.h"
#include <ctype.h>
#include <dirent.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
    SUBMITTERS = 3,
    PROCESSES = 3,
    WINDOW = 24,       /* futures that a submitter holds */
    RECORDS = 1 << 19, /* of a round */
    BIG_MOST = 300 << 10,
    COUNTERS = 64, /* elements of a submitter's array */
    ITEMS = 40,    /* of a map */
    ROUND_S = TEST_SANITIZED ? 3 : 6,
    GROWTH = 24 << 20 /* bytes that may stay after later rounds */
};

typedef enum deed {
    SQUARE,
    TURN_OVER, /* large arguments and result */
    FAIL,
    CRASH,
    PATIENT,  /* until it is stopped */
    HANG,     /* until it is killed */
    TOGETHER, /* pushes to the queue, or pops, under the mutex */
    MAP,
    LAUNCH,
    DEEDS
} deed;

/* What may come of a task; its future's callback counts the ends. */
typedef struct record {
    _Atomic uint8_t ends;
    _Atomic uint8_t stopped, cancelled; /* somebody tried to */
    bool due;                           /* has a deadline */
    uint8_t deed;                       /* deed */
    int status;                         /* how it ended */
} record;

typedef struct request {
    allot_future *future;
    record *record;
    double number;
    unsigned char *bytes; /* of TURN_OVER; owned */
    size_t size;
} request;

typedef struct submitter {
    random_state random;
    allot_array *counters;
    uint32_t launched; /* what each counter is, while `known` */
    bool known;        /* no launch has failed since they were written */
    request window[WINDOW];
} submitter;

static allot_executor *executor;
static allot_queue *queue;
static allot_mutex *mutex;
static record *records;
static _Atomic uint32_t record_count, kills, wrong;
static _Atomic bool round_over;
static int64_t end_ns;
static uint64_t total, by_status[ALLOT_OWNER_DIED + 1];

static void complain(const char *what, const record *of)
{
    if (atomic_fetch_add(&wrong, 1) < 20)
        printf("%s: deed %d ended %d times, with %s, deadline %d, stopped %d, cancelled %d\n", what, of->deed,
               of->ends, allot_status_name((allot_status)of->status), of->due, of->stopped, of->cancelled);
}

/* ---- Tasks ---- */

static allot_status turn_over(allot_call *call, const void *in, void *out)
{
    size_t size = allot_call_in_size(call);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)~((const unsigned char *)in)[i];
    return ALLOT_OK;
}

static allot_status crash(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    static const int numbers[] = { SIGSEGV, SIGABRT, SIGKILL, SIGTERM, SIGFPE, SIGBUS };
    uint64_t way = *(const uint64_t *)in % 9;
    if (way == 6)
        _exit(42);
    if (way == 7)
        exit(0);
    signal(numbers[way % 6], SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    if (way == 8)
        *(volatile int *)(uintptr_t)(way & 4) = 1;
    raise(numbers[way % 6]);
    return ALLOT_FAILED;
}

static allot_status hang(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    while (!in) /* always */
        usleep(1000000);
    return ALLOT_OK;
}

static allot_status be_patient(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    while (!allot_call_stopping(call))
        usleep(200);
    return ALLOT_OK;
}

typedef struct together_input {
    allot_sync_ref queue, mutex;
    uint64_t number;
} together_input;

static allot_status together(allot_call *call, const void *in, void *out)
{
    (void)out;
    const together_input *input = in;
    uint64_t item[2] = { input->number, ~input->number };
    allot_queue *shared = allot_queue_from(call, &input->queue);
    allot_mutex *guard = shared ? allot_mutex_from(call, &input->mutex) : NULL;
    if (!guard)
        return allot_last_status();
    allot_status status = allot_mutex_lock(guard, 10 * SECOND);
    if (status != ALLOT_OK && status != ALLOT_OWNER_DIED)
        return status;
    if (input->number % 2)
        status = allot_queue_push(shared, item, 0);
    else
        status = allot_queue_pop(shared, item, 0);
    allot_mutex_unlock(guard);
    return status != ALLOT_OK && status != ALLOT_TIMEOUT ? status
           : item[0] != ~item[1]                         ? allot_fail(call, ALLOT_FAILED, "a torn item")
                                                         : ALLOT_OK;
}

/* ---- Submitting ---- */

static void on_end(allot_future *future, void *user)
{
    record *of = user;
    of->status = (int)allot_future_status(future);
    atomic_fetch_add(&of->ends, 1);
}

/* Hints at random; those that hang have to end. */
static allot_hints make_hints(random_state *random, deed what, record *of)
{
    allot_hints hints;
    allot_hints_init(&hints);
    hints.place = ALLOT_PROCESS;
    bool must_end = what == HANG || what == PATIENT;
    if (must_end || random_next(random) % 12 == 0) {
        hints.deadline_ns = 1 + (int64_t)(random_next(random) % (uint64_t)(20 * MILLISECOND));
        hints.grace_ns = 1 + (int64_t)(random_next(random) % (uint64_t)(5 * MILLISECOND));
        of->due = true;
    }
    if (what != LAUNCH && random_next(random) % 8 == 0) { /* a counter is not to be raised twice */
        hints.idempotent = true;
        hints.retries = (int)(random_next(random) % 3);
        hints.retry_delay_ns = (int64_t)(random_next(random) % (uint64_t)MILLISECOND);
    }
    hints.priority = (int)(random_next(random) % 3) - 1;
    return hints;
}

static allot_future *submit_bytes(request *to, random_state *random, const allot_hints *hints)
{
    to->size = 1 + random_next(random) % BIG_MOST;
    to->bytes = malloc(to->size);
    if (!to->bytes)
        abort();
    memset(to->bytes, (int)random_next(random), to->size);
    return allot_submit(executor, turn_over, to->bytes, to->size, to->size, hints);
}

static allot_future *submit_map(const allot_hints *hints)
{
    double numbers[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        numbers[i] = i;
    return allot_map(executor, task_square, numbers, sizeof numbers[0], sizeof numbers[0], ITEMS, hints);
}

static allot_future *launch(submitter *self, const allot_hints *hints)
{
    self->launched++;
    return allot_launch(executor, probe_kernel(PROBE_AFFINE), allot_range_2d(COUNTERS, 1),
                        ALLOT_ARGS(allot_inout_view(allot_view_2d(self->counters, 0, COUNTERS, 1, 1)),
                                   allot_u32(1), allot_u32(1)),
                        hints);
}

static allot_future *submit(submitter *self, request *to, deed what, const allot_hints *hints)
{
    random_state *random = &self->random;
    uint64_t way = random_next(random);
    together_input both = { allot_queue_ref(queue), allot_mutex_ref(mutex), way };
    allot_status code = (allot_status)(ALLOT_USER + 1);
    to->number = (double)(way % 1000);
    switch (what) {
    case TURN_OVER:
        return submit_bytes(to, random, hints);
    case FAIL:
        return allot_submit(executor, task_fail, &code, sizeof code, 0, hints);
    case CRASH:
        return allot_submit(executor, crash, &way, sizeof way, 0, hints);
    case PATIENT:
        return allot_submit(executor, be_patient, NULL, 0, 0, hints);
    case HANG:
        return allot_submit(executor, hang, NULL, 0, 0, hints);
    case TOGETHER:
        return allot_submit(executor, together, &both, sizeof both, 0, hints);
    case MAP:
        return submit_map(hints);
    case LAUNCH:
        return launch(self, hints);
    default:
        return allot_submit(executor, task_square, &to->number, sizeof to->number, sizeof to->number, hints);
    }
}

static deed choose_deed(random_state *random)
{
    static const uint8_t weights[DEEDS] = {
        [SQUARE] = 200, [TURN_OVER] = 12, [FAIL] = 8,      [CRASH] = 3, [PATIENT] = 3,
        [HANG] = 1,     [MAP] = 4,        [TOGETHER] = 15, [LAUNCH] = 8
    };
    uint64_t at = random_next(random) % 254;
    deed what = SQUARE;
    while (what + 1 < DEEDS && at >= weights[what])
        at -= weights[what++];
    return what;
}

/* ---- Looking at how they ended ---- */

/* True if a task of that record may have ended so. Workers are killed from outside, so any may have died. */
static bool may_be(const record *of, allot_status status)
{
    switch ((int)status) {
    case ALLOT_OK:
        return of->deed != CRASH && of->deed != FAIL && of->deed != HANG && of->deed != PATIENT;
    case ALLOT_WORKER_DIED:
        return true;
    case ALLOT_DEADLINE:
        return of->due;
    case ALLOT_STOPPED:
        return of->stopped;
    case ALLOT_CANCELLED:
        return of->cancelled;
    case ALLOT_DEPENDENCY:
        return of->deed == LAUNCH; /* after one that failed */
    case ALLOT_USER + 1:
        return of->deed == FAIL;
    default:
        return false;
    }
}

static void check_result(request *of, bool good)
{
    double squares[ITEMS], square;
    unsigned char *back = of->record->deed == TURN_OVER ? malloc(of->size) : NULL;
    if (!good)
        goto done;
    if (of->record->deed == SQUARE)
        good =
            allot_get(of->future, &square, sizeof square, 0) == ALLOT_OK && square == of->number * of->number;
    if (of->record->deed == MAP)
        good = allot_get(of->future, squares, sizeof squares, 0) == ALLOT_OK && squares[7] == 49;
    if (back) {
        good = allot_get(of->future, back, of->size, 0) == ALLOT_OK;
        for (size_t i = 0; good && i < of->size; i++)
            good = back[i] == (unsigned char)~of->bytes[i];
    }
    if (!good)
        complain("a wrong result", of->record);
done:
    free(back);
}

/* Waits for a future and looks at it. */
static void settle(submitter *self, request *of)
{
    if (!of->future)
        return;
    if (allot_wait(of->future, 20 * SECOND) != ALLOT_OK) {
        complain("a task that does not end", of->record);
        abort();
    }
    allot_status status = allot_future_status(of->future);
    check_result(of, status == ALLOT_OK);
    if (of->record->deed == LAUNCH && status != ALLOT_OK)
        self->known = false;
    allot_release(of->future);
    free(of->bytes);
    *of = (request){ 0 };
}

static void settle_all(submitter *self)
{
    for (int i = 0; i < WINDOW; i++)
        settle(self, &self->window[i]);
}

/* Nothing is in flight on the array: reads it, or writes it anew where a launch has failed. */
static void check_counters(submitter *self)
{
    for (int i = 0; i < WINDOW; i++)
        if (self->window[i].future && self->window[i].record->deed == LAUNCH)
            settle(self, &self->window[i]);
    uint32_t *counters = allot_array_map(self->counters, self->known ? ALLOT_READ : ALLOT_WRITE);
    for (int i = 0; counters && i < COUNTERS; i++) {
        if (self->known && counters[i] != self->launched && atomic_fetch_add(&wrong, 1) < 20)
            printf("a counter is %u after %u launches\n", counters[i], self->launched);
        if (!self->known)
            counters[i] = 0;
    }
    if (!counters && atomic_fetch_add(&wrong, 1) < 20)
        printf("the counters: %s\n", allot_last_error());
    if (!self->known)
        self->launched = 0;
    self->known = true;
    if (counters)
        allot_array_unmap(self->counters);
}

static void mistreat(random_state *random, request *of)
{
    switch (of->future ? random_next(random) % 24 : 24) {
    case 0:
        atomic_store(&of->record->cancelled, 1);
        allot_cancel(of->future);
        break;
    case 1:
        atomic_store(&of->record->stopped, 1);
        allot_stop(of->future, (int64_t)(random_next(random) % (uint64_t)(3 * MILLISECOND)));
        break;
    default:
        break;
    }
}

static void *keep_submitting(void *of)
{
    submitter *self = of;
    while (now_ns() < end_ns) {
        uint32_t index = atomic_fetch_add(&record_count, 1);
        if (index >= RECORDS)
            break;
        request *to = &self->window[random_next(&self->random) % WINDOW];
        settle(self, to);
        to->record = &records[index];
        deed what = choose_deed(&self->random);
        to->record->deed = (uint8_t)what;
        allot_hints hints = make_hints(&self->random, what, to->record);
        to->future = submit(self, to, what, &hints);
        if (allot_on_done(to->future, on_end, to->record) != ALLOT_OK)
            complain("no callback", to->record);
        mistreat(&self->random, &self->window[random_next(&self->random) % WINDOW]);
        if (random_next(&self->random) % 200 == 0)
            check_counters(self);
    }
    settle_all(self);
    check_counters(self);
    return NULL;
}

/* ---- Kills from outside ---- */

/* The status line's parent; -1: gone. */
static int parent_of(int pid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *after_name = strrchr(line, ')');
    int parent = -1;
    return after_name && sscanf(after_name + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

/* A worker that has begun to work bears its name. Deaths at the start, several in a row, would set the place
 * aside, as they should: other tests do that. */
static bool is_at_work(int pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "re");
    bool named = file && fgets(name, sizeof name, file) && strcmp(name, "allot-worker\n") == 0;
    if (file)
        fclose(file);
    return named;
}

/* The signal goes to what was our child when the descriptor stood for it: never to a stranger of the same
 * number. */
static void kill_if_ours(int pid, int number)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return;
    if (parent_of(pid) == getpid() && pidfd_send_signal(fd, number, NULL, 0) == 0)
        atomic_fetch_add(&kills, 1);
    close(fd);
}

static void kill_one(random_state *random)
{
    /* A sanitizer's own handlers of the others may get stuck where a signal comes from outside. */
    static const int numbers[] = { SIGKILL, SIGTERM, SIGKILL, SIGKILL, SIGSEGV, SIGABRT };
    int children[64];
    size_t count = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (isdigit((unsigned char)entry->d_name[0]) && count < 64 &&
            parent_of(atoi(entry->d_name)) == getpid() && is_at_work(atoi(entry->d_name)))
            children[count++] = atoi(entry->d_name);
    if (folder)
        closedir(folder);
    if (count)
        kill_if_ours(children[random_next(random) % count],
                     numbers[random_next(random) % (TEST_SANITIZED ? 4 : 6)]);
}

static void *keep_killing(void *of)
{
    random_state random = random_start(*(uint64_t *)of);
    while (!atomic_load(&round_over)) {
        usleep((useconds_t)(2000 + random_next(&random) % 60000));
        kill_one(&random);
        int most = 1 + (int)(random_next(&random) % PROCESSES);
        if (random_next(&random) % 8 == 0) /* refused where the size cannot change */
            allot_resize(executor, "process", 1, most);
    }
    return NULL;
}

/* ---- A round ---- */

static void check_records(void)
{
    uint32_t count = atomic_load(&record_count) < RECORDS ? atomic_load(&record_count) : RECORDS;
    for (uint32_t i = 0; i < count; i++) {
        const record *of = &records[i];
        if (atomic_load(&of->ends) != 1)
            complain("not one end", of);
        else if (!may_be(of, (allot_status)of->status))
            complain("an end that cannot be", of);
        by_status[of->status <= ALLOT_OWNER_DIED ? of->status : ALLOT_FAILED]++;
    }
    total += count;
}

static void must(bool there, const char *what)
{
    if (there)
        return;
    fprintf(stderr, "%s: %s\n", what, allot_last_error());
    exit(EXIT_FAILURE);
}

/* After all the deaths: queue and mutex work still. */
static void check_objects(void)
{
    uint64_t item[2] = { 1, ~UINT64_C(1) };
    allot_status locked = allot_mutex_lock(mutex, 5 * SECOND), pushed;
    bool right = locked == ALLOT_OK || locked == ALLOT_OWNER_DIED;
    while ((pushed = allot_queue_pop(queue, item, 0)) == ALLOT_OK)
        right = right && item[0] == ~item[1];
    right = right && allot_queue_push(queue, item, 0) == ALLOT_OK;
    right = right && allot_queue_pop(queue, item, 0) == ALLOT_OK && allot_mutex_unlock(mutex) == ALLOT_OK;
    if (!right && atomic_fetch_add(&wrong, 1) < 20)
        printf("queue or mutex are not usable any more\n");
}

static void open_round(submitter *submitters, random_state *random)
{
    executor = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = PROCESSES));
    must(executor != NULL, "allot_open");
    queue = allot_queue_create(executor, 16, 2 * sizeof(uint64_t));
    mutex = allot_mutex_create(executor);
    must(queue && mutex, "the objects");
    for (int i = 0; i < SUBMITTERS; i++) {
        memset(&submitters[i], 0, sizeof submitters[i]);
        submitters[i].random = random_start(random_next(random));
        submitters[i].counters = allot_array_new(executor, ALLOT_U32, COUNTERS);
        submitters[i].known = true;
        must(submitters[i].counters != NULL, "an array");
    }
    memset(records, 0, RECORDS * sizeof records[0]);
    atomic_store(&record_count, 0);
    atomic_store(&round_over, false);
}

static void run_round(random_state *random, int64_t until_ns)
{
    static submitter submitters[SUBMITTERS];
    uint64_t seed = random_next(random);
    open_round(submitters, random);
    end_ns = until_ns;
    pthread_t killer = start_thread(keep_killing, &seed);
    run_threads(SUBMITTERS, keep_submitting, submitters, sizeof submitters[0]);
    atomic_store(&round_over, true);
    join_thread(killer);
    check_objects();
    for (int i = 0; i < SUBMITTERS; i++)
        allot_array_release(submitters[i].counters);
    if (allot_close(executor) != ALLOT_OK)
        atomic_fetch_add(&wrong, 1);
    allot_queue_destroy(queue);
    allot_mutex_destroy(mutex);
    check_records();
}

/* ---- What is left ---- */

typedef struct left {
    int fds, children, threads, files;
    size_t bytes;
} left;

static int count_files(void)
{
    DIR *folder = opendir("/dev/shm");
    int count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += strstr(entry->d_name, "allot") != NULL;
    if (folder)
        closedir(folder);
    return count;
}

static left look(void)
{
    allot_trim();
    malloc_trim(0);
    return (left){ count_fds(), count_children(), count_threads(), count_files(), resident_bytes() };
}

static void check_left(const left *now, const left *base)
{
    bool more = now->fds > base->fds || now->children > base->children || now->files > base->files ||
                !falls_to(count_threads, base->threads);
    bool grown = !TEST_SANITIZED && now->bytes > base->bytes + GROWTH;
    if (more || grown) {
        atomic_fetch_add(&wrong, 1);
        printf("left behind: %d descriptors (%d before), %d children (%d), %d threads (%d), %d files (%d), "
               "%zu KiB (%zu)\n",
               now->fds, base->fds, now->children, base->children, now->threads, base->threads, now->files,
               base->files, now->bytes >> 10, base->bytes >> 10);
    }
}

static void report(int64_t start_ns, const left *now)
{
    printf(
        "%lld s: %llu tasks: %llu right, %llu died, %llu deadline, %llu stopped, %llu cancelled; %u kills; "
        "%d fds, %zu KiB; %u wrong\n",
        (long long)((now_ns() - start_ns) / SECOND), (unsigned long long)total,
        (unsigned long long)by_status[ALLOT_OK], (unsigned long long)by_status[ALLOT_WORKER_DIED],
        (unsigned long long)by_status[ALLOT_DEADLINE], (unsigned long long)by_status[ALLOT_STOPPED],
        (unsigned long long)by_status[ALLOT_CANCELLED], kills, now->fds, now->bytes >> 10, wrong);
    fflush(stdout);
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *text = option(argc, argv, "--seconds");
    int64_t seconds = text ? atoi(text) : 10;
    random_state random = random_start(random_seed(option(argc, argv, "--seed")));
    records = calloc(RECORDS, sizeof records[0]);
    must(records != NULL, "memory");
    alarm((unsigned)seconds + 120);
    int64_t start_ns = now_ns(), stop_ns = start_ns + seconds * SECOND;
    left base = look();
    for (int round = 0; round == 0 || now_ns() < stop_ns; round++) {
        int64_t until_ns = now_ns() + ROUND_S * SECOND;
        run_round(&random, until_ns < stop_ns ? until_ns : stop_ns);
        left now = look();
        if (round == 0)
            base.bytes = now.bytes; /* the rest is to be as it was before all */
        check_left(&now, &base);
        report(start_ns, &now);
    }
    probe_kernels_free();
    free(records);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
