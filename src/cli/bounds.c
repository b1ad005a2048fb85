#include "bounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Kinds of work: launches of one kernel and nearly one size ---- */

enum {
    KINDS_MAX = 400,
    STEPS_PER_OCTAVE = 4 /* if there are more, those within a quarter of an octave count as their cheapest */
};

typedef struct work_kind {
    uint32_t kernel;
    double flops, bytes;
    double count;
    double *run_s; /* by class: of one launch */
} work_kind;

typedef struct survey {
    const allot_machine *machine;
    size_t class_count;
    allot_machine_class *classes;
    work_kind *kinds;
    size_t kind_count;
    uint32_t *kind_of; /* by task */
    double places;
} survey;

static double rounded(double value, bool coarse)
{
    return coarse && value > 0 ? exp2(floor(log2(value) * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE) : value;
}

static work_kind *find_kind(survey *of, const al_scenario_task *task, bool coarse)
{
    double flops = rounded(task->flops, coarse), bytes = rounded(task->bytes, coarse);
    for (size_t i = 0; i < of->kind_count; i++) {
        work_kind *kind = &of->kinds[i];
        if (kind->kernel == task->kernel && kind->flops == flops && kind->bytes == bytes)
            return kind;
    }
    if (of->kind_count == KINDS_MAX)
        return NULL;
    work_kind *made = &of->kinds[of->kind_count++];
    *made = (work_kind){ .kernel = task->kernel, .flops = flops, .bytes = bytes };
    return made;
}

static bool sort_tasks(survey *of, const al_scenario *scenario, bool coarse)
{
    of->kind_count = 0;
    for (size_t i = 0; i < scenario->task_count; i++) {
        work_kind *kind = find_kind(of, &scenario->tasks[i], coarse);
        if (!kind)
            return false;
        kind->count++;
        of->kind_of[i] = (uint32_t)(kind - of->kinds);
    }
    return true;
}

static bool fill_times(survey *of, const al_scenario *scenario)
{
    for (size_t i = 0; i < of->kind_count; i++) {
        work_kind *kind = &of->kinds[i];
        if (!(kind->run_s = calloc(of->class_count, sizeof(double))))
            return false;
        for (size_t c = 0; c < of->class_count; c++)
            kind->run_s[c] = allot_machine_run_s(of->machine, c, scenario->kernels[kind->kernel].name,
                                                 (allot_work){ kind->flops, kind->bytes });
    }
    return true;
}

static void survey_free(survey *of)
{
    for (size_t i = 0; of->kinds && i < of->kind_count; i++)
        free(of->kinds[i].run_s);
    free(of->kinds);
    free(of->classes);
    free(of->kind_of);
}

static bool survey_make(survey *of, const al_scenario *scenario, const allot_machine *machine)
{
    *of = (survey){ .machine = machine, .class_count = allot_machine_classes(machine, NULL, 0) };
    of->classes = calloc(of->class_count, sizeof *of->classes);
    of->kinds = calloc(KINDS_MAX, sizeof *of->kinds);
    of->kind_of = calloc(scenario->task_count, sizeof *of->kind_of);
    if (!of->classes || !of->kinds || !of->kind_of)
        return false;
    for (size_t c = 0; c < of->class_count; c++)
        of->classes[c].size = sizeof of->classes[c];
    allot_machine_classes(machine, of->classes, of->class_count);
    for (size_t c = 0; c < of->class_count; c++)
        of->places += (double)of->classes[c].count;
    return (sort_tasks(of, scenario, false) || sort_tasks(of, scenario, true)) && fill_times(of, scenario);
}

/* ---- The area bound: the simplex method on a dense table ----
 * Columns: the shares, T, a slack a class, the right side. Rows: a kind each (its shares are 1), a class each
 * (its load, less T times its devices, plus its slack, is 0), the objective. To begin with, each kind is on
 * the class that is fastest for it, and T is what the most loaded class needs. */

typedef struct table {
    size_t kinds, classes, rows, columns;
    double *cells;
    size_t *basis; /* column by row */
} table;

static double *cell(const table *of, size_t row, size_t column)
{
    return &of->cells[row * (of->columns + 1) + column];
}

static void pivot(table *of, size_t row, size_t column)
{
    double scale = 1 / *cell(of, row, column);
    for (size_t j = 0; j <= of->columns; j++)
        *cell(of, row, j) *= scale;
    for (size_t i = 0; i <= of->rows; i++) {
        double factor = *cell(of, i, column);
        for (size_t j = 0; i != row && factor != 0 && j <= of->columns; j++)
            *cell(of, i, j) -= factor * *cell(of, row, j);
    }
    of->basis[row] = column;
}

static void fill_table(table *of, const double *cost_s, const double *counts)
{
    size_t t = of->kinds * of->classes;
    for (size_t k = 0; k < of->kinds; k++)
        for (size_t c = 0; c < of->classes; c++) {
            double cost = cost_s[k * of->classes + c];
            *cell(of, k, k * of->classes + c) = isfinite(cost);
            *cell(of, of->kinds + c, k * of->classes + c) = isfinite(cost) ? cost / counts[c] : 0;
            *cell(of, k, of->columns) = 1;
        }
    for (size_t c = 0; c < of->classes; c++) {
        *cell(of, of->kinds + c, t) = -1;
        *cell(of, of->kinds + c, t + 1 + c) = 1;
        of->basis[of->kinds + c] = t + 1 + c;
    }
    *cell(of, of->rows, t) = 1; /* least T */
}

static void begin_basis(table *of, const double *cost_s, const double *counts)
{
    size_t t = of->kinds * of->classes, most = 0;
    for (size_t k = 0; k < of->kinds; k++) {
        size_t best = 0;
        for (size_t c = 1; c < of->classes; c++)
            if (cost_s[k * of->classes + c] / counts[c] < cost_s[k * of->classes + best] / counts[best])
                best = c;
        pivot(of, k, k * of->classes + best);
    }
    for (size_t c = 1; c < of->classes; c++) /* the right side is minus the load now */
        if (*cell(of, of->kinds + c, of->columns) < *cell(of, of->kinds + most, of->columns))
            most = c;
    pivot(of, of->kinds + most, t);
}

static bool improve(table *of)
{
    const double zero = 1e-11;
    size_t column = 0, row = of->rows;
    double best = INFINITY;
    while (column < of->columns && *cell(of, of->rows, column) >= -zero)
        column++;
    if (column == of->columns)
        return false;
    for (size_t i = 0; i < of->rows; i++) {
        if (*cell(of, i, column) <= zero)
            continue;
        double ratio = *cell(of, i, of->columns) / *cell(of, i, column);
        if (row == of->rows || ratio < best || (ratio <= best && of->basis[i] < of->basis[row])) {
            row = i;
            best = ratio;
        }
    }
    if (row == of->rows)
        return false;
    pivot(of, row, column);
    return true;
}

/* Prices of the classes are the reduced costs of their slacks; a kind then costs what it costs at least. */
static double dual_of(const table *of, const double *cost_s, const double *counts)
{
    size_t slack = of->kinds * of->classes + 1;
    double sum = 0;
    for (size_t k = 0; k < of->kinds; k++) {
        double least = INFINITY;
        for (size_t c = 0; c < of->classes; c++)
            least = fmin(least,
                         fmax(*cell(of, of->rows, slack + c), 0) * cost_s[k * of->classes + c] / counts[c]);
        sum += least;
    }
    return sum;
}

double al_area_bound(const double *cost_s, const double *counts, size_t kinds, size_t classes, double *dual_s)
{
    table of = {
        .kinds = kinds, .classes = classes, .rows = kinds + classes, .columns = kinds * classes + 1 + classes
    };
    double value = -1;
    of.cells = calloc((of.rows + 1) * (of.columns + 1), sizeof(double));
    of.basis = calloc(of.rows, sizeof(size_t));
    if (of.cells && of.basis) {
        fill_table(&of, cost_s, counts);
        begin_basis(&of, cost_s, counts);
        for (size_t steps = 0; steps < 100000 && improve(&of); steps++) {
        }
        value = -*cell(&of, of.rows, of.columns);
        if (dual_s)
            *dual_s = dual_of(&of, cost_s, counts);
    }
    free(of.cells);
    free(of.basis);
    return value;
}

/* In units of about the result, for the tolerance. The dual's value is a bound even if it went wrong. */
static double area_of(const survey *of)
{
    double *cost_s = calloc(of->kind_count * of->class_count, sizeof(double));
    double *counts = calloc(of->class_count, sizeof(double));
    double unit_s = 0, dual = -1;
    for (size_t k = 0; cost_s && k < of->kind_count; k++) {
        double least = INFINITY;
        for (size_t c = 0; c < of->class_count; c++)
            least = fmin(least, of->kinds[k].run_s[c]);
        unit_s += least * of->kinds[k].count / of->places;
    }
    for (size_t c = 0; counts && c < of->class_count; c++)
        counts[c] = (double)of->classes[c].count;
    for (size_t k = 0; cost_s && k < of->kind_count; k++)
        for (size_t c = 0; c < of->class_count; c++)
            cost_s[k * of->class_count + c] = of->kinds[k].count * of->kinds[k].run_s[c] / unit_s;
    if (cost_s && counts && unit_s > 0)
        al_area_bound(cost_s, counts, of->kind_count, of->class_count, &dual);
    bool there = cost_s && counts;
    free(cost_s);
    free(counts);
    return !there || (unit_s > 0 && dual < 0) ? -1 : unit_s > 0 ? dual * unit_s : 0;
}

/* ---- Chains ---- */

/* When the data of one array was written and read last, forward or backward in the order of submission. */
typedef struct ends {
    double written_s, read_s;
} ends;

static double fastest(const survey *of, size_t task)
{
    const work_kind *kind = &of->kinds[of->kind_of[task]];
    double least = INFINITY;
    for (size_t c = 0; c < of->class_count; c++)
        least = fmin(least, kind->run_s[c]);
    return least;
}

/* Adds one task of run_s behind what it conflicts with; the chain's length with it. */
static double add_task(const al_scenario *scenario, const al_scenario_task *task, ends *arrays,
                       double before_s, double run_s)
{
    const al_scenario_kernel *kernel = &scenario->kernels[task->kernel];
    const uint32_t *uses = scenario->uses + task->first_use;
    double start_s = before_s;
    for (size_t i = 0; i < kernel->access_count; i++) {
        start_s = fmax(start_s, arrays[uses[i]].written_s);
        if (kernel->accesses[i] & ALLOT_WRITE)
            start_s = fmax(start_s, arrays[uses[i]].read_s);
    }
    for (size_t i = 0; i < kernel->access_count; i++) {
        ends *array = &arrays[uses[i]];
        array->read_s = fmax(array->read_s, start_s + run_s);
        if (kernel->accesses[i] & ALLOT_WRITE)
            array->written_s = start_s + run_s;
    }
    return start_s + run_s;
}

static double longest_chain(const survey *of, const al_scenario *scenario, ends *arrays, double *done_s)
{
    double longest_s = 0;
    for (size_t i = 0; i < scenario->task_count; i++) {
        const al_scenario_task *task = &scenario->tasks[i];
        double before_s = 0;
        for (size_t j = 0; j < task->after_count; j++)
            before_s = fmax(before_s, done_s[scenario->afters[task->first_after + j]]);
        done_s[i] = add_task(scenario, task, arrays, before_s, fastest(of, i));
        longest_s = fmax(longest_s, done_s[i]);
    }
    return longest_s;
}

/* From the last to the first: who comes after is then before. A task counts as where it is fastest, for there
 * what many wait for will go: the mean over processors would say that what only they are slow at is urgent.
 * (Zhao and Sakellariou, An experimental investigation into the rank function of the heterogeneous earliest
 * finish time scheduling algorithm, Euro-Par 2003, compare these and others.) */
static void rank_tasks(const survey *of, al_scenario *scenario, ends *arrays, double *rank_s)
{
    double longest_s = 0;
    for (size_t i = 0; i < scenario->task_count; i++)
        rank_s[i] = 0;
    for (size_t i = scenario->task_count; i-- > 0;) {
        const al_scenario_task *task = &scenario->tasks[i];
        rank_s[i] = add_task(scenario, task, arrays, rank_s[i], fastest(of, i));
        for (size_t j = 0; j < task->after_count; j++) {
            double *before = &rank_s[scenario->afters[task->first_after + j]];
            *before = fmax(*before, rank_s[i]);
        }
        longest_s = fmax(longest_s, rank_s[i]);
    }
    for (size_t i = 0; i < scenario->task_count && longest_s > 0; i++)
        scenario->tasks[i].priority = (int)(rank_s[i] / longest_s * 1e9);
}

bool al_bounds_of(al_scenario *scenario, const allot_machine *machine, bool rank, al_bounds *bounds)
{
    survey of;
    ends *arrays = calloc(scenario->array_count + 1, sizeof *arrays);
    double *times_s = calloc(scenario->task_count, sizeof *times_s);
    bool there = survey_make(&of, scenario, machine) && arrays && times_s;
    if (there) {
        bounds->critical_s = longest_chain(&of, scenario, arrays, times_s);
        bounds->area_s = area_of(&of);
        bounds->bound_s = fmax(bounds->critical_s, bounds->area_s);
        memset(arrays, 0, (scenario->array_count + 1) * sizeof *arrays);
        if (rank)
            rank_tasks(&of, scenario, arrays, times_s);
        there = bounds->area_s >= 0;
    }
    survey_free(&of);
    free(arrays);
    free(times_s);
    return there;
}
