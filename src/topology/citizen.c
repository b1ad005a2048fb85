#include "topology/citizen.h"
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

const char *const al_citizen_variables[] = { "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS",
                                             "MKL_NUM_THREADS", NULL };
_Static_assert(sizeof al_citizen_variables / sizeof al_citizen_variables[0] == AL_CITIZEN_VARIABLES + 1,
               "for those who need room for them");

typedef long (*blis_get)(void);
typedef void (*blis_set)(long);

/* Runtimes of OpenMP by file: a process may hold several, and hold them where RTLD_DEFAULT does not look, as
 * those that an interpreter's modules bring. The first stands for the program's own symbols. */
static const char *const openmp_files[] = { NULL, "libgomp.so.1", "libomp.so.5", "libiomp5.so" };
#define OPENMP_MAX (sizeof openmp_files / sizeof openmp_files[0])

/* The functions that were found. A library that was found stays loaded. */
typedef struct citizens {
    void (*openmp_set[OPENMP_MAX])(int);
    int (*mkl_set)(int);
    int (*openblas_get)(void);
    void (*openblas_set)(int);
    blis_get blis_get;
    blis_set blis_set;
} citizens;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below; held across their short calls */
static citizens found;
static int users;
static int openblas_before;
static long blis_before; /* 0: not changed */

/* ---- Finding ---- */

/* POSIX promises that a symbol's address fits a function pointer; C does not, so the bytes are copied. */
static bool look_in(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

/* Whether an object's file may be that library: of a link's several names they share what comes before the
 * version. */
static int may_be(struct dl_phdr_info *info, size_t size, void *of)
{
    (void)size;
    const char *file = of, *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    size_t length = (size_t)(strstr(file, ".so") + 3 - file);
    return slash && strncmp(slash + 1, file, length) == 0;
}

/* The loader goes through all its folders for what is not loaded, RTLD_NOLOAD or not: a third of what opening
 * an executor takes. */
static void *loaded(const char *file)
{
    return dl_iterate_phdr(may_be, (void *)file) ? dlopen(file, RTLD_LAZY | RTLD_NOLOAD) : NULL;
}

static void find_openmp(size_t index)
{
    const char *file = openmp_files[index];
    if (found.openmp_set[index])
        return;
    void *library = file ? loaded(file) : RTLD_DEFAULT;
    if (library)
        look_in(library, "omp_set_num_threads", &found.openmp_set[index], sizeof found.openmp_set[index]);
}

/* An OpenBLAS that is built on OpenMP asks the calling thread's own setting, and its setter would change that
 * of the thread that opens: it counts as OpenMP. */
static void find_openblas(void)
{
    int (*parallel)(void);
    if (look_in(RTLD_DEFAULT, "openblas_get_parallel", &parallel, sizeof parallel) && parallel() == 2)
        return;
    look_in(RTLD_DEFAULT, "openblas_get_num_threads", &found.openblas_get, sizeof found.openblas_get);
    look_in(RTLD_DEFAULT, "openblas_set_num_threads", &found.openblas_set, sizeof found.openblas_set);
}

/* At each open: what was loaded since the last is found too. */
static void find(void)
{
    for (size_t i = 0; i < OPENMP_MAX; i++)
        find_openmp(i);
    find_openblas();
    look_in(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local", &found.mkl_set, sizeof found.mkl_set);
    look_in(RTLD_DEFAULT, "bli_thread_get_num_threads", &found.blis_get, sizeof found.blis_get);
    look_in(RTLD_DEFAULT, "bli_thread_set_num_threads", &found.blis_set, sizeof found.blis_set);
}

/* ---- The process's settings ---- */

static bool has_openblas(void)
{
    return found.openblas_get && found.openblas_set;
}

static bool blis_has_team(void)
{
    return found.blis_get && found.blis_set && found.blis_get() > 1; /* -1: nobody said, so one */
}

static void cap_process(void)
{
    openblas_before = has_openblas() ? found.openblas_get() : 0;
    if (openblas_before > 1)
        found.openblas_set(1);
    blis_before = blis_has_team() ? found.blis_get() : 0;
    if (blis_before)
        found.blis_set(1);
}

static void restore_process(void)
{
    if (openblas_before > 1)
        found.openblas_set(openblas_before);
    if (blis_before)
        found.blis_set(blis_before);
}

void al_citizen_cap(void)
{
    pthread_mutex_lock(&lock);
    find();
    if (users++ == 0)
        cap_process();
    pthread_mutex_unlock(&lock);
}

void al_citizen_restore(void)
{
    pthread_mutex_lock(&lock);
    if (--users == 0)
        restore_process();
    pthread_mutex_unlock(&lock);
}

/* ---- A worker's own ---- */

void al_citizen_enter_worker(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < OPENMP_MAX; i++)
        if (found.openmp_set[i])
            found.openmp_set[i](1);
    if (found.mkl_set)
        found.mkl_set(1);
    if (blis_has_team()) /* releases in which that, too, is a thread's own */
        found.blis_set(1);
    pthread_mutex_unlock(&lock);
}
