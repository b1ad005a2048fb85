#include "topology/distance.h"
#include "topology/sysfs.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define OWN 10 /* a node's distance to itself */

static unsigned char distances[AL_DISTANCE_NODES][AL_DISTANCE_NODES]; /* 0: unknown */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The columns are the nodes online, which are numbered without gaps but on odd machines. */
void al_distance_parse(const char *line, unsigned char row[AL_DISTANCE_NODES])
{
    memset(row, 0, AL_DISTANCE_NODES);
    for (int to = 0; to < AL_DISTANCE_NODES; to++) {
        char *end;
        long distance = strtol(line, &end, 10);
        if (end == line)
            return;
        row[to] = distance > 0 && distance < 255 ? (unsigned char)distance : 0;
        line = end;
    }
}

static void read_all(void)
{
    char line[AL_DISTANCE_NODES * 5];
    for (int from = 0; from < AL_DISTANCE_NODES; from++)
        if (al_sysfs_line(line, sizeof line, "/sys/devices/system/node/node%d/distance", from))
            al_distance_parse(line, distances[from]);
}

double al_distance_ratio(int from, int to)
{
    if (from < 0 || to < 0 || from >= AL_DISTANCE_NODES || to >= AL_DISTANCE_NODES || from == to)
        return 1;
    pthread_once(&once, read_all);
    return distances[from][to] > OWN ? (double)distances[from][to] / OWN : 1;
}
