/* What a host that is shared takes away: of such moments figures are worth little. */
#ifndef BENCH_STOLEN_H
#define BENCH_STOLEN_H

/* Processor time of the machine since it began; of it, what the host of a virtual machine gave to others
 * while something here was ready to run. In ticks of the kernel's; proc(5), /proc/stat. */
typedef struct bench_ticks {
    double all, stolen;
} bench_ticks;

/* Zeros where the kernel does not tell. */
bench_ticks bench_ticks_now(void);

/* The share that was stolen since then, 0 to 1; 0 where it is not known. */
double bench_stolen_since(const bench_ticks *start);

#endif
