/* `allot compare`: every kernel, type and size as one set, in which the places take turns; a table, two
 * files and a picture. */
#include "cli.h"
#include "measure.h"
#include "options.h"
#include "picture.h"
#include "progress.h"
#include "report.h"
#include "session.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OPTION_DATA = 256,
    KERNELS_MAX = 16,
    TYPES_MAX = 2,
    LEAST_TURNS = 3,  /* of a set, however long it takes */
    AUTO_WARM_UPS = 3 /* a choice needs a few runs to learn from */
};

static const double set_budget_s = 6; /* of a set's timed turns: then it ends early */

typedef struct compare {
    /* As asked for. */
    const al_workload_kind *kinds[KERNELS_MAX];
    size_t kind_count;
    allot_type types[TYPES_MAX];
    size_t type_count;
    al_size sizes[AL_SIZES];
    size_t size_count; /* 0: each kernel's own */
    const char *place_names, *folder, *data;
    size_t repeats;
    bool json;
    /* What it takes. */
    allot_executor *executor;
    al_target targets[AL_TARGETS];
    size_t target_count;
    al_progress progress;
    al_row *rows;
    size_t row_count, row_capacity, sets;
    al_problem *problem; /* what ends it all; a failed row does not */
} compare;

static const struct argp_option options[] = {
    { "kernels", 'k', "LIST", 0, "Kernels, like axpy,gemm (default: all)", 0 },
    { "places", 'p', "LIST", 0,
      "Places, like thread,opencl:0,auto, or gpu for every OpenCL device of that type; see `allot run "
      "--help' "
      "(default: thread, process, every OpenCL device, auto)",
      0 },
    { "sizes", 'n', "LIST", 0, "Sizes, like 1000,1e6; gemm=256 is for one kernel (default: three for each)",
      0 },
    { "type", 't', "LIST", 0, "Element types (default: f32,f64)", 0 },
    { "repeat", 'r', "R", 0, "Timed turns of each place (default 21)", 0 },
    { "out", 'o', "DIR", 0, "Where compare.csv, compare.json and the picture, compare.svg, go (default: out)",
      0 },
    { "json", 'j', NULL, 0,
      "Print the list of rows as JSON in place of the table; where there are none, {\"error\": TEXT}", 0 },
    { "data", OPTION_DATA, "DIR", 0, "Look here for the sample input: " AL_DATA_HELP, 0 },
    { 0 },
};

static bool add_kernel(const char *word, void *user, al_problem *problem)
{
    compare *self = user;
    const al_workload_kind *kind = al_workload_named(word, problem);
    for (size_t i = 0; i < self->kind_count; i++)
        if (self->kinds[i] == kind)
            return true;
    if (kind && self->kind_count < KERNELS_MAX)
        self->kinds[self->kind_count++] = kind;
    return kind != NULL;
}

static bool add_type(const char *word, void *user, al_problem *problem)
{
    compare *self = user;
    allot_type type;
    if (!al_option_type(&type, word, problem))
        return false;
    for (size_t i = 0; i < self->type_count; i++)
        if (self->types[i] == type)
            return true;
    self->types[self->type_count++] = type;
    return true;
}

/* N, or KERNEL=N. */
static bool add_size(const char *word, void *user, al_problem *problem)
{
    compare *self = user;
    al_size size = { 0 };
    char name[64];
    const char *equals = strchr(word, '=');
    if (equals) {
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        size.kind = al_workload_named(name, problem);
        if (!size.kind)
            return false;
    }
    if (!al_option_count(&size.n, "--sizes", equals ? equals + 1 : word, problem))
        return false;
    if (self->size_count == AL_SIZES)
        return al_problem_set(problem, AL_EXIT_USAGE, "--sizes: at most %d sizes", AL_SIZES);
    self->sizes[self->size_count++] = size;
    return true;
}

static bool take(compare *self, int key, const char *argument)
{
    switch (key) {
    case 'k':
        return al_option_list("--kernels", argument, add_kernel, self, self->problem);
    case 'p':
        self->place_names = argument;
        return true;
    case 'n':
        return al_option_list("--sizes", argument, add_size, self, self->problem);
    case 't':
        return al_option_list("--type", argument, add_type, self, self->problem);
    case 'r':
        return al_option_repeats(&self->repeats, argument, self->problem);
    case 'o':
        self->folder = argument;
        return true;
    case 'j':
        self->json = true;
        return true;
    case OPTION_DATA:
        self->data = argument;
        return true;
    default:
        return al_problem_set(self->problem, AL_EXIT_USAGE,
                              "'%.60s' is one word too many: kernels are named by --kernels", argument);
    }
}

static bool is_ours(int key)
{
    for (size_t i = 0; options[i].name; i++)
        if (options[i].key == key)
            return true;
    return key == ARGP_KEY_ARG;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    compare *self = state->input;
    if (!is_ours(key))
        return ARGP_ERR_UNKNOWN;
    if (!self->problem->code || key == 'j') /* the first problem is the one to tell, in the way asked for */
        take(self, key, argument);
    return 0;
}

static void fill_defaults(compare *self)
{
    if (!self->kind_count)
        for (; self->kind_count < KERNELS_MAX && al_workload_kinds[self->kind_count]; self->kind_count++)
            self->kinds[self->kind_count] = al_workload_kinds[self->kind_count];
    if (!self->type_count) {
        self->types[self->type_count++] = ALLOT_F32;
        self->types[self->type_count++] = ALLOT_F64;
    }
}

/* Fills the sizes of one kernel; returns how many. */
static size_t sizes_of(const compare *self, const al_workload_kind *kind, size_t *sizes)
{
    size_t count = 0;
    if (!self->size_count)
        for (; kind->sizes[count]; count++)
            sizes[count] = kind->sizes[count];
    for (size_t i = 0; i < self->size_count; i++)
        if (!self->sizes[i].kind || self->sizes[i].kind == kind)
            sizes[count++] = self->sizes[i].n;
    return count;
}

/* A place without double precision is left out of the sets of f64: said, unless nothing would be left. */
static bool check_types(const compare *self)
{
    bool any = false, doubles = false;
    for (size_t i = 0; i < self->type_count; i++) {
        doubles |= self->types[i] == ALLOT_F64;
        any |= self->types[i] != ALLOT_F64;
    }
    for (size_t t = 0; doubles && t < self->target_count; t++) {
        any |= self->targets[t].has_f64;
        if (!self->targets[t].has_f64)
            fprintf(stderr, "allot compare: %s has no double precision: left out of f64\n",
                    self->targets[t].name);
    }
    return any ? true
               : al_problem_set(self->problem, AL_EXIT_NO_PLACE,
                                "none of the places has double precision: use --type f32");
}

static bool prepare(compare *self)
{
    al_places places;
    size_t sizes[AL_SIZES], sets = 0;
    self->executor = al_session_open(NULL, NULL, self->problem);
    if (!self->executor)
        return false;
    al_places_list(&places, self->executor);
    if (!al_target_list(self->targets, &self->target_count, self->place_names, &places, self->problem))
        return false;
    for (size_t i = 0; !self->place_names && i < places.count; i++)
        if (places.info[i].state == ALLOT_PLACE_ASIDE)
            fprintf(stderr, "allot compare: without %s: %s\n", places.info[i].id, places.info[i].message);
    if (!self->place_names && places.message[0])
        fprintf(stderr, "allot compare: devices: %s\n", places.message);
    if (!check_types(self))
        return false;
    for (size_t k = 0; k < self->kind_count; k++)
        sets += sizes_of(self, self->kinds[k], sizes) * self->type_count;
    if (!sets)
        return al_problem_set(self->problem, AL_EXIT_USAGE, "--sizes: no size for any of the kernels");
    self->row_capacity = sets * self->target_count;
    self->rows = calloc(self->row_capacity, sizeof *self->rows);
    al_progress_init(&self->progress, sets);
    return self->rows ? true : al_out_of_memory(self->problem);
}

/* One set while it is measured. */
typedef struct set {
    compare *all;
    al_workload work;
    al_measure measures[AL_TARGETS];
    al_problem problems[AL_TARGETS]; /* code 0: goes on */
    bool left_out[AL_TARGETS];
} set;

static bool turn(set *s, size_t t, bool warming)
{
    if (s->problems[t].code || s->left_out[t])
        return true;
    if (al_measure_turn(&s->measures[t], &s->work, &s->all->targets[t], warming, &s->problems[t]))
        return true;
    if (s->problems[t].code != AL_EXIT_INTERRUPTED)
        return true; /* a failed row; the others go on */
    *s->all->problem = s->problems[t];
    return false;
}

static bool is_auto(const al_target *target)
{
    return target->kind == ALLOT_ANYWHERE;
}

/* Each place once, uncounted: it starts and compiles; auto last and more often, since it learns from the
 * others. */
static bool warm_up(set *s)
{
    compare *self = s->all;
    for (size_t pass = 0; pass <= AUTO_WARM_UPS; pass++)
        for (size_t t = 0; t < self->target_count; t++) {
            if (is_auto(&self->targets[t]) != (pass > 0))
                continue;
            al_progress_detail(&self->progress, "%s %s n = %zu: warming up %s", s->work.kind->name,
                               allot_type_name(s->work.type), s->work.n, self->targets[t].name);
            if (!turn(s, t, true))
                return false;
        }
    return true;
}

/* Round by round, each beginning with another place, so that drift of the machine and the order favour none.
 */
static bool measure_rounds(set *s)
{
    compare *self = s->all;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t round = 0; round < self->repeats; round++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (round >= LEAST_TURNS && (double)(now.tv_sec - start.tv_sec) > set_budget_s)
            return true;
        al_progress_detail(&self->progress, "%s %s n = %zu: round %zu of %zu", s->work.kind->name,
                           allot_type_name(s->work.type), s->work.n, round + 1, self->repeats);
        for (size_t t = 0; t < self->target_count; t++)
            if (!turn(s, (round + t) % self->target_count, false))
                return false;
    }
    return true;
}

static void add_row(compare *self, al_row row)
{
    row.set = self->sets;
    self->rows[self->row_count++] = row;
}

static void add_rows(set *s)
{
    compare *self = s->all;
    for (size_t t = 0; t < self->target_count; t++)
        if (!s->left_out[t])
            add_row(self, al_row_make(&s->work, &self->targets[t], &s->measures[t],
                                      s->problems[t].code ? &s->problems[t] : NULL));
    self->sets++;
}

/* A set that could not even be fed: each of its rows has failed. */
static void add_failed_rows(set *s, const al_problem *problem)
{
    for (size_t t = 0; t < s->all->target_count; t++)
        s->problems[t] = *problem;
    add_rows(s);
}

/* False when everything is to end: interrupted, or no memory for the bookkeeping. */
static bool measure_set(set *s, const al_feed *feed, const al_workload_kind *kind)
{
    compare *self = s->all;
    al_problem problem = { 0 };
    bool ok = true;
    if (!al_workload_init(&s->work, kind, feed, &problem)) {
        add_failed_rows(s, &problem);
        al_workload_fini(&s->work);
        return true;
    }
    for (size_t t = 0; ok && t < self->target_count; t++) {
        s->left_out[t] = feed->type == ALLOT_F64 && !self->targets[t].has_f64;
        ok = al_measure_init(&s->measures[t], self->repeats, self->problem);
    }
    ok = ok && warm_up(s) && measure_rounds(s);
    if (ok)
        add_rows(s);
    for (size_t t = 0; t < self->target_count; t++)
        al_measure_fini(&s->measures[t]);
    al_workload_fini(&s->work);
    return ok;
}

static bool measure_kernel(compare *self, const al_workload_kind *kind)
{
    al_inputs inputs;
    size_t sizes[AL_SIZES], size_count = sizes_of(self, kind, sizes);
    set *s = calloc(1, sizeof *s);
    if (!s)
        return al_out_of_memory(self->problem);
    bool ok = al_inputs_read(&inputs, kind, NULL, 0, self->data, self->problem);
    if (ok && inputs.note[0])
        al_progress_say(&self->progress, "%s", inputs.note);
    for (size_t t = 0; ok && t < self->type_count; t++)
        for (size_t i = 0; ok && i < size_count; i++) {
            al_feed feed = al_inputs_feed(&inputs, self->executor, self->types[t], AL_TURN_LAUNCHES);
            feed.n = sizes[i];
            feed.n_given = true;
            *s = (set){ .all = self };
            al_progress_next(&self->progress, "%s %s n = %zu", kind->name, allot_type_name(feed.type),
                             sizes[i]);
            ok = measure_set(s, &feed, kind);
        }
    al_inputs_free(&inputs);
    free(s);
    return ok;
}

static void print_notes(const compare *self)
{
    printf("notes: median, p10 and p90 go from launch to done with the data at the place, over up to %zu "
           "turns;\n"
           "transfer is apart: bringing the inputs in and the result out. The places of a set took turns; "
           "first\n"
           "runs, with start and compilation, are not counted. Every result was compared with a serial "
           "reference\n"
           "in double precision; max error is relative to the magnitude of an element's terms.\n"
           "%s/compare.csv and %s/compare.json have all of it.\n",
           self->repeats, self->folder, self->folder);
}

/* A missing gnuplot costs the picture alone. */
static bool draw(const compare *self, bool quiet, al_problem *problem)
{
    al_picture picture;
    if (!al_picture_draw(&picture, self->rows, self->row_count, self->folder, "compare", problem))
        return false;
    if (!picture.drawn)
        fprintf(stderr, "allot compare: no picture: %s; %s/compare.gp is its script\n", picture.why,
                self->folder);
    else if (!quiet)
        printf("The picture is %s/compare.svg (made by compare.gp from compare.dat).\n", self->folder);
    return true;
}

/* The files first: a reader of standard output that goes away early does not cost them. */
static bool report(compare *self, bool complete)
{
    al_progress_end(&self->progress);
    if (!self->row_count)
        return complete;
    al_problem problem = { 0 };
    bool written = al_rows_write(self->rows, self->row_count, self->folder, "compare", &problem);
    if (self->json) {
        al_failures_as_json(false);
        al_json_print(al_rows_json(self->rows, self->row_count), stdout);
    } else {
        al_rows_print(self->rows, self->row_count, stdout);
        if (written)
            print_notes(self);
    }
    written = written && draw(self, self->json, &problem);
    if (complete && !written)
        *self->problem = problem;
    return complete && written;
}

static bool judge(const compare *self)
{
    size_t failed = 0;
    for (size_t i = 0; i < self->row_count; i++)
        failed += !self->rows[i].verified;
    if (failed)
        return al_problem_set(self->problem, AL_EXIT_FAILED, "%zu of %zu rows failed", failed,
                              self->row_count);
    return true;
}

int al_compare_run(int argc, char **argv)
{
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .doc =
            "Runs every sample kernel on every place of this machine, on real input, and compares them."
            "\vInput: axpy and dot take an electrocardiogram (repeated or cut to n), spmv a stiffness matrix "
            "(repeated along the diagonal to about n rows), conv2d a photograph (repeated or cut to n x n "
            "pixels), "
            "gemm seeded values; a line below the table says which it was.\n\n"
            "For each kernel, type and size the places take turns, after a warm-up that is not counted. A "
            "time goes from launch "
            "to done with the data at the place; transfer_s is apart: moving the inputs in and the result "
            "out. A set that takes "
            "longer than 6 seconds ends early, after at least 3 turns (the column runs says). Every "
            "result is compared with "
            "a serial reference in double precision; the error allowed grows with the number of "
            "operations behind an element.\n\n"
            "Interrupted, it still reports what was complete.\n\n" AL_EXIT_HELP,
    };
    al_problem problem = { 0 };
    compare self = { .folder = "out", .repeats = 21, .problem = &problem };
    argp_parse(&parser, argc, argv, 0, NULL, &self);
    bool ok = !problem.code;
    if (ok)
        fill_defaults(&self);
    al_failures_as_json(self.json);
    ok = ok && prepare(&self) && al_rows_check(self.folder, "compare", &problem) &&
         al_picture_check(self.folder, "compare", &problem);
    bool measuring = ok;
    if (ok)
        al_interrupts_catch();
    for (size_t k = 0; ok && k < self.kind_count; k++)
        ok = measure_kernel(&self, self.kinds[k]);
    al_interrupts_release();
    if (measuring)
        ok = report(&self, ok) && judge(&self);
    free(self.rows);
    allot_close(self.executor);
    return ok ? AL_EXIT_OK : al_problem_tell(&problem, "allot compare");
}
