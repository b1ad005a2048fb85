#include "core/check.h"
#include "core/number.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each check fills the failure and returns a status; the message names the kernel and the parameter. */
typedef struct checker {
    const allot_kernel *kernel;
    const allot_param *param;
    al_failure *failure;
} checker;

__attribute__((format(printf, 2, 3))) static allot_status refuse(const checker *check, const char *format,
                                                                 ...)
{
    char what[512];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    const char *kernel = check->kernel->desc.name;
    if (!check->param)
        return al_failure_set(check->failure, ALLOT_INVALID, "%s: %s", kernel, what);
    return al_failure_set(check->failure, ALLOT_INVALID, "%s: parameter %s: %s", kernel, check->param->name,
                          what);
}

static size_t rank_of(const allot_param *param)
{
    return param->rank ? param->rank : 1;
}

static allot_status check_offset(checker *check, allot_ndrange range)
{
    size_t end;
    if (!(range.offset[0] | range.offset[1] | range.offset[2]))
        return ALLOT_OK;
    for (size_t d = 0; d < 3; d++)
        if ((d >= range.rank && range.offset[d]) ||
            __builtin_add_overflow(range.offset[d], d < range.rank ? range.size[d] : 1, &end))
            return refuse(check, "the range's offset in dimension %zu has no meaning", d);
    const allot_kernel_desc *desc = &check->kernel->desc;
    for (size_t i = 0; i < desc->param_count; i++)
        if (desc->params[i].access && desc->params[i].distribution != ALLOT_WHOLE) {
            check->param = &desc->params[i];
            return refuse(check, "the range has an offset, and its array is not ALLOT_WHOLE");
        }
    return ALLOT_OK;
}

static allot_status check_range(checker *check, allot_ndrange range, size_t *items)
{
    check->param = NULL;
    if (range.rank < 1 || range.rank > 3)
        return refuse(check, "the range has rank %zu, and 1 to 3 are possible", range.rank);
    *items = 1;
    for (size_t d = 0; d < range.rank; d++)
        if (__builtin_mul_overflow(*items, range.size[d], items) || *items > PTRDIFF_MAX)
            return refuse(check, "the range has more indices than can be counted");
    return check_offset(check, range);
}

/* T: the element type of the first array whose parameter says ALLOT_T; without such an array the first
 * generic scalar's. */
static allot_type resolve_type(const allot_kernel *kernel, const allot_arg *args)
{
    for (size_t i = 0; i < kernel->desc.param_count; i++)
        if (kernel->desc.params[i].access && kernel->desc.params[i].type == ALLOT_T && args[i].view.array)
            return allot_array_type(args[i].view.array);
    for (size_t i = 0; i < kernel->desc.param_count; i++)
        if (al_param_is_number(&kernel->desc.params[i]) && kernel->desc.params[i].type == ALLOT_T)
            return args[i].type;
    return kernel->desc.types ? kernel->desc.types[0] : ALLOT_F32;
}

static allot_status take_local(checker *check, const allot_arg *arg, al_argument *argument)
{
    if (arg->view.array || arg->data || !arg->bytes)
        return refuse(check, "it is local memory: allot_local() says how many bytes, at least 1");
    argument->bytes = arg->bytes;
    argument->value = (allot_value){ NULL, arg->bytes, { arg->bytes, 1, 1 }, { 1, 1, 1 } };
    return ALLOT_OK;
}

static allot_status take_struct(checker *check, const allot_arg *arg, al_argument *argument)
{
    size_t bytes = check->param->bytes;
    if (!arg->data || arg->view.array)
        return refuse(check, "it is a struct of %zu bytes: allot_bytes() takes it", bytes);
    if (arg->bytes != bytes)
        return refuse(check, "it is a struct of %zu bytes, and %zu were given", bytes, arg->bytes);
    if (bytes > sizeof argument->scalar && !(argument->block = malloc(bytes)))
        return al_failure_set(check->failure, ALLOT_NO_MEMORY, "out of memory");
    void *to = argument->block ? argument->block : argument->scalar;
    memcpy(to, arg->data, bytes);
    argument->bytes = bytes;
    argument->value = (allot_value){ to, 1, { 1, 1, 1 }, { 1, 1, 1 } };
    return ALLOT_OK;
}

static allot_status take_number(checker *check, const allot_arg *arg, al_argument *argument)
{
    if (arg->type == ALLOT_NO_TYPE)
        return refuse(check, "it is a scalar, and an array was given");
    if (arg->bytes)
        return refuse(check, "it is a number, and %s was given", arg->data ? "a struct" : "local memory");
    if (!al_number_convert(argument->scalar, argument->type, arg))
        return refuse(check, "a scalar of type %s does not fit its type %s", allot_type_name(arg->type),
                      allot_type_name(argument->type));
    argument->bytes = allot_type_size(argument->type);
    argument->value = (allot_value){ argument->scalar, 1, { 1, 1, 1 }, { 1, 1, 1 } };
    return ALLOT_OK;
}

static allot_status take_scalar(checker *check, const allot_arg *arg, al_argument *argument)
{
    if (check->param->local)
        return take_local(check, arg, argument);
    return check->param->bytes ? take_struct(check, arg, argument) : take_number(check, arg, argument);
}

/* The last touched element, as an offset from the view's first; false on overflow. */
static bool last_element(const allot_view *view, size_t *last)
{
    *last = 0;
    for (size_t d = 0; d < view->rank; d++) {
        size_t along;
        if (view->shape[d] == 0)
            return true;
        if (__builtin_mul_overflow(view->shape[d] - 1, view->stride[d], &along) ||
            __builtin_add_overflow(*last, along, last))
            return false;
    }
    return true;
}

static bool is_empty(const allot_view *view)
{
    for (size_t d = 0; d < view->rank; d++)
        if (view->shape[d] == 0)
            return true;
    return false;
}

/* True if its elements follow each other without holes in C order. */
static bool is_dense(const allot_view *view)
{
    size_t expected = 1;
    for (size_t d = view->rank; d-- > 0;) {
        if (view->shape[d] != 1 && view->stride[d] != expected)
            return false;
        expected *= view->shape[d];
    }
    return true;
}

/* True if no two indices may reach one element: strides in falling order each span what lies below. */
static bool is_distinct(const allot_view *view)
{
    size_t order[3] = { 0, 1, 2 };
    for (size_t i = 1; i < view->rank; i++)
        for (size_t j = i; j > 0 && view->stride[order[j]] < view->stride[order[j - 1]]; j--) {
            size_t swap = order[j];
            order[j] = order[j - 1];
            order[j - 1] = swap;
        }
    size_t span = 0; /* from the first to the last element below this dimension */
    for (size_t i = 0; i < view->rank; i++) {
        size_t d = order[i];
        if (view->shape[d] <= 1)
            continue;
        if (view->stride[d] <= span)
            return false;
        span += (view->shape[d] - 1) * view->stride[d];
    }
    return true;
}

static allot_status check_view(checker *check, const allot_view *view)
{
    size_t last, end;
    if (view->rank != rank_of(check->param))
        return refuse(check, "its view has rank %zu, and the kernel takes rank %zu", view->rank,
                      rank_of(check->param));
    if (!last_element(view, &last) || __builtin_add_overflow(view->offset, last, &end))
        return refuse(check, "its view overflows");
    size_t count = allot_array_count(view->array);
    if (is_empty(view) ? view->offset > count : end >= count)
        return refuse(check, "its view ends at element %zu, and the array has %zu", end, count);
    if (!check->param->strided && !is_dense(view))
        return refuse(check, "its view has holes or strides, and the kernel takes dense ones only");
    if (check->param->access & ALLOT_WRITE && !is_empty(view) && !is_distinct(view))
        return refuse(check, "its view is written and reaches one element by two indices");
    return ALLOT_OK;
}

/* A sliced view longer than the range is used, and so ordered and moved, only as far as the range reaches. */
static allot_status cut_to_range(checker *check, allot_view *view, size_t length)
{
    if (check->param->distribution == ALLOT_WHOLE || check->param->distribution == ALLOT_REDUCED)
        return ALLOT_OK;
    if (view->shape[0] < length)
        return refuse(check, "its view has %zu entries in the first dimension, and the range %zu",
                      view->shape[0], length);
    if (check->param->distribution == ALLOT_SLICED)
        view->shape[0] = length;
    return ALLOT_OK;
}

static const char *access_name(allot_access access)
{
    return access == ALLOT_READ ? "allot_in" : access == ALLOT_WRITE ? "allot_out" : "allot_inout";
}

static allot_status check_array(checker *check, const allot_arg *arg, const al_argument *argument)
{
    const allot_param *param = check->param;
    if (arg->type != ALLOT_NO_TYPE)
        return refuse(check, "it is an array, and a scalar was given");
    if (!arg->view.array)
        return refuse(check, "its array is NULL");
    if (arg->access != param->access)
        return refuse(check, "the kernel takes it as %s, and it was given as %s", access_name(param->access),
                      access_name(arg->access));
    if (allot_array_type(arg->view.array) != argument->type)
        return refuse(check, "its elements are %s, and the kernel takes %s here",
                      allot_type_name(allot_array_type(arg->view.array)), allot_type_name(argument->type));
    if (param->distribution == ALLOT_REDUCED && !al_reduce_takes(argument->type))
        return refuse(check, "elements of type %s cannot be reduced", allot_type_name(argument->type));
    return ALLOT_OK;
}

static void describe_value(const allot_view *view, allot_value *value)
{
    *value = (allot_value){ NULL, 1, { 1, 1, 1 }, { 1, 1, 1 } };
    for (size_t d = 0; d < view->rank; d++) {
        value->shape[d] = view->shape[d];
        value->stride[d] = view->stride[d];
        value->count *= view->shape[d];
    }
}

static allot_status take_array(checker *check, const allot_arg *arg, allot_ndrange range,
                               al_argument *argument)
{
    allot_view view = arg->view;
    allot_status status = check_array(check, arg, argument);
    if (status == ALLOT_OK)
        status = check_view(check, &view);
    if (status == ALLOT_OK)
        status = cut_to_range(check, &view, range.size[0]);
    if (status != ALLOT_OK)
        return status;
    size_t last = 0, size = allot_type_size(argument->type);
    last_element(&view, &last);
    argument->begin = view.offset * size;
    argument->end = argument->begin + (is_empty(&view) ? 0 : (last + 1) * size);
    argument->access = arg->access == ALLOT_WRITE && !is_dense(&view) ? ALLOT_READ_WRITE : arg->access;
    describe_value(&view, &argument->value);
    allot_array_hold(view.array);
    argument->view = view;
    return ALLOT_OK;
}

static allot_status take(checker *check, const allot_arg *arg, al_launch *launch, al_argument *argument)
{
    const allot_param *param = check->param;
    argument->param = param;
    argument->type = param->type == ALLOT_T ? launch->type : param->type;
    return param->access ? take_array(check, arg, launch->range, argument)
                         : take_scalar(check, arg, argument);
}

/* One array written through one parameter and used through another: which order would be meant? */
static allot_status check_overlaps(checker *check, const al_launch *launch)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *one = &launch->args[i];
        for (size_t j = 0; j < launch->arg_count; j++) {
            const al_argument *other = &launch->args[j];
            check->param = one->param;
            if (i != j && one->access & ALLOT_WRITE && one->view.array == other->view.array &&
                one->begin < other->end && other->begin < one->end)
                return refuse(check, "it is written and overlaps parameter %s", other->param->name);
        }
    }
    return ALLOT_OK;
}

static allot_status check_shapes(checker *check, const al_launch *launch)
{
    allot_value values[AL_PARAMS_MAX];
    if (!launch->kernel->desc.check)
        return ALLOT_OK;
    al_launch_shapes(launch, values);
    check->param = NULL;
    const char *wrong = launch->kernel->desc.check(launch->type, launch->range, values);
    return wrong ? refuse(check, "%s", wrong) : ALLOT_OK;
}

allot_status al_check_arguments(al_launch *launch, const allot_arg *args, al_failure *failure)
{
    checker check = { launch->kernel, NULL, failure };
    for (size_t i = 0; i < launch->arg_count; i++) {
        check.param = &launch->kernel->desc.params[i];
        allot_status status = take(&check, &args[i], launch, &launch->args[i]);
        if (status != ALLOT_OK)
            return status;
    }
    allot_status status = check_overlaps(&check, launch);
    return status == ALLOT_OK ? check_shapes(&check, launch) : status;
}

static allot_status check_types(checker *check, const allot_arg *args, size_t arg_count, allot_type *type)
{
    const allot_kernel_desc *desc = &check->kernel->desc;
    check->param = NULL;
    if (arg_count != desc->param_count || (arg_count && !args))
        return refuse(check, "it takes %zu arguments, and %zu were given", desc->param_count,
                      args ? arg_count : 0);
    *type = resolve_type(check->kernel, args);
    if (!al_kernel_takes(check->kernel, *type))
        return refuse(check, "its element type cannot be %s", allot_type_name(*type));
    return ALLOT_OK;
}

allot_status al_check_call(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                           size_t arg_count, size_t *items, allot_type *type, al_failure *failure)
{
    checker check = { kernel, NULL, failure };
    allot_status status = check_range(&check, range, items);
    return status == ALLOT_OK ? check_types(&check, args, arg_count, type) : status;
}
