/* The jobs behind place_contract.h, and the program that runs the facts. */
#include "place_contract.h"
#include <sched.h>
#include <string.h>

place_rig contract_rig;

#define SLOW_ROUNDS      100000000u /* some tenths of a second on any device of today */
#define SIMULATED_ROUNDS 20000u     /* the same on oclgrind, which simulates one instruction at a time */
#define CHECKED_ROUNDS   10000000u  /* and under memcheck */

int contract_rounds(int count)
{
    int rounds = ROUNDS(count) / contract_rig.cost / (contract_rig.device && under_valgrind() ? 10 : 1);
    return rounds > 2 ? rounds : 2;
}

allot_executor *contract_open(void)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = contract_rig.workers, .processes = contract_rig.workers,
                                 .machine = contract_rig.machine));
    if (!executor)
        printf("\n    allot_open: %s", allot_open_error());
    REQUIRE(executor != NULL);
    return executor;
}

allot_hints contract_here(void)
{
    allot_hints hints;
    allot_hints_init(&hints);
    hints.place = contract_rig.kind;
    hints.place_id = contract_rig.place_id;
    return hints;
}

/* ---- Jobs ---- */

static allot_future *call(allot_executor *executor, allot_function function, const void *in, size_t size,
                          const allot_hints *hints)
{
    allot_hints here = contract_here();
    return allot_submit(executor, function, in, size, 0, hints ? hints : &here);
}

/* Launches a kernel of one array parameter and one scalar on an array of its own. */
static allot_future *launch(allot_executor *executor, probe which, allot_type type, allot_arg scalar,
                            const allot_hints *hints)
{
    allot_hints here = contract_here();
    allot_array *array = allot_array_new(executor, type, 1);
    REQUIRE(array != NULL);
    allot_future *future = allot_launch(executor, probe_kernel(which), allot_range(1),
                                        ALLOT_ARGS(allot_inout(array), scalar), hints ? hints : &here);
    allot_array_release(array);
    return future;
}

allot_future *job_nothing(allot_executor *executor, const allot_hints *hints)
{
    if (contract_rig.launches)
        return launch(executor, PROBE_SLOW, ALLOT_U32, allot_u32(0), hints);
    return call(executor, task_nothing, NULL, 0, hints);
}

allot_status job_error(void)
{
    return contract_rig.device ? ALLOT_BUILD : (allot_status)(ALLOT_USER + 7);
}

const char *job_error_text(void)
{
    return contract_rig.device ? "not_declared_anywhere" : FAIL_TEXT;
}

allot_future *job_fail(allot_executor *executor, const allot_hints *hints)
{
    allot_status error = job_error();
    if (contract_rig.launches)
        return launch(executor, PROBE_FAIL, ALLOT_F32, allot_i32((int32_t)error), hints);
    return call(executor, task_fail, &error, sizeof error, hints);
}

square_job job_square(allot_executor *executor, double x, const allot_hints *hints)
{
    allot_hints here = contract_here();
    hints = hints ? hints : &here;
    square_job made = { 0 };
    if (contract_rig.launches) {
        float value = (float)x;
        made.in = allot_array_from(executor, ALLOT_F32, 1, &value);
        made.out = allot_array_new(executor, ALLOT_F32, 1);
        REQUIRE(made.in && made.out);
        made.future = allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(1),
                                   ALLOT_ARGS(allot_in(made.in), allot_out(made.out)), hints);
    } else {
        made.future = allot_submit(executor, task_square, &x, sizeof x, sizeof x, hints);
    }
    return made;
}

double job_value(square_job *job)
{
    double value = -1;
    if (job->out) {
        CHECK_STATUS(allot_get(job->future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
        const float *mapped = allot_array_map(job->out, ALLOT_READ);
        CU_ASSERT_PTR_NOT_NULL(mapped);
        value = mapped ? (double)mapped[0] : -1;
        if (mapped)
            CHECK_STATUS(allot_array_unmap(job->out), ALLOT_OK);
    } else {
        CHECK_STATUS(allot_get(job->future, &value, sizeof value, ALLOT_FOREVER), ALLOT_OK);
    }
    allot_array_release(job->in);
    allot_array_release(job->out);
    allot_release(job->future);
    return value;
}

/* ---- Tallies ---- */

tally_sheet tallies_create(allot_executor *executor)
{
    tally_sheet made = { .gate = gate_create() };
    if (contract_rig.launches)
        made.array = allot_array_new(executor, ALLOT_U32, GATE_TALLIES);
    REQUIRE(made.array || !contract_rig.launches);
    return made;
}

void tallies_destroy(tally_sheet *tallies)
{
    allot_array_release(tallies->array);
    gate_destroy(&tallies->gate);
}

allot_future *job_tally(allot_executor *executor, tally_sheet *tallies, size_t index,
                        const allot_hints *hints)
{
    allot_hints here = contract_here();
    if (contract_rig.launches)
        return allot_launch(executor, probe_kernel(PROBE_AFFINE), allot_range_2d(1, 1),
                            ALLOT_ARGS(allot_inout_view(allot_view_2d(tallies->array, index, 1, 1, 1)),
                                       allot_u32(1), allot_u32(1)),
                            hints ? hints : &here);
    tally_input input = { .key = tallies->gate.key, .index = index };
    return call(executor, task_tally, &input, sizeof input, hints);
}

void tallies_read(tally_sheet *tallies, uint32_t counts[GATE_TALLIES])
{
    memset(counts, 0, GATE_TALLIES * sizeof *counts);
    if (!tallies->array) {
        for (size_t i = 0; i < GATE_TALLIES; i++)
            counts[i] = gate_tally(&tallies->gate, i);
        return;
    }
    const uint32_t *mapped = allot_array_map(tallies->array, ALLOT_READ);
    CU_ASSERT_PTR_NOT_NULL(mapped);
    if (!mapped)
        return;
    memcpy(counts, mapped, GATE_TALLIES * sizeof *counts);
    allot_array_unmap(tallies->array);
}

/* ---- Running and pending ---- */

allot_future *job_running(allot_executor *executor, test_gate *gate, const allot_hints *hints)
{
    allot_future *future;
    if (contract_rig.device)
        future = launch(executor, PROBE_SLOW, ALLOT_U32,
                        allot_u32(contract_rig.simulated ? SIMULATED_ROUNDS
                                  : under_valgrind()     ? CHECKED_ROUNDS
                                                         : SLOW_ROUNDS),
                        hints);
    else if (contract_rig.launches)
        future = launch(executor, PROBE_PATIENT, ALLOT_F32, allot_u64(gate->key), hints);
    else
        future = call(executor, task_patient, &gate->key, sizeof gate->key, hints);
    /* A deadline may end it before it starts. */
    while (!allot_done(future) && (allot_future_state(future) == ALLOT_STATE_PENDING ||
                                   (!contract_rig.device && atomic_load(&gate->page->arrived) == 0)))
        sched_yield();
    return future;
}

place_hold hold_begin(allot_executor *executor)
{
    place_hold made = { .gate = gate_create() };
    if (contract_rig.machine) /* nothing runs until somebody waits */
        return made;
    made.count = contract_rig.device || contract_rig.kind == ALLOT_INLINE ? 1 : (size_t)contract_rig.workers;
    for (size_t i = 0; i < made.count; i++)
        if (contract_rig.launches && !contract_rig.device)
            made.futures[i] = launch(executor, PROBE_GATE, ALLOT_F32, allot_u64(made.gate.key), NULL);
        else
            made.futures[i] = call(executor, task_gate, &made.gate.key, sizeof made.gate.key,
                                   contract_rig.device ? ALLOT_HINTS(.place = ALLOT_THREAD) : NULL);
    gate_await(&made.gate, (uint32_t)made.count);
    return made;
}

allot_hints hold_hints(const place_hold *hold)
{
    allot_hints hints = contract_here();
    if (contract_rig.device) { /* its queue cannot be held: what it gets waits for a task elsewhere */
        hints.after = hold->futures;
        hints.after_count = hold->count;
    }
    return hints;
}

void hold_open(place_hold *hold)
{
    gate_open(&hold->gate);
}

void hold_end(place_hold *hold)
{
    hold_open(hold);
    for (size_t i = 0; i < hold->count; i++)
        CHECK_STATUS(finish(hold->futures[i]), ALLOT_OK);
    gate_destroy(&hold->gate);
}

/* ---- The program ---- */

#define RIGS_MAX 16
static place_rig rigs[RIGS_MAX];
static allot_place_info infos[RIGS_MAX];
static size_t rig_of_suite;

/* One rig a suite, in turn: a suite's facts are prepared with its own. */
static void prepare(void)
{
    contract_rig = rigs[rig_of_suite];
}

static size_t add_rigs(size_t count, const allot_place_info *info)
{
    place_rig base = { .kind = info->kind, .place_id = info->id, .workers = 2, .cost = 1 };
    if (info->kind == ALLOT_PROCESS)
        base.cost = 10;
    if (info->kind == ALLOT_OPENCL)
        base.cost = 50, base.device = true, base.simulated = strstr(info->name, "Oclgrind") != NULL;
    if (!base.device && count < RIGS_MAX)
        rigs[count++] = base;
    base.launches = true;
    if (count < RIGS_MAX)
        rigs[count++] = base;
    return count;
}

static size_t find_rigs(allot_kind kind)
{
    allot_executor *executor = allot_open(NULL);
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < RIGS_MAX; i++)
        infos[i].size = sizeof infos[i];
    size_t places = allot_places(executor, infos, RIGS_MAX), count = 0;
    for (size_t i = 0; i < places && i < RIGS_MAX; i++)
        if (infos[i].kind == kind && infos[i].state != ALLOT_PLACE_ASIDE)
            count = add_rigs(count, &infos[i]);
    allot_close(executor);
    return count;
}

/* All facts of all subjects, in one list. */
static test_fact *all_facts(void)
{
    const test_fact *const lists[] = { contract_submit_facts,   contract_state_facts,    contract_wait_facts,
                                       contract_map_facts,      contract_callback_facts, contract_stop_facts,
                                       contract_shutdown_facts, contract_reduce_facts };
    static test_fact all[200];
    size_t count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const test_fact *fact = lists[i]; fact->says && count < 199; fact++)
            all[count++] = *fact;
    return all;
}

int contract_main(int argc, char **argv, allot_kind kind)
{
    size_t count = find_rigs(kind);
    if (count == 0)
        return test_skip("this machine has no place of that kind");
    int result = EXIT_SUCCESS;
    for (rig_of_suite = 0; rig_of_suite < count; rig_of_suite++) {
        const place_rig *rig = &rigs[rig_of_suite];
        char name[80];
        snprintf(name, sizeof name, "the contract of %s, with %s", rig->place_id,
                 rig->launches ? "kernels" : "functions");
        watched_suite suite = { .name = name, .facts = all_facts(), .prepare = prepare };
        if (watched_main(argc, argv, &suite, 1) != EXIT_SUCCESS)
            result = EXIT_FAILURE;
    }
    probe_kernels_free();
    return result;
}

/* ---- Simulated ---- */

static bool begins_with_one(const char *says, const char *const *beginnings)
{
    for (; *beginnings; beginnings++)
        if (strncmp(says, *beginnings, strlen(*beginnings)) == 0)
            return true;
    return false;
}

int contract_main_simulated(int argc, char **argv, const char *machine, const char *place_id,
                            const char *const *without)
{
    static test_fact chosen[200];
    size_t count = 0;
    for (const test_fact *fact = all_facts(); fact->says; fact++)
        if (!begins_with_one(fact->says, without))
            chosen[count++] = *fact;
    int result = EXIT_SUCCESS;
    for (rig_of_suite = 0; rig_of_suite < 2; rig_of_suite++) {
        bool launches = rig_of_suite == 1;
        rigs[rig_of_suite] = (place_rig){
            .place_id = place_id, .launches = launches, .workers = 1, .cost = 5, .machine = machine
        };
        char name[80];
        snprintf(name, sizeof name, "the contract of a simulated %s, with %s", place_id,
                 launches ? "kernels" : "functions");
        watched_suite suite = { .name = name, .facts = chosen, .prepare = prepare };
        if (watched_main(argc, argv, &suite, 1) != EXIT_SUCCESS)
            result = EXIT_FAILURE;
    }
    probe_kernels_free();
    return result;
}
