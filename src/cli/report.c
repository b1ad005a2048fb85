#include "report.h"

#include "text.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How a column's member is to be read. */
typedef enum column_kind {
    TEXT,          /* char[] */
    OPTIONAL_TEXT, /* the same; "" is null */
    REAL,          /* double; not finite is null */
    COUNT,         /* size_t */
    TRUTH          /* bool */
} column_kind;

static const struct column {
    const char *key;
    column_kind kind;
    size_t offset;
} columns[] = {
    { "kernel", TEXT, offsetof(al_row, kernel) },       { "type", TEXT, offsetof(al_row, type) },
    { "place", TEXT, offsetof(al_row, place) },         { "n", COUNT, offsetof(al_row, n) },
    { "median_s", REAL, offsetof(al_row, median_s) },   { "p10_s", REAL, offsetof(al_row, p10_s) },
    { "p90_s", REAL, offsetof(al_row, p90_s) },         { "gflops", REAL, offsetof(al_row, gflops) },
    { "gbytes_s", REAL, offsetof(al_row, gbytes_s) },   { "transfer_s", REAL, offsetof(al_row, transfer_s) },
    { "first_s", REAL, offsetof(al_row, first_s) },     { "verified", TRUTH, offsetof(al_row, verified) },
    { "max_error", REAL, offsetof(al_row, max_error) }, { "tolerance", REAL, offsetof(al_row, tolerance) },
    { "runs", COUNT, offsetof(al_row, runs) },          { "chosen", OPTIONAL_TEXT, offsetof(al_row, chosen) },
    { "input", TEXT, offsetof(al_row, input) },         { "error", OPTIONAL_TEXT, offsetof(al_row, error) },
};
enum {
    COLUMN_COUNT = sizeof columns / sizeof columns[0]
};

static void set_times(al_row *row, const al_workload *work, al_measure *measure)
{
    allot_work cost = { 0 };
    if (measure->count)
        cost = allot_kernel_work(work->kind->kernel(), work->range, work->args, work->arg_count);
    row->median_s = al_quantile(measure->run_s, measure->count, 0.5);
    row->p10_s = al_quantile(measure->run_s, measure->count, 0.1);
    row->p90_s = al_quantile(measure->run_s, measure->count, 0.9);
    row->transfer_s = al_quantile(measure->transfer_s, measure->count, 0.5);
    row->gflops = cost.flops / row->median_s * 1e-9;
    row->gbytes_s = cost.bytes / row->median_s * 1e-9;
}

al_row al_row_make(const al_workload *work, const al_target *target, al_measure *measure,
                   const al_problem *problem)
{
    al_row row = { .n = work->n,
                   .runs = measure->count,
                   .first_s = measure->first_s > 0 ? measure->first_s : NAN };
    bool judged = measure->judgement.tolerance > 0;
    snprintf(row.kernel, sizeof row.kernel, "%s", work->kind->name);
    snprintf(row.type, sizeof row.type, "%s", allot_type_name(work->type));
    snprintf(row.place, sizeof row.place, "%s", target->name);
    snprintf(row.chosen, sizeof row.chosen, "%s", al_measure_place(measure));
    snprintf(row.input, sizeof row.input, "%s", work->input);
    set_times(&row, work, measure);
    row.max_error = judged ? measure->judgement.max_error : NAN;
    row.tolerance = judged ? measure->judgement.tolerance : NAN;
    row.verified = !problem && judged && measure->judgement.right;
    if (problem)
        snprintf(row.error, sizeof row.error, "%.*s", (int)sizeof row.error - 1, problem->text);
    return row;
}

static const void *member(const al_row *row, const struct column *column)
{
    return (const char *)row + column->offset;
}

json_t *al_row_json(const al_row *row)
{
    json_t *object = json_object();
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        const void *value = member(row, &columns[c]);
        json_t *json = NULL;
        switch (columns[c].kind) {
        case TEXT:
            json = al_json_text(value);
            break;
        case OPTIONAL_TEXT:
            json = al_json_text_or_null(value);
            break;
        case REAL:
            json = al_json_real(*(const double *)value);
            break;
        case COUNT:
            json = al_json_count(*(const size_t *)value);
            break;
        case TRUTH:
            json = json_boolean(*(const bool *)value);
            break;
        }
        json_object_set_new(object, columns[c].key, json);
    }
    return object;
}

json_t *al_rows_json(const al_row *rows, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, al_row_json(&rows[i]));
    return list;
}

/* RFC 4180: quoted where it has a comma, a quote or a line's end; quotes doubled. */
static void print_csv_text(const char *text, FILE *stream)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

static void print_csv_value(const al_row *row, const struct column *column, FILE *stream)
{
    const void *value = member(row, column);
    switch (column->kind) {
    case TEXT:
    case OPTIONAL_TEXT:
        print_csv_text(value, stream);
        break;
    case REAL:
        if (isfinite(*(const double *)value))
            fprintf(stream, "%.*g", AL_JSON_DIGITS, *(const double *)value);
        break;
    case COUNT:
        fprintf(stream, "%zu", *(const size_t *)value);
        break;
    case TRUTH:
        fputs(*(const bool *)value ? "true" : "false", stream);
        break;
    }
}

static void print_csv(const al_row *rows, size_t count, FILE *stream)
{
    for (size_t c = 0; c < COLUMN_COUNT; c++)
        fprintf(stream, "%s%s", c ? "," : "", columns[c].key);
    fputc('\n', stream);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < COLUMN_COUNT; c++) {
            fputs(c ? "," : "", stream);
            print_csv_value(&rows[i], &columns[c], stream);
            fputs(c + 1 < COLUMN_COUNT ? "" : "\n", stream);
        }
}

/* Like mkdir -p. */
static bool make_folder(const char *folder, al_problem *problem)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s", folder) >= sizeof path)
        return al_problem_set(problem, AL_EXIT_FAILED, "the name of the output folder is too long");
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    struct stat status;
    if (mkdir(path, 0777) == 0)
        return true;
    int error = errno;
    if (stat(path, &status) != 0)
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: cannot be made: %s", folder, strerror(error));
    if (!S_ISDIR(status.st_mode))
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: exists and is not a folder", folder);
    return true;
}

bool al_rows_check(const char *folder, const char *name, al_problem *problem)
{
    static const char *const endings[] = { "csv", "json" };
    char path[4096];
    if (!make_folder(folder, problem))
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", folder, name, endings[i]);
        if (!al_output_check(path, problem))
            return false;
    }
    return true;
}

bool al_rows_write(const al_row *rows, size_t count, const char *folder, const char *name,
                   al_problem *problem)
{
    char path[4096];
    al_output output;
    if (!make_folder(folder, problem))
        return false;
    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    if (!al_output_open(&output, path, problem))
        return false;
    print_csv(rows, count, output.stream);
    if (!al_output_close(&output, true, problem))
        return false;
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    if (!al_output_open(&output, path, problem))
        return false;
    al_json_print(al_rows_json(rows, count), output.stream);
    return al_output_close(&output, true, problem);
}

static bool is_auto(const al_row *row)
{
    return strcmp(row->place, "auto") == 0;
}

/* The fastest verified row of the same set that is not auto's; NULL if there is none. */
static const al_row *fastest(const al_row *rows, size_t count, const al_row *of)
{
    const al_row *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (rows[i].set == of->set && rows[i].verified && !is_auto(&rows[i]) &&
            (!best || rows[i].median_s < best->median_s))
            best = &rows[i];
    return best;
}

static void describe_result(const al_row *rows, size_t count, const al_row *row, char *text, size_t size)
{
    const al_row *best = fastest(rows, count, row);
    if (!row->verified)
        snprintf(text, size, "FAILED");
    else if (is_auto(row) && best)
        snprintf(text, size, "ok, %.2f x fastest", row->median_s / best->median_s);
    else
        snprintf(text, size, row == best ? "ok, fastest" : "ok");
}

static void add_row(al_table *table, const al_row *rows, size_t count, const al_row *row)
{
    char text[AL_FIGURE], place[80], result[80];
    bool elsewhere = row->chosen[0] && strcmp(row->chosen, row->place) != 0;
    snprintf(place, sizeof place, "%s%s%s", row->place, elsewhere ? ": " : "", elsewhere ? row->chosen : "");
    describe_result(rows, count, row, result, sizeof result);
    al_table_cell(table, row->kernel);
    al_table_cell(table, row->type);
    al_table_cell(table, al_text_count(text, row->n));
    al_table_cell(table, place);
    al_table_cell(table, al_text_seconds(text, row->median_s));
    al_table_cell(table, al_text_seconds(text, row->p10_s));
    al_table_cell(table, al_text_seconds(text, row->p90_s));
    al_table_cell(table, al_text_figure(text, row->gflops));
    al_table_cell(table, al_text_figure(text, row->gbytes_s));
    al_table_cell(table, al_text_seconds(text, row->transfer_s));
    al_table_cell(table, al_text_error(text, row->max_error));
    al_table_cell(table, result);
}

/* How far auto is from the fastest place, over all sets. */
static void print_auto(const al_row *rows, size_t count, FILE *stream)
{
    double logs = 0, worst = 0;
    size_t sets = 0;
    const al_row *at = NULL;
    for (size_t i = 0; i < count; i++) {
        const al_row *best = is_auto(&rows[i]) && rows[i].verified ? fastest(rows, count, &rows[i]) : NULL;
        if (!best)
            continue;
        double ratio = rows[i].median_s / best->median_s;
        logs += log(ratio);
        sets++;
        if (ratio > worst) {
            worst = ratio;
            at = &rows[i];
        }
    }
    char n[AL_FIGURE];
    if (sets)
        fprintf(
            stream,
            "auto took %.2f times as long as the fastest place of each set (geometric mean of %zu); at worst "
            "%.2f (%s %s, n = %s).\n",
            exp(logs / (double)sets), sets, worst, at->kernel, at->type, al_text_count(n, at->n));
}

static bool same_input(const al_row *a, const al_row *b)
{
    return strcmp(a->kernel, b->kernel) == 0 && strcmp(a->input, b->input) == 0;
}

/* What each kernel ran on, once. */
static void print_inputs(const al_row *rows, size_t count, FILE *stream)
{
    const char *heading = "input:";
    for (size_t i = 0; i < count; i++) {
        bool told = !rows[i].input[0]; /* a set that could not be fed */
        for (size_t before = 0; !told && before < i; before++)
            told = same_input(&rows[before], &rows[i]);
        if (told)
            continue;
        fprintf(stream, "%-6s %-16s  %s\n", heading, rows[i].kernel, rows[i].input);
        heading = "";
    }
}

static void print_failures(const al_row *rows, size_t count, FILE *stream)
{
    for (size_t i = 0; i < count; i++)
        if (!rows[i].verified)
            fprintf(stream, "FAILED %s %s n = %zu on %s: %s\n", rows[i].kernel, rows[i].type, rows[i].n,
                    rows[i].place, rows[i].error);
}

void al_rows_print(const al_row *rows, size_t count, FILE *stream)
{
    static const al_table_column headings[] = {
        { "kernel", false }, { "type", false },    { "n", true },         { "place", false },
        { "median", true },  { "p10", true },      { "p90", true },       { "GFLOP/s", true },
        { "GB/s", true },    { "transfer", true }, { "max error", true }, { "result", false },
    };
    al_table *table = al_table_create(headings, sizeof headings / sizeof headings[0]);
    for (size_t i = 0; i < count; i++) {
        add_row(table, rows, count, &rows[i]);
        if (i + 1 < count && rows[i].set != rows[i + 1].set)
            al_table_gap(table);
    }
    al_table_print(table, stream);
    al_table_destroy(table);
    fputc('\n', stream);
    print_inputs(rows, count, stream);
    print_auto(rows, count, stream);
    print_failures(rows, count, stream);
}
