/* `allot run`: one workload at one target, a few times, judged; or a kernel of the user's own (source.h). */
#include "cli.h"
#include "measure.h"
#include "options.h"
#include "report.h"
#include "session.h"
#include "source.h"
#include "text.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    OPTION_DATA = 256,
    OPTION_TRACE,
    OPTION_POLICY,
    OPTION_DECISIONS,
};

typedef struct run {
    /* As asked for. */
    const al_workload_kind *kind;
    const char *place;
    allot_type type;
    size_t n, repeats;
    bool n_given, type_given, explain, json;
    const char *paths[AL_INPUTS];
    size_t path_count;
    const char *data, *trace, *output, *policy, *decisions;
    /* What it takes. */
    allot_executor *executor;
    al_target target;
    al_inputs inputs;
    al_workload work;
    al_measure measure;
    al_row row; /* what came of it */
    bool measured, traced, written;
    al_source source;    /* instead of a workload: a kernel of the user's own */
    al_problem *problem; /* what was wrong first */
} run;

static const struct argp_option options[] = {
    { "place", 'p', "PLACE", 0,
      "Where: auto (default), thread, process, inline; an OpenCL device by its id, opencl:0, by its type, "
      "gpu, "
      "cpu or accelerator, or by part of its name or driver, as `allot info' shows them; opencl: any device",
      0 },
    { "type", 't', "TYPE", 0, "Element type: f32 (default) or f64", 0 },
    { "size", 'n', "N", 0, "Size, like 1000 or 1e6 (default: the input's own)", 0 },
    { "input", 'i', "FILE", 0,
      "Input, by its ending: .mtx, .npy, .f32, .png, .pgm, .ppm, .pnm; may be given twice (default: the "
      "sample input)",
      0 },
    { "repeat", 'r', "R", 0, "Timed runs; the median is shown (default 5)", 0 },
    { "explain", 'e', NULL, 0, "Say why it ran there: every candidate and its predicted cost", 0 },
    { "policy", OPTION_POLICY, "NAME", 0,
      "By which policy places are chosen: eft (default), heft, heteroprio, dmda, auto_tune, least_loaded, "
      "round_robin, random[:SEED], fixed[:PLACE] (by its id)",
      0 },
    { "decisions", OPTION_DECISIONS, "FILE", 0,
      "Write every decision with all that the policy saw to FILE, for `allot replay'", 0 },
    { "trace", OPTION_TRACE, "FILE", 0, "Write a trace for ui.perfetto.dev (Chrome's format)", 0 },
    { "json", 'j', NULL, 0, "Print JSON; on failure {\"error\": TEXT}", 0 },
    { "output", 'o', "FILE", 0,
      "Write the result to FILE, by its ending: .npy, or of rows and columns .png, .pgm, .ppm", 0 },
    { "data", OPTION_DATA, "DIR", 0, "Look here for the sample input: " AL_DATA_HELP, 0 },
    { NULL, 0, NULL, 0, "Instead of KERNEL, one of your own for OpenCL devices:", 1 },
    { "source", AL_SOURCE_FILE, "FILE", 0, "OpenCL C text, a SPIR-V module, or a program binary", 1 },
    { "entry", AL_SOURCE_ENTRY, "NAME", 0, "Its kernel function", 1 },
    { "arg", AL_SOURCE_ARGUMENT, "ARG", 0, "An argument, in order: see below", 1 },
    { "global", AL_SOURCE_GLOBAL, "SIZES", 0, "How many work-items: 1e6, 512x512 or 64x64x64", 1 },
    { "offset", AL_SOURCE_OFFSET, "SIZES", 0, "Where their numbers begin (default 0)", 1 },
    { "local", AL_SOURCE_LOCAL, "SIZES", 0, "How many make a work-group (default: chosen)", 1 },
    { "option", AL_SOURCE_OPTION, "TEXT", 0, "A build option, like -cl-fast-relaxed-math", 1 },
    { "define", AL_SOURCE_DEFINE, "NAME[=TEXT]", 0, "Define a macro for the build", 1 },
    { "constant", AL_SOURCE_CONSTANT, "ID:TYPE:VALUE", 0,
      "A specialisation constant of a SPIR-V module, by the SpecId it has there, like 7:u32:5", 1 },
    { "isolate", AL_SOURCE_ISOLATE, NULL, 0,
      "Run it in a worker process, so that a crash costs that alone and --timeout ends it whatever it does",
      1 },
    { "timeout", AL_SOURCE_TIMEOUT, "SECONDS", 0,
      "How long each launch may take, the first one's compiler too; a kernel that runs by then is ended only "
      "with --isolate",
      1 },
    { 0 },
};

static bool add_path(run *self, const char *path)
{
    if (self->path_count == AL_INPUTS)
        return al_problem_set(self->problem, AL_EXIT_USAGE, "--input %s: at most %d input files", path,
                              AL_INPUTS);
    self->paths[self->path_count++] = path;
    return true;
}

static bool set_kernel(run *self, const char *name)
{
    if (self->kind)
        return al_problem_set(self->problem, AL_EXIT_USAGE,
                              "'%.60s' is one word too many: one kernel at a time", name);
    self->kind = al_workload_named(name, self->problem);
    return self->kind != NULL;
}

static bool take_policy(run *self, const char *name)
{
    allot_policy *policy = allot_policy_create(name);
    allot_policy_destroy(policy);
    self->policy = name;
    return policy || al_problem_set(self->problem, AL_EXIT_USAGE, "--policy: %s", allot_last_error());
}

static bool take(run *self, int key, const char *argument)
{
    switch (key) {
    case 'p':
        self->place = argument;
        return true;
    case 't':
        self->type_given = true;
        return al_option_type(&self->type, argument, self->problem);
    case 'n':
        self->n_given = true;
        return al_option_count(&self->n, "-n", argument, self->problem);
    case 'i':
        return add_path(self, argument);
    case 'r':
        return al_option_repeats(&self->repeats, argument, self->problem);
    case 'e':
        self->explain = true;
        return true;
    case OPTION_TRACE:
        self->trace = argument;
        return true;
    case OPTION_POLICY:
        return take_policy(self, argument);
    case OPTION_DECISIONS:
        self->decisions = argument;
        return true;
    case 'j':
        self->json = true;
        return true;
    case 'o':
        self->output = argument;
        return al_output_format(argument, self->problem) != NULL;
    case OPTION_DATA:
        self->data = argument;
        return true;
    case ARGP_KEY_ARG:
        return set_kernel(self, argument);
    default:
        return al_source_take(&self->source, key, argument, self->problem);
    }
}

static bool is_ours(int key)
{
    for (size_t i = 0; options[i].name || options[i].doc; i++)
        if (options[i].name && options[i].key == key)
            return true;
    return key == ARGP_KEY_ARG;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    run *self = state->input;
    if (!is_ours(key))
        return ARGP_ERR_UNKNOWN;
    if (!self->problem->code || key == 'j') /* the first problem is the one to tell, in the way asked for */
        take(self, key, argument);
    return 0;
}

static bool is_own(const run *self)
{
    return self->source.first != NULL;
}

static bool check_own_usage(const run *self)
{
    if (self->kind)
        return al_problem_set(self->problem, AL_EXIT_USAGE, "%s and %s: a sample kernel or one of your own",
                              self->kind->name, self->source.first);
    if (self->path_count || self->output || self->data || self->n_given || self->type_given)
        return al_problem_set(
            self->problem, AL_EXIT_USAGE,
            "--input, --output, --data, --size and --type are for sample kernels: --arg and "
            "--global say it all of one of your own");
    return al_source_check(&self->source, self->problem);
}

static bool check_usage(const run *self)
{
    if (self->problem->code)
        return false;
    if (is_own(self))
        return check_own_usage(self);
    if (!self->kind)
        return al_problem_set(self->problem, AL_EXIT_USAGE, "name a kernel: %s are there",
                              al_workload_names());
    if (self->output && al_output_format(self->output, self->problem)->picture && !self->kind->picture)
        return al_problem_set(self->problem, AL_EXIT_USAGE,
                              "--output %s: the result of %s is no picture: write it to .npy", self->output,
                              self->kind->name);
    return true;
}

static bool feed(run *self, int launches)
{
    al_feed feed = al_inputs_feed(&self->inputs, self->executor, self->type, launches);
    feed.n = self->n;
    feed.n_given = self->n_given;
    return al_workload_init(&self->work, self->kind, &feed, self->problem);
}

static bool open_target(run *self)
{
    self->executor = al_session_open(self->policy, self->decisions, self->problem);
    return self->executor && al_target_named(&self->target, self->place, self->executor, self->problem);
}

/* The library appends to it. */
static bool empty(const char *path, al_problem *problem)
{
    FILE *file = al_output_check_in_place(path, problem) ? fopen(path, "we") : NULL;
    if (file && fclose(file) == 0)
        return true;
    return problem->code ? false
                         : al_problem_set(problem, AL_EXIT_FAILED, "--decisions %s: cannot be written", path);
}

/* The files first: a mistake in them is told before anything starts. */
static bool prepare(run *self)
{
    if (self->output && !al_output_check(self->output, self->problem))
        return false;
    if (self->trace && !al_output_check_in_place(self->trace, self->problem))
        return false;
    if (self->decisions && !empty(self->decisions, self->problem))
        return false;
    if (is_own(self))
        return al_source_read(&self->source, self->problem) && open_target(self) &&
               al_source_prepare(&self->source, self->executor, self->problem);
    if (!al_inputs_read(&self->inputs, self->kind, self->paths, self->path_count, self->data, self->problem))
        return false;
    if (self->inputs.note[0])
        fprintf(stderr, "allot run: %s\n", self->inputs.note);
    if (!open_target(self))
        return false;
    if (self->type == ALLOT_F64 && !self->target.has_f64)
        return al_problem_set(self->problem, AL_EXIT_NO_PLACE, "%s has no double precision: use --type f32",
                              self->place);
    return feed(self, AL_TURN_LAUNCHES);
}

/* One turn to warm up, then the timed ones; the row while the workload is as it was measured. */
static bool measure(run *self)
{
    if (is_own(self)) {
        al_interrupts_catch();
        self->measured =
            al_source_measure(&self->source, self->executor, &self->target, self->repeats, self->problem) &&
            al_source_write(&self->source, self->problem);
        al_interrupts_release();
        return self->measured;
    }
    al_interrupts_catch();
    bool ok = al_measure_init(&self->measure, self->repeats, self->problem);
    for (size_t turn = 0; ok && turn <= self->repeats; turn++)
        ok = al_measure_turn(&self->measure, &self->work, &self->target, turn == 0, self->problem);
    al_interrupts_release();
    self->measured = ok || self->measure.judgement.tolerance > 0;
    if (self->measured)
        self->row = al_row_make(&self->work, &self->target, &self->measure, ok ? NULL : self->problem);
    return ok;
}

/* The library's log says why, unless it is asked to keep quiet. */
static bool trace_failed(run *self, allot_status status)
{
    const char *level = getenv("ALLOT_LOG");
    al_problem_set(self->problem, AL_EXIT_FAILED, "--trace %s: cannot be written", self->trace);
    self->problem->told = status == ALLOT_SYSTEM && !(level && strcasecmp(level, "error") == 0);
    return false;
}

static bool measure_traced(run *self)
{
    if (!self->trace)
        return measure(self);
    allot_status status = allot_trace_start(self->trace);
    if (status != ALLOT_OK)
        return trace_failed(self, status);
    bool ok = measure(self);
    status = allot_trace_stop();
    self->traced = status == ALLOT_OK;
    return ok && !self->traced ? trace_failed(self, status) : ok;
}

/* The result of one launch: a turn's is that of several, which for axpy is another. */
static bool write_output(run *self)
{
    al_workload_fini(&self->work);
    if (!feed(self, 1) || !al_measure_once(&self->work, &self->target, self->problem))
        return false;
    al_block block = { .type = self->work.type, .rank = self->work.rank, .white = self->work.white };
    for (size_t d = 0; d < block.rank; d++)
        block.shape[d] = self->work.shape[d];
    block.data = allot_array_map(self->work.result, ALLOT_READ);
    if (!block.data)
        return al_problem_set(self->problem, AL_EXIT_FAILED, "the result cannot be read: %s",
                              allot_last_error());
    bool ok = al_output_write(self->output, &block, self->problem);
    allot_array_unmap(self->work.result);
    self->written = ok;
    return ok;
}

static void print_places(const al_measure *measured, const char *asked)
{
    printf("  ran on     ");
    for (size_t i = 0; i < measured->ran_count; i++) {
        printf("%s%s", i ? ", " : "", measured->ran[i].place);
        if (measured->ran_count > 1)
            printf(" (%zu times)", measured->ran[i].times);
    }
    if (measured->ran_count != 1 || strcmp(asked, measured->ran[0].place) != 0)
        printf("  (asked for: %s)", asked);
    printf("\n");
}

static void print_extras(const run *self, const allot_future *last)
{
    if (self->traced)
        printf("  trace      written to %s: open it in ui.perfetto.dev\n", self->trace);
    if (self->decisions)
        printf("  decisions  in %s: `allot replay %s' asks other policies\n", self->decisions,
               self->decisions);
    if (self->explain) {
        printf("\n");
        fflush(stdout);
        allot_explain(last, stdout);
    }
}

static void print_text(const run *self, const al_row *row)
{
    char a[AL_FIGURE], b[AL_FIGURE], c[AL_FIGURE];
    printf("%s %s, n = %s%s: %s\n", row->kernel, row->type, al_text_count(a, row->n),
           row->n ? "" : ", nothing to compute", row->input);
    print_places(&self->measure, row->place);
    printf("  time       %s, median of %zu (p10 %s, p90 %s)\n", al_text_seconds(a, row->median_s), row->runs,
           al_text_seconds(b, row->p10_s), al_text_seconds(c, row->p90_s));
    printf("  rate       %s GFLOP/s, %s GB/s\n", al_text_figure(a, row->gflops),
           al_text_figure(b, row->gbytes_s));
    if (row->transfer_s > 0)
        printf("  transfer   %s, inputs in and result out\n", al_text_seconds(a, row->transfer_s));
    else
        printf("  transfer   none: it works on the host's memory\n");
    printf("  first run  %s, start and compilation included\n", al_text_seconds(a, row->first_s));
    printf("  verified   largest error %s of its terms' magnitude, %s allowed\n",
           al_text_error(a, row->max_error), al_text_error(b, row->tolerance));
    if (self->written)
        printf("  result     written to %s\n", self->output);
    print_extras(self, self->measure.last);
}

static void report_own(run *self)
{
    if (!self->measured)
        return;
    if (!self->json) {
        al_source_print(&self->source);
        print_extras(self, self->source.last);
        return;
    }
    json_t *object = al_source_json(&self->source);
    if (self->explain)
        json_object_set_new(object, "decision", al_json_decision(allot_future_decision(self->source.last)));
    al_failures_as_json(false);
    al_json_print(object, stdout);
}

/* A result that is right is shown even when it could not be written to its file. */
static void report(run *self)
{
    al_row *row = &self->row;
    if (is_own(self)) {
        report_own(self);
        return;
    }
    if (!self->measured || (!row->verified && !self->json))
        return;
    if (!self->json) {
        print_text(self, row);
        return;
    }
    if (self->problem->code)
        snprintf(row->error, sizeof row->error, "%.*s", (int)sizeof row->error - 1, self->problem->text);
    json_t *object = al_row_json(row);
    if (self->explain)
        json_object_set_new(object, "decision", al_json_decision(allot_future_decision(self->measure.last)));
    al_failures_as_json(false);
    al_json_print(object, stdout);
}

static void end(run *self)
{
    al_source_free(&self->source);
    al_measure_fini(&self->measure);
    al_workload_fini(&self->work);
    al_inputs_free(&self->inputs);
    allot_close(self->executor);
}

int al_run_run(int argc, char **argv)
{
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .args_doc = "KERNEL\n--source FILE --entry NAME --global SIZES [--arg ARG...]",
        .doc =
            "Runs a sample kernel (axpy, dot, gemm, spmv, conv2d, conv2d_separable) and verifies its result "
            "against a serial reference "
            "in double precision; or runs a kernel of your own on an OpenCL device."
            "\vKernels and their inputs: axpy (y = 0.75*x + y; x, y), dot (the sum of x*y; x, y), gemm (C = "
            "A*B; A, "
            "B), spmv (y = A*x; A sparse, x), conv2d (an image filtered; the image, and weights or else a "
            "Gaussian "
            "blur of 9 x 9), conv2d_separable (the same blur as a row and a column; the image).\n\n"
            "Input: a sparse matrix is Matrix Market in coordinate format (.mtx: real, integer or pattern, "
            "general or "
            "symmetric); everything else is dense numbers: NumPy (.npy, real types of up to 3 dimensions), "
            "raw "
            "little-endian float32 (.f32), Matrix Market in array format, or a picture (.png, .pgm, .ppm, up "
            "to 16 bits "
            "a sample). Numbers are repeated or cut to -n; a sparse matrix is repeated along the diagonal "
            "until it has about n rows; gemm and conv2d keep the shapes of matrices and pictures unless -n "
            "is given. What has no input gets seeded values.\n\n"
            "Output: .npy keeps type and shape. A picture made of a picture keeps its meaning, cut to the "
            "samples' "
            "range; of other numbers the least becomes black and the greatest white.\n\n"
            "The time goes from launch to done with the data at the place; moving inputs in and the "
            "result out is shown "
            "apart. One run to warm up is not counted.\n\n"
            "A kernel of your own: allot run --source my.cl --entry saxpy --arg f32:2.0 --arg in:x.npy --arg "
            "out:f32:1000000:y.npy --global 1000000. " AL_ARGUMENT_HELP "\n\n" AL_EXIT_HELP,
    };
    al_problem problem = { 0 };
    run self = { .place = "auto", .type = ALLOT_F32, .repeats = 5, .problem = &problem };
    argp_parse(&parser, argc, argv, 0, NULL, &self);
    al_failures_as_json(self.json);
    bool ok = check_usage(&self) && prepare(&self) && measure_traced(&self) &&
              (!self.output || write_output(&self));
    report(&self);
    end(&self);
    return ok ? AL_EXIT_OK : al_problem_tell(&problem, "allot run");
}
