/* Workload files: JSON, either a generator with its sizes or lists of arrays and tasks. */
#include "scenario.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *path;
    al_problem *problem;
    al_scenario *to;
    json_t *arrays; /* numbers by name */
} reader;

static bool expect(const reader *read, const char *where, const char *key, const char *expected)
{
    const char *dot = where[0] && key[0] ? "." : "", *colon = where[0] || key[0] ? ": " : "";
    return al_problem_set(read->problem, AL_EXIT_INPUT, "%s: %s%s%s%sexpected %s", read->path, where, dot,
                          key, colon, expected);
}

static bool check_keys(const reader *read, json_t *object, const char *where, const char *const *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        char names[300] = "one of these keys:";
        bool known = false;
        for (const char *const *each = keys; *each; each++) {
            size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, " %s", *each);
            known |= strcmp(*each, key) == 0;
        }
        if (!known)
            return expect(read, where, key, names);
    }
    return true;
}

static bool number(const reader *read, json_t *object, const char *where, const char *key, double most,
                   double *value)
{
    json_t *given = json_object_get(object, key);
    char expected[80];
    if (!given)
        return true;
    *value = json_number_value(given);
    if (json_is_number(given) && *value >= 0 && *value <= most)
        return true;
    snprintf(expected, sizeof expected, "a number from 0 to %g", most);
    return expect(read, where, key, expected);
}

static bool size_of(const reader *read, json_t *object, const char *key, size_t *value)
{
    double given = 0;
    if (!number(read, object, "", key, 1e9, &given))
        return false;
    if (given != floor(given))
        return expect(read, "", key, "a whole number");
    *value = (size_t)given;
    return true;
}

/* ---- Generators ---- */

static bool read_generator(reader *read, json_t *from, size_t tiles)
{
    static const char *const keys[] = { "name",  "about",  "generator", "tiles", "tile", "steps",
                                        "width", "degree", "flops",     "bytes", "seed", NULL };
    const char *generator = json_string_value(json_object_get(from, "generator"));
    al_scenario_size size = { .tiles = 0 };
    size_t seed = 0;
    if (!generator)
        return expect(read, "", "generator", "a generator's name (or list \"tasks\")");
    if (!check_keys(read, from, "", keys) || !size_of(read, from, "tiles", &size.tiles) ||
        !size_of(read, from, "tile", &size.tile) || !size_of(read, from, "steps", &size.steps) ||
        !size_of(read, from, "width", &size.width) || !size_of(read, from, "degree", &size.degree) ||
        !size_of(read, from, "seed", &seed) || !number(read, from, "", "flops", 1e18, &size.flops) ||
        !number(read, from, "", "bytes", 1e15, &size.bytes))
        return false;
    size.seed = seed;
    if (tiles)
        size.tiles = tiles;
    al_problem wrong = { 0 };
    if (al_scenario_generate(read->to, generator, &size, &wrong))
        return true;
    return al_problem_set(read->problem, wrong.code, "%s: %s", read->path, wrong.text);
}

/* ---- Lists ---- */

static bool read_arrays(reader *read, json_t *from)
{
    static const char *const keys[] = { "name", "bytes", NULL };
    json_t *list = json_object_get(from, "arrays");
    size_t index;
    json_t *each;
    if (list && !json_is_array(list))
        return expect(read, "", "arrays", "a list of objects with name and bytes");
    json_array_foreach(list, index, each)
    {
        char where[64];
        double bytes = 0;
        const char *name = json_string_value(json_object_get(each, "name"));
        snprintf(where, sizeof where, "arrays[%zu]", index);
        if (!json_is_object(each) || !name || json_object_get(read->arrays, name))
            return expect(read, where, "name", "a text that no other array has");
        if (!check_keys(read, each, where, keys) || !number(read, each, where, "bytes", 1e15, &bytes))
            return false;
        if (bytes < 1)
            return expect(read, where, "bytes", "a number above 0");
        uint32_t made = al_scenario_array(read->to, bytes);
        json_object_set_new(read->arrays, name, json_integer(made));
    }
    return true;
}

typedef struct uses {
    char pattern[AL_SCENARIO_ACCESSES + 1];
    uint32_t arrays[AL_SCENARIO_ACCESSES];
    size_t count;
} uses;

static bool read_uses(reader *read, json_t *task, const char *where, const char *key, char letter, uses *all)
{
    json_t *list = json_object_get(task, key), *each;
    size_t index;
    if (list && !json_is_array(list))
        return expect(read, where, key, "a list of arrays' names");
    json_array_foreach(list, index, each)
    {
        const char *name = json_string_value(each);
        json_t *array = name ? json_object_get(read->arrays, name) : NULL;
        if (!array)
            return expect(read, where, key, "names of arrays in the list \"arrays\"");
        if (all->count == AL_SCENARIO_ACCESSES)
            return expect(read, where, key, "at most 16 arrays altogether");
        all->pattern[all->count] = letter;
        all->arrays[all->count++] = (uint32_t)json_integer_value(array);
    }
    return true;
}

static bool is_used_twice(const uses *all)
{
    for (size_t i = 0; i < all->count; i++)
        for (size_t j = 0; j < i; j++)
            if (all->arrays[i] == all->arrays[j] && (all->pattern[i] != 'r' || all->pattern[j] != 'r'))
                return true;
    return false;
}

static bool read_after(reader *read, json_t *task, const char *where, size_t index)
{
    json_t *list = json_object_get(task, "after"), *each;
    size_t i;
    if (list && !json_is_array(list))
        return expect(read, where, "after", "a list of tasks' numbers");
    json_array_foreach(list, i, each)
    {
        json_int_t before = json_integer_value(each);
        if (!json_is_integer(each) || before < 0 || (size_t)before >= index)
            return expect(read, where, "after", "numbers of tasks before this one, counted from 0");
        al_scenario_after(read->to, (uint32_t)before);
    }
    return true;
}

static bool read_task(reader *read, json_t *task, size_t index)
{
    static const char *const keys[] = { "kernel", "flops",    "bytes", "read", "write",
                                        "update", "priority", "after", NULL };
    char where[64];
    double flops = 0, bytes = 0;
    uses all = { .count = 0 };
    snprintf(where, sizeof where, "tasks[%zu]", index);
    if (!json_is_object(task))
        return expect(read, where, "", "an object");
    const char *kernel = json_string_value(json_object_get(task, "kernel"));
    if (!kernel || !*kernel || strlen(kernel) >= AL_SCENARIO_NAME)
        return expect(read, where, "kernel", "a name of 1 to 39 bytes");
    json_t *priority = json_object_get(task, "priority");
    if (priority && (!json_is_integer(priority) || llabs(json_integer_value(priority)) > 1000000000))
        return expect(read, where, "priority", "a whole number from -1e9 to 1e9");
    if (!check_keys(read, task, where, keys) || !number(read, task, where, "flops", 1e18, &flops) ||
        !number(read, task, where, "bytes", 1e15, &bytes) ||
        !read_uses(read, task, where, "read", 'r', &all) ||
        !read_uses(read, task, where, "update", 'u', &all) ||
        !read_uses(read, task, where, "write", 'w', &all))
        return false;
    if (is_used_twice(&all))
        return expect(read, where, "", "that an array which is written is named once");
    al_scenario_launch(read->to, al_scenario_kernel_of(read->to, kernel, all.pattern), flops, bytes,
                       all.arrays);
    if (read->to->no_memory)
        return true;
    read->to->tasks[index].priority = (int)json_integer_value(priority);
    return read_after(read, task, where, index);
}

static bool read_lists(reader *read, json_t *from)
{
    static const char *const keys[] = { "name", "about", "arrays", "tasks", NULL };
    json_t *list = json_object_get(from, "tasks"), *each;
    size_t index;
    if (!check_keys(read, from, "", keys))
        return false;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return expect(read, "", "tasks", "a list of one or more tasks (or name a \"generator\")");
    read->arrays = json_object();
    bool right = read->arrays && read_arrays(read, from);
    json_array_foreach(list, index, each)
    {
        right = right && read_task(read, each, index);
    }
    json_decref(read->arrays);
    return right;
}

static bool lists_no_sizes(const reader *read)
{
    return al_problem_set(read->problem, AL_EXIT_USAGE,
                          "--tiles: %s lists its tasks; only generated workloads come in sizes", read->path);
}

bool al_scenario_read(al_scenario *scenario, const char *path, size_t tiles, al_problem *problem)
{
    json_error_t error;
    reader read = { path, problem, scenario, NULL };
    FILE *stream = fopen(path, "re");
    if (!stream)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    errno = 0;
    json_t *from = json_loadf(stream, JSON_REJECT_DUPLICATES, &error);
    int wrong = ferror(stream) ? errno : 0;
    fclose(stream);
    if (wrong) {
        json_decref(from);
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: cannot be read: %s", path, strerror(wrong));
    }
    if (!from)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: line %d, column %d: expected JSON: %s", path,
                              error.line, error.column, error.text);
    bool right = json_is_object(from) || expect(&read, "", "", "an object that describes a workload");
    if (right)
        right = !json_object_get(from, "tasks") ? read_generator(&read, from, tiles)
                : tiles                         ? lists_no_sizes(&read)
                                                : read_lists(&read, from);
    const char *name = json_string_value(json_object_get(from, "name"));
    if (right && !name)
        name = json_string_value(json_object_get(from, "generator"));
    snprintf(scenario->name, sizeof scenario->name, "%s", name ? name : "workload");
    json_decref(from);
    if (right && scenario->no_memory)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: too large, or out of memory", path);
    return right;
}
