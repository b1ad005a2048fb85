#include "core/launch.h"
#include "base/blocks.h"
#include "core/check.h"
#include <stdlib.h>
#include <string.h>

/* More parts than workers, so that one that is held up (another process's turn, a denser row) delays the end
 * by a fraction only. */
#define PARTS_A_WORKER 4
/* Of a deterministic launch: four for each of 64 workers. */
#define PARTS_FIXED 256
/* What all accumulators of one parameter may take; fewer parts are made before that. */
#define ACCUMULATORS_BYTES_MAX ((size_t)256 << 20)

/* ---- Life ---- */

static allot_work guess_work(const al_launch *launch)
{
    allot_work work = { (double)launch->items, 0 };
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        double passes = argument->access == ALLOT_READ_WRITE ? 2 : 1;
        work.bytes += passes * (double)(argument->end - argument->begin);
    }
    return work;
}

void al_launch_shapes(const al_launch *launch, allot_value *values)
{
    for (size_t i = 0; i < launch->arg_count; i++)
        values[i] = launch->args[i].value;
}

static allot_work account(const al_launch *launch)
{
    allot_value values[AL_PARAMS_MAX];
    if (!launch->kernel->desc.work)
        return guess_work(launch);
    al_launch_shapes(launch, values);
    return launch->kernel->desc.work(launch->type, launch->range, values);
}

al_launch *al_launch_create(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                            size_t arg_count, allot_status *status, al_failure *failure)
{
    size_t items = 0;
    allot_type type;
    *status = al_check_call(kernel, range, args, arg_count, &items, &type, failure);
    if (*status != ALLOT_OK)
        return NULL;
    for (size_t d = range.rank; d < 3; d++)
        range.size[d] = 1;
    size_t bytes = sizeof(al_launch) + arg_count * sizeof(al_argument);
    al_launch *launch = al_blocks_take(bytes);
    if (!launch) {
        *status = ALLOT_NO_MEMORY;
        return NULL;
    }
    memset(launch, 0, bytes);
    launch->kernel = allot_kernel_hold((allot_kernel *)kernel);
    launch->type = type;
    launch->range = range;
    launch->items = items;
    launch->arg_count = arg_count;
    *status = al_check_arguments(launch, args, failure);
    if (*status != ALLOT_OK) {
        al_launch_destroy(launch);
        return NULL;
    }
    launch->work = account(launch);
    return launch;
}

static size_t bytes_without_blocks(const al_launch *launch)
{
    return sizeof *launch + launch->arg_count * sizeof launch->args[0];
}

size_t al_launch_bytes(const al_launch *launch)
{
    size_t bytes = bytes_without_blocks(launch);
    for (size_t i = 0; i < launch->arg_count; i++)
        bytes += launch->args[i].block ? launch->args[i].bytes : 0;
    return bytes;
}

void al_launch_copy(al_launch *copy, const al_launch *launch)
{
    size_t bytes = bytes_without_blocks(launch);
    unsigned char *block = (unsigned char *)copy + bytes;
    memcpy(copy, launch, bytes);
    for (size_t i = 0; i < copy->arg_count; i++) {
        al_argument *argument = &copy->args[i];
        argument->own = (al_accumulators){ 0 };
        if (argument->block) {
            argument->block = memcpy(block, argument->block, argument->bytes);
            block += argument->bytes;
        }
        if (al_argument_is_array(argument))
            allot_array_hold(argument->view.array);
        else
            argument->value.data = (void *)al_argument_data(argument);
    }
}

void al_launch_report(al_launch *launch, const al_launch *copy)
{
    launch->moved = copy->moved;
    launch->compiled_ns = copy->compiled_ns;
    launch->ran_ns = copy->ran_ns;
    memcpy(launch->work_group, copy->work_group, sizeof launch->work_group);
    launch->work_group_from = copy->work_group_from;
}

void al_launch_release_arrays(al_launch *launch)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        allot_array_release(launch->args[i].view.array);
        launch->args[i].view.array = NULL;
        al_accumulators_fini(&launch->args[i].own);
    }
}

void al_launch_destroy(al_launch *launch)
{
    if (!launch)
        return;
    al_launch_release_arrays(launch);
    for (size_t i = 0; i < launch->arg_count; i++)
        free(launch->args[i].block);
    allot_kernel_release((allot_kernel *)launch->kernel);
    al_blocks_give(launch);
}

allot_work allot_kernel_work(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                             size_t arg_count)
{
    allot_status status;
    al_launch *launch = kernel ? al_launch_create(kernel, range, args, arg_count, &status, NULL) : NULL;
    allot_work work = launch ? launch->work : (allot_work){ 0, 0 };
    al_launch_destroy(launch);
    return work;
}

/* ---- For places ---- */

size_t al_argument_offset(const al_argument *argument)
{
    return argument->begin;
}

allot_status al_launch_acquire(al_launch *launch, al_memory *memory, al_copy **copies, al_failure *failure)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        al_argument *argument = &launch->args[i];
        bool reduced = al_argument_is_reduced(argument);
        al_copy **copy = copies && !reduced ? &copies[i] : NULL;
        if (copies)
            copies[i] = NULL;
        if (!al_argument_is_array(argument))
            continue;
        allot_status status =
            al_array_acquire(argument->view.array, reduced ? NULL : memory, argument->begin, argument->end,
                             argument->access, copy, &launch->moved, failure);
        if (status != ALLOT_OK)
            return status;
    }
    return ALLOT_OK;
}

allot_status al_launch_accumulate(al_launch *launch, size_t count, size_t align_bytes, bool shared,
                                  al_failure *failure)
{
    allot_status status = ALLOT_OK;
    for (size_t i = 0; i < launch->arg_count && status == ALLOT_OK; i++) {
        al_argument *argument = &launch->args[i];
        if (!al_argument_is_reduced(argument))
            continue;
        const al_accumulators_shape shape = { argument->param->reduce, argument->type, argument->value.count,
                                              align_bytes };
        status = al_accumulators_init(&argument->own, &shape, count, shared);
        if (status != ALLOT_OK)
            al_failure_set(failure, status,
                           "%s: parameter %s: no%s memory for %zu accumulators of %zu elements",
                           launch->kernel->desc.name, argument->param->name, shared ? " shared" : "", count,
                           argument->value.count);
    }
    return status;
}

static void combine(const al_argument *argument)
{
    al_accumulators_combine(&argument->own, argument->view.array->host + argument->begin);
}

void al_launch_publish(al_launch *launch, al_memory *memory)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        al_argument *argument = &launch->args[i];
        if (!al_argument_is_array(argument) || !(argument->access & ALLOT_WRITE))
            continue;
        bool reduced = al_argument_is_reduced(argument);
        if (reduced)
            combine(argument);
        al_array_publish(argument->view.array, reduced ? NULL : memory, argument->begin, argument->end);
    }
}

void al_launch_spoil(al_launch *launch, al_memory *memory, bool written)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        if (al_argument_is_array(argument) && !al_argument_is_reduced(argument))
            (argument->access & ALLOT_WRITE && written ? al_array_spoil : al_array_doubt)(
                argument->view.array, memory, argument->begin, argument->end);
    }
}

bool al_launch_intact(const al_launch *launch)
{
    bool intact = true;
    for (size_t i = 0; i < launch->arg_count && intact; i++) {
        const al_argument *argument = &launch->args[i];
        bool reads = (argument->access & ALLOT_READ) != 0;
        if (al_argument_is_array(argument)) /* what is only written need not be there, but free */
            intact =
                al_array_intact(argument->view.array, reads ? argument->begin : 0, reads ? argument->end : 0);
    }
    return intact;
}

void al_launch_host_values(const al_launch *launch, allot_value *values)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        values[i] = argument->value;
        if (al_argument_is_array(argument))
            values[i].data = argument->view.array->host + argument->begin;
    }
}

allot_status al_launch_run(const al_launch *launch, allot_call *call, const allot_value *values, size_t parts,
                           size_t index)
{
    allot_value with_own[AL_PARAMS_MAX];
    allot_part part = { launch->type, launch->range, 0, 0, values };
    al_launch_part(launch, parts, index, &part.begin, &part.end);
    if (launch->kernel->reduces) {
        part.args = with_own;
        for (size_t i = 0; i < launch->arg_count; i++) {
            with_own[i] = values[i];
            if (al_argument_is_reduced(&launch->args[i]))
                with_own[i].data = al_accumulator(&launch->args[i].own, index);
        }
    }
    return launch->kernel->desc.cpu(call, &part);
}

allot_status al_launch_run_empty(al_launch *launch, al_failure *failure)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        al_argument *argument = &launch->args[i];
        if (!al_argument_is_reduced(argument))
            continue;
        allot_array *array = argument->view.array;
        allot_status status = al_array_acquire(array, NULL, argument->begin, argument->end, ALLOT_WRITE, NULL,
                                               &launch->moved, failure);
        if (status != ALLOT_OK)
            return status;
        al_reduce_identity(argument->param->reduce, argument->type, array->host + argument->begin,
                           argument->value.count);
        al_array_publish(array, NULL, argument->begin, argument->end);
    }
    return ALLOT_OK;
}

/* As many parts as there is room for accumulators. */
static size_t most_parts(const al_launch *launch, size_t most)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        size_t bytes = argument->end - argument->begin;
        if (al_argument_is_reduced(argument) && bytes > ACCUMULATORS_BYTES_MAX / most)
            most = bytes > ACCUMULATORS_BYTES_MAX ? 1 : ACCUMULATORS_BYTES_MAX / bytes;
    }
    return most;
}

size_t al_launch_parts(const al_launch *launch, size_t workers)
{
    if (!launch->kernel->splits || (workers < 2 && !launch->deterministic))
        return 1;
    size_t parts = launch->range.size[0] / launch->kernel->desc.grain;
    size_t most = most_parts(launch, launch->deterministic ? PARTS_FIXED : workers * PARTS_A_WORKER);
    if (parts < 1)
        return 1;
    return parts < most ? parts : most;
}

void al_launch_part(const al_launch *launch, size_t parts, size_t index, size_t *begin, size_t *end)
{
    size_t length = launch->range.size[0], each = length / parts, rest = length % parts;
    *begin = index * each + (index < rest ? index : rest);
    *end = *begin + each + (index < rest ? 1 : 0);
}
