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

/* Fills a candidate that can run it, all but `alike_count`. `row` is that of the place in `sheet`; or both
 * are NULL. */
void al_price_of(const al_price *price, const al_place *place, al_sheet *sheet, al_sheet_row *row,
                 allot_candidate *candidate);

/* Places that hold some of what the launch reads, at most `capacity`; returns how many. */
size_t al_price_holders(const al_price *price, al_place **holders, size_t capacity);

/* What the launch is expected to take where it is fastest, with moving what it writes. */
double al_price_least_s(allot_executor *executor, const al_task *task);

/* How many of its load's workers the launch would keep busy there. */
int al_price_workers(const al_price *price, const al_place *place);

#endif
