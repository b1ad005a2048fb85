/* The executor: options, places, hints, tasks within tasks, decisions, metrics; what executor.h, place.h and
 * observe.h promise. */
#include "places/place.h"
#include "probe_kernels.h"
#include "support.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

static allot_executor *open_with(const allot_options *options)
{
    allot_executor *executor = allot_open(options);
    if (!executor)
        printf("\n    allot_open: %s", allot_open_error());
    REQUIRE(executor != NULL);
    return executor;
}

/* ---- Opening ---- */

static void defaults_are_the_usable_cpus(void)
{
    allot_topology topology = { .size = sizeof topology };
    CHECK_STATUS(allot_get_topology(&topology), ALLOT_OK);
    CHECK(topology.usable_cpus >= 1 && topology.usable_cpus <= topology.affinity_cpus);
    allot_options options;
    allot_options_init(&options);
    CU_ASSERT_EQUAL(options.size, sizeof options);
    const allot_options *all[] = { NULL, &options, ALLOT_OPTIONS(.threads = 0) };
    for (int i = 0; i < 3; i++) {
        allot_executor *executor = open_with(all[i]);
        allot_place_info infos[16];
        for (int j = 0; j < 16; j++)
            infos[j].size = sizeof infos[j];
        size_t count = allot_places(executor, infos, 16);
        bool seen = false;
        for (size_t j = 0; j < count && j < 16; j++)
            if (infos[j].kind == ALLOT_THREAD) {
                CU_ASSERT_EQUAL(infos[j].workers, topology.usable_cpus);
                seen = true;
            }
        CHECK(seen);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

static void absurd_worker_counts_are_refused(void)
{
    const int bad[] = { -1, INT32_MIN, INT32_MAX, ALLOT_WORKERS_MAX + 1 };
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.threads = bad[i])));
        CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
        CHECK(allot_open_error()[0] != '\0');
        CU_ASSERT_STRING_EQUAL(allot_open_error(), allot_last_error());
        CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.processes = bad[i])));
        CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    }
    int threads = count_threads();
    allot_executor *executor =
        open_with(ALLOT_OPTIONS(.threads = 64, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK(falls_to(count_threads, threads));
}

static void kinds_can_be_left_out(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_INLINE)));
    CHECK(has_place(executor, ALLOT_INLINE) && !has_place(executor, ALLOT_THREAD));
    allot_future *refused =
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_THREAD));
    CHECK_STATUS(allot_get(refused, NULL, 0, ALLOT_FOREVER), ALLOT_NO_PLACE);
    CHECK(allot_future_error(refused)[0] != '\0');
    allot_release(refused);
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_INLINE))),
                 ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void devices_alone_refuse_plain_functions(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_OPENCL)));
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_NO_PLACE);
    CHECK(allot_places(executor, NULL, 0) <= 16); /* waits until they are found, if there are any */
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_NO_PLACE);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void a_launch_for_devices_alone_waits_until_they_are_known(void)
{
    static const allot_param params[] = {
        { .name = "x", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED }
    };
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "next", .params = params, .param_count = 1,
                     .opencl_source = "kernel void next(global T *x) { x[get_global_id(0)] += 1; }"));
    allot_executor *executor = open_with(NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, 10, 1);
    REQUIRE(kernel && x);
    allot_future *first = allot_launch(executor, kernel, allot_range(10), ALLOT_ARGS(allot_inout(x)), NULL);
    allot_status status = allot_get(first, NULL, 0, ALLOT_FOREVER);
    if (has_place(executor, ALLOT_OPENCL))
        CHECK_STATUS(status, ALLOT_OK);
    else
        CHECK_STATUS(status, ALLOT_NO_PLACE);
    allot_release(first);
    allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    allot_kernel_release(kernel);
}

static void places_are_listed(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 2));
    size_t count = allot_places(executor, NULL, 0);
    CHECK(count >= 2);
    allot_place_info infos[2][16];
    for (int i = 0; i < 2; i++) {
        memset(infos[i], 0xee, sizeof infos[i]);
        for (int j = 0; j < 16; j++)
            infos[i][j].size = sizeof infos[i][j];
        CU_ASSERT_EQUAL(allot_places(executor, infos[i], i == 0 ? 16 : 1), count);
    }
    CU_ASSERT_STRING_EQUAL(infos[0][0].id, infos[1][0].id);  /* the order is stable */
    CU_ASSERT_EQUAL((unsigned char)infos[1][1].id[0], 0xee); /* no more than asked for */
    for (size_t i = 0; i < count && i < 16; i++) {
        CHECK(infos[0][i].id[0] && infos[0][i].workers >= 1 && infos[0][i].memory_bytes > 0);
        CU_ASSERT_EQUAL(strncmp(infos[0][i].id, allot_kind_name(infos[0][i].kind),
                                strlen(allot_kind_name(infos[0][i].kind))),
                        0);
    }
    CU_ASSERT_PTR_NOT_NULL(allot_devices_message(executor));
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CU_ASSERT_EQUAL(allot_places(NULL, NULL, 0), 0);
}

/* What allot_place_info might have been in an older header. */
typedef struct older_info {
    size_t size;
    char id[32];
    allot_kind kind;
    allot_place_state state;
} older_info;

static void places_fit_an_older_callers_entries(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 2));
    older_info infos[3];
    memset(infos, 0xee, sizeof infos);
    for (int i = 0; i < 2; i++)
        infos[i].size = sizeof infos[i];
    CHECK(allot_places(executor, (allot_place_info *)infos, 2) >= 2);
    CU_ASSERT_STRING_EQUAL(infos[0].id, "thread");
    CU_ASSERT_STRING_EQUAL(infos[1].id, "process");
    CU_ASSERT_EQUAL((unsigned char)infos[2].id[0], 0xee);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void *list_places(void *of)
{
    allot_executor *executor = of;
    for (int i = 0; i < 200; i++) {
        allot_place_info info = { .size = sizeof info };
        allot_places(executor, &info, 1);
        CHECK(info.state == ALLOT_PLACE_COLD || info.state == ALLOT_PLACE_READY);
    }
    return NULL;
}

static void a_place_that_is_coming_up_is_cold_or_ready(void)
{
    for (int round = 0; round < ROUNDS(50); round++) {
        allot_executor *executor =
            open_with(ALLOT_OPTIONS(.threads = 16,
                                    .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_INLINE)));
        pthread_t looking = start_thread(list_places, executor);
        CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
        join_thread(looking);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

static _Atomic uint32_t together; /* a place is lost in a few instructions: only who spins is there in time */

static void *lose(void *of)
{
    atomic_fetch_add(&together, 1);
    for (int spins = 1; atomic_load(&together) < 2; spins++)
        if (spins % 4096 == 0)
            sched_yield(); /* the other one has no processor: all are busy */
    al_place_set_aside(of, "its device is lost");
    return NULL;
}

static void a_place_that_is_lost_twice_says_why_once(void)
{
    allot_set_log(NULL, NULL, ALLOT_LOG_ERROR);
    for (int round = 0; round < ROUNDS(5000); round++) {
        al_place place = { .id = "none", .state = ALLOT_PLACE_READY };
        atomic_store(&together, 0);
        pthread_t threads[2] = { start_thread(lose, &place), start_thread(lose, &place) };
        join_thread(threads[0]), join_thread(threads[1]);
        CU_ASSERT_STRING_EQUAL(place.message, "its device is lost");
    }
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

static void *cancel_pending(void *of)
{
    CHECK_STATUS(allot_shutdown(of, ALLOT_CANCEL_PENDING), ALLOT_OK);
    return NULL;
}

static void many_waiting_tasks_are_cancelled_soon(void)
{
    enum {
        MANY = 60000
    };
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    allot_future **futures = calloc(MANY, sizeof(*futures));
    REQUIRE(futures != NULL);
    test_gate gate = gate_create();
    allot_future *hold = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    gate_await(&gate, 1);
    for (int i = 0; i < MANY; i++)
        futures[i] =
            allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = &hold, .after_count = 1));
    pthread_t closing = start_thread(cancel_pending, executor);
    CHECK_STATUS(allot_wait_all(futures, MANY, 5 * SECOND),
                 ALLOT_OK); /* each passing by all the others took 50 s */
    gate_open(&gate);
    join_thread(closing);
    for (int i = 0; i < MANY; i++)
        CHECK(allot_cancelled(futures[i]));
    CHECK_STATUS(finish(hold), ALLOT_OK);
    allot_release_all(futures, MANY);
    free(futures);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    gate_destroy(&gate);
}

/* ---- Hints ---- */

static void an_unknown_place_is_named(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    const char *ids[] = { "opencl:97", "nowhere", "" };
    for (int i = 0; i < 3; i++) {
        allot_future *refused =
            allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place_id = ids[i]));
        allot_status status = allot_get(refused, NULL, 0, ALLOT_FOREVER);
        CHECK(status == ALLOT_NO_PLACE || status == ALLOT_NO_DEVICE || status == ALLOT_NOT_FOUND ||
              status == ALLOT_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(refused), ids[i]));
        allot_release(refused);
    }
    allot_close(executor);
}

static void contradicting_hints_leave_no_place(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    allot_future *refused[] = {
        allot_submit(executor, task_nothing, NULL, 0, 0,
                     ALLOT_HINTS(.place = ALLOT_THREAD, .forbid = ALLOT_KIND_BIT(ALLOT_THREAD))),
        allot_submit(executor, task_nothing, NULL, 0, 0,
                     ALLOT_HINTS(.place = ALLOT_OPENCL)), /* a plain function */
        allot_submit(executor, task_nothing, NULL, 0, 0,
                     ALLOT_HINTS(.place = ALLOT_INLINE, .place_id = "thread")),
    };
    for (int i = 0; i < 3; i++) {
        allot_status status = allot_get(refused[i], NULL, 0, ALLOT_FOREVER);
        CHECK(status == ALLOT_NO_PLACE || status == ALLOT_NO_DEVICE || (i == 2 && status == ALLOT_INVALID));
        CHECK(allot_future_error(refused[i])[0] != '\0');
    }
    allot_release_all(refused, 3);
    allot_close(executor);
}

static void hints_are_copied(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    test_gate gate = gate_create();
    allot_future *first = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    char id[] = "thread", name[] = "a name";
    allot_future *after[1] = { first };
    allot_hints hints;
    allot_hints_init(&hints);
    CU_ASSERT_EQUAL(hints.size, sizeof hints);
    hints.place_id = id, hints.name = name, hints.after = after, hints.after_count = 1;
    allot_future *second = allot_submit(executor, task_nothing, NULL, 0, 0, &hints);
    memset(id, 'x', 6), memset(name, 'x', 6), memset(&hints, 0xff, sizeof hints);
    after[0] = NULL;
    gate_open(&gate);
    CHECK_STATUS(allot_get(second, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_place(second), "thread");
    allot_release(first), allot_release(second);
    gate_destroy(&gate);
    allot_close(executor);
}

static allot_status append(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    static uint32_t next; /* the inline place runs one task after the other: no lock */
    return next++ == *(const uint32_t *)in ? ALLOT_OK : ALLOT_FAILED;
}

static void inline_tasks_run_in_order(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    allot_future *futures[200];
    for (uint32_t i = 0; i < 200; i++)
        futures[i] = allot_submit(executor, append, &i, sizeof i, 0, ALLOT_HINTS(.place = ALLOT_INLINE));
    for (int i = 0; i < 200; i++)
        CHECK_STATUS(finish(futures[i]), ALLOT_OK);
    allot_close(executor);
}

/* ---- Tasks within tasks ---- */

typedef struct nesting {
    allot_executor *executor;
    int depth;
    allot_kind kind;
} nesting;

/* Submits two of itself and waits for both: 2^depth leaves. */
static allot_status nest(allot_call *call, const void *in, void *out)
{
    (void)call;
    nesting work = *(const nesting *)in;
    *(uint64_t *)out = 1;
    if (work.depth-- == 0)
        return ALLOT_OK;
    allot_future *both[2];
    uint64_t counts[2] = { 0, 0 };
    for (int i = 0; i < 2; i++)
        both[i] = allot_submit(work.executor, nest, &work, sizeof work, sizeof counts[i],
                               ALLOT_HINTS(.place = work.kind));
    allot_status status = allot_wait_all(both, 2, ALLOT_FOREVER);
    for (int i = 0; i < 2 && status == ALLOT_OK; i++)
        status = allot_get(both[i], &counts[i], sizeof counts[i], ALLOT_FOREVER);
    allot_release_all(both, 2);
    *(uint64_t *)out = counts[0] + counts[1];
    return status;
}

static void nested_waits_do_not_deadlock(void)
{
    for (int threads = 1; threads <= 2; threads++) {
        allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = threads));
        nesting work = { .executor = executor, .depth = 8, .kind = ALLOT_THREAD };
        uint64_t leaves = 0;
        allot_future *future = allot_submit(executor, nest, &work, sizeof work, sizeof leaves, NULL);
        CHECK_STATUS(allot_get(future, &leaves, sizeof leaves, ALLOT_FOREVER), ALLOT_OK);
        CU_ASSERT_EQUAL(leaves, 256);
        allot_release(future);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

static allot_status submit_only(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    const nesting *work = in;
    allot_release(allot_submit(work->executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = work->kind)));
    return ALLOT_OK;
}

static void tasks_can_submit(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    const allot_kind kinds[] = { ALLOT_THREAD, ALLOT_INLINE };
    for (int i = 0; i < 2; i++) {
        nesting work = { .executor = executor, .kind = kinds[i] };
        CHECK_STATUS(finish(allot_submit(executor, submit_only, &work, sizeof work, 0,
                                         ALLOT_HINTS(.place = kinds[i]))),
                     ALLOT_OK);
    }
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    allot_metrics metrics = { .size = sizeof metrics };
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    CU_ASSERT_EQUAL(metrics.unfinished, 0);
    CU_ASSERT_EQUAL(metrics.submitted, 4);
    allot_close(executor);
}

/* What a task is told that tries to end its own executor. */
typedef struct endings {
    allot_status drain, close;
} endings;

static allot_status end_own_executor(allot_call *call, const void *in, void *out)
{
    (void)call;
    allot_executor *executor = *(allot_executor *const *)in;
    endings *told = out;
    told->close = allot_close(executor);
    told->drain = allot_shutdown(executor, ALLOT_DRAIN);
    return ALLOT_OK;
}

static void ending_ones_own_executor_is_refused(void)
{
    const allot_kind kinds[] = { ALLOT_THREAD, ALLOT_INLINE };
    for (int i = 0; i < 2; i++) {
        allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
        endings told = { ALLOT_OK, ALLOT_OK };
        allot_future *future = allot_submit(executor, end_own_executor, &executor, sizeof executor,
                                            sizeof told, ALLOT_HINTS(.place = kinds[i]));
        CHECK_STATUS(allot_get(future, &told, sizeof told, ALLOT_FOREVER), ALLOT_OK);
        CHECK_STATUS(told.close, ALLOT_WOULD_DEADLOCK);
        CHECK_STATUS(told.drain, ALLOT_WOULD_DEADLOCK);
        allot_release(future);
        CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_SHUTDOWN);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

typedef struct ended_in_callback {
    allot_executor *executor;
    endings told;
    _Atomic uint32_t called;
} ended_in_callback;

static void end_in_callback(allot_future *future, void *user)
{
    (void)future;
    ended_in_callback *end = user;
    end->told.close = allot_close(end->executor);
    end->told.drain = allot_shutdown(end->executor, ALLOT_DRAIN);
    atomic_store(&end->called, 1);
}

static void ending_it_in_a_callback_is_refused_too(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    ended_in_callback end = { .executor = executor };
    test_gate gate = gate_create();
    allot_future *future = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    CHECK_STATUS(allot_on_done(future, end_in_callback, &end), ALLOT_OK);
    gate_open(&gate);
    await_count(&end.called, 1);
    CHECK_STATUS(end.told.close, ALLOT_WOULD_DEADLOCK);
    CHECK_STATUS(end.told.drain, ALLOT_WOULD_DEADLOCK);
    CHECK_STATUS(finish(future), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    gate_destroy(&gate);
}

/* ---- Decisions ---- */

static void a_plain_task_is_not_decided(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_PTR_NULL(allot_future_decision(future));
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "thread");
    char text[4096] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    CHECK_STATUS(allot_explain(future, stream), ALLOT_OK);
    fclose(stream);
    CHECK(text[0] != '\0');
    CHECK_STATUS(allot_explain(future, NULL), ALLOT_INVALID);
    allot_release(future);
    allot_close(executor);
}

static void a_launch_is_decided_on_record(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 2));
    allot_array *x = allot_array_full(executor, ALLOT_F32, 1000, 3),
                *y = allot_array_new(executor, ALLOT_F32, 1000);
    allot_future *future = allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(1000),
                                        ALLOT_ARGS(allot_in(x), allot_out(y)), NULL);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision != NULL);
    CU_ASSERT_STRING_EQUAL(decision->task, "square");
    CU_ASSERT_STRING_EQUAL(decision->type, "f32");
    CHECK(decision->candidate_count >= 1);
    REQUIRE(decision->chosen >= 0 && (size_t)decision->chosen < decision->candidate_count);
    const allot_candidate *chosen = &decision->candidates[decision->chosen];
    CU_ASSERT_STRING_EQUAL(chosen->place, allot_future_place(future));
    CHECK(chosen->possible && decision->done && decision->why[0]);
    CHECK_STATUS(decision->status, ALLOT_OK);
    CHECK(decision->ran_s > 0 && decision->ran_s < 20 && decision->queued_s >= 0);
    for (size_t i = 0; i < decision->candidate_count; i++) {
        const allot_candidate *each = &decision->candidates[i];
        CHECK(each->possible || each->reason[0]);
        CHECK(strncmp(each->place, "inline", 6) != 0 || !each->possible); /* used only when asked for */
        double sum = each->ready_s + each->transfer_s + each->compile_s + each->run_s + each->return_s;
        CHECK(!each->possible || (each->total_s >= sum * 0.999 && each->total_s <= sum * 1.001 + 1e-12));
    }
    char text[16384] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    CHECK_STATUS(allot_explain(future, stream), ALLOT_OK);
    fclose(stream);
    CHECK(strstr(text, "square") && strstr(text, "thread"));
    allot_release(future);
    allot_array_release(x), allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static allot_work account_for_too_much(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type, (void)range, (void)args;
    return (allot_work){ 1e300, 1e300 };
}

static allot_status compute_nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static void an_absurd_account_of_work_is_survived(void)
{
    static const allot_param params[] = {
        { .name = "x", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED }
    };
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "boaster", .params = params, .param_count = 1,
                                         .cpu = compute_nothing, .work = account_for_too_much));
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    test_gate gate = gate_create();
    allot_future *hold = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL), *futures[2];
    gate_await(&gate, 1);
    for (int i = 0; i < 2; i++) {
        allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
        futures[i] = allot_launch(executor, kernel, allot_range(10), ALLOT_ARGS(allot_inout(x)),
                                  ALLOT_HINTS(.place = ALLOT_THREAD));
        allot_array_release(x);
    }
    const allot_decision *second = allot_future_decision(futures[1]); /* the first is queued on its place */
    CHECK(second && second->chosen >= 0 && second->candidates[second->chosen].ready_s > 0);
    gate_open(&gate);
    CHECK_STATUS(finish(futures[0]), ALLOT_OK);
    CHECK_STATUS(finish(futures[1]), ALLOT_OK);
    CHECK_STATUS(finish(hold), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    allot_kernel_release(kernel);
    gate_destroy(&gate);
}

typedef struct raced_launches {
    allot_future *_Atomic futures[4];
    _Atomic bool over;
} raced_launches;

/* Stops launches in whatever state they are and looks at them meanwhile. */
static void *stop_and_explain(void *of)
{
    raced_launches *raced = of;
    FILE *nowhere = fopen("/dev/null", "w");
    while (!atomic_load(&raced->over)) {
        for (int i = 0; i < 4; i++) {
            allot_future *future = atomic_exchange(&raced->futures[i], NULL);
            if (!future)
                continue;
            allot_stop(future, 0);
            for (bool done = false; !done;) {
                done = allot_done(future);
                const allot_decision *decision = allot_future_decision(future);
                if (done && decision)
                    CHECK(decision->done);
                CHECK_STATUS(allot_explain(future, nowhere), ALLOT_OK);
                CHECK(strcmp(allot_future_place(future), "process") != 0);
            }
            allot_release(future);
        }
    }
    fclose(nowhere);
    return NULL;
}

static void a_decision_can_be_read_while_its_launch_is_stopped(void)
{
    raced_launches raced = { .over = false };
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 2, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    pthread_t stopper = start_thread(stop_and_explain, &raced);
    for (int round = 0; round < ROUNDS(5000); round++) {
        allot_array *x = allot_array_full(executor, ALLOT_U32, 64, 1);
        for (int i = 0; i < 4; i++) {
            allot_future *future = allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(64),
                                                ALLOT_ARGS(allot_out(x), allot_u32(7)), NULL);
            allot_release(atomic_exchange(&raced.futures[i], future));
        }
        allot_array_release(x);
    }
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    atomic_store(&raced.over, true);
    join_thread(stopper);
    for (int i = 0; i < 4; i++)
        allot_release(raced.futures[i]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void forbidden_kinds_are_not_chosen(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 2));
    allot_array *x = allot_array_full(executor, ALLOT_F32, 10, 3),
                *y = allot_array_new(executor, ALLOT_F32, 10);
    allot_future *future = allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(10),
                                        ALLOT_ARGS(allot_in(x), allot_out(y)),
                                        ALLOT_HINTS(.forbid = ALLOT_KIND_BIT(ALLOT_THREAD)));
    allot_status status = allot_get(future, NULL, 0, ALLOT_FOREVER);
    CHECK(status == ALLOT_OK ? strcmp(allot_future_place(future), "thread") != 0 : status == ALLOT_NO_PLACE);
    allot_release(future);
    allot_array_release(x), allot_array_release(y);
    allot_close(executor);
}

/* ---- Metrics and log ---- */

/* Waits until the thread place has come to the one task that was cancelled in its queue. */
static void get_metrics_at_rest(allot_executor *executor, allot_metrics *metrics)
{
    uint64_t cancelled = 0;
    for (int64_t end_ns = now_ns() + 10 * SECOND; !cancelled && now_ns() < end_ns; sched_yield()) {
        CHECK_STATUS(allot_get_metrics(executor, metrics), ALLOT_OK);
        for (size_t i = 0; i < metrics->place_count; i++)
            cancelled += metrics->places[i].cancelled;
    }
}

static void metrics_count_every_task(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    test_gate gate = gate_create();
    allot_status error = ALLOT_FAILED;
    allot_future *futures[5] = { allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL) };
    gate_await(&gate, 1);
    futures[1] = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    futures[2] = allot_submit(executor, task_fail, &error, sizeof error, 0, NULL);
    futures[3] = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    futures[4] = allot_submit(executor, NULL, NULL, 0, 0, NULL); /* refused */
    CHECK(allot_cancel(futures[3]));
    allot_metrics metrics = { .size = sizeof metrics };
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    CU_ASSERT_EQUAL(metrics.submitted, 4);
    CU_ASSERT_EQUAL(metrics.refused, 1);
    CU_ASSERT_EQUAL(metrics.unfinished, 3);
    CHECK(metrics.resident_bytes > 0 && metrics.cpu_ns > 0);
    gate_open(&gate);
    CHECK_STATUS(allot_wait_all(futures, 5, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    get_metrics_at_rest(executor, &metrics);
    CU_ASSERT_EQUAL(metrics.unfinished, 0);
    for (size_t i = 0; i < metrics.place_count; i++)
        if (strcmp(metrics.places[i].id, "thread") == 0) {
            CU_ASSERT_EQUAL(metrics.places[i].succeeded, 2);
            CU_ASSERT_EQUAL(metrics.places[i].failed, 1);
            CU_ASSERT_EQUAL(metrics.places[i].cancelled, 1);
            CHECK(metrics.places[i].queued == 0 && metrics.places[i].running == 0);
        }
    CHECK_STATUS(allot_get_metrics(executor, NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_get_metrics(NULL, &metrics), ALLOT_INVALID);
    CHECK_STATUS(allot_get_metrics(executor, &(allot_metrics){ .size = 0 }), ALLOT_INVALID);
    allot_release_all(futures, 5);
    gate_destroy(&gate);
    allot_close(executor);
}

static void one_place_is_read_by_its_index(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    allot_place_metrics one;
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    allot_metrics all = { .size = sizeof all };
    CHECK_STATUS(allot_get_metrics(executor, &all), ALLOT_OK);
    for (size_t i = 0; i < all.place_count && i < ALLOT_METRICS_PLACES_MAX; i++) {
        CHECK_STATUS(allot_get_place_metrics(executor, i, &one, sizeof one), ALLOT_OK);
        CU_ASSERT_STRING_EQUAL(one.id, all.places[i].id);
        CU_ASSERT_EQUAL(one.succeeded, all.places[i].succeeded);
    }
    CHECK_STATUS(allot_get_place_metrics(executor, all.place_count, &one, sizeof one), ALLOT_NOT_FOUND);
    CHECK_STATUS(allot_get_place_metrics(executor, 0, NULL, sizeof one), ALLOT_INVALID);
    CHECK_STATUS(allot_get_place_metrics(executor, 0, &one, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_get_place_metrics(NULL, 0, &one, sizeof one), ALLOT_INVALID);
    memset(&one, 7, sizeof one); /* a caller of an older header: what lies behind its struct stays */
    CHECK_STATUS(allot_get_place_metrics(executor, 0, &one, sizeof one.id), ALLOT_OK);
    CU_ASSERT_EQUAL(one.queued, UINT64_C(0x0707070707070707));
    allot_close(executor);
}

static void a_trace_names_its_tasks(void)
{
    char path[] = "/tmp/allot-trace-XXXXXX", text[65536] = "";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    CHECK_STATUS(allot_trace_stop(), ALLOT_INVALID);
    CHECK_STATUS(allot_trace_start("/nonexistent/folder/trace.json"), ALLOT_SYSTEM);
    CHECK_STATUS(allot_trace_start(path), ALLOT_OK);
    CHECK_STATUS(allot_trace_start(path), ALLOT_INVALID);
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    CHECK_STATUS(
        finish(allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.name = "a \"quoted\" name"))),
        ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK_STATUS(allot_trace_stop(), ALLOT_OK);
    CHECK_STATUS(allot_trace_stop(), ALLOT_INVALID);
    FILE *file = fopen(path, "r");
    CHECK(file && fread(text, 1, sizeof text - 1, file) > 0);
    if (file)
        fclose(file);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a \\\"quoted\\\" name"));
    unlink(path);
}

/* ---- Several executors ---- */

static void executors_open_and_close_beside_each_other(void)
{
    allot_executor *executors[4];
    for (int i = 0; i < 4; i++)
        executors[i] = open_with(ALLOT_OPTIONS(.threads = 2));
    test_gate gate = gate_create();
    allot_future *holds[4], *all[4];
    for (int i = 0; i < 4; i++) {
        holds[i] = allot_submit(executors[i], task_gate, &gate.key, sizeof gate.key, 0, NULL);
        all[i] = allot_submit(executors[i], task_nothing, NULL, 0, 0,
                              ALLOT_HINTS(.after = holds, .after_count = (size_t)i + 1));
    }
    gate_open(&gate); /* dependencies across executors */
    CHECK_STATUS(allot_wait_all(all, 4, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_STATUS(allot_future_status(all[i]), ALLOT_OK);
        CHECK_STATUS(allot_close(executors[i]), ALLOT_OK);
    }
    allot_release_all(all, 4), allot_release_all(holds, 4);
    gate_destroy(&gate);
}

static const test_fact facts[] = {
    { "A3 the default is the usable CPUs", defaults_are_the_usable_cpus },
    { "A1 A2 absurd worker counts are refused", absurd_worker_counts_are_refused },
    { "kinds can be left out", kinds_can_be_left_out },
    { "an executor of devices alone refuses plain functions", devices_alone_refuse_plain_functions },
    { "a launch that only devices can run waits until they are known",
      a_launch_for_devices_alone_waits_until_they_are_known },
    { "places are listed, in a stable order", places_are_listed },
    { "places fit the entries of a caller with an older header", places_fit_an_older_callers_entries },
    { "a place that is coming up is cold or ready", a_place_that_is_coming_up_is_cold_or_ready },
    { "a place that is lost twice at once says why once", a_place_that_is_lost_twice_says_why_once },
    { "many tasks that wait are cancelled soon", many_waiting_tasks_are_cancelled_soon },
    { "A10 an unknown place is named", an_unknown_place_is_named },
    { "hints that contradict each other leave no place", contradicting_hints_leave_no_place },
    { "hints are copied", hints_are_copied },
    { "inline tasks run one after the other, in order", inline_tasks_run_in_order },
    { "B12 tasks that wait for their own tasks do not deadlock, also with one thread",
      nested_waits_do_not_deadlock },
    { "B11 tasks can submit", tasks_can_submit },
    { "G12 ending one's own executor in a task is refused", ending_ones_own_executor_is_refused },
    { "G12 ending it in a callback is refused", ending_it_in_a_callback_is_refused_too },
    { "a plain task is not decided, and explain says so", a_plain_task_is_not_decided },
    { "a launch is decided on record", a_launch_is_decided_on_record },
    { "an absurd account of a kernel's work is survived", an_absurd_account_of_work_is_survived },
    { "a decision can be read while its launch is stopped",
      a_decision_can_be_read_while_its_launch_is_stopped },
    { "forbidden kinds are not chosen", forbidden_kinds_are_not_chosen },
    { "metrics count every task", metrics_count_every_task },
    { "one place is read by its index", one_place_is_read_by_its_index },
    { "a trace names its tasks", a_trace_names_its_tasks },
    { "A9 executors live beside each other, dependencies cross them",
      executors_open_and_close_beside_each_other },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "executor", .facts = facts };
    int result = watched_main(argc, argv, &suite, 1);
    probe_kernels_free();
    return result;
}
