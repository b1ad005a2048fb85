#include "core/trial.h"
#include "core/number.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Making ---- */

/* Small numbers that any type holds exactly and whose short sums are exact; neighbours differ. */
static double filler(allot_type type, size_t index)
{
    size_t mixed = index * 2654435761u >> 7;
    bool floating = type >= ALLOT_F16;
    return floating ? (double)(int)(mixed % 17) / 8 - 1 : (double)(mixed % 8);
}

static size_t count_of(const allot_selftest_arg *arg, size_t rank)
{
    size_t count = 1;
    for (size_t d = 0; d < rank; d++)
        count *= arg->shape[d];
    return count;
}

static void fill(allot_array *array, const double *values)
{
    size_t size = allot_type_size(array->type);
    for (size_t i = 0; i < array->count; i++)
        al_number_store(array->host + i * size, array->type, values ? values[i] : filler(array->type, i));
}

/* The array's only reference goes to *array, to be dropped when the launch has its own. */
static bool make_array(const allot_param *param, const allot_selftest_arg *from, allot_type type,
                       allot_arg *arg, allot_array **array)
{
    const size_t *shape = from->shape;
    size_t rank = param->rank ? param->rank : 1;
    *array = al_array_own(type, count_of(from, rank));
    if (!*array)
        return false;
    fill(*array, from->values);
    allot_view view = rank == 1   ? allot_view_all(*array)
                      : rank == 2 ? allot_view_2d(*array, 0, shape[0], shape[1], shape[1])
                                  : allot_view_3d(*array, 0, shape[0], shape[1], shape[2]);
    *arg = param->access == ALLOT_READ    ? allot_in_view(view)
           : param->access == ALLOT_WRITE ? allot_out_view(view)
                                          : allot_inout_view(view);
    return true;
}

static allot_arg number(allot_type type, double value)
{
    return type >= ALLOT_F16 ? allot_f64(value) : allot_i64((int64_t)value);
}

static bool make_arg(const allot_param *param, const allot_selftest_arg *from, allot_type launch_type,
                     allot_arg *arg, allot_array **array)
{
    allot_type type = param->type == ALLOT_T ? launch_type : param->type;
    if (param->access)
        return make_array(param, from, type, arg, array);
    *arg = param->local   ? allot_local(from->shape[0])
           : param->bytes ? allot_bytes(from->data, param->bytes)
                          : number(type, from->value);
    return true;
}

al_launch *al_trial_create(const allot_kernel *kernel, allot_type type, al_failure *failure)
{
    const allot_selftest *test = kernel->desc.selftest;
    size_t count = kernel->desc.param_count;
    allot_arg args[AL_PARAMS_MAX] = { 0 };
    allot_array *arrays[AL_PARAMS_MAX] = { NULL };
    allot_status status = ALLOT_NO_MEMORY;
    al_launch *launch = NULL;
    bool made = true;
    for (size_t i = 0; i < count && made; i++)
        made = make_arg(&kernel->desc.params[i], &test->args[i], type, &args[i], &arrays[i]);
    if (made)
        launch = al_launch_create(kernel, test->range, args, count, &status, failure);
    else
        al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        allot_array_release(arrays[i]);
    if (!launch || launch->type == type)
        return launch;
    al_launch_destroy(launch);
    al_failure_set(failure, ALLOT_INVALID, "no array of the self-test has the launch's element type");
    return NULL;
}

allot_status al_trial_run(al_launch *trial, al_failure *failure)
{
    static const _Atomic uint32_t never;
    allot_call call = { .stopping = &never, .place = "self-test" };
    allot_value values[AL_PARAMS_MAX];
    allot_status status = ALLOT_OK;
    if (trial->kernel->reduces)
        status = al_launch_accumulate(trial, 1, AL_ACCUMULATOR_ALIGN, false, failure);
    if (status != ALLOT_OK)
        return status;
    al_launch_host_values(trial, values);
    status = al_launch_run(trial, &call, values, 1, 0);
    if (status == ALLOT_OK)
        al_launch_publish(trial, NULL);
    *failure = call.failure;
    return status;
}

/* ---- Comparing ---- */

/* IEEE 754 binary16. */
static double half_value(const void *at)
{
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                   : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                  : ldexp(fraction, -24);
    return bits >> 15 ? -value : value;
}

/* Number `index` of an array of floating numbers; complex ones are two each. */
static double value_at(const void *data, allot_type type, size_t index)
{
    const unsigned char *bytes = data;
    float single;
    double value;
    if (type == ALLOT_F16)
        return half_value(bytes + 2 * index);
    if (type == ALLOT_F32 || type == ALLOT_C32) {
        memcpy(&single, bytes + 4 * index, sizeof single);
        return single;
    }
    memcpy(&value, bytes + 8 * index, sizeof value);
    return value;
}

static double usual_tolerance(allot_type type)
{
    return type == ALLOT_F16 ? 1e-2 : type == ALLOT_F32 || type == ALLOT_C32 ? 1e-5 : 1e-12;
}

static bool near(double a, double b, double apart)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= apart;
}

static bool floats_agree(const al_argument *reference, const void *right, const void *other, double tolerance,
                         char *what, size_t what_size)
{
    allot_type type = reference->type;
    size_t parts = type == ALLOT_C32 || type == ALLOT_C64 ? 2 : 1;
    size_t count = (reference->end - reference->begin) / (allot_type_size(type) / parts);
    double largest = 1;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(value_at(right, type, i)));
    double apart = (tolerance > 0 ? tolerance : usual_tolerance(type)) * largest;
    for (size_t i = 0; i < count; i++) {
        double a = value_at(right, type, i), b = value_at(other, type, i);
        if (near(a, b, apart))
            continue;
        snprintf(what, what_size, "element %zu of %s is %.9g, and should be %.9g", i / parts,
                 reference->param->name, b, a);
        return false;
    }
    return true;
}

static bool bytes_agree(const al_argument *reference, const unsigned char *right, const unsigned char *other,
                        char *what, size_t what_size)
{
    size_t bytes = reference->end - reference->begin;
    for (size_t i = 0; i < bytes; i++)
        if (right[i] != other[i]) {
            snprintf(what, what_size, "element %zu of %s is wrong", i / allot_type_size(reference->type),
                     reference->param->name);
            return false;
        }
    return true;
}

bool al_trial_agree(const al_launch *reference, const al_launch *other, char *what, size_t what_size)
{
    for (size_t i = 0; i < reference->arg_count; i++) {
        const al_argument *argument = &reference->args[i];
        if (!al_argument_is_array(argument) || !(argument->param->access & ALLOT_WRITE))
            continue;
        const void *right = argument->view.array->host + argument->begin;
        const void *found = other->args[i].view.array->host + argument->begin;
        bool agree = argument->type >= ALLOT_F16
                         ? floats_agree(argument, right, found, reference->kernel->desc.selftest->tolerance,
                                        what, what_size)
                         : bytes_agree(argument, right, found, what, what_size);
        if (!agree)
            return false;
    }
    return true;
}
