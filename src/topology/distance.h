/* How far apart memory nodes are, as the kernel says. */
#ifndef AL_TOPOLOGY_DISTANCE_H
#define AL_TOPOLOGY_DISTANCE_H

/* How many times longer an access from one node to the other's memory takes than to its own; 1 for the same
 * node and where nobody knows. Read once a process. */
double al_distance_ratio(int from, int to);

#endif
