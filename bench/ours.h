/* Allot, as the programs here use it: one executor a process. */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include "round.h"
#include <allot/allot.h>

/* The executor of this process, with as many threads and worker processes as are asked for; NULL, and the
 * round fails, if it cannot be opened. */
allot_executor *ours_executor(bench_round *round);

/* The first place of this kind that takes tasks; NULL, and the round is left out, if there is none. */
const allot_place_info *ours_place(bench_round *round, allot_kind kind);

#endif
