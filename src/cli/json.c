#include "json.h"

#include <math.h>
#include <string.h>

json_t *al_json_text(const char *text)
{
    json_t *whole = json_string(text); /* refuses what is not UTF-8 */
    if (whole)
        return whole;
    char plain[1024];
    snprintf(plain, sizeof plain, "%s", text);
    for (char *at = plain; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return json_string(plain);
}

json_t *al_json_text_or_null(const char *text)
{
    return text[0] ? al_json_text(text) : json_null();
}

json_t *al_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *al_json_count(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *candidate_json(const allot_candidate *candidate)
{
    json_t *object =
        json_pack("{so so sb}", "place", al_json_text(candidate->place), "kind",
                  al_json_text(allot_kind_name(candidate->kind)), "possible", (int)candidate->possible);
    if (!candidate->possible) {
        json_object_set_new(object, "reason", al_json_text(candidate->reason));
        return object;
    }
    const struct {
        const char *name;
        double value;
    } reals[] = { { "ready_s", candidate->ready_s },     { "transfer_s", candidate->transfer_s },
                  { "compile_s", candidate->compile_s }, { "run_s", candidate->run_s },
                  { "return_s", candidate->return_s },   { "total_s", candidate->total_s },
                  { "low_s", candidate->low_s },         { "high_s", candidate->high_s },
                  { "spread", candidate->spread },       { "bound_s", candidate->bound_s },
                  { "watts", candidate->watts } };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        json_object_set_new(object, reals[i].name, al_json_real(reals[i].value));
    json_object_set_new(object, "samples", al_json_count(candidate->samples));
    json_object_set_new(object, "alike", al_json_text(candidate->alike));
    json_object_set_new(object, "alike_count", al_json_count(candidate->alike_count));
    return object;
}

static json_t *outcome_json(const allot_decision *decision)
{
    json_t *object = json_pack(
        "{sb so so so so so so so so}", "done", (int)decision->done, "status",
        al_json_text(allot_status_name(decision->status)), "waited_s", al_json_real(decision->waited_s),
        "queued_s", al_json_real(decision->queued_s), "moved_s", al_json_real(decision->moved_s),
        "compiled_s", al_json_real(decision->compiled_s), "ran_s", al_json_real(decision->ran_s),
        "bytes_moved", al_json_count(decision->bytes_moved), "regret_s", al_json_real(decision->regret_s));
    if (decision->retried_on[0]) {
        json_object_set_new(object, "retried_on", al_json_text(decision->retried_on));
        json_object_set_new(object, "retried_why", al_json_text(decision->retried_why));
    }
    if (decision->work_group_from && decision->work_group_from[0]) {
        json_object_set_new(object, "work_group",
                            json_pack("[ooo]", al_json_count(decision->work_group[0]),
                                      al_json_count(decision->work_group[1]),
                                      al_json_count(decision->work_group[2])));
        json_object_set_new(object, "work_group_from", al_json_text(decision->work_group_from));
    }
    return object;
}

json_t *al_json_decision(const allot_decision *decision)
{
    if (!decision)
        return json_null();
    json_t *candidates = json_array();
    for (size_t i = 0; i < decision->candidate_count; i++)
        json_array_append_new(candidates, candidate_json(&decision->candidates[i]));
    bool chosen = decision->chosen >= 0 && (size_t)decision->chosen < decision->candidate_count;
    return json_pack("{so so so so so so so so so so sb so}", "task", al_json_text(decision->task), "type",
                     al_json_text(decision->type), "flops", al_json_real(decision->flops), "bytes",
                     al_json_real(decision->bytes), "policy", al_json_text(decision->policy), "candidates",
                     candidates, "left_out", al_json_count(decision->left_out), "left_out_why",
                     al_json_text_or_null(decision->left_out ? decision->left_out_why : ""), "chosen",
                     chosen ? al_json_text(decision->candidates[decision->chosen].place) : json_null(), "why",
                     al_json_text(decision->why), "explores", (int)decision->explores, "outcome",
                     outcome_json(decision));
}

bool al_json_print(json_t *value, FILE *stream)
{
    bool ok = value && json_dumpf(value, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(AL_JSON_DIGITS)) == 0;
    json_decref(value);
    return ok && fputc('\n', stream) != EOF && fflush(stream) == 0;
}
