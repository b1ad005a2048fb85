/* `allot simulate`: a workload on a simulated machine, against what no schedule can beat. */
#include "bounds.h"
#include "file.h"
#include "io.h"
#include "json.h"
#include "options.h"
#include "play.h"
#include "text.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_SEED = 256,
    OPTION_TILES,
    OPTION_GANTT,
    OPTION_FLAT,
};

typedef struct simulate {
    /* As asked for. */
    const char *machine, *workload, *gantt, *policy;
    size_t seed, tiles, repeats;
    bool json, flat;
    /* What it takes. */
    char machine_path[4096], workload_path[4096];
    allot_machine *description;
    al_scenario scenario;
    allot_executor *executor;
    al_play play;
    al_bounds bounds;
    al_played played; /* the last run */
    double *makespans_s;
    size_t run_count;
    al_problem *problem;
} simulate;

static const struct argp_option options[] = {
    { "policy", 'P', "NAME", 0, "By which launches are placed, like heft, dmda or random:42 (default: eft)",
      0 },
    { "seed", OPTION_SEED, "N", 0, "Of the noise (default: the machine's)", 0 },
    { "tiles", OPTION_TILES, "N", 0, "How large a generated workload is, in its own terms", 0 },
    { "repeat", 'r', "R", 0, "Runs one after the other; what is learned stays (default 1)", 0 },
    { "flat", OPTION_FLAT, NULL, 0,
      "Leave priorities as the workload gives them (default: upward ranks, so that the longest chain goes "
      "first)",
      0 },
    { "gantt", OPTION_GANTT, "FILE.svg", 0, "Draw who ran what when in the last run", 0 },
    { "json", 'j', NULL, 0, "Print JSON; on failure {\"error\": TEXT}", 0 },
    { 0 },
};

static bool set_file(simulate *self, const char *word)
{
    const char **name = self->machine ? &self->workload : &self->machine;
    if (*name)
        return al_problem_set(self->problem, AL_EXIT_USAGE,
                              "'%.60s' is one word too many: a machine and a workload", word);
    *name = word;
    return true;
}

static bool take(simulate *self, int key, const char *argument)
{
    switch (key) {
    case 'P':
        self->policy = argument;
        return true;
    case OPTION_SEED:
        return al_option_count(&self->seed, "--seed", argument, self->problem);
    case OPTION_TILES:
        return al_option_count(&self->tiles, "--tiles", argument, self->problem) &&
               (self->tiles || al_problem_set(self->problem, AL_EXIT_USAGE, "--tiles 0: give 1 or more"));
    case 'r':
        return al_option_repeats(&self->repeats, argument, self->problem);
    case OPTION_FLAT:
        self->flat = true;
        return true;
    case OPTION_GANTT:
        self->gantt = argument;
        return true;
    case 'j':
        self->json = true;
        return true;
    default:
        return set_file(self, argument);
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    simulate *self = state->input;
    if (key == ARGP_KEY_NO_ARGS || key == ARGP_KEY_END || key == ARGP_KEY_INIT || key == ARGP_KEY_SUCCESS ||
        key == ARGP_KEY_FINI || key == ARGP_KEY_ERROR || key == ARGP_KEY_ARGS)
        return ARGP_ERR_UNKNOWN;
    if (!self->problem->code)
        take(self, key, argument);
    return 0;
}

/* ---- Files ---- */

/* A path, or the name of one that is shipped. */
static bool find(char *path, size_t size, const char *folder, const char *name, al_problem *problem)
{
    char shipped[300];
    if (strchr(name, '/') || strstr(name, ".json")) {
        snprintf(path, size, "%s", name);
        return true;
    }
    snprintf(shipped, sizeof shipped, "%s/%.200s.json", folder, name);
    if (al_data_find(NULL, shipped, path, size))
        return true;
    return al_problem_set(
        problem, AL_EXIT_INPUT,
        "%s: not found: expected a file, or one of the %s that `allot simulate --help' names", name, folder);
}

static bool load(simulate *self)
{
    if (!self->workload)
        return al_problem_set(self->problem, AL_EXIT_USAGE, "name a machine and a workload");
    if (!find(self->machine_path, sizeof self->machine_path, "machines", self->machine, self->problem) ||
        !find(self->workload_path, sizeof self->workload_path, "workloads", self->workload, self->problem))
        return false;
    self->description = allot_machine_load(self->machine_path);
    if (!self->description)
        return al_problem_set(self->problem, AL_EXIT_INPUT, "%s", allot_last_error());
    if (!al_scenario_read(&self->scenario, self->workload_path, self->tiles, self->problem))
        return false;
    if (self->gantt && !al_output_check(self->gantt, self->problem))
        return false;
    return al_bounds_of(&self->scenario, self->description, !self->flat, &self->bounds) ||
           al_problem_set(self->problem, AL_EXIT_FAILED, "no memory for the lower bounds");
}

/* ---- Runs ---- */

static bool run_all(simulate *self)
{
    al_progress progress;
    self->makespans_s = calloc(self->repeats, sizeof *self->makespans_s);
    if (!self->makespans_s)
        return al_problem_set(self->problem, AL_EXIT_FAILED, "out of memory");
    al_progress_init(&progress, self->repeats);
    bool right = true;
    for (size_t i = 0; right && i < self->repeats; i++) {
        bool last = i + 1 == self->repeats;
        if (self->repeats > 1 || progress.rewrites)
            al_progress_next(&progress, "%s on %s", self->scenario.name,
                             allot_machine_name(self->description));
        right = al_play_run(&self->play, self->gantt && last, &progress, &self->played, self->problem);
        self->makespans_s[i] = self->played.makespan_s;
        self->run_count += right;
    }
    al_progress_end(&progress);
    return right;
}

static bool open_machine(simulate *self)
{
    self->executor = allot_open(
        ALLOT_OPTIONS(.machine = self->machine_path, .machine_seed = self->seed, .policy = self->policy));
    if (!self->executor) /* the machine was read before */
        return al_problem_set(self->problem, self->policy ? AL_EXIT_USAGE : AL_EXIT_FAILED, "%s",
                              allot_open_error());
    return al_play_make(&self->play, self->executor, &self->scenario, self->problem);
}

/* ---- The picture ---- */

static bool draw(simulate *self)
{
    size_t place_count = allot_places(self->executor, NULL, 0), kernel_count = self->scenario.kernel_count;
    allot_place_info *places = calloc(place_count, sizeof *places);
    const char **names = calloc(place_count + kernel_count, sizeof *names);
    char title[300], makespan[AL_FIGURE];
    bool drawn = false;
    for (size_t i = 0; places && i < place_count; i++)
        places[i].size = sizeof *places;
    if (places && names) {
        allot_places(self->executor, places, place_count);
        for (size_t i = 0; i < place_count; i++)
            names[i] = places[i].id;
        for (size_t i = 0; i < kernel_count; i++)
            names[place_count + i] = self->scenario.kernels[i].name;
        snprintf(title, sizeof title, "%s on %s: %s", self->scenario.name,
                 allot_machine_name(self->description), al_text_seconds(makespan, self->played.makespan_s));
        const al_gantt gantt = { .title = title,
                                 .rows = names,
                                 .kinds = names + place_count,
                                 .row_count = place_count,
                                 .kind_count = kernel_count,
                                 .bar_count = self->played.bar_count,
                                 .bars = self->played.bars,
                                 .end_s = self->played.makespan_s,
                                 .mark_s = self->bounds.bound_s };
        drawn = al_gantt_write(&gantt, self->gantt, self->problem);
    }
    free(places);
    free(names);
    return drawn;
}

/* ---- What came of it ---- */

/* Of a class's places together; the last run is not told from those before it. */
typedef struct use {
    uint64_t launches, failed, bytes_in, bytes_out;
    double busy_s, busiest_link_s;
} use;

static void add_use(simulate *self, size_t place, const allot_machine_class *classes, use *uses)
{
    allot_place_metrics metrics;
    size_t of = allot_machine_class_of(self->description, place);
    if (of == SIZE_MAX ||
        allot_get_place_metrics(self->executor, place, &metrics, sizeof metrics) != ALLOT_OK)
        return;
    uses[of].launches += metrics.succeeded;
    uses[of].failed += metrics.failed;
    uses[of].busy_s += (double)metrics.busy_ns * 1e-9;
    if (!classes[of].own_memory)
        return;
    uses[of].bytes_in += metrics.bytes_in;
    uses[of].bytes_out += metrics.bytes_out;
    double in_s = (double)metrics.bytes_in / classes[of].to_bytes_per_s;
    double out_s = (double)metrics.bytes_out / classes[of].from_bytes_per_s;
    uses[of].busiest_link_s = fmax(uses[of].busiest_link_s, fmax(in_s, out_s));
}

typedef struct result {
    size_t class_count;
    allot_machine_class *classes;
    use *uses;
    double total_s; /* of all runs, virtual */
    double link_s;
    uint64_t bytes;
    double decision_s; /* real, of one launch */
} result;

static bool gather(simulate *self, result *all)
{
    allot_metrics metrics = { .size = sizeof metrics };
    *all = (result){ .class_count = allot_machine_classes(self->description, NULL, 0) };
    all->classes = calloc(all->class_count, sizeof *all->classes);
    all->uses = calloc(all->class_count, sizeof *all->uses);
    if (!all->classes || !all->uses)
        return al_problem_set(self->problem, AL_EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < all->class_count; i++)
        all->classes[i].size = sizeof *all->classes;
    allot_machine_classes(self->description, all->classes, all->class_count);
    allot_get_metrics(self->executor, &metrics);
    for (size_t i = 0; i < metrics.place_count; i++)
        add_use(self, i, all->classes, all->uses);
    for (size_t i = 0; i < all->class_count; i++) {
        all->bytes += all->uses[i].bytes_in + all->uses[i].bytes_out;
        all->link_s = fmax(all->link_s, all->uses[i].busiest_link_s / (double)self->run_count);
    }
    for (size_t i = 0; i < self->run_count; i++)
        all->total_s += self->makespans_s[i];
    if (metrics.submitted)
        all->decision_s = (double)metrics.deciding_ns * 1e-9 / (double)metrics.submitted;
    return true;
}

static double used_share(const result *all, size_t i)
{
    double time_s = all->total_s * (double)all->classes[i].count;
    return time_s > 0 ? all->uses[i].busy_s / time_s : 0;
}

static void print_classes(const result *all)
{
    static const al_table_column columns[] = { { "devices", false }, { "count", true },
                                               { "launches", true }, { "in use", true },
                                               { "brought", true },  { "taken", true } };
    al_table *table = al_table_create(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < all->class_count; i++) {
        char text[AL_FIGURE];
        al_table_cell(table, all->classes[i].name);
        al_table_cell(table, al_text_count(text, all->classes[i].count));
        al_table_cell(table, al_text_count(text, all->uses[i].launches));
        snprintf(text, sizeof text, "%.1f %%", 100 * used_share(all, i));
        al_table_cell(table, text);
        al_table_cell(table, al_text_bytes(text, (double)all->uses[i].bytes_in));
        al_table_cell(table, al_text_bytes(text, (double)all->uses[i].bytes_out));
    }
    al_table_print(table, stdout);
    al_table_destroy(table);
}

static void print_bounds(const simulate *self, const result *all)
{
    char a[AL_FIGURE], b[AL_FIGURE], c[AL_FIGURE];
    const al_bounds *bounds = &self->bounds;
    printf("  lower bounds: area %s (linear program), critical path %s; busiest link %s of transfers\n",
           al_text_seconds(a, bounds->area_s), al_text_seconds(b, bounds->critical_s),
           al_text_seconds(c, all->link_s));
}

static void print(simulate *self, const result *all)
{
    char a[AL_FIGURE], b[AL_FIGURE];
    double bound_s = self->bounds.bound_s;
    printf("%s on %s: %s launches\n", self->scenario.name, allot_machine_name(self->description),
           al_text_count(a, self->scenario.task_count));
    for (size_t i = 0; self->run_count > 1 && i < self->run_count; i++)
        printf("  run %zu: %s, %.3g times the bound\n", i + 1, al_text_seconds(a, self->makespans_s[i]),
               bound_s > 0 ? self->makespans_s[i] / bound_s : 0);
    printf("  makespan %s", al_text_seconds(a, self->played.makespan_s));
    if (bound_s > 0)
        printf(", %.3f times the lower bound of %s", self->played.makespan_s / bound_s,
               al_text_seconds(b, bound_s));
    putchar('\n');
    print_bounds(self, all);
    print_classes(all);
    printf("  %s moved%s; a decision took %s, a launch %s of real time\n",
           al_text_bytes(a, (double)all->bytes), self->run_count > 1 ? " in all runs" : "",
           al_text_seconds(b, all->decision_s),
           al_text_seconds((char[AL_FIGURE]){ 0 }, self->played.real_s / (double)self->scenario.task_count));
    if (self->played.failed)
        printf("  %zu launches did not succeed; the first: %s\n", self->played.failed, self->played.error);
}

static json_t *class_json(const result *all, size_t i)
{
    const use *of = &all->uses[i];
    return json_pack("{so so so so so so so so}", "name", al_json_text(all->classes[i].name), "count",
                     al_json_count(all->classes[i].count), "launches", al_json_count(of->launches), "failed",
                     al_json_count(of->failed), "busy_s", al_json_real(of->busy_s), "in_use",
                     al_json_real(used_share(all, i)), "bytes_in", al_json_count(of->bytes_in), "bytes_out",
                     al_json_count(of->bytes_out));
}

static bool print_json(simulate *self, const result *all)
{
    json_t *classes = json_array(), *runs = json_array();
    for (size_t i = 0; i < all->class_count; i++)
        json_array_append_new(classes, class_json(all, i));
    for (size_t i = 0; i < self->run_count; i++)
        json_array_append_new(runs, al_json_real(self->makespans_s[i]));
    return al_json_print(
        json_pack("{so so so so so so s{so so so so} so so so so so so}", "machine",
                  al_json_text(allot_machine_name(self->description)), "workload",
                  al_json_text(self->scenario.name), "launches", al_json_count(self->scenario.task_count),
                  "makespan_s", al_json_real(self->played.makespan_s), "makespans_s", runs, "ratio",
                  al_json_real(self->played.makespan_s / self->bounds.bound_s), "bounds", "bound_s",
                  al_json_real(self->bounds.bound_s), "area_s", al_json_real(self->bounds.area_s),
                  "critical_path_s", al_json_real(self->bounds.critical_s), "busiest_link_s",
                  al_json_real(all->link_s), "classes", classes, "bytes_moved", al_json_count(all->bytes),
                  "failed", al_json_count(self->played.failed), "decision_s", al_json_real(all->decision_s),
                  "real_s", al_json_real(self->played.real_s), "error",
                  al_json_text_or_null(self->played.error)),
        stdout);
}

static bool report(simulate *self)
{
    result all;
    bool right = gather(self, &all);
    if (right && self->json)
        right = print_json(self, &all);
    else if (right)
        print(self, &all);
    free(all.classes);
    free(all.uses);
    if (right && self->played.failed && !self->json)
        self->problem->told = true;
    return right && (!self->played.failed ||
                     al_problem_set(self->problem, AL_EXIT_FAILED, "%zu launches did not succeed: %s",
                                    self->played.failed, self->played.error));
}

static void fini(simulate *self)
{
    if (self->executor)
        al_play_free(&self->play);
    allot_close(self->executor);
    allot_machine_destroy(self->description);
    al_scenario_free(&self->scenario);
    free(self->played.bars);
    free(self->makespans_s);
}

int al_simulate_run(int argc, char **argv)
{
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .args_doc = "MACHINE WORKLOAD",
        .doc =
            "Runs a workload on a simulated machine in virtual time: the real placement, learning, order of "
            "launches and movement of data, and against it what no schedule can beat.\v"
            "MACHINE and WORKLOAD are JSON files (docs/simulation.md), or the name of a shipped one: "
            "machines "
            "mirage, sirocco, laptop, workstation, cluster; workloads cholesky, lu, qr, stencil, map_reduce, "
            "layers, stream, hand.\n\n" AL_EXIT_HELP
    };
    al_problem problem = { 0 };
    simulate self = { .repeats = 1, .problem = &problem };
    argp_parse(&parser, argc, argv, 0, NULL, &self);
    al_failures_as_json(self.json);
    bool right = !problem.code && load(&self);
    if (right) {
        al_interrupts_catch();
        right = open_machine(&self) && run_all(&self);
        al_interrupts_release();
    }
    right = right && (!self.gantt || draw(&self)) && report(&self);
    fini(&self);
    return right ? AL_EXIT_OK : al_problem_tell(&problem, "allot simulate");
}
