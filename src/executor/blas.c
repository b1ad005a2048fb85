/* One thread for OpenBLAS while executors are open: the workers already use every core. Found at run time,
 * since the library that uses it may be any. Its setter is process-wide, so it is called at the first open
 * and the last close only. */
#include "executor/executor.h"
#include <dlfcn.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static int users;
static int threads_before;

/* POSIX promises that a symbol's address fits a function pointer; C does not, so the bytes are copied. */
static bool find(const char *name, void *function, size_t size)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

static void set_threads(int count)
{
    void (*set)(int);
    if (find("openblas_set_num_threads", &set, sizeof set))
        set(count);
}

bool al_blas_cap(void)
{
    int (*get)(void);
    if (!find("openblas_get_num_threads", &get, sizeof get))
        return false;
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        threads_before = get();
        set_threads(1);
    }
    pthread_mutex_unlock(&lock);
    return true;
}

void al_blas_restore(void)
{
    pthread_mutex_lock(&lock);
    if (--users == 0)
        set_threads(threads_before);
    pthread_mutex_unlock(&lock);
}
