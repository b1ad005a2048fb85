#include "executor/terms.h"
#include "base/blocks.h"
#include "base/clock.h"
#include "places/select.h"
#include "topology/cpus.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_GRACE_NS INT64_C(1000000000)

#define NAMES_OTHER "the hints ask for "

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t array_arguments(const al_launch *launch)
{
    size_t count = 0;
    for (size_t i = 0; launch && i < launch->arg_count; i++)
        count += al_argument_is_array(&launch->args[i]) && launch->args[i].begin < launch->args[i].end;
    return count;
}

static void fill_accesses(al_terms *terms, const al_launch *launch)
{
    size_t count = 0;
    for (size_t i = 0; launch && i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        if (!al_argument_is_array(argument) || argument->begin == argument->end)
            continue;
        terms->accesses[count++] = (al_access){ .node = &terms->node,
                                                .array = argument->view.array,
                                                .begin = argument->begin,
                                                .end = argument->end,
                                                .writes = (argument->access & ALLOT_WRITE) != 0 };
    }
}

static void fill_hints(al_terms *terms, const allot_hints *hints)
{
    terms->kind = hints->place;
    terms->forbid = hints->forbid;
    terms->narrows =
        hints->place != ALLOT_ANYWHERE || hints->place_id || hints->forbid || hints->memory_bytes;
    terms->bound = hints->bound;
    terms->more.io_bound = hints->bound == ALLOT_IO_BOUND;
    terms->prefer = hints->prefer;
    terms->memory_bytes = hints->memory_bytes;
    terms->more.priority = hints->priority;
    terms->more.node = hints->near_node > 0 ? hints->near_node - 1 : -1;
    if (hints->near && !hints->near_node)
        terms->more.node = al_numa_node_of(hints->near->host);
    terms->grace_ns = hints->grace_ns > 0 ? hints->grace_ns : DEFAULT_GRACE_NS;
    terms->retries = hints->retries;
    terms->retry_delay_ns = hints->retry_delay_ns;
    terms->after_count = hints->after_count;
    if (hints->place_id) {
        terms->names_other = strcpy(terms->place_text, NAMES_OTHER);
        terms->place_id = strcpy(terms->place_text + strlen(NAMES_OTHER), hints->place_id);
        terms->word = al_select_word(terms->place_id);
    }
    if (hints->name)
        terms->more.name = strcpy(terms->name, hints->name);
}

al_terms *al_terms_create(al_task *task, al_launch *launch, const allot_hints *hints,
                          const _Atomic int64_t *clock)
{
    size_t accesses = array_arguments(launch), bytes = sizeof(al_terms), after_bytes;
    size_t names_other = hints->place_id ? strlen(NAMES_OTHER) + text_size(hints->place_id) : 0;
    size_t texts = names_other + text_size(hints->name);
    if (__builtin_mul_overflow(hints->after_count, sizeof(al_after), &after_bytes) ||
        __builtin_add_overflow(bytes, after_bytes, &bytes))
        return NULL;
    bytes += accesses * sizeof(al_access) + texts;
    al_terms *terms = al_blocks_take(bytes);
    if (!terms)
        return NULL;
    memset(terms, 0, bytes);
    terms->task = task;
    terms->more.launch = launch;
    terms->more.name = launch ? launch->kernel->desc.name : "task";
    atomic_init(&terms->more.open, 2);
    terms->deadline_ns =
        hints->deadline_ns ? al_clock_deadline_from(al_clock_of(clock), hints->deadline_ns) : INT64_MAX;
    terms->after = (al_after *)(terms + 1);
    terms->accesses = (al_access *)(terms->after + hints->after_count);
    terms->place_text = (char *)(terms->accesses + accesses);
    terms->name = terms->place_text + names_other;
    fill_hints(terms, hints);
    fill_accesses(terms, launch);
    al_node_init(&terms->node, NULL, terms->accesses, accesses);
    task->more = &terms->more;
    return terms;
}
