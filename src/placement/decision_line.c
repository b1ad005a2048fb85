#include "placement/decision_line.h"
#include "base/json.h"
#include <allot/policy.h>

static void put_number(FILE *file, const char *name, double value)
{
    if (value == 0)
        return;
    fprintf(file, ",\"%s\":", name);
    al_json_put_number(file, value);
}

static void put_count(FILE *file, const char *name, uint64_t value)
{
    if (value)
        fprintf(file, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void put_text(FILE *file, const char *name, const char *text)
{
    fprintf(file, ",\"%s\":", name);
    al_json_put_text(file, text ? text : "");
}

static void put_flag(FILE *file, const char *name, bool on)
{
    if (on)
        fprintf(file, ",\"%s\":true", name);
}

static void put_costs(FILE *file, const allot_candidate *candidate)
{
    put_count(file, "samples", candidate->samples);
    put_number(file, "ready_s", candidate->ready_s);
    put_number(file, "transfer_s", candidate->transfer_s);
    put_number(file, "compile_s", candidate->compile_s);
    put_number(file, "run_s", candidate->run_s);
    put_number(file, "return_s", candidate->return_s);
    put_number(file, "total_s", candidate->total_s);
    put_number(file, "low_s", candidate->low_s);
    put_number(file, "high_s", candidate->high_s);
    put_number(file, "spread", candidate->spread);
    put_number(file, "bound_s", candidate->bound_s);
    put_number(file, "watts", candidate->watts);
    put_number(file, "usual_ratio", candidate->usual_ratio);
}

static void put_candidate(FILE *file, const allot_candidate *candidate)
{
    fputs("{\"place\":", file);
    al_json_put_text(file, candidate->place);
    put_text(file, "kind", allot_kind_name(candidate->kind));
    put_text(file, "alike", candidate->alike);
    if (candidate->alike_count > 1)
        put_count(file, "alike_count", candidate->alike_count);
    put_count(file, "index", candidate->index);
    put_flag(file, "shares_cpus", candidate->shares_cpus);
    if (candidate->possible)
        put_costs(file, candidate);
    else
        put_text(file, "reason", candidate->reason);
    fputc('}', file);
}

static void put_snapshot(FILE *file, const allot_snapshot *snapshot)
{
    put_text(file, "task", snapshot->task);
    put_text(file, "type", snapshot->type);
    put_number(file, "flops", snapshot->flops);
    put_number(file, "bytes", snapshot->bytes);
    put_number(file, "busy_s", snapshot->busy_s);
    put_number(file, "explored_s", snapshot->explored_s);
    put_number(file, "retried_s", snapshot->retried_s);
    put_number(file, "deadline_s", snapshot->deadline_s);
    put_number(file, "rank_s", snapshot->rank_s);
    put_flag(file, "energy", snapshot->prefer == ALLOT_PREFER_ENERGY);
    put_flag(file, "deterministic", snapshot->deterministic);
    fputs(",\"candidates\":[", file);
    for (size_t i = 0; i < snapshot->candidate_count; i++) {
        fputs(i ? "," : "", file);
        put_candidate(file, &snapshot->candidates[i]);
    }
    fputc(']', file);
}

/* Places that are no candidates. */
static void put_left_out(FILE *file, const allot_decision *decision)
{
    if (!decision->left_out)
        return;
    put_count(file, "left_out", decision->left_out);
    put_text(file, "left_out_why", decision->left_out_why);
}

static void put_outcome(FILE *file, const allot_decision *decision)
{
    fprintf(file, ",\"outcome\":{\"status\":\"%s\"", allot_status_name(decision->status));
    put_number(file, "waited_s", decision->waited_s);
    put_number(file, "queued_s", decision->queued_s);
    put_number(file, "moved_s", decision->moved_s);
    put_number(file, "compiled_s", decision->compiled_s);
    put_number(file, "ran_s", decision->ran_s);
    put_count(file, "bytes_moved", decision->bytes_moved);
    put_number(file, "regret_s", decision->regret_s);
    if (decision->retried_on[0]) {
        put_text(file, "retried_on", decision->retried_on);
        put_text(file, "retried_why", decision->retried_why);
    }
    fputc('}', file);
}

void al_decision_line(const allot_decision *decision, const char *run, bool ended, FILE *file)
{
    fprintf(file, "{\"decision\":%llu", (unsigned long long)decision->snapshot->number);
    put_text(file, "run", run);
    put_text(file, "policy", decision->policy);
    put_snapshot(file, decision->snapshot);
    put_left_out(file, decision);
    fprintf(file, ",\"chosen\":%d", decision->chosen);
    put_flag(file, "explores", decision->explores);
    put_text(file, "why", decision->why);
    if (ended)
        put_outcome(file, decision);
    fputs("}\n", file);
}
