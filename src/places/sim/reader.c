/* Machine files: JSON by jansson. Every key is known, every figure checked; what is wrong is said with the
 * file, the key's path and what is expected there. */
#include "places/sim/machine.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *al_sim_reader_version(void)
{
    return jansson_version_str();
}

/* Where the reader is. After the first mistake it goes on with defaults, and says nothing more. */
typedef struct reader {
    const char *file;
    al_failure *failure;
    allot_status status;
    char path[256];
} reader;

static void refuse(reader *read, allot_status status, const char *what, const char *key, const char *expected)
{
    if (read->status != ALLOT_OK)
        return;
    const char *dot = read->path[0] && key[0] ? "." : "", *colon = read->path[0] || key[0] ? ": " : "";
    read->status = al_failure_set(read->failure, status, "%s: %s%s%s%s%s%s", read->file, read->path, dot, key,
                                  colon, what, expected);
}

static void expect(reader *read, const char *key, const char *expected)
{
    refuse(read, ALLOT_INVALID, "expected ", key, expected);
}

static void out_of_memory(reader *read)
{
    refuse(read, ALLOT_NO_MEMORY, "out of memory", "", "");
}

static size_t enter(reader *read, const char *format, const char *key, size_t index)
{
    size_t length = strlen(read->path);
    if (length && key[0])
        strncat(read->path, ".", sizeof read->path - length - 1);
    size_t used = strlen(read->path);
    snprintf(read->path + used, sizeof read->path - used, format, key, index);
    return length;
}

static void leave(reader *read, size_t length)
{
    read->path[length] = '\0';
}

static bool is_known(const char *key, const char *const *keys)
{
    while (*keys && strcmp(*keys, key) != 0)
        keys++;
    return *keys != NULL;
}

static void check_keys(reader *read, json_t *object, const char *const *keys)
{
    char list[400] = "one of these keys: ";
    for (const char *const *each = keys; *each; each++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", each == keys ? "" : ", ", *each);
    }
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (!is_known(key, keys)) expect(read, key, list);
}

/* ---- Figures ---- */

static double number(reader *read, json_t *object, const char *key, double otherwise, double least)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return otherwise;
    double figure = json_number_value(value);
    if (json_is_number(value) && isfinite(figure) && figure >= least && figure <= 1e30)
        return figure;
    char expected[80];
    snprintf(expected, sizeof expected, "a number from %g to 1e30", least);
    expect(read, key, expected);
    return otherwise;
}

static double positive(reader *read, json_t *object, const char *key, double otherwise)
{
    double figure = number(read, object, key, otherwise, 0);
    if (json_object_get(object, key) && !(figure > 0))
        expect(read, key, "a number above 0");
    return figure;
}

static uint64_t count(reader *read, json_t *object, const char *key, uint64_t otherwise, uint64_t most)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return otherwise;
    json_int_t figure = json_integer_value(value);
    if (json_is_integer(value) && figure >= 0 && (uint64_t)figure <= most)
        return (uint64_t)figure;
    char expected[80];
    snprintf(expected, sizeof expected, "a whole number from 0 to %llu", (unsigned long long)most);
    expect(read, key, expected);
    return otherwise;
}

static bool truth(reader *read, json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (value && !json_is_boolean(value))
        expect(read, key, "true or false");
    return json_is_true(value);
}

/* A copy; NULL only after a mistake. */
static char *text(reader *read, json_t *object, const char *key, const char *otherwise, size_t longest)
{
    json_t *value = json_object_get(object, key);
    const char *given = value ? json_string_value(value) : otherwise;
    if (!given || !*given || strlen(given) > longest) {
        char expected[80];
        snprintf(expected, sizeof expected, "a text of 1 to %zu bytes", longest);
        expect(read, key, expected);
        return NULL;
    }
    char *copy = strdup(given);
    if (!copy)
        out_of_memory(read);
    return copy;
}

static al_sim_rate rate(reader *read, json_t *object, const char *key)
{
    static const char *const keys[] = { "bytes_per_s", "latency_s", NULL };
    json_t *value = json_object_get(object, key);
    if (!value)
        return (al_sim_rate){ 0, 0 };
    if (!json_is_object(value)) {
        expect(read, key, "an object with bytes_per_s and latency_s");
        return (al_sim_rate){ 0, 0 };
    }
    size_t length = enter(read, "%s", key, 0);
    check_keys(read, value, keys);
    al_sim_rate made = { positive(read, value, "bytes_per_s", 0), number(read, value, "latency_s", 0, 0) };
    if (!(made.bytes_per_s > 0))
        expect(read, "bytes_per_s", "a number above 0");
    leave(read, length);
    return made;
}

/* An array of objects, at most so many; NULL where there is none, or after a mistake. */
static json_t *list(reader *read, json_t *object, const char *key, size_t most)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return NULL;
    char expected[80];
    snprintf(expected, sizeof expected, "a list of at most %zu objects", most);
    bool right = json_is_array(value) && json_array_size(value) <= most;
    for (size_t i = 0; right && i < json_array_size(value); i++)
        right = json_is_object(json_array_get(value, i));
    if (!right)
        expect(read, key, expected);
    return right ? value : NULL;
}

/* Room for a list's entries; *room receives how many: none without memory. */
static void *have_room(reader *read, json_t *from, size_t size, size_t *room)
{
    size_t wanted = json_is_object(from) ? json_object_size(from) : json_array_size(from);
    void *made = wanted ? calloc(wanted, size) : NULL;
    if (wanted && !made)
        out_of_memory(read);
    *room = made ? wanted : 0;
    return made;
}

/* ---- Kernels ---- */

static int by_flops(const void *a, const void *b)
{
    double left = ((const al_sim_point *)a)->flops, right = ((const al_sim_point *)b)->flops;
    return (left > right) - (left < right);
}

static void read_point(reader *read, json_t *from, al_sim_point *point)
{
    static const char *const keys[] = { "flops", "mean_s", "stddev_s", "tile", NULL };
    check_keys(read, from, keys);
    point->flops = positive(read, from, "flops", 0);
    point->mean_s = positive(read, from, "mean_s", 0);
    point->stddev_s = number(read, from, "stddev_s", 0, 0);
    if (!(point->flops > 0))
        expect(read, "flops", "a number above 0");
    if (!(point->mean_s > 0))
        expect(read, "mean_s", "a number above 0");
}

static void read_kernel(reader *read, json_t *all, const char *name, al_sim_kernel *kernel)
{
    json_t *points = list(read, all, name, 1000);
    size_t length = enter(read, "%s", name, 0);
    if (!points || json_array_size(points) == 0)
        expect(read, "", "a list of one or more points");
    else
        kernel->points = have_room(read, points, sizeof *kernel->points, &kernel->count);
    if (!(kernel->name = strdup(name)))
        out_of_memory(read);
    for (size_t i = 0; i < kernel->count; i++) {
        size_t outer = enter(read, "%s[%zu]", "", i);
        read_point(read, json_array_get(points, i), &kernel->points[i]);
        leave(read, outer);
    }
    if (kernel->count)
        qsort(kernel->points, kernel->count, sizeof *kernel->points, by_flops);
    for (size_t i = 1; i < kernel->count; i++)
        if (kernel->points[i].flops == kernel->points[i - 1].flops)
            expect(read, "", "points whose flops differ");
    leave(read, length);
}

static void read_kernels(reader *read, json_t *from, al_sim_class *class)
{
    json_t *kernels = json_object_get(from, "kernels");
    if (!kernels)
        return;
    if (!json_is_object(kernels)) {
        expect(read, "kernels", "an object: for each kernel a list of points");
        return;
    }
    size_t length = enter(read, "%s", "kernels", 0), next = 0;
    class->kernels = have_room(read, kernels, sizeof *class->kernels, &class->kernel_count);
    const char *name;
    json_t *value;
    json_object_foreach(kernels, name, value) if (next < class->kernel_count)
        read_kernel(read, kernels, name, &class->kernels[next++]);
    leave(read, length);
}

/* ---- Faults ---- */

static void read_fault(reader *read, json_t *from, const al_sim_class *class, size_t nodes,
                       al_sim_fault *fault)
{
    static const char *const keys[] = { "device", "at_s", "slower", "dies", "each", NULL };
    check_keys(read, from, keys);
    fault->device = -1;
    if (json_object_get(from, "device"))
        fault->device = (int64_t)count(read, from, "device", 0, class->count * nodes - 1);
    fault->at_s = number(read, from, "at_s", 0, 0);
    fault->slower = positive(read, from, "slower", 0);
    fault->dies = truth(read, from, "dies");
    fault->each = count(read, from, "each", 0, INT64_MAX);
    if ((fault->slower > 0) + fault->dies + (fault->each > 0) != 1)
        expect(read, "", "exactly one of slower (a factor), dies (true) and each (a number of launches)");
}

static void read_faults(reader *read, json_t *from, al_sim_class *class, size_t nodes)
{
    json_t *faults = list(read, from, "faults", 10000);
    class->faults = have_room(read, faults, sizeof *class->faults, &class->fault_count);
    for (size_t i = 0; i < class->fault_count; i++) {
        size_t length = enter(read, "%s[%zu]", "faults", i);
        read_fault(read, json_array_get(faults, i), class, nodes, &class->faults[i]);
        leave(read, length);
    }
}

/* ---- Classes ---- */

static allot_kind read_kind(reader *read, json_t *from)
{
    json_t *value = json_object_get(from, "kind");
    const char *name = value ? json_string_value(value) : "thread";
    if (name && strcmp(name, "thread") == 0)
        return ALLOT_THREAD;
    if (name && strcmp(name, "opencl") == 0)
        return ALLOT_OPENCL;
    expect(read, "kind", "\"thread\" (a processor) or \"opencl\" (a device)");
    return ALLOT_THREAD;
}

static void read_memory(reader *read, json_t *from, al_sim_class *class)
{
    class->own_memory = truth(read, from, "own_memory");
    class->memory_bytes = number(read, from, "memory_bytes", 0, 0);
    class->to = rate(read, from, "to");
    class->from = rate(read, from, "from");
    bool linked = class->to.bytes_per_s > 0 && class->from.bytes_per_s > 0;
    if (class->own_memory && !linked)
        expect(read, "to", "the links to and from its node's memory, since it has own_memory");
    if (!class->own_memory &&
        (class->memory_bytes > 0 || json_object_get(from, "to") || json_object_get(from, "from")))
        expect(read, "own_memory", "true, since memory_bytes, to or from is given");
}

static void read_class(reader *read, json_t *from, size_t nodes, al_sim_class *class)
{
    static const char *const keys[] = { "name",        "kind",       "count",        "width",  "flops_per_s",
                                        "bytes_per_s", "launch_s",   "compile_s",    "call_s", "noise",
                                        "lookahead",   "own_memory", "memory_bytes", "to",     "from",
                                        "kernels",     "faults",     "about",        NULL };
    check_keys(read, from, keys);
    class->name = text(read, from, "name", NULL, 15);
    if (class->name && strpbrk(class->name, ":/")) /* places would be called as others are */
        expect(read, "name", "a text without ':' and '/'");
    class->kind = read_kind(read, from);
    class->count = count(read, from, "count", 1, AL_SIM_PLACES_MAX);
    class->width = (int)count(read, from, "width", 1, 1000000);
    class->flops_per_s = positive(read, from, "flops_per_s", 1e9);
    class->bytes_per_s = positive(read, from, "bytes_per_s", 1e9);
    class->launch_s = number(read, from, "launch_s", 0, 0);
    class->compile_s = number(read, from, "compile_s", 0, 0);
    class->call_s = number(read, from, "call_s", 1e-6, 0);
    class->noise = number(read, from, "noise", 0, 0);
    class->lookahead = count(read, from, "lookahead", 2, 16);
    if (class->count < 1)
        expect(read, "count", "a whole number above 0");
    read_memory(read, from, class);
    read_kernels(read, from, class);
    read_faults(read, from, class, nodes);
}

static void read_classes(reader *read, json_t *from, al_sim_machine *machine)
{
    json_t *classes = list(read, from, "classes", AL_SIM_CLASSES_MAX);
    if (!classes || json_array_size(classes) == 0)
        expect(read, "classes", "a list of one or more classes of devices");
    machine->classes = have_room(read, classes, sizeof *machine->classes, &machine->class_count);
    for (size_t i = 0; i < machine->class_count; i++) {
        size_t length = enter(read, "%s[%zu]", "classes", i);
        read_class(read, json_array_get(classes, i), machine->nodes, &machine->classes[i]);
        for (size_t j = 0; j < i && machine->classes[i].name && machine->classes[j].name; j++)
            if (strcmp(machine->classes[i].name, machine->classes[j].name) == 0)
                expect(read, "name", "a name that no other class has");
        leave(read, length);
    }
}

/* ---- Links ---- */

static size_t read_end(reader *read, json_t *from, const char *key, const al_sim_machine *machine)
{
    const char *name = json_string_value(json_object_get(from, key));
    for (size_t i = 0; name && i < machine->class_count; i++)
        if (machine->classes[i].name && strcmp(machine->classes[i].name, name) == 0 &&
            machine->classes[i].own_memory)
            return i;
    expect(read, key, "the name of a class with own_memory");
    return 0;
}

static void read_link(reader *read, json_t *from, const al_sim_machine *machine, al_sim_link *link)
{
    static const char *const keys[] = { "from", "to", "bytes_per_s", "latency_s", NULL };
    check_keys(read, from, keys);
    link->from = read_end(read, from, "from", machine);
    link->to = read_end(read, from, "to", machine);
    link->rate.bytes_per_s = positive(read, from, "bytes_per_s", 0);
    link->rate.latency_s = number(read, from, "latency_s", 0, 0);
    if (!(link->rate.bytes_per_s > 0))
        expect(read, "bytes_per_s", "a number above 0");
}

static void read_links(reader *read, json_t *from, al_sim_machine *machine)
{
    json_t *links = list(read, from, "links", AL_SIM_CLASSES_MAX * AL_SIM_CLASSES_MAX);
    machine->links = have_room(read, links, sizeof *machine->links, &machine->link_count);
    for (size_t i = 0; i < machine->link_count; i++) {
        size_t length = enter(read, "%s[%zu]", "links", i);
        read_link(read, json_array_get(links, i), machine, &machine->links[i]);
        leave(read, length);
    }
}

/* ---- The whole ---- */

static void read_machine(reader *read, json_t *from, al_sim_machine *machine)
{
    static const char *const keys[] = { "name",    "about", "source",  "seed",  "nodes",
                                        "network", "bus",   "classes", "links", NULL };
    check_keys(read, from, keys);
    machine->name = text(read, from, "name", NULL, 60);
    machine->seed = count(read, from, "seed", 1, INT64_MAX);
    machine->nodes = count(read, from, "nodes", 1, AL_SIM_PLACES_MAX);
    machine->network = rate(read, from, "network");
    machine->bus = rate(read, from, "bus");
    if (machine->nodes < 1)
        expect(read, "nodes", "a whole number above 0");
    if (machine->nodes > 1 && !(machine->network.bytes_per_s > 0))
        expect(read, "network", "the network, since there is more than one node");
    if (read->status == ALLOT_OK)
        read_classes(read, from, machine);
    if (read->status == ALLOT_OK && al_sim_machine_places(machine) > AL_SIM_PLACES_MAX)
        expect(read, "nodes", "at most 100000 places in all nodes together");
    if (read->status == ALLOT_OK)
        read_links(read, from, machine);
}

/* Takes the parsed text over. */
static al_sim_machine *read_json(json_t *parsed, const json_error_t *error, const char *name,
                                 allot_status *status, al_failure *failure)
{
    reader read = { .file = name, .failure = failure, .status = ALLOT_OK };
    al_sim_machine *machine = NULL;
    if (!parsed)
        read.status = al_failure_set(failure, ALLOT_INVALID, "%s: line %d, column %d: expected JSON: %s",
                                     name, error->line, error->column, error->text);
    else if (!json_is_object(parsed))
        expect(&read, "", "an object that describes a machine");
    else if (!(machine = calloc(1, sizeof *machine)))
        out_of_memory(&read);
    else
        read_machine(&read, parsed, machine);
    json_decref(parsed);
    *status = read.status;
    if (read.status == ALLOT_OK)
        return machine;
    al_sim_machine_destroy(machine);
    return NULL;
}

al_sim_machine *al_sim_machine_read(const char *given, size_t size, const char *name, allot_status *status,
                                    al_failure *failure)
{
    json_error_t error;
    json_t *parsed = json_loadb(given, size, JSON_REJECT_DUPLICATES, &error);
    return read_json(parsed, &error, name, status, failure);
}

al_sim_machine *al_sim_machine_load(const char *path, allot_status *status, al_failure *failure)
{
    json_error_t error;
    FILE *stream = fopen(path, "re");
    if (!stream) {
        *status = al_failure_set(failure, ALLOT_NOT_FOUND, "%s: cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    errno = 0;
    json_t *parsed = json_loadf(stream, JSON_REJECT_DUPLICATES, &error);
    int wrong = ferror(stream) ? errno : 0;
    fclose(stream);
    if (!wrong)
        return read_json(parsed, &error, path, status, failure);
    json_decref(parsed);
    *status = al_failure_set(failure, ALLOT_SYSTEM, "%s: cannot be read: %s", path, strerror(wrong));
    return NULL;
}
