/* `allot info`: what this machine has, and what stands behind this build. */
#include "cli.h"
#include "json.h"
#include "target.h"
#include "text.h"
#include "workload.h"

#include <argp.h>
#include <stdlib.h>

enum {
    DRIVERS = 64
};

typedef struct info {
    bool json;
    allot_executor *executor;
    allot_topology topology;
    al_places places;
    allot_driver_info drivers[DRIVERS];
    size_t driver_count;
} info;

/* What the library found, and what the command itself reads pictures with. `found` has LIBRARIES places;
 * returns how many are filled. */
enum {
    LIBRARIES = 16
};
static size_t list_libraries(allot_library *found)
{
    size_t count = 0, filled = 0;
    const allot_library *libraries = allot_libraries(&count);
    for (; filled < count && filled + 1 < LIBRARIES; filled++)
        found[filled] = libraries[filled];
    found[filled++] = (allot_library){
        .name = "libpng", .version = al_png_version(), .found = al_png_version()[0], .purpose = "PNG pictures"
    };
    return filled;
}

static const struct argp_option options[] = {
    { "json", 'j', NULL, 0,
      "Print JSON: version, topology, places, devices_message, drivers, libraries, kernels; on failure "
      "{\"error\": TEXT}",
      0 },
    { 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    info *self = state->input;
    switch (key) {
    case 'j':
        self->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is one word too many: info takes options only", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static json_t *topology_json(const allot_topology *t)
{
    return json_pack(
        "{so so si si si si so so so so si so si}", "source", al_json_text(t->source), "cpu_model",
        al_json_text(t->cpu_model), "packages", t->packages, "cores", t->cores, "pus", t->pus, "numa_nodes",
        t->numa_nodes, "memory_bytes", al_json_count(t->memory_bytes), "l1_bytes", al_json_count(t->l1_bytes),
        "l2_bytes", al_json_count(t->l2_bytes), "l3_bytes", al_json_count(t->l3_bytes), "affinity_cpus",
        t->affinity_cpus, "quota_cpus", t->quota_cpus > 0 ? al_json_real(t->quota_cpus) : json_null(),
        "usable_cpus", t->usable_cpus);
}

static json_t *types_json(const allot_place_info *place)
{
    json_t *types = json_array();
#define ADD_TYPE(name, value, text)                                                                          \
    if (place->device_types & ALLOT_DEVICE_##name)                                                           \
        json_array_append_new(types, json_string(text));
    ALLOT_DEVICE_TYPE_LIST(ADD_TYPE)
#undef ADD_TYPE
    return types;
}

static json_t *place_json(const allot_place_info *p)
{
    return json_pack("{so so so so so so si so so sb sb sb so so}", "id", al_json_text(p->id), "kind",
                     al_json_text(allot_kind_name(p->kind)), "state",
                     al_json_text(al_place_state_text(p->state)), "name", al_json_text(p->name), "driver",
                     al_json_text(p->driver), "message", al_json_text(p->message), "workers", p->workers,
                     "memory_bytes", al_json_count(p->memory_bytes), "max_array_bytes",
                     al_json_count(p->max_array_bytes), "shares_cpus", (int)p->shares_cpus, "shares_memory",
                     (int)p->shares_memory, "has_f64", (int)p->has_f64, "numa_node",
                     p->numa_node < 0 ? json_null() : json_integer(p->numa_node), "types", types_json(p));
}

static const char *driver_state_text(allot_driver_state state)
{
    switch (state) {
    case ALLOT_DRIVER_GOOD:
        return "good";
    case ALLOT_DRIVER_USELESS:
        return "of no use";
    case ALLOT_DRIVER_LEFT_OUT:
        return "left out";
    default:
        return "not tried";
    }
}

static json_t *drivers_json(const info *self)
{
    json_t *drivers = json_array();
    for (size_t i = 0; i < self->driver_count; i++) {
        const allot_driver_info *it = &self->drivers[i];
        json_array_append_new(drivers, json_pack("{so so so sb si so}", "file", al_json_text(it->file),
                                                 "library", al_json_text(it->library), "state",
                                                 al_json_text(driver_state_text(it->state)), "remembered",
                                                 (int)it->remembered, "devices", it->devices, "message",
                                                 al_json_text(it->message)));
    }
    return drivers;
}

static json_t *info_json(const info *self)
{
    allot_library libraries[LIBRARIES];
    size_t count = list_libraries(libraries);
    json_t *places = json_array(), *found = json_array(), *kernels = json_array();
    for (size_t i = 0; i < self->places.count; i++)
        json_array_append_new(places, place_json(&self->places.info[i]));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(found,
                              json_pack("{so so sb so}", "name", al_json_text(libraries[i].name), "version",
                                        al_json_text(libraries[i].version), "found", (int)libraries[i].found,
                                        "purpose", al_json_text(libraries[i].purpose)));
    for (size_t i = 0; al_workload_kinds[i]; i++)
        json_array_append_new(kernels, al_json_text(al_workload_kinds[i]->name));
    return json_pack("{so so so so so so so}", "version", al_json_text(allot_version()), "topology",
                     topology_json(&self->topology), "places", places, "devices_message",
                     al_json_text(self->places.message), "drivers", drivers_json(self), "libraries", found,
                     "kernels", kernels);
}

static void print_plural(int count, const char *word, const char *before)
{
    printf("%s%d %s%s", before, count, word, count == 1 ? "" : "s");
}

static void print_topology(const allot_topology *t)
{
    char memory[AL_FIGURE], l1[AL_FIGURE], l2[AL_FIGURE], l3[AL_FIGURE];
    printf("Machine (read with %s)\n  processor  %s\n", t->source,
           t->cpu_model[0] ? t->cpu_model : "unknown");
    print_plural(t->packages, "package", "             ");
    print_plural(t->cores, "core", ", ");
    print_plural(t->pus, "hardware thread", ", ");
    print_plural(t->numa_nodes, "NUMA node", ", ");
    printf("\n  caches     L1 %s, L2 %s, L3 %s\n  memory     %s\n",
           t->l1_bytes ? al_text_bytes(l1, (double)t->l1_bytes) : "?",
           t->l2_bytes ? al_text_bytes(l2, (double)t->l2_bytes) : "?",
           t->l3_bytes ? al_text_bytes(l3, (double)t->l3_bytes) : "?",
           al_text_bytes(memory, (double)t->memory_bytes));
    print_plural(t->usable_cpus, "CPU", "  usable     ");
    printf(" (%d in the affinity mask, ", t->affinity_cpus);
    if (t->quota_cpus > 0)
        printf("quota of %.3g)\n", t->quota_cpus);
    else
        printf("no quota)\n");
}

static void print_places(const al_places *places)
{
    static const al_table_column headings[] = {
        { "  place", false }, { "state", false }, { "type", false }, { "workers", true },
        { "memory", true },   { "f64", false },   { "name", false },
    };
    al_table *table = al_table_create(headings, sizeof headings / sizeof headings[0]);
    for (size_t i = 0; i < places->count; i++) {
        const allot_place_info *place = &places->info[i];
        char text[300], figure[AL_FIGURE];
        snprintf(text, sizeof text, "  %s", place->id);
        al_table_cell(table, text);
        al_table_cell(table, al_place_state_text(place->state));
        al_table_cell(table, place->device_types ? allot_device_types_text(place->device_types) : "-");
        snprintf(text, sizeof text, "%d", place->workers);
        al_table_cell(table, text);
        al_table_cell(table, place->memory_bytes ? al_text_bytes(figure, (double)place->memory_bytes) : "-");
        al_table_cell(table, place->has_f64 ? "yes" : "no");
        int used = snprintf(text, sizeof text, "%s%s%s%s", place->name, place->driver[0] ? " (" : "",
                            place->driver, place->driver[0] ? ")" : "");
        if (place->numa_node >= 0 && used < (int)sizeof text)
            snprintf(text + used, sizeof text - (size_t)used, ", near NUMA node %d", place->numa_node);
        al_table_cell(table, text);
    }
    puts("\nPlaces (a cold one starts with its first task)");
    al_table_print(table, stdout);
    al_table_destroy(table);
    for (size_t i = 0; i < places->count; i++)
        if (places->info[i].message[0])
            printf("  %s: %s\n", places->info[i].id, places->info[i].message);
    if (places->message[0])
        printf("  devices: %s\n", places->message);
}

static void print_drivers(const info *self)
{
    if (self->driver_count)
        puts("\nOpenCL drivers (each is tried in a process of its own before it is loaded)");
    for (size_t i = 0; i < self->driver_count; i++) {
        const allot_driver_info *it = &self->drivers[i];
        printf("  %s: %s", it->file, driver_state_text(it->state));
        if (it->state == ALLOT_DRIVER_GOOD)
            print_plural(it->devices, "device", ", ");
        printf("%s%s%s\n", it->remembered ? ", as found earlier" : "", it->message[0] ? ": " : "",
               it->message);
    }
}

static void print_libraries(void)
{
    allot_library libraries[LIBRARIES];
    size_t count = list_libraries(libraries);
    puts("\nLibraries");
    for (size_t i = 0; i < count; i++)
        printf("  %-12s %-26s %s\n", libraries[i].name,
               !libraries[i].found       ? "not found"
               : libraries[i].version[0] ? libraries[i].version
                                         : "found",
               libraries[i].purpose);
    puts("\nKernels");
    for (size_t i = 0; al_workload_kinds[i]; i++)
        printf("  %-16s %s\n", al_workload_kinds[i]->name, al_workload_kinds[i]->says);
}

int al_info_run(int argc, char **argv)
{
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .doc = "Shows what this machine has: its topology, the places where work can run, the libraries "
               "found.\v" AL_EXIT_HELP,
    };
    info self = { .topology = { .size = sizeof self.topology } };
    al_problem problem = { 0 };
    argp_parse(&parser, argc, argv, 0, NULL, &self);
    al_failures_as_json(self.json);
    self.executor = allot_open(NULL);
    if (!self.executor) {
        al_problem_set(&problem, AL_EXIT_FAILED, "%s", allot_open_error());
        return al_problem_tell(&problem, "allot info");
    }
    allot_get_topology(&self.topology);
    al_places_list(&self.places, self.executor);
    for (size_t i = 0; i < DRIVERS; i++)
        self.drivers[i].size = sizeof self.drivers[i];
    self.driver_count = allot_drivers(self.executor, self.drivers, DRIVERS);
    if (self.driver_count > DRIVERS)
        self.driver_count = DRIVERS;
    bool ok = true;
    if (self.json) {
        ok = al_json_print(info_json(&self), stdout);
    } else {
        printf("allot %s\n\n", allot_version());
        print_topology(&self.topology);
        print_places(&self.places);
        print_drivers(&self);
        print_libraries();
    }
    allot_close(self.executor);
    return ok ? AL_EXIT_OK : AL_EXIT_FAILED;
}
