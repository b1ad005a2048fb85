/* Two threads of one program that serve each other by turns, stuck on one CPU while others are idle: the
 * kernel, which looks for a second one that wants to run, seldom finds them so, since each yields or sleeps
 * for the other. Whoever waits notices that its answers come while it has given up its CPU; then the one that
 * serves, if it finds itself on that very CPU, moves away. */
#ifndef AL_BASE_PART_H
#define AL_BASE_PART_H

#include <stdbool.h>

/* Said by a thread for each thing it waited for: whether that came while this thread had yielded or slept.
 * When it has several times in a row, whoever serves on this CPU is asked to leave it. True if so: whoever it
 * is may need a moment of this CPU to hear of it. */
bool al_part_count(bool given_up);

/* By a thread that serves and may run on any CPU that its affinity names: leaves this one if it was asked to,
 * unless doing so was of little use lately. Keeps the affinity. */
void al_part_heed(void);

#endif
