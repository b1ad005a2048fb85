#include "gantt.h"

#include "file.h"
#include "text.h"
#include <math.h>
#include <stdlib.h>

enum {
    WIDTH = 1200,
    LEFT = 110,
    TOP = 60,
    ROW = 18,
    LEGEND = 150
};

/* Told apart by most people who see colours differently (Okabe and Ito, 2008). */
static const char *const colours[] = { "#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                       "#56b4e9", "#d55e00", "#f0e442", "#999999" };

static const char *colour_of(size_t kind)
{
    return colours[kind % (sizeof colours / sizeof colours[0])];
}

static void write_text(FILE *stream, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", stream);
            break;
        case '&':
            fputs("&amp;", stream);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, stream);
        }
}

static double x_of(const al_gantt *gantt, double time_s)
{
    return LEFT + (gantt->end_s > 0 ? time_s / gantt->end_s : 0) * (WIDTH - LEFT - LEGEND);
}

static void write_axis(const al_gantt *gantt, FILE *stream, double bottom)
{
    double step = pow(10, floor(log10(gantt->end_s > 0 ? gantt->end_s : 1)));
    while (gantt->end_s / step < 5)
        step /= 2;
    for (double at = 0; at <= gantt->end_s * 1.0001; at += step) {
        char figure[AL_FIGURE];
        fprintf(stream, "<path d='M%.1f %d V%.1f' stroke='#ddd'/>\n", x_of(gantt, at), TOP - 6, bottom);
        fprintf(stream, "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>\n", x_of(gantt, at), TOP - 12,
                at > 0 ? al_text_seconds(figure, at) : "0");
    }
    if (gantt->mark_s > 0 && gantt->mark_s <= gantt->end_s)
        fprintf(stream,
                "<path d='M%.1f %d V%.1f' stroke='#d00' stroke-dasharray='4 3'><title>lower "
                "bound</title></path>\n",
                x_of(gantt, gantt->mark_s), TOP - 6, bottom);
}

static void write_legend(const al_gantt *gantt, FILE *stream)
{
    for (size_t i = 0; i < gantt->kind_count && i < 40; i++) {
        int y = TOP + (int)i * 18;
        fprintf(stream, "<rect x='%d' y='%d' width='12' height='12' fill='%s'/><text x='%d' y='%d'>",
                WIDTH - LEGEND + 16, y, colour_of(i), WIDTH - LEGEND + 34, y + 10);
        write_text(stream, gantt->kinds[i]);
        fputs("</text>\n", stream);
    }
}

/* The line of each place that has a bar; SIZE_MAX: none. Returns how many lines there are. */
static size_t find_lines(const al_gantt *gantt, size_t *lines)
{
    size_t count = 0;
    for (size_t i = 0; i < gantt->row_count; i++)
        lines[i] = SIZE_MAX;
    for (size_t i = 0; i < gantt->bar_count; i++)
        lines[gantt->bars[i].row] = 0;
    for (size_t i = 0; i < gantt->row_count; i++)
        if (lines[i] == 0)
            lines[i] = count++;
    return count;
}

static void write_bars(const al_gantt *gantt, const size_t *lines, FILE *stream)
{
    for (size_t i = 0; i < gantt->row_count; i++) {
        if (lines[i] == SIZE_MAX)
            continue;
        fprintf(stream, "<text x='%d' y='%zu' text-anchor='end'>", LEFT - 8, TOP + lines[i] * ROW + 13);
        write_text(stream, gantt->rows[i]);
        fputs("</text>\n", stream);
    }
    for (size_t i = 0; i < gantt->bar_count; i++) {
        const al_gantt_bar *bar = &gantt->bars[i];
        double from = x_of(gantt, bar->from_s), width = x_of(gantt, bar->to_s) - from;
        fprintf(stream, "<rect x='%.2f' y='%zu' width='%.2f' height='%d' fill='%s'/>\n", from,
                TOP + lines[bar->row] * ROW + 1, width < 0.1 ? 0.1 : width, ROW - 3, colour_of(bar->kind));
    }
}

bool al_gantt_write(const al_gantt *gantt, const char *path, al_problem *problem)
{
    al_output output;
    size_t *lines = calloc(gantt->row_count + 1, sizeof *lines);
    if (!lines)
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: out of memory", path);
    if (!al_output_open(&output, path, problem)) {
        free(lines);
        return false;
    }
    size_t rows = find_lines(gantt, lines), bottom = TOP + rows * ROW;
    size_t least = TOP + (gantt->kind_count < 40 ? gantt->kind_count : 40) * 18;
    FILE *stream = output.stream;
    fprintf(stream,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%zu' font-family='sans-serif' "
            "font-size='11'>\n<rect width='100%%' height='100%%' fill='white'/>\n<text x='%d' y='22' "
            "font-size='15'>",
            WIDTH, (bottom > least ? bottom : least) + 12, LEFT);
    write_text(stream, gantt->title);
    fputs("</text>\n", stream);
    write_axis(gantt, stream, (double)bottom);
    write_bars(gantt, lines, stream);
    write_legend(gantt, stream);
    fputs("</svg>\n", stream);
    free(lines);
    return al_output_close(&output, true, problem);
}
