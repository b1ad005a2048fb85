/* What this process uses of the machine: figures that stand beside those of the places. */
#ifndef AL_OBSERVE_METRICS_H
#define AL_OBSERVE_METRICS_H

#include <stdint.h>

/* CPU time of the process so far, over all its threads, and the memory of it that is resident now; 0 where
 * the system does not tell. A few system calls. */
void al_metrics_process(uint64_t *cpu_ns, uint64_t *resident_bytes);

#endif
