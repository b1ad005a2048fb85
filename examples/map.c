/* One function over many items: as one result, and one by one as they come. Prints which numbers below 200
 * the Collatz rule (halve an even number, else take 3n + 1) keeps busy longest. */
#include <allot/allot.h>
#include <stdio.h>

enum {
    COUNT = 200
};

static allot_status steps_to_one(allot_call *call, const void *in, void *out)
{
    unsigned long n = *(const unsigned long *)in;
    unsigned steps = 0;
    if (n == 0)
        return allot_fail(call, ALLOT_USER, "0 never gets to 1");
    for (; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
        steps++;
    *(unsigned *)out = steps;
    return ALLOT_OK;
}

/* The whole at once: an array of results in the order of the items. */
static void print_longest(allot_executor *ex, const unsigned long *numbers)
{
    unsigned steps[COUNT], longest = 0;
    allot_future *map = allot_map(ex, steps_to_one, numbers, sizeof *numbers, sizeof *steps, COUNT, NULL);
    if (allot_get(map, steps, sizeof steps, ALLOT_FOREVER) == ALLOT_OK) {
        for (unsigned i = 1; i < COUNT; i++)
            longest = steps[i] > steps[longest] ? i : longest;
        printf("%lu takes %u steps\n", numbers[longest], steps[longest]);
    } else {
        printf("%s\n", allot_future_error(map));
    }
    allot_release(map);
}

/* In worker processes, ten items at a time, each as soon as it is there. One fails; the others do not mind.
 */
static void print_as_they_come(allot_executor *ex, const unsigned long *numbers)
{
    size_t index, short_ones = 0;
    unsigned steps;
    allot_future *map = allot_map(ex, steps_to_one, numbers, sizeof *numbers, sizeof steps, COUNT,
                                  ALLOT_HINTS(.place = ALLOT_PROCESS, .chunk = 10));
    while (allot_map_next(map, &index, ALLOT_FOREVER) == ALLOT_OK)
        if (allot_map_item(map, index, &steps, sizeof steps, 0) != ALLOT_OK)
            printf("item %zu: %s\n", index, allot_map_item_error(map, index));
        else if (steps < 10)
            short_ones++;
    printf("%zu of them take less than 10 steps\n", short_ones);
    allot_release(map);
}

int main(void)
{
    unsigned long numbers[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        numbers[i] = i + 1;
    allot_executor *ex = allot_open(NULL);
    if (!ex) {
        fprintf(stderr, "%s\n", allot_open_error());
        return 1;
    }
    print_longest(ex, numbers);
    numbers[17] = 0;
    print_as_they_come(ex, numbers);
    allot_close(ex);
    return 0;
}
