/* What the loops of the parallel_for questions do, the same machine code for every system. Usable from C++.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is looped over: the part from `begin` to `end`. */
typedef void (*loops_part)(size_t begin, size_t end);

/* Adds one to each counter. */
void loops_increment(size_t begin, size_t end);
/* y = a x + y. */
void loops_saxpy(size_t begin, size_t end);

/* Makes or clears what both work on: counters, or x and y, of that length; false when memory is out. */
int loops_reset(size_t count);
/* How many of the first `count` elements are what they should be after so many whole loops. */
size_t loops_right(loops_part part, size_t count, size_t loops);

#ifdef __cplusplus
}
#endif
#endif
