/* The least that a fork and join of two threads can cost: both spin, one on the word that starts a loop, the
 * other on the word that ends it. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "loops.h"
#include <stdbool.h>

/* Starts the partner, once; it spins from then on. False if no thread is to be had. */
bool pair_open(void);
/* The first half here, the second at the partner. */
void pair_loop(loops_part part, size_t count);

#endif
