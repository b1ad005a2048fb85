/* The price: what a launch is expected to cost on a place, part by part.
 *
 * total = until the place is free + moving in what is not current there + compiling if it never ran there +
 * the run
 * + moving out what the host is expected to read. Each way of each link has figures of its own; what one
 * device has and another needs goes by the host. Places that share the CPUs wait for each other, but for
 * workers that are free. Memory of another node is as much slower as the kernel says that node is farther. */
#ifndef AL_EXECUTOR_PRICE_H
#define AL_EXECUTOR_PRICE_H

#include "executor/classes.h"

/* What holds for every place, found out once a launch. */
typedef struct al_price {
    allot_executor *executor;
    const al_task *task;
    const al_launch *launch;
    al_size size;
    al_page *page; /* NULL when memory was out */
    int64_t now_ns;
    double return_bytes, return_bytes_unshared; /* that the host is expected to read; in arrays that a memory
                                                   cannot share with it */
    bool returns;                               /* the former is a byte at least */
    double read_bytes;
    size_t read_count;
    struct al_price_read {
        const al_memory *source; /* from which the host would get what it lacks; NULL: it lacks nothing */
        double fetch_s;          /* what that would take */
    } ways[AL_PARAMS_MAX];
    al_whereabouts reads[AL_PARAMS_MAX];
} al_price;

void al_price_begin(al_price *price, allot_executor *executor, const al_task *task);

/* The sheet for this launch; al_sheet_give() ends its use. NULL: there is none to be had. */
al_sheet *al_price_sheet(const al_price *price);

/* Of a place that shares the CPUs; of all: al_price_workers(). */
int al_price_shared_workers(const al_price *price, const al_place *place);
/* To bring what it reads there, or to read it from where it is. */
double al_price_moving_s(const al_price *price, const al_place *place);
double al_price_return_s(const al_price *price, const al_place *place);

/* How many of its load's workers the launch would keep busy there. */
static inline int al_price_workers(const al_price *price, const al_place *place)
{
    return place->shares_cpus ? al_price_shared_workers(price, place) : 1;
}

/* Fills a candidate that can run it from its row, all but `alike_count`. Inline, and member by member (a
 * compiler would make a whole one beside it and copy that), for it is done of every place at every decision.
 */
static inline void al_price_row(const al_price *price, const al_place *place, const al_sheet_row *row,
                                allot_candidate *candidate)
{
    int64_t wait_ns = al_load_wait_ns(place->load, al_price_workers(price, place), price->now_ns);
    double begin_s = wait_ns ? 0 : row->launch_s; /* of those that queue it is hidden */
    double begin_low_s = wait_ns ? 0 : row->launch_low_s;
    double ready_s = (double)wait_ns * 1e-9, compile_s = row->compile_s;
    double transfer_s = price->read_count ? al_price_moving_s(price, place) : 0;
    double return_s = price->returns ? al_price_return_s(price, place) : 0;
    double beside_s = ready_s + transfer_s + compile_s + return_s;
    double run_s = row->run_s + begin_s, low_s = row->low_s + begin_low_s;
    double usual_ratio =
        row->samples ? atomic_load_explicit(&place->alike->usual_ratio, memory_order_relaxed) : 0;
    candidate->place = row->id;
    candidate->index = row->index;
    candidate->reason = "";
    candidate->alike = row->alike;
    candidate->kind = row->kind;
    candidate->possible = true;
    candidate->shares_cpus = place->shares_cpus;
    candidate->samples = row->samples;
    candidate->ready_s = ready_s;
    candidate->transfer_s = transfer_s;
    candidate->compile_s = compile_s;
    candidate->run_s = run_s;
    candidate->return_s = return_s;
    candidate->total_s = beside_s + run_s;
    candidate->low_s = low_s;
    candidate->high_s = row->high_s + begin_s;
    candidate->spread = row->spread;
    candidate->bound_s = beside_s + low_s;
    candidate->watts = row->watts;
    candidate->history_tries = 0;
    candidate->history_samples = 0;
    candidate->history_s = 0;
    candidate->history_ms = -1;
    candidate->usual_ratio = usual_ratio;
}

/* Fills a candidate that can run it, all but `alike_count`. `row` is that of the place in `sheet`; or both
 * are NULL. */
void al_price_of(const al_price *price, const al_place *place, al_sheet *sheet, al_sheet_row *row,
                 allot_candidate *candidate);

/* Places that hold some of what the launch reads, at most `capacity`; returns how many. */
size_t al_price_holders(const al_price *price, al_place **holders, size_t capacity);

/* What the launch is expected to take where it is fastest, with moving what it writes. */
double al_price_least_s(allot_executor *executor, const al_task *task);

#endif
