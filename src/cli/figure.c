#include "figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same_kernel(const al_row *a, const al_row *b)
{
    return strcmp(a->kernel, b->kernel) == 0;
}

static bool same_panel(const al_row *a, const al_row *b)
{
    return same_kernel(a, b) && strcmp(a->type, b->type) == 0;
}

static size_t place_of(al_figure *figure, const al_row *row)
{
    for (size_t i = 0; i < figure->place_count; i++)
        if (strcmp(figure->places[i]->place, row->place) == 0)
            return i;
    figure->places[figure->place_count] = row;
    return figure->place_count++;
}

static size_t panel_of(al_figure *figure, const al_row *row)
{
    for (size_t i = 0; i < figure->panel_count; i++)
        if (same_panel(figure->panels[i].first, row))
            return i;
    figure->panels[figure->panel_count].first = row;
    return figure->panel_count++;
}

static void add_to_line(al_figure *figure, const al_row *row)
{
    size_t in = panel_of(figure, row), place = place_of(figure, row);
    for (size_t i = 0; i < figure->line_count; i++)
        if (figure->lines[i].panel == in && figure->lines[i].place == place)
            return;
    figure->lines[figure->line_count++] = (al_line){ row, in, place };
}

/* What limits a kernel is shown: its operations, or where there is less than one a byte, the memory. */
static bool limited_by_flops(const al_figure *figure, const al_row *of)
{
    for (size_t i = 0; i < figure->count; i++)
        if (same_kernel(&figure->rows[i], of) && figure->rows[i].verified)
            return figure->rows[i].gflops >= figure->rows[i].gbytes_s;
    return false;
}

static double throughput(const al_panel *in, const al_row *row)
{
    return in->by_flops ? row->gflops : row->gbytes_s;
}

/* All panels of a kernel get the same range, so that they can be compared. One wild turn must not flatten
 * everything else: the medians decide, and bars that reach far beyond them are cut at the frame. */
static void set_range(const al_figure *figure, al_panel *of)
{
    of->low = INFINITY;
    of->n_low = SIZE_MAX;
    for (size_t i = 0; i < figure->count; i++) {
        const al_row *row = &figure->rows[i];
        if (!same_kernel(row, of->first))
            continue;
        of->n_low = row->n < of->n_low ? row->n : of->n_low;
        of->n_high = row->n > of->n_high ? row->n : of->n_high;
        double middle = throughput(of, row);
        if (!row->verified || !(middle > 0) || !(row->p10_s > 0))
            continue;
        of->low = fmin(of->low, middle * fmax(row->median_s / row->p90_s, 0.5));
        of->high = fmax(of->high, middle * fmin(row->median_s / row->p10_s, 2));
    }
    if (!(of->low <= of->high)) /* nothing to see: still a diagram */
        of->low = 1, of->high = 10;
}

bool al_figure_init(al_figure *figure, const al_row *rows, size_t count)
{
    *figure = (al_figure){ .rows = rows, .count = count };
    figure->lines = calloc(count, sizeof *figure->lines);
    figure->panels = calloc(count, sizeof *figure->panels);
    figure->places = calloc(count, sizeof *figure->places);
    if (!figure->lines || !figure->panels || !figure->places)
        return false;
    for (size_t i = 0; i < count; i++)
        add_to_line(figure, &rows[i]);
    for (size_t i = 0; i < figure->panel_count; i++) {
        figure->panels[i].by_flops = limited_by_flops(figure, figure->panels[i].first);
        set_range(figure, &figure->panels[i]);
    }
    return true;
}

void al_figure_fini(al_figure *figure)
{
    free(figure->lines);
    free(figure->panels);
    free(figure->places);
}

static int compare_n(const void *left, const void *right)
{
    const al_row *a = *(const al_row *const *)left, *b = *(const al_row *const *)right;
    return (a->n > b->n) - (a->n < b->n);
}

size_t al_figure_points(const al_figure *figure, const al_line *line, const al_row **points)
{
    size_t count = 0;
    for (size_t i = 0; i < figure->count; i++)
        if (same_panel(&figure->rows[i], line->first) &&
            strcmp(figure->rows[i].place, line->first->place) == 0)
            points[count++] = &figure->rows[i];
    qsort(points, count, sizeof *points, compare_n);
    return count;
}
