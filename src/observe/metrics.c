#include "observe/metrics.h"
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static uint64_t cpu_time_ns(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* /proc/self/statm: "total resident shared ...", in pages. */
static uint64_t resident_pages(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    unsigned long long total, resident;
    if (length <= 0)
        return 0;
    text[length] = '\0';
    return sscanf(text, "%llu %llu", &total, &resident) == 2 ? resident : 0;
}

void al_metrics_process(uint64_t *cpu_ns, uint64_t *resident_bytes)
{
    *cpu_ns = cpu_time_ns();
    *resident_bytes = resident_pages() * (uint64_t)sysconf(_SC_PAGESIZE);
}
