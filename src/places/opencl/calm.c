#include "places/opencl/calm.h"
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>

static const struct sched_param none; /* what both policies take */

bool al_opencl_calm_begin(void)
{
    return sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0;
}

/* Of the threads that are calm, which the host has none of, or this one would not have been of another kind:
 * makes them as others, or leaves them. Returns how many there are then. */
static size_t look_at_all(bool leave)
{
    size_t calm = 0;
    DIR *threads = opendir("/proc/self/task");
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        int thread = atoi(entry->d_name);
        if (thread > 0 && sched_getscheduler(thread) == SCHED_BATCH)
            calm += leave || sched_setscheduler(thread, SCHED_OTHER, &none) != 0;
    }
    if (threads)
        closedir(threads);
    return calm;
}

bool al_opencl_calm_end(bool begun, bool all_on_cpu)
{
    if (!begun)
        return false;
    sched_setscheduler(0, SCHED_OTHER, &none);
    return look_at_all(all_on_cpu) != 0;
}
