#include "placement/decision.h"
#include <math.h>

/* One text of a cell or a figure. */
typedef struct text {
    char bytes[40];
} text;

/* Three digits, and the largest of the thousandfold `scales` that leaves at least one of them before the
 * point. */
static text scaled(double value, const char *const *scales, size_t count, const char *unit)
{
    text result;
    size_t scale = 0;
    while (scale + 1 < count && fabs(value) >= 999.5) {
        value /= 1000;
        scale++;
    }
    int digits = fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;
    if (scale == 0 && value == floor(value))
        digits = 0;
    snprintf(result.bytes, sizeof result.bytes, "%.*f %s%s", digits, value, scales[scale], unit);
    return result;
}

static text duration(double seconds)
{
    static const char *const scales[] = { "ns", "µs", "ms", "s" };
    if (seconds == 0)
        return (text){ "0" };
    if (isnan(seconds))
        return (text){ "?" };
    if (isinf(seconds))
        return (text){ "for ever" };
    return scaled(seconds * 1e9, scales, sizeof scales / sizeof *scales, "");
}

static text quantity(double value, const char *unit)
{
    static const char *const scales[] = { "", "k", "M", "G", "T", "P" };
    return scaled(value, scales, sizeof scales / sizeof *scales, unit);
}

/* Letters, not bytes: the units may have a µ. */
static int width_of(const char *words)
{
    int width = 0;
    for (; *words; words++)
        width += ((unsigned char)*words & 0xc0) != 0x80;
    return width;
}

static void print_right(FILE *stream, const char *words, int width)
{
    fprintf(stream, "%*s%s", width > width_of(words) ? width - width_of(words) : 0, "", words);
}

static void print_left(FILE *stream, const char *words, int width)
{
    fprintf(stream, "%s%*s", words, width > width_of(words) ? width - width_of(words) : 0, "");
}

/* ---- The table ---- */

enum {
    CELLS = 6,
    CELL_WIDTH = 10,
    LEAST_PLACE_WIDTH = 8
};

static int place_width(const allot_decision *decision)
{
    int width = LEAST_PLACE_WIDTH;
    for (size_t i = 0; i < decision->candidate_count; i++) {
        int own = width_of(decision->candidates[i].place);
        width = own > width ? own : width;
    }
    return width;
}

static void print_head(FILE *stream, int width)
{
    static const char *const heads[] = { "ready",   "transfer", "compile",  "run",
                                         "at best", "total",    "runs seen" };
    fputs("    ", stream);
    print_left(stream, "place", width);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        print_right(stream, heads[i], CELL_WIDTH);
    fputc('\n', stream);
}

static void print_cells(FILE *stream, const char *name, int width, const double seconds[CELLS])
{
    print_left(stream, name, width);
    for (size_t i = 0; i < CELLS; i++)
        print_right(stream, seconds[i] < 0 ? "" : duration(seconds[i]).bytes, CELL_WIDTH);
}

static void print_candidate(FILE *stream, const allot_candidate *candidate, int width, bool chosen)
{
    fputs(chosen ? "  * " : "    ", stream);
    if (!candidate->possible) {
        print_left(stream, candidate->place, width);
        fprintf(stream, "  no: %s\n", candidate->reason[0] ? candidate->reason : "cannot run it");
        return;
    }
    const double seconds[CELLS] = { candidate->ready_s, candidate->transfer_s, candidate->compile_s,
                                    candidate->run_s,   candidate->low_s,      candidate->total_s };
    print_cells(stream, candidate->place, width, seconds);
    char runs[24];
    snprintf(runs, sizeof runs, "%llu", (unsigned long long)candidate->samples);
    print_right(stream, candidate->samples ? runs : "guess", CELL_WIDTH);
    fputc('\n', stream);
}

/* ---- What happened ---- */

static void print_error(FILE *stream, const char *what, double measured_s, double predicted_s)
{
    double ratio = measured_s / predicted_s;
    if (!isfinite(ratio) || ratio <= 0)
        return;
    fprintf(stream, "  The %s took %s where %s was predicted: ", what, duration(measured_s).bytes,
            duration(predicted_s).bytes);
    if (ratio >= 2)
        fprintf(stream, "%.3g times as long.\n", ratio);
    else if (ratio <= 0.5)
        fprintf(stream, "%.3g times shorter.\n", 1 / ratio);
    else if (fabs(ratio - 1) < 0.005)
        fputs("as predicted.\n", stream);
    else
        fprintf(stream, "%.0f %% %s.\n", 100 * fabs(ratio - 1), ratio > 1 ? "longer" : "shorter");
}

static void print_outcome(FILE *stream, const allot_decision *decision, const allot_candidate *chosen,
                          int width)
{
    double whole_s = decision->queued_s + decision->moved_s + decision->compiled_s + decision->ran_s;
    const double seconds[CELLS] = {
        decision->queued_s, decision->moved_s, decision->compiled_s, decision->ran_s, -1, whole_s
    };
    fputs("    ", stream);
    print_cells(stream, "measured", width, seconds);
    fputc('\n', stream);
    if (decision->waited_s > 0)
        fprintf(stream, "  Before, %s from its submission to the choice.\n",
                duration(decision->waited_s).bytes);
    if (decision->bytes_moved)
        fprintf(stream, "  %s moved for it.\n", quantity((double)decision->bytes_moved, "B").bytes);
    if (decision->retried_on[0])
        fprintf(stream, "  It was run once more, on %s, since %s failed: %s.\n", decision->retried_on,
                chosen->place, decision->retried_why);
    if (decision->status != ALLOT_OK) {
        fprintf(stream, "  It did not succeed: %s.\n", allot_status_text(decision->status));
        return;
    }
    print_error(stream, "run", decision->ran_s, chosen->run_s);
    print_error(stream, "whole", whole_s, chosen->total_s);
}

static void print_title(FILE *stream, const allot_decision *decision)
{
    fputs(decision->task[0] ? decision->task : "task", stream);
    if (decision->type[0])
        fprintf(stream, " %s", decision->type);
    if (decision->flops > 0)
        fprintf(stream, ", %s", quantity(decision->flops, "flop").bytes);
    if (decision->bytes > 0)
        fprintf(stream, ", %s", quantity(decision->bytes, "B").bytes);
    fputc('\n', stream);
}

void al_decision_print(const allot_decision *decision, FILE *stream)
{
    int width = place_width(decision);
    bool placed = decision->chosen >= 0 && (size_t)decision->chosen < decision->candidate_count;
    print_title(stream, decision);
    print_head(stream, width);
    for (size_t i = 0; i < decision->candidate_count; i++)
        print_candidate(stream, &decision->candidates[i], width, placed && i == (size_t)decision->chosen);
    if (placed && decision->done)
        print_outcome(stream, decision, &decision->candidates[decision->chosen], width);
    fprintf(stream, "  Chosen: %s (%s).\n", placed ? decision->candidates[decision->chosen].place : "none",
            decision->why);
    if (placed && !decision->done)
        fputs("  It is not done yet.\n", stream);
}
