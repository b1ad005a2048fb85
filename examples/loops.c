/* Loops and fork-join on plain memory: scales numbers, adds them up, and sorts them. */
#include <allot/allot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT = 1 << 20,
    SHORT = 4096 /* is sorted by one call */
};

static allot_executor *ex;
static float numbers[COUNT], room[COUNT];

static allot_status scale(allot_call *call, const allot_block *block, void *user)
{
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        numbers[i] = (float)(i * 7919 % COUNT) * *(const float *)user;
    return ALLOT_OK;
}

static allot_status add_block(allot_call *call, const allot_block *block, void *user, void *sum)
{
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        *(double *)sum += (double)numbers[i];
    return ALLOT_OK;
}

static void add(void *into, const void *from, void *user)
{
    (void)user;
    *(double *)into += *(const double *)from;
}

typedef struct part {
    size_t begin, end;
} part;

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void merge(part left, part right)
{
    for (size_t i = left.begin, j = right.begin, to = left.begin; to < right.end; to++)
        room[to] = j == right.end || (i < left.end && numbers[i] <= numbers[j]) ? numbers[i++] : numbers[j++];
    memcpy(numbers + left.begin, room + left.begin, (right.end - left.begin) * sizeof *numbers);
}

static allot_status sort(allot_call *call, const void *in, void *out)
{
    part all = *(const part *)in, left = all, right = all;
    left.end = right.begin = all.begin + (all.end - all.begin) / 2;
    if (all.end - all.begin <= SHORT) {
        qsort(numbers + all.begin, all.end - all.begin, sizeof *numbers, compare);
        return ALLOT_OK;
    }
    allot_branch first = { .function = sort, .in = &left }, second = { .function = sort, .in = &right };
    allot_status status = allot_fork_join(ex, &first, &second);
    merge(left, right);
    return status;
}

int main(void)
{
    float by = 0.5F;
    double sum = 0;
    part all = { 0, COUNT };
    ex = allot_open(NULL);
    if (!ex || allot_parallel_for(ex, allot_range(COUNT), scale, &by, NULL) != ALLOT_OK ||
        allot_parallel_reduce(ex, allot_range(COUNT), add_block, add, &sum, sizeof sum, NULL,
                              ALLOT_LOOP(.deterministic = true)) != ALLOT_OK ||
        sort(NULL, &all, NULL) != ALLOT_OK) {
        fprintf(stderr, "%s\n", allot_last_error());
        return 1;
    }
    printf("sum %.1f, least %g, most %g\n", sum, (double)numbers[0], (double)numbers[COUNT - 1]);
    allot_close(ex);
}
