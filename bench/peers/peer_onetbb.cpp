// Asks oneTBB. Systems:
//     onetbb          task_arena::enqueue, whose tasks have no result: what is waited for is the count; one
//     at a
//                     time, the waiter sleeps on a futex. Joins: task_group. Loops: the static partitioner
//     onetbb-spin     the same, one at a time, with a waiter that spins
//     onetbb-promise  the same with a std::promise a task, the future that it offers with C++ alone
//     onetbb-auto     loops with the default partitioner
// The arena has the workers alone where an outside thread submits, and the asking thread among its threads
// where that takes part: joins and loops. A thread that enqueues is no worker, so the library is allowed one
// more.
#include "../questions.h"
#include <future>
#include <memory>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace tbb = oneapi::tbb;

static std::unique_ptr<tbb::global_control> control;
static std::unique_ptr<tbb::task_arena> outside, within;
static std::unique_ptr<tbb::task_group> batches;

static bool open_arena(bench_round *round)
{
    if (outside)
        return true;
    int workers = bench_workers(round);
    control =
        std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, workers + 1);
    outside = std::make_unique<tbb::task_arena>(workers, 0);
    within = std::make_unique<tbb::task_arena>(workers, 1);
    outside->initialize();
    within->initialize();
    batches = std::make_unique<tbb::task_group>();
    return true;
}

// ---- Without a result ----

static void spawn()
{
    outside->enqueue([] { bench_tally(); });
}

static void *submit()
{
    spawn();
    return nullptr;
}

// It has no call for several: one task spawns them from within.
static void spawn_batch()
{
    outside->enqueue([] {
        for (int i = 0; i < BENCH_BATCH; i++)
            batches->run([] { bench_tally(); });
    });
}

static void hold()
{
    outside->enqueue([] { bench_gate_pass(); });
}

static bench_event ended;

static void submit_ended()
{
    bench_event_reset(&ended);
    outside->enqueue([] {
        bench_tally();
        bench_event_set(&ended);
    });
}

static bool once()
{
    submit_ended();
    bench_event_wait(&ended);
    return true;
}

static bool once_spinning()
{
    submit_ended();
    bench_event_spin(&ended);
    return true;
}

// ---- With a promise ----

// A lambda that was given to enqueue is const, and a promise is not.
struct keeping_promise {
    mutable std::promise<int> promise;
    void operator()() const
    {
        bench_tally();
        promise.set_value(0);
    }
};

static void *submit_promise()
{
    keeping_promise task;
    auto *future = new std::future<int>(task.promise.get_future());
    outside->enqueue(std::move(task));
    return future;
}

static bool finish_promise(void *future)
{
    auto *held = static_cast<std::future<int> *>(future);
    bool fine = held->get() == 0;
    delete held;
    return fine;
}

static bool once_promise()
{
    return finish_promise(submit_promise());
}

// ---- Joins and loops ----

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t left = 0;
    tbb::task_group group;
    group.run([&left, n] { left = fib(n - 1); });
    uint64_t right = fib(n - 2);
    group.wait();
    return left + right;
}

static uint64_t fib_within(unsigned n)
{
    return within->execute([n] { return fib(n); });
}

static void loop_static(loops_part part, size_t count)
{
    within->execute([=] {
        tbb::parallel_for(
            tbb::blocked_range<size_t>(0, count),
            [=](const tbb::blocked_range<size_t> &range) { part(range.begin(), range.end()); },
            tbb::static_partitioner());
    });
}

static void loop_auto(loops_part part, size_t count)
{
    within->execute([=] {
        tbb::parallel_for(tbb::blocked_range<size_t>(0, count),
                          [=](const tbb::blocked_range<size_t> &range) { part(range.begin(), range.end()); });
    });
}

// ---- The systems: steps in the order of bench_ops ----

static const bench_ops sleeping = { open_arena, 0,           submit,  nullptr, nullptr,    once,       hold,
                                    spawn,      spawn_batch, nullptr, nullptr, fib_within, loop_static };
static const bench_ops spinning = { open_arena, 0,       nullptr, nullptr, nullptr, once_spinning, nullptr,
                                    nullptr,    nullptr, nullptr, nullptr, nullptr, nullptr };
static const bench_ops promising = { open_arena,   0,       submit_promise, nullptr, finish_promise,
                                     once_promise, hold,    nullptr,        nullptr, nullptr,
                                     nullptr,      nullptr, nullptr };
static const bench_ops splitting = { open_arena, 0,       nullptr, nullptr, nullptr, nullptr,  nullptr,
                                     nullptr,    nullptr, nullptr, nullptr, nullptr, loop_auto };
BENCH_ASK(ask_sleeping, sleeping)
BENCH_ASK(ask_spinning, spinning)
BENCH_ASK(ask_promising, promising)
BENCH_ASK(ask_splitting, splitting)

static void ask(bench_round *round)
{
    const char *system = bench_system(round);
    if (!strcmp(system, "onetbb-spin"))
        ask_spinning(round);
    else if (!strcmp(system, "onetbb-promise"))
        ask_promising(round);
    else if (!strcmp(system, "onetbb-auto"))
        ask_splitting(round);
    else
        ask_sleeping(round);
}

int main(int argc, char **argv)
{
    return bench_answer(argc, argv, ask);
}
