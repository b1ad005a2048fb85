/* How far apart memory nodes are, as the kernel says. */
#ifndef AL_TOPOLOGY_DISTANCE_H
#define AL_TOPOLOGY_DISTANCE_H

enum {
    AL_DISTANCE_NODES = 64 /* more are as far away as their own */
};

/* How many times longer an access from one node to the other's memory takes than to its own; 1 for the same
 * node and where nobody knows. Read once a process. */
double al_distance_ratio(int from, int to);

/* Reads a node's line, "10 21 31": the distance to each node, 10 to itself (ACPI's SLIT); 0 where it says
 * none, or what can be none. */
void al_distance_parse(const char *line, unsigned char distances[AL_DISTANCE_NODES]);

#endif
