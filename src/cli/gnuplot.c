#include "gnuplot.h"

#include "text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS = 2, /* of panels: the types of a kernel stand side by side */
    WIDTH = 1000,
    HEADER = 64,      /* title and machine */
    LEGEND_LINE = 22, /* a line of places */
    PANEL_HEIGHT = 270,
    FOOTER = 34,
    LEFT = 72, /* of a panel: its figures and their unit */
    RIGHT = 24,
    TOP = 34,
    BOTTOM = 50,
    CHARACTER = 8, /* width, about, at the font's size */
    TITLE = 58,    /* characters that fit above a panel, and of a smaller font */
    TITLE_SMALL = 72,
    SAMPLE = 60 /* width of a line in the legend */
};

/* ---- The data ---- */

static void print_range(double middle, const al_row *row, FILE *stream)
{
    fprintf(stream, " %.6g %.6g %.6g", middle, middle * row->median_s / row->p90_s,
            middle * row->median_s / row->p10_s);
}

static void print_point(const al_row *row, FILE *stream)
{
    fprintf(stream, "%zu", row->n);
    if (row->verified) {
        print_range(row->gflops, row, stream);
        print_range(row->gbytes_s, row, stream);
    } else {
        fputs(" NaN NaN NaN NaN NaN NaN", stream);
    }
    fputc('\n', stream);
}

static bool print_line(const al_figure *figure, const al_line *line, FILE *stream)
{
    const al_row **points = calloc(figure->count, sizeof *points);
    if (!points)
        return false;
    fprintf(stream, "# %s %s %s\n", line->first->kernel, line->first->type, line->first->place);
    size_t count = al_figure_points(figure, line, points);
    for (size_t i = 0; i < count; i++)
        print_point(points[i], stream);
    fputs("\n\n", stream);
    free(points);
    return true;
}

bool al_gnuplot_data(const al_figure *figure, FILE *stream)
{
    fputs("# n, then median, low (the time's p90) and high (its p10) in GFLOP/s, then the same in GB/s; NaN "
          "where the run failed\n",
          stream);
    for (size_t i = 0; i < figure->line_count; i++)
        if (!print_line(figure, &figure->lines[i], stream))
            return false;
    return true;
}

/* ---- The script ---- */

/* The picture while its script is printed. Measures are in its units, from its top left; gnuplot counts from
 * the bottom left, in shares of the whole. */
typedef struct page {
    const al_figure *figure;
    const char *name;
    double panels_top, height;
    const al_row **points; /* room for a line's */
    FILE *stream;
} page;

static double across(double x)
{
    return x / WIDTH;
}

static double up(const page *on, double y)
{
    return 1 - y / on->height;
}

/* In single quotes, where gnuplot takes everything as it is but the quote, which is doubled. */
static void print_quoted(const char *text, FILE *stream)
{
    fputc('\'', stream);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', stream);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, stream);
    }
    fputc('\'', stream);
}

/* Told apart without colour too: each has its own dashes and its own points. The colours are Okabe and Ito's,
 * made for the colour-blind (jfly.uni-koeln.de/color, 2008). */
static void print_style(size_t index, bool is_auto, FILE *stream)
{
    static const char *const colours[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                           "#56b4e9", "#e69f00", "#666666" };
    static const char *const dashes[] = { "1", "(9,4)", "(10,3,2,3)", "(16,5)", "(5,5)", "(10,3,2,3,2,3)" };
    static const int points[] = { 7, 4, 9, 12, 5, 6, 11, 8, 13, 10 };
#define PICK(table) table[index % (sizeof(table) / sizeof(table)[0])]
    fprintf(stream, "set linetype %zu lc rgb '%s' lw %s dt %s pt %d ps %s\n", index + 1,
            is_auto ? "#000000" : PICK(colours), is_auto ? "1.5" : "2", is_auto ? "(2,2)" : PICK(dashes),
            is_auto ? 2 : PICK(points), is_auto ? "1.0" : "0.8");
#undef PICK
}

/* The places one beside the other, in as many lines as they need; returns the lines. Prints them if the page
 * has a stream. */
static size_t lay_legend(const page *on)
{
    double line = 0, x = LEFT;
    for (size_t i = 0; i < on->figure->place_count; i++) {
        const char *place = on->figure->places[i]->place;
        double width = SAMPLE + CHARACTER * (double)(strlen(place) + 3);
        if (x > LEFT && x + width > WIDTH) {
            line++;
            x = LEFT;
        }
        double y = up(on, HEADER + LEGEND_LINE * (line + 0.5)), middle = x + (double)(SAMPLE - CHARACTER) / 2;
        if (on->stream) {
            fprintf(on->stream, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead linetype %zu\n",
                    across(x), y, across(x + SAMPLE - CHARACTER), y, i + 1);
            fprintf(on->stream, "set label '' at screen %.5f,%.5f point linetype %zu\nset label ",
                    across(middle), y, i + 1);
            print_quoted(place, on->stream);
            fprintf(on->stream, " at screen %.5f,%.5f left\n", across(x + SAMPLE), y);
        }
        x += width;
    }
    return (size_t)line + 1;
}

/* 1, 2 and 5 times the powers of ten; where these would be too many, the powers alone. */
static void print_y(const al_panel *of, FILE *stream)
{
    static const double steps[] = { 1, 2, 5 };
    double low = of->low / 1.15, high = of->high * 1.15, middle = sqrt(low * high);
    if (high < low * 10) { /* a narrow axis would make noise look like a result */
        low = middle / sqrt(10);
        high = middle * sqrt(10);
    }
    size_t step_count = high / low < 2000 ? 3 : 1;
    int from = (int)floor(log10(low)), to = (int)ceil(log10(high));
    const char *comma = "";
    fprintf(stream, "set yrange [%.4g:%.4g]\nset ytics (", low, high);
    for (int power = from; power <= to; power++)
        for (size_t s = 0; s < step_count; s++) {
            double at = steps[s] * pow(10, power);
            if (at < low || at > high)
                continue;
            fprintf(stream, "%s'%.*f' %.4g", comma, power < 0 ? -power : 0, at, at);
            comma = ", ";
        }
    fputs(")\n", stream);
}

/* A tick at each size that was run, with its figure where there is room. */
static void print_x(const page *on, const al_line *line, double width)
{
    const al_panel *of = &on->figure->panels[line->panel];
    size_t count = al_figure_points(on->figure, line, on->points);
    double span = (double)of->n_high / (double)of->n_low, edge = fmax(pow(span, 0.09), 1.1);
    double low = (double)of->n_low / edge, scale = width / log(span * edge * edge), free_from = 0;
    fprintf(on->stream, "set xrange [%.6g:%.6g]\nset xtics (", low, (double)of->n_high * edge);
    for (size_t i = 0; i < count; i++) {
        char text[AL_FIGURE];
        size_t n = on->points[i]->n;
        double half = CHARACTER * (double)strlen(al_text_count(text, n)) / 2;
        double at = log((double)n / low) * scale;
        bool fits = i == 0 || at - half > free_from;
        if (fits)
            free_from = at + half + CHARACTER;
        fprintf(on->stream, "%s'%s' %zu", i ? ", " : "", fits ? text : "", n);
    }
    fputs(")\n", on->stream);
}

/* As long as the panel is wide: smaller letters for a long one, and an end for one that is longer still. */
static void print_title(const al_panel *of, FILE *stream)
{
    al_problem unknown;
    const al_workload_kind *kind = al_workload_named(of->first->kernel, &unknown);
    char text[TITLE_SMALL + 1];
    int length = snprintf(text, sizeof text, "%s %s%s%s", of->first->kernel, of->first->type,
                          kind ? ":  " : "", kind ? kind->says : "");
    if (length > TITLE_SMALL)
        memcpy(text + TITLE_SMALL - 3, "...", 3);
    fputs("set title ", stream);
    print_quoted(text, stream);
    fprintf(stream, " offset 0,-0.5 font ',%d'\n", length > TITLE ? 11 : 13);
}

/* Where the panel stands, and its axes. */
static void print_frame(const page *on, const al_line *line)
{
    const al_panel *of = &on->figure->panels[line->panel];
    size_t columns = on->figure->panel_count < COLUMNS ? 1 : COLUMNS;
    double width = (double)WIDTH / (double)columns, x = width * (double)(line->panel % columns);
    double y = on->panels_top + PANEL_HEIGHT * (double)(line->panel / columns);
    fprintf(on->stream,
            "set lmargin at screen %.5f; set rmargin at screen %.5f\n"
            "set tmargin at screen %.5f; set bmargin at screen %.5f\n",
            across(x + LEFT), across(x + width - RIGHT), up(on, y + TOP), up(on, y + PANEL_HEIGHT - BOTTOM));
    print_title(of, on->stream);
    print_x(on, line, width - LEFT - RIGHT);
    print_y(of, on->stream);
    fprintf(on->stream, "set ylabel '%s'\n", of->by_flops ? "GFLOP/s" : "GB/s");
}

static void print_panel(const page *on, size_t index)
{
    int column = on->figure->panels[index].by_flops ? 2 : 5;
    bool first = true;
    fputc('\n', on->stream);
    for (size_t i = 0; i < on->figure->line_count; i++) {
        const al_line *line = &on->figure->lines[i];
        if (line->panel != index)
            continue;
        if (first)
            print_frame(on, line);
        fprintf(on->stream,
                "%s \\\n  '%s.dat' index %zu using 1:%d:%d:%d with yerrorbars linetype %zu lw 0.8 dt 1 pt 0",
                first ? "plot" : ",", on->name, i, column, column + 1, column + 2, line->place + 1);
        fprintf(on->stream, ", '' index %zu using 1:%d with linespoints linetype %zu", i, column,
                line->place + 1);
        first = false;
    }
    fputc('\n', on->stream);
    if (index == 0)
        fputs("unset label; unset arrow\n", on->stream); /* once is enough */
}

static void print_heading(const page *on)
{
    allot_topology topology = { .size = sizeof topology };
    char machine[300] = "";
    if (allot_get_topology(&topology) == ALLOT_OK)
        snprintf(machine, sizeof machine, "%s%s%d CPU%s; allot %s", topology.cpu_model,
                 topology.cpu_model[0] ? ", " : "", topology.usable_cpus,
                 topology.usable_cpus == 1 ? "" : "s", allot_version());
    fprintf(
        on->stream,
        "# Throughput by size. For another look, change this; then, in this folder,\n"
        "# `gnuplot %s.gp` makes %s.svg anew from %s.dat.\n"
        "set terminal svg noenhanced size %d,%.0f font 'sans-serif,13' background '#ffffff'\n"
        "set encoding utf8\nset output '%s.svg'\n"
        "set label 'Throughput by size: higher is better' at screen 0.5,%.5f center font ',17'\nset label ",
        on->name, on->name, on->name, WIDTH, on->height, on->name, up(on, 20));
    print_quoted(machine, on->stream);
    fprintf(on->stream,
            " at screen 0.5,%.5f center textcolor rgb '#444444'\n"
            "set label 'Medians, with bars from p10 to p90; the data lies at the place. GB/s counts what a "
            "kernel must read and write.' \\\n  at screen 0.5,%.5f center textcolor rgb '#444444'\n",
            up(on, 44), up(on, on->height - 18));
}

static void print_script(const page *on)
{
    print_heading(on);
    fputs("\n# The places, and their legend\n", on->stream);
    for (size_t i = 0; i < on->figure->place_count; i++)
        print_style(i, strcmp(on->figure->places[i]->place, "auto") == 0, on->stream);
    lay_legend(on);
    fputs("\nset multiplot\nset logscale xy; set xlabel 'n' offset 0,0.5; unset key\n"
          "set border 3 lc rgb '#444444'; set tics nomirror; set errorbars small\n"
          "set grid lc rgb '#dddddd' lt 1 lw 0.5 dt 1\n",
          on->stream);
    for (size_t i = 0; i < on->figure->panel_count; i++)
        print_panel(on, i);
    fputs("unset multiplot\nunset output\n", on->stream);
}

bool al_gnuplot_script(const al_figure *figure, const char *name, FILE *stream)
{
    page on = { .figure = figure, .name = name, .height = 1 };
    size_t rows = (figure->panel_count + COLUMNS - 1) / COLUMNS;
    on.panels_top = HEADER + LEGEND_LINE * (double)lay_legend(&on) + 8;
    on.height = on.panels_top + PANEL_HEIGHT * (double)rows + FOOTER;
    on.points = calloc(figure->count, sizeof *on.points);
    on.stream = stream;
    if (on.points)
        print_script(&on);
    bool enough = on.points != NULL;
    free(on.points);
    return enough;
}
