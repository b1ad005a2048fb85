#include "placement/decision.h"
#include <math.h>
#include <string.h>

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
    CELL_WIDTH = 9,
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
    static const char *const heads[] = { "ready", "in",    "compile", "run",      "out",
                                         "total", "bound", "spread",  "runs seen" };
    fputs("    ", stream);
    print_left(stream, "place", width);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        print_right(stream, heads[i], CELL_WIDTH + (i == 8)); /* the last is the longest */
    fputc('\n', stream);
}

static void print_cells(FILE *stream, const char *name, int width, const double *seconds, size_t count)
{
    print_left(stream, name, width);
    for (size_t i = 0; i < count; i++)
        print_right(stream, seconds[i] < 0 ? "" : duration(seconds[i]).bytes, CELL_WIDTH);
}

/* Of a logarithm: small ones are shares. */
static text spread_of(const allot_candidate *candidate)
{
    text result = { "" };
    if (!(candidate->spread > 0))
        return result;
    if (candidate->spread < 1)
        snprintf(result.bytes, sizeof result.bytes, "±%.0f %%", 100 * candidate->spread);
    else
        snprintf(result.bytes, sizeof result.bytes, "×%.3g", exp(fmin(candidate->spread, 100)));
    return result;
}

static void print_candidate(FILE *stream, const allot_candidate *candidate, int width, bool chosen)
{
    fputs(chosen ? "  * " : "    ", stream);
    if (!candidate->possible) {
        print_left(stream, candidate->place, width);
        fprintf(stream, "  no: %s\n",
                candidate->reason && candidate->reason[0] ? candidate->reason : "cannot run it");
        return;
    }
    const double seconds[] = { candidate->ready_s, candidate->transfer_s, candidate->compile_s,
                               candidate->run_s,   candidate->return_s,   candidate->total_s,
                               candidate->bound_s };
    print_cells(stream, candidate->place, width, seconds, sizeof seconds / sizeof *seconds);
    print_right(stream, spread_of(candidate).bytes, CELL_WIDTH);
    char runs[24];
    snprintf(runs, sizeof runs, "%llu", (unsigned long long)candidate->samples);
    print_right(stream, candidate->samples ? runs : "guess", CELL_WIDTH + 1);
    fputc('\n', stream);
}

static void print_left_out(FILE *stream, const allot_decision *decision, int width)
{
    char others[32];
    if (!decision->left_out)
        return;
    snprintf(others, sizeof others, "%zu other%s", decision->left_out, decision->left_out == 1 ? "" : "s");
    fputs("    ", stream);
    print_left(stream, others, width);
    fprintf(stream, "  no: %s\n", decision->left_out_why ? decision->left_out_why : "");
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

/* Against what was predicted, which nobody has measured: so it is called. */
static void print_regret(FILE *stream, const allot_decision *decision)
{
    if (decision->regret_s == 0 || !isfinite(decision->regret_s))
        return;
    fprintf(stream, "  Regret: it was over %s %s than the best other place was predicted to be.\n",
            duration(fabs(decision->regret_s)).bytes, decision->regret_s > 0 ? "later" : "sooner");
}

static void print_groups(FILE *stream, const allot_decision *decision)
{
    if (decision->work_group_from && decision->work_group_from[0])
        fprintf(stream, "  Work-groups of %zu x %zu x %zu (%s).\n", decision->work_group[0],
                decision->work_group[1], decision->work_group[2], decision->work_group_from);
}

static void print_outcome(FILE *stream, const allot_decision *decision, const allot_candidate *chosen,
                          int width)
{
    double whole_s = decision->queued_s + decision->moved_s + decision->compiled_s + decision->ran_s;
    const double seconds[] = {
        decision->queued_s, decision->moved_s, decision->compiled_s, decision->ran_s, -1, whole_s
    };
    fputs("    ", stream);
    print_cells(stream, "measured", width, seconds, sizeof seconds / sizeof *seconds);
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
    print_groups(stream, decision);
    print_error(stream, "run", decision->ran_s, chosen->run_s);
    print_error(stream, "whole", whole_s, chosen->total_s - chosen->return_s);
    print_regret(stream, decision);
}

static bool is_alike(const allot_candidate *one, const allot_candidate *other)
{
    return one->alike && other->alike && strcmp(one->alike, other->alike) == 0;
}

/* Of many places that are alike only some are listed. */
static void print_alike(FILE *stream, const allot_decision *decision)
{
    for (size_t i = 0; i < decision->candidate_count; i++) {
        const allot_candidate *candidate = &decision->candidates[i];
        size_t listed = 0;
        bool first = true;
        for (size_t j = 0; j < decision->candidate_count && candidate->alike_count > 1; j++) {
            bool same = is_alike(&decision->candidates[j], candidate);
            listed += same;
            first = first && !(same && j < i);
        }
        if (first && listed < candidate->alike_count && listed)
            fprintf(stream,
                    "  Of %zu places like %s those that are free first or have the data are listed.\n",
                    candidate->alike_count, candidate->place);
    }
}

static void print_title(FILE *stream, const allot_decision *decision)
{
    fputs(decision->task && decision->task[0] ? decision->task : "task", stream);
    if (decision->type && decision->type[0])
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
    print_left_out(stream, decision, width);
    if (placed && decision->done)
        print_outcome(stream, decision, &decision->candidates[decision->chosen], width);
    print_alike(stream, decision);
    fprintf(stream, "  Chosen: %s (%s)%s%s.\n",
            placed ? decision->candidates[decision->chosen].place : "none", decision->why,
            decision->policy && *decision->policy ? ", by policy " : "",
            decision->policy ? decision->policy : "");
    if (placed && !decision->done)
        fputs("  It is not done yet.\n", stream);
}
