#include "stolen.h"
#include <stdio.h>

bench_ticks bench_ticks_now(void)
{
    double ticks[8] = { 0 }; /* user, nice, system, idle, iowait, irq, softirq, steal */
    bench_ticks now = { 0 };
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return now;
    int count = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2],
                       &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    fclose(file);
    for (int i = 0; i < 8 && count == 8; i++)
        now.all += ticks[i];
    now.stolen = count == 8 ? ticks[7] : 0;
    return now;
}

double bench_stolen_since(const bench_ticks *start)
{
    bench_ticks now = bench_ticks_now();
    return now.all > start->all ? (now.stolen - start->stolen) / (now.all - start->all) : 0;
}
