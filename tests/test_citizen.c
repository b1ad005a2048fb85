/* Other libraries' threads in tasks, counted with the real ones: OpenMP, OpenBLAS, BLIS. */
#include "test.h"
#include "topology/citizen.h"
#include <allot/allot.h>
#include <allot/numeric.h>
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define TEAMS 0 /* libgomp's barriers are unknown to ThreadSanitizer: no team is started, only asked for */
#else
#define TEAMS 1
#endif

#define TEAM 3

/* ---- What is asked in a task, and elsewhere ---- */

/* Threads that an OpenMP region really has here. */
static int openmp_team(void)
{
    int team = 1;
#ifdef _OPENMP
    if (!TEAMS)
        return omp_get_max_threads();
#pragma omp parallel
    {
#pragma omp atomic write
        team = omp_get_num_threads();
    }
#endif
    return team;
}

static void set_openmp(int count)
{
#ifdef _OPENMP
    omp_set_num_threads(count);
#else
    (void)count;
#endif
}

static void *find_symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

typedef int (*get_int)(void);
typedef void (*set_int)(int);
typedef long (*get_long)(void);
typedef void (*set_long)(long);
typedef void (*multiply)(const char *, const char *, const int *, const int *, const int *, const double *,
                         const double *, const int *, const double *, const int *, const double *, double *,
                         const int *);

/* NULL where there is no such library in the program. */
#define FUNCTION(type, name) (*(type *)&(void *){ find_symbol(name) })

static bool openblas_on_openmp(void)
{
    get_int parallel = FUNCTION(get_int, "openblas_get_parallel");
    return parallel && parallel() == 2;
}

static int count_threads(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

/* Threads that stay of those that a matrix product needed: OpenMP keeps its teams, so a first team shows. */
static int threads_left_by(multiply dgemm)
{
    enum {
        N = 300
    };
    static double a[N * N], b[N * N], c[N * N];
    const int n = N;
    const double one = 1;
    int before = count_threads();
    dgemm("N", "N", &n, &n, &n, &one, a, &n, b, &n, &one, c, &n);
    return count_threads() - before;
}

typedef struct answer {
    int openmp, openblas, blis, left_by_blis;
} answer;

static answer ask(void)
{
    answer found = { .openmp = openmp_team() };
    get_int openblas = FUNCTION(get_int, "openblas_get_num_threads");
    get_long blis = FUNCTION(get_long, "bli_thread_get_num_threads");
    found.openblas = openblas ? openblas() : 0;
    found.blis = blis ? (int)blis() : 0;
    return found;
}

#define BLIS_ON_OPENMP "/usr/lib/x86_64-linux-gnu/blis-openmp/libblis.so.4"

static void *blis_library; /* NULL: not here */
static bool blis_keeps_teams;

static allot_status ask_in_task(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    answer found = ask();
    if (blis_library && TEAMS)
        found.left_by_blis = threads_left_by(*(multiply *)&(void *){ dlsym(blis_library, "dgemm_") });
    *(answer *)out = found;
    return ALLOT_OK;
}

static allot_status read_environment(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    int *values = out;
    for (int i = 0; al_citizen_variables[i]; i++) {
        const char *value = getenv(al_citizen_variables[i]);
        values[i] = value ? atoi(value) : 0;
    }
    return ALLOT_OK;
}

/* One task's answer on an executor opened now, which stays open: *executor. */
static answer answer_of(allot_executor **executor, bool keep, allot_kind kind)
{
    answer found = { 0 };
    *executor = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 1, .keep_blas_threads = keep));
    CU_ASSERT_PTR_NOT_NULL_FATAL(*executor);
    allot_future *future =
        allot_submit(*executor, ask_in_task, NULL, 0, sizeof found, ALLOT_HINTS(.place = kind));
    CU_ASSERT_EQUAL(allot_get(future, &found, sizeof found, ALLOT_FOREVER), ALLOT_OK);
    allot_release(future);
    return found;
}

/* ---- Facts ---- */

static void openmp_has_one_thread_in_tasks(void)
{
#ifndef _OPENMP
    printf("skipped: the compiler has no OpenMP ");
#else
    static const allot_kind kinds[] = { ALLOT_THREAD, ALLOT_INLINE };
    set_openmp(TEAM);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        allot_executor *executor;
        CU_ASSERT_EQUAL(answer_of(&executor, false, kinds[i]).openmp, 1);
        CU_ASSERT_EQUAL(openmp_team(), TEAM); /* the user's own thread */
        CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
        CU_ASSERT_EQUAL(openmp_team(), TEAM);
    }
#endif
}

static void openmp_is_kept_on_request(void)
{
#ifndef _OPENMP
    printf("skipped: the compiler has no OpenMP ");
#else
    allot_executor *executor;
    set_openmp(TEAM);
    int here = omp_get_num_procs(); /* what a thread that nobody told anything has */
    const char *told = getenv("OMP_NUM_THREADS");
    CU_ASSERT_EQUAL(answer_of(&executor, true, ALLOT_THREAD).openmp, told ? atoi(told) : here);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
#endif
}

static allot_status set_team(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    set_openmp(TEAM);
    *(int *)out = openmp_team();
    return ALLOT_OK;
}

static void a_task_may_ask_for_more(void)
{
#ifndef _OPENMP
    printf("skipped: the compiler has no OpenMP ");
#else
    int team = 0;
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    for (int i = 0; i < 2; i++) {
        allot_future *future = allot_submit(executor, set_team, NULL, 0, sizeof team, NULL);
        CU_ASSERT_EQUAL(allot_get(future, &team, sizeof team, ALLOT_FOREVER), ALLOT_OK);
        CU_ASSERT_EQUAL(team, TEAM);
        allot_release(future);
    }
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
#endif
}

static void openblas_has_one_while_open(void)
{
    get_int get = FUNCTION(get_int, "openblas_get_num_threads");
    set_int set = FUNCTION(set_int, "openblas_set_num_threads");
    if (!get || openblas_on_openmp()) {
        printf("skipped: no OpenBLAS with threads of its own ");
        return;
    }
    set(2);
    allot_executor *first, *second;
    CU_ASSERT_EQUAL(answer_of(&first, false, ALLOT_THREAD).openblas, 1);
    CU_ASSERT_EQUAL(answer_of(&second, false, ALLOT_THREAD).openblas, 1);
    CU_ASSERT_EQUAL(allot_close(first), ALLOT_OK);
    CU_ASSERT_EQUAL(get(), 1);
    CU_ASSERT_EQUAL(allot_close(second), ALLOT_OK);
    CU_ASSERT_EQUAL(get(), 2);
    CU_ASSERT_EQUAL(answer_of(&first, true, ALLOT_THREAD).openblas, 2);
    CU_ASSERT_EQUAL(allot_close(first), ALLOT_OK);
    CU_ASSERT_EQUAL(get(), 2);
}

static allot_status multiply_in_task(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(int *)out = threads_left_by(FUNCTION(multiply, "dgemm_"));
    return ALLOT_OK;
}

/* Its product asks the thread's OpenMP setting; its process-wide setter would change the user's thread. */
static void openblas_on_openmp_follows_openmp(void)
{
    if (!openblas_on_openmp() || !TEAMS) {
        printf("skipped: no OpenBLAS that is built on OpenMP ");
        return;
    }
    int left = -1;
    set_openmp(TEAM);
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    allot_future *future = allot_submit(executor, multiply_in_task, NULL, 0, sizeof left, NULL);
    CU_ASSERT_EQUAL(allot_get(future, &left, sizeof left, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT(left <= 0); /* below: a thread of the fact before was still on its way out */
    CU_ASSERT_EQUAL(openmp_team(), TEAM);
    allot_release(future);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static void blis_has_one_while_open(void)
{
    get_long get = FUNCTION(get_long, "bli_thread_get_num_threads");
    set_long set = FUNCTION(set_long, "bli_thread_set_num_threads");
    if (!blis_library) {
        printf("skipped: no BLIS ");
        return;
    }
    set(TEAM);
    allot_executor *executor;
    answer found = answer_of(&executor, false, ALLOT_THREAD);
    CU_ASSERT_EQUAL(found.blis, 1);
    CU_ASSERT(found.left_by_blis <= 0);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
    CU_ASSERT_EQUAL(get(), TEAM);
    found = answer_of(&executor, true, ALLOT_THREAD);
    CU_ASSERT_EQUAL(found.blis, TEAM);
    CU_ASSERT(!TEAMS || !blis_keeps_teams ||
              found.left_by_blis > 0); /* so the count above would have shown a team */
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
    set(1);
}

/* What the environment of a worker process says: of an executor that keeps the counts or not. */
static void read_worker(bool keep, int *values, size_t size)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.processes = 1, .keep_blas_threads = keep));
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    allot_future *future =
        allot_submit(executor, read_environment, NULL, 0, size, ALLOT_HINTS(.place = ALLOT_PROCESS));
    CU_ASSERT_EQUAL(allot_get(future, values, size, ALLOT_FOREVER), ALLOT_OK);
    allot_release(future);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static void worker_processes_are_told(void)
{
    int values[AL_CITIZEN_VARIABLES];
    for (int i = 0; i < AL_CITIZEN_VARIABLES; i++)
        unsetenv(al_citizen_variables[i]);
    read_worker(false, values, sizeof values);
    for (int i = 0; i < AL_CITIZEN_VARIABLES; i++)
        CU_ASSERT_EQUAL(values[i], 1);
    setenv("OMP_NUM_THREADS", "5", 1); /* the user's word stands */
    read_worker(false, values, sizeof values);
    CU_ASSERT_EQUAL(values[0], 5);
    CU_ASSERT_EQUAL(values[1], 1);
    unsetenv("OMP_NUM_THREADS");
    read_worker(true, values, sizeof values);
    for (int i = 0; i < AL_CITIZEN_VARIABLES; i++)
        CU_ASSERT_EQUAL(values[i], 0);
}

/* H17: a team that the parent had is no team of the worker's, and nothing waits for it. */
static void a_parents_team_freezes_no_worker(void)
{
    multiply dgemm = FUNCTION(multiply, "dgemm_");
    if (!dgemm || !TEAMS) {
        printf("skipped: no BLAS ");
        return;
    }
    threads_left_by(dgemm);
    openmp_team();
    int left = -1;
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.processes = 1));
    allot_future *future =
        allot_submit(executor, multiply_in_task, NULL, 0, sizeof left, ALLOT_HINTS(.place = ALLOT_PROCESS));
    CU_ASSERT_EQUAL(allot_get(future, &left, sizeof left, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_EQUAL(left, 0);
    allot_release(future);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static const test_fact facts[] = {
    { "an OpenMP region in a task has one thread, the user's own keep theirs",
      openmp_has_one_thread_in_tasks },
    { "OpenMP is left alone on request", openmp_is_kept_on_request },
    { "a task may set its own, and nobody sets it back", a_task_may_ask_for_more },
    { "OpenBLAS has one thread while executors are open", openblas_has_one_while_open },
    { "OpenBLAS on OpenMP follows the worker's setting, not the process's",
      openblas_on_openmp_follows_openmp },
    { "BLIS has one thread while executors are open", blis_has_one_while_open },
    { "worker processes are told by environment what the user did not say", worker_processes_are_told },
    { "H17 BLAS and OpenMP in a worker do not freeze after use in the parent",
      a_parents_team_freezes_no_worker },
    { NULL, NULL },
};

/* BLIS is loaded for all to see, as a program that links it would: the build on OpenMP, which keeps its
 * teams, before any other. Worker processes come through here too. */
__attribute__((constructor)) static void load_blis(void)
{
    blis_library = dlopen(BLIS_ON_OPENMP, RTLD_NOW | RTLD_GLOBAL);
    blis_keeps_teams = blis_library != NULL;
    if (!blis_library)
        blis_library = dlopen("libblis.so.4", RTLD_NOW | RTLD_GLOBAL);
}

int main(void)
{
    allot_gemm(); /* so that the program is linked with OpenBLAS */
    return test_main("citizen", facts);
}
