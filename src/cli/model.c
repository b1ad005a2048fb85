/* `allot model`: what the cost model knows, carried from machine to machine, or forgotten. */
#include "cli.h"
#include "json.h"
#include "text.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_FOREIGN = 256
};

typedef struct model {
    bool json, foreign;
    const char *kept; /* the model's file; NULL: the usual one */
    const char *words[3];
    size_t word_count;
    allot_executor *executor;
} model;

static const struct argp_option options[] = {
    { "json", 'j', NULL, 0,
      "Of show: print JSON: path, rates, rows (subject, kernel, type, place_class, workers, amount, samples, "
      "mean_s, low_s, high_s, spread); on failure {\"error\": TEXT}",
      0 },
    { "model", 'm', "FILE", 0, "The model's file, instead of $ALLOT_MODEL or the one in the cache folder",
      0 },
    { "foreign", OPTION_FOREIGN, NULL, 0,
      "Of import: take a file of another machine or version too, as a hint", 0 },
    { 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    model *self = state->input;
    switch (key) {
    case 'j':
        self->json = true;
        return 0;
    case 'm':
        self->kept = argument;
        return 0;
    case OPTION_FOREIGN:
        self->foreign = true;
        return 0;
    case ARGP_KEY_ARG:
        if (self->word_count == sizeof self->words / sizeof *self->words)
            argp_error(state, "'%s' is one word too many", argument);
        self->words[self->word_count++] = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- show ---- */

static const char *subject_text(allot_model_subject subject)
{
    static const char *const texts[] = { "run", "compile", "launch", "to_place", "from_place" };
    return (size_t)subject < sizeof texts / sizeof *texts ? texts[subject] : "?";
}

/* The rows there are now; NULL with *count 0 when memory is out. */
static allot_model_row *list_rows(allot_executor *executor, size_t *count)
{
    size_t room = allot_model_rows(executor, NULL, 0);
    allot_model_row *rows = calloc(room + 1, sizeof *rows);
    for (size_t i = 0; rows && i < room; i++)
        rows[i].size = sizeof rows[i];
    size_t there = rows ? allot_model_rows(executor, rows, room) : 0;
    *count = there < room ? there : room;
    return rows;
}

static json_t *row_json(const allot_model_row *row)
{
    return json_pack(
        "{so so so so si so so so so so so}", "subject", al_json_text(subject_text(row->subject)), "kernel",
        al_json_text_or_null(row->kernel), "type", al_json_text_or_null(row->type), "place_class",
        al_json_text(row->place_class), "workers", row->workers, "amount", al_json_real(row->amount),
        "samples", al_json_count(row->samples), "mean_s", al_json_real(row->mean_s), "low_s",
        al_json_real(row->low_s), "high_s", al_json_real(row->high_s), "spread", al_json_real(row->spread));
}

static json_t *rates_json(const allot_model_rates *rates)
{
    return json_pack("{sb so so so so}", "measured", (int)rates->measured, "flops_per_s",
                     al_json_real(rates->flops_per_s), "bytes_per_s", al_json_real(rates->bytes_per_s),
                     "memory_bytes_per_s", al_json_real(rates->memory_bytes_per_s), "wake_s",
                     al_json_real(rates->wake_s));
}

static bool show_json(const model *self, const allot_model_rates *rates, const allot_model_row *rows,
                      size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, row_json(&rows[i]));
    return al_json_print(json_pack("{so so so}", "path",
                                   al_json_text_or_null(allot_model_path(self->executor)), "rates",
                                   rates_json(rates), "rows", list),
                         stdout);
}

static void print_rates(const allot_model_rates *rates)
{
    char one[AL_FIGURE], all[AL_FIGURE], flops[AL_FIGURE], wake[AL_FIGURE];
    printf("A processor's rates (%s): %s GFLOP/s a thread, %s GB/s a thread, %s GB/s all, %s to wake one\n",
           rates->measured ? "measured" : "guessed", al_text_figure(flops, rates->flops_per_s * 1e-9),
           al_text_figure(one, rates->bytes_per_s * 1e-9),
           al_text_figure(all, rates->memory_bytes_per_s * 1e-9), al_text_seconds(wake, rates->wake_s));
}

static const char *size_text(const allot_model_row *row, char *text, size_t room)
{
    char figure[AL_FIGURE];
    if (row->subject == ALLOT_MODEL_RUN)
        return al_text_seconds(text, row->amount);
    if (row->subject >= ALLOT_MODEL_TO_PLACE)
        return al_text_bytes(text, row->amount);
    if (!(row->amount > 0))
        return "";
    snprintf(text, room, "from %s", al_text_seconds(figure, row->amount));
    return text;
}

static void put_row(al_table *table, const allot_model_row *row)
{
    static const char *const words[] = { "", " compile", "launch", "to it", "from it" };
    char text[400], figure[AL_FIGURE];
    snprintf(text, sizeof text, "  %s%s%s%s", row->kernel, row->kernel[0] ? " " : "", row->type,
             (size_t)row->subject < sizeof words / sizeof *words ? words[row->subject] : "");
    al_table_cell(table, text);
    al_table_cell(table, size_text(row, text, sizeof text));
    al_table_cell(table, al_text_count(figure, (size_t)row->samples));
    al_table_cell(table, al_text_seconds(figure, row->mean_s));
    al_table_cell(table, al_text_seconds(figure, row->low_s));
    al_table_cell(table, al_text_seconds(figure, row->high_s));
    snprintf(text, sizeof text, "%.0f %%", 100 * (exp(row->spread) - 1));
    al_table_cell(table, text);
}

static size_t print_class(const allot_model_row *rows, size_t count)
{
    static const al_table_column headings[] = {
        { "  kernel", false }, { "size", true },    { "samples", true }, { "median", true },
        { "at least", true },  { "at most", true }, { "spread", true },
    };
    al_table *table = al_table_create(headings, sizeof headings / sizeof headings[0]);
    size_t used = 0;
    for (; used < count && strcmp(rows[used].place_class, rows[0].place_class) == 0 &&
           rows[used].workers == rows[0].workers;
         used++)
        put_row(table, &rows[used]);
    printf("\n%s", rows[0].place_class);
    if (rows[0].workers)
        printf(", %d worker%s", rows[0].workers, rows[0].workers == 1 ? "" : "s");
    putchar('\n');
    al_table_print(table, stdout);
    al_table_destroy(table);
    return used;
}

static bool show(model *self, al_problem *problem)
{
    size_t count;
    allot_model_rates rates = { .size = sizeof rates };
    allot_model_row *rows = list_rows(self->executor, &count);
    if (!rows)
        return al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    allot_model_get_rates(self->executor, &rates);
    if (self->json) {
        bool printed = show_json(self, &rates, rows, count);
        free(rows);
        return printed || al_problem_set(problem, AL_EXIT_FAILED, "cannot print it");
    }
    const char *path = allot_model_path(self->executor);
    printf("The cost model in %s\n", path[0] ? path : "no file: it is not kept");
    print_rates(&rates);
    if (count == 0)
        puts("Nothing ran yet: `allot run' and every program that launches kernels teach it.");
    for (size_t i = 0; i < count;)
        i += print_class(rows + i, count - i);
    if (count)
        puts("\nA run's size is what one plain core (2 GFLOP/s, 8 GB/s) would take for the work.");
    free(rows);
    return true;
}

/* ---- export, import, reset ---- */

static bool refused(allot_status status, al_problem *problem)
{
    al_exit code = status == ALLOT_NOT_FOUND || status == ALLOT_INVALID ? AL_EXIT_INPUT : AL_EXIT_FAILED;
    return al_problem_set(problem, code, "%s", allot_last_error());
}

static bool check_kept(const model *self, al_problem *problem)
{
    if (allot_model_path(self->executor)[0])
        return true;
    return al_problem_set(problem, AL_EXIT_FAILED,
                          "the cost model is not kept: ALLOT_MODEL is \"off\", or there is no home folder");
}

static bool export_to(model *self, al_problem *problem)
{
    allot_status status = allot_model_export(self->executor, self->words[1]);
    if (status != ALLOT_OK)
        return al_problem_set(problem, AL_EXIT_FAILED, "%s", allot_last_error());
    return true;
}

static bool import_from(model *self, al_problem *problem)
{
    if (!check_kept(self, problem))
        return false;
    allot_status status = allot_model_import(self->executor, self->words[1], self->foreign);
    if (status == ALLOT_OK)
        status = allot_model_save(self->executor);
    return status == ALLOT_OK || refused(status, problem);
}

static bool reset(model *self, al_problem *problem)
{
    allot_status status = allot_model_reset(self->executor);
    return status == ALLOT_OK || refused(status, problem);
}

static const struct verb {
    const char *word;
    size_t words;
    bool (*run)(model *self, al_problem *problem);
} verbs[] = {
    { "show", 1, show },
    { "export", 2, export_to },
    { "import", 2, import_from },
    { "reset", 1, reset },
};

static const struct verb *find_verb(const model *self, al_problem *problem)
{
    const char *word = self->word_count ? self->words[0] : NULL;
    for (size_t i = 0; word && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].word, word) != 0)
            continue;
        if (self->word_count == verbs[i].words)
            return &verbs[i];
        al_problem_set(problem, AL_EXIT_USAGE, verbs[i].words == 2 ? "%s takes one file" : "%s takes no file",
                       word);
        return NULL;
    }
    al_problem_set(problem, AL_EXIT_USAGE, "%s%s%sshow, export FILE, import FILE or reset",
                   word ? "'" : "say what to do: ", word ? word : "", word ? "' is not one of " : "");
    return NULL;
}

int al_model_run(int argc, char **argv)
{
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .args_doc = "show\nexport FILE\nimport FILE\nreset",
        .doc =
            "Shows, carries or forgets what launches took on this machine: what places are chosen by.\v"
            "show lists what was measured, by place, kernel and size; export writes all of it to FILE; "
            "import adds what such a file knows; reset forgets everything and removes the model's file.\n\n"
            "Environment: ALLOT_MODEL names the model's file, or is \"off\"; else it lies in "
            "$XDG_CACHE_HOME/allot or ~/.cache/allot.\n\n" AL_EXIT_HELP,
    };
    model self = { 0 };
    al_problem problem = { 0 };
    argp_parse(&parser, argc, argv, 0, NULL, &self);
    al_failures_as_json(self.json);
    const struct verb *verb = find_verb(&self, &problem);
    if (!verb)
        return al_problem_tell(&problem, "allot model");
    self.executor = allot_open(ALLOT_OPTIONS(.model = self.kept, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    if (!self.executor) {
        al_problem_set(&problem, AL_EXIT_FAILED, "%s", allot_open_error());
        return al_problem_tell(&problem, "allot model");
    }
    bool done = verb->run(&self, &problem);
    allot_close(self.executor);
    return done ? AL_EXIT_OK : al_problem_tell(&problem, "allot model");
}
