#include "topology/distance.h"
#include "topology/sysfs.h"
#include <pthread.h>
#include <stdlib.h>

enum {
    NODES_MOST = 64
};

static unsigned char distances[NODES_MOST][NODES_MOST]; /* 0: unknown; 10 is a node's own (ACPI's SLIT) */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_all(void)
{
    char line[NODES_MOST * 5];
    for (int from = 0; from < NODES_MOST; from++) {
        if (!al_sysfs_line(line, sizeof line, "/sys/devices/system/node/node%d/distance", from))
            continue;
        char *at = line;
        for (int to = 0; to < NODES_MOST && *at; to++) { /* of the nodes online, which are numbered without
                                                            gaps but on odd machines */
            long distance = strtol(at, &at, 10);
            distances[from][to] = distance > 0 && distance < 255 ? (unsigned char)distance : 0;
            while (*at == ' ')
                at++;
        }
    }
}

double al_distance_ratio(int from, int to)
{
    if (from < 0 || to < 0 || from >= NODES_MOST || to >= NODES_MOST || from == to)
        return 1;
    pthread_once(&once, read_all);
    return distances[from][to] > 10 ? distances[from][to] / 10.0 : 1;
}
