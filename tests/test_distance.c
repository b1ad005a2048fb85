/* How far apart memory nodes are: the kernel's lines, and what is asked of them. */
#include "topology/distance.h"
#include "test.h"
#include <string.h>

typedef struct row {
    const char *line;
    unsigned char first[4];
} row;

static const row rows[] = {
    { "10 21 31 21", { 10, 21, 31, 21 } },
    { "10", { 10 } },
    { "", { 0 } },
    { "  16\t10 ", { 16, 10 } },
    { "10 -3 300 99999999999999999999", { 10 } }, /* none can be a distance */
    { "255 254", { 0, 254 } },                    /* 255: it cannot be reached */
    { "10 x 20", { 10 } },
    { "nodes", { 0 } },
};

static void lines_are_read(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char distances[AL_DISTANCE_NODES];
        memset(distances, 7, sizeof distances);
        al_distance_parse(rows[i].line, distances);
        CU_ASSERT_EQUAL(memcmp(distances, rows[i].first, sizeof rows[i].first), 0);
        CU_ASSERT_EQUAL(distances[AL_DISTANCE_NODES - 1], 0);
    }
}

static void long_lines_are_cut(void)
{
    char line[4 * (AL_DISTANCE_NODES + 10) + 1] = "";
    unsigned char distances[AL_DISTANCE_NODES + 1] = { [AL_DISTANCE_NODES] = 7 };
    for (int i = 0; i < AL_DISTANCE_NODES + 10; i++)
        strcat(line, "20 ");
    al_distance_parse(line, distances);
    CU_ASSERT_EQUAL(distances[AL_DISTANCE_NODES - 1], 20);
    CU_ASSERT_EQUAL(distances[AL_DISTANCE_NODES], 7);
}

static void nothing_is_nearer_than_ones_own(void)
{
    for (int from = -2; from < AL_DISTANCE_NODES + 2; from++)
        for (int to = -2; to < AL_DISTANCE_NODES + 2; to++) {
            double ratio = al_distance_ratio(from, to);
            CU_ASSERT_TRUE(ratio >= 1 && ratio <= 25.4);
            CU_ASSERT_TRUE(from != to || ratio == 1);
        }
}

static const test_fact facts[] = {
    { "lines are read", lines_are_read },
    { "long lines are cut", long_lines_are_cut },
    { "nothing is nearer than one's own", nothing_is_nearer_than_ones_own },
    { NULL, NULL },
};

int main(void)
{
    return test_main("distance", facts);
}
