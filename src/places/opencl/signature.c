#include "places/opencl/signature.h"
#include <stdio.h>
#include <string.h>

/* The entry's arguments as they should be: a parameter each, and a layout behind each strided one. */
static size_t expected_count(const allot_kernel *kernel)
{
    size_t count = kernel->desc.param_count;
    for (size_t i = 0; i < kernel->desc.param_count; i++)
        count += kernel->desc.params[i].access && kernel->desc.params[i].strided;
    return count;
}

/* "alpha, x, x's layout, y" */
static void list_expected(const allot_kernel *kernel, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < kernel->desc.param_count && used < size; i++) {
        const allot_param *param = &kernel->desc.params[i];
        bool layout = param->access && param->strided;
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s%s", i ? ", " : "", param->name,
                                 layout ? ", " : "", layout ? param->name : "", layout ? "'s layout" : "");
    }
}

/* What the entry itself says of an argument, "global float *x"; "" where the driver does not tell. */
static void describe_argument(cl_kernel entry, cl_uint index, char *text, size_t size)
{
    static const char *const places[] = { "global ", "local ", "constant ", "" };
    cl_kernel_arg_address_qualifier where;
    char type[128] = "", name[128] = "";
    text[0] = '\0';
    if (clGetKernelArgInfo(entry, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof where, &where, NULL) !=
            CL_SUCCESS ||
        where < CL_KERNEL_ARG_ADDRESS_GLOBAL || where > CL_KERNEL_ARG_ADDRESS_PRIVATE ||
        clGetKernelArgInfo(entry, index, CL_KERNEL_ARG_TYPE_NAME, sizeof type - 1, type, NULL) !=
            CL_SUCCESS ||
        clGetKernelArgInfo(entry, index, CL_KERNEL_ARG_NAME, sizeof name - 1, name, NULL) != CL_SUCCESS)
        return;
    snprintf(text, size, "%s%s %s", places[where - CL_KERNEL_ARG_ADDRESS_GLOBAL], type, name);
}

static void list_taken(cl_kernel entry, cl_uint count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (cl_uint i = 0; i < count && used < size; i++) {
        char one[300];
        describe_argument(entry, i, one, sizeof one);
        if (!one[0])
            return;
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : ": ", one);
    }
}

static allot_status check_count(cl_kernel entry, const allot_kernel *kernel, al_failure *failure)
{
    cl_uint takes = 0;
    size_t gets = expected_count(kernel);
    if (clGetKernelInfo(entry, CL_KERNEL_NUM_ARGS, sizeof takes, &takes, NULL) != CL_SUCCESS || takes == gets)
        return ALLOT_OK;
    char taken[1024], list[1024];
    list_taken(entry, takes, taken, sizeof taken);
    list_expected(kernel, list, sizeof list);
    return al_failure_set(failure, ALLOT_INVALID,
                          "%s: its OpenCL entry %s takes %u arguments%s; its parameters make %zu (%s)",
                          kernel->desc.name, kernel->desc.opencl_entry, (unsigned)takes, taken, gets, list);
}

/* An element type of OpenCL C at the start of a type's name, as the drivers spell it; 0 bytes if it is
 * another type. */
static size_t scalar_bytes(const char *name, size_t length)
{
    static const struct {
        const char *name;
        size_t bytes;
    } more[] = {
        { "unsigned char", 1 }, { "unsigned short", 2 }, { "unsigned int", 4 }, { "unsigned long", 8 }
    };
#define SAME(text) (strlen(text) == length && memcmp(text, name, length) == 0)
#define CL_NAME(enumerator, size, cl, text)                                                                  \
    if (SAME(cl))                                                                                            \
        return size;
    ALLOT_TYPE_LIST(CL_NAME)
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (SAME(more[i].name))
            return more[i].bytes;
    return 0;
}

/* False for whole numbers that would be read as floating ones, or the reverse. Numbers of 16 bits may be
 * both: devices without arithmetic on halves take them as they lie in memory. */
static bool is_alike(const char *name, size_t length, allot_type type)
{
    static const char *const floating[] = { "float", "double", "float2", "double2" };
    bool found = false;
    for (size_t i = 0; i < sizeof floating / sizeof floating[0]; i++)
        found = found || (strlen(floating[i]) == length && memcmp(floating[i], name, length) == 0);
    return allot_type_size(type) == 2 || !scalar_bytes(name, length) || found == (type >= ALLOT_F16);
}

typedef struct checker {
    cl_kernel entry;
    const allot_kernel *kernel;
    const allot_param *param;
    cl_uint index; /* of the entry's argument */
    al_failure *failure;
} checker;

static allot_status refuse(const checker *check, const char *what, const char *has)
{
    char own[300];
    describe_argument(check->entry, check->index, own, sizeof own);
    if (own[0])
        has = own;
    return al_failure_set(check->failure, ALLOT_INVALID, "%s: parameter %s: %s, and entry %s has '%s' there",
                          check->kernel->desc.name, check->param->name, what,
                          check->kernel->desc.opencl_entry, has);
}

static allot_status refuse_type(const checker *check, const char *what, allot_type type,
                                const char *type_name)
{
    char is[40];
    snprintf(is, sizeof is, "it is %s%s", what, allot_type_name(type));
    return refuse(check, is, type_name);
}

/* An array of scalars may be taken as vectors ("float4*"): only a scalar of another size, or one that is not
 * alike, is surely wrong. */
static allot_status check_array(const checker *check, cl_kernel_arg_address_qualifier where,
                                const char *type_name, allot_type type)
{
    if (where != CL_KERNEL_ARG_ADDRESS_GLOBAL && where != CL_KERNEL_ARG_ADDRESS_CONSTANT)
        return refuse(check, "it is an array", *type_name ? type_name : "no global pointer");
    size_t length = strcspn(type_name, "*");
    while (length && type_name[length - 1] == ' ')
        length--;
    size_t bytes = scalar_bytes(type_name, length);
    bool complex_as_scalars = type == ALLOT_C32 || type == ALLOT_C64;
    if (bytes && bytes != allot_type_size(type) &&
        !(complex_as_scalars && bytes * 2 == allot_type_size(type)))
        return refuse(check, "its elements have another size", type_name);
    return is_alike(type_name, length, type) ? ALLOT_OK : refuse_type(check, "an array of ", type, type_name);
}

static allot_status check_scalar(const checker *check, cl_kernel_arg_address_qualifier where,
                                 const char *type_name, allot_type type)
{
    if (where != CL_KERNEL_ARG_ADDRESS_PRIVATE)
        return refuse(check, "it is a scalar", *type_name ? type_name : "a pointer");
    size_t bytes = scalar_bytes(type_name, strlen(type_name));
    if (bytes && bytes != allot_type_size(type))
        return refuse(check, "it is a scalar of another size", type_name);
    return is_alike(type_name, strlen(type_name), type)
               ? ALLOT_OK
               : refuse_type(check, "a number of type ", type, type_name);
}

static allot_status check_local(const checker *check, cl_kernel_arg_address_qualifier where,
                                const char *type_name)
{
    if (where != CL_KERNEL_ARG_ADDRESS_LOCAL)
        return refuse(check, "it is local memory", type_name);
    return ALLOT_OK;
}

/* A struct's size is not told: only a number's is known. */
static allot_status check_struct(const checker *check, cl_kernel_arg_address_qualifier where,
                                 const char *type_name)
{
    size_t bytes = scalar_bytes(type_name, strlen(type_name));
    if (where != CL_KERNEL_ARG_ADDRESS_PRIVATE || (bytes && bytes != check->param->bytes))
        return refuse(check, "it is a struct by value", type_name);
    return ALLOT_OK;
}

static allot_status check_one(const checker *check, allot_type type)
{
    cl_uint index = check->index;
    cl_kernel_arg_address_qualifier where;
    char type_name[128] = "";
    if (clGetKernelArgInfo(check->entry, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof where, &where,
                           NULL) != CL_SUCCESS)
        return ALLOT_OK; /* this driver does not tell: clSetKernelArg will complain */
    if (clGetKernelArgInfo(check->entry, index, CL_KERNEL_ARG_TYPE_NAME, sizeof type_name, type_name, NULL) !=
        CL_SUCCESS)
        type_name[0] = '\0';
    if (check->param->access)
        return check_array(check, where, type_name, type);
    if (check->param->local)
        return check_local(check, where, type_name);
    return check->param->bytes ? check_struct(check, where, type_name)
                               : check_scalar(check, where, type_name, type);
}

allot_status al_opencl_signature_check(cl_kernel entry, const allot_kernel *kernel, allot_type type,
                                       al_failure *failure)
{
    checker check = { entry, kernel, NULL, 0, failure };
    allot_status status = check_count(entry, kernel, failure);
    for (size_t i = 0; i < kernel->desc.param_count && status == ALLOT_OK; i++) {
        check.param = &kernel->desc.params[i];
        status = check_one(&check, check.param->type == ALLOT_T ? type : check.param->type);
        check.index += check.param->access && check.param->strided ? 2 : 1;
    }
    return status;
}
