/* A program that one device takes and another does not: launches find the one that does. */
#include "support.h"
#include <CL/cl.h>
#include <string.h>

enum {
    N = 64,
    DEVICES_MAX = 16
};

static const char text[] = "kernel void three(global int *y) { y[get_global_id(0)] = 3; }\n";

static const allot_param params[] = { { .name = "y", .type = ALLOT_I32, .access = ALLOT_WRITE } };

static allot_executor *executor;

/* A device's name in OpenCL and here, and the program as it was built for it. */
typedef struct binary {
    char place[32];
    unsigned char *bytes;
    size_t size;
} binary;

static binary binaries[2];

static void build(cl_device_id device, binary *into)
{
    const char *texts[] = { text };
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
    cl_program program = clCreateProgramWithSource(context, 1, texts, NULL, NULL);
    if (clBuildProgram(program, 1, &device, "-cl-kernel-arg-info", NULL, NULL) == CL_SUCCESS)
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof into->size, &into->size, NULL);
    into->bytes = malloc(into->size);
    if (into->bytes)
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof into->bytes, &into->bytes, NULL);
    clReleaseProgram(program);
    clReleaseContext(context);
}

/* Of PoCL's pthread and basic devices, of which neither takes the other's binaries. */
static void build_all(void)
{
    cl_platform_id platforms[DEVICES_MAX];
    cl_device_id devices[DEVICES_MAX];
    allot_place_info places[DEVICES_MAX];
    cl_uint platform_count = 0, device_count;
    for (size_t i = 0; i < DEVICES_MAX; i++)
        places[i].size = sizeof places[i];
    size_t count = allot_places(executor, places, DEVICES_MAX), found = 0;
    clGetPlatformIDs(DEVICES_MAX, platforms, &platform_count);
    for (cl_uint i = 0; i < platform_count && i < DEVICES_MAX; i++) {
        device_count = 0;
        clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &device_count);
        for (cl_uint j = 0; j < device_count && j < DEVICES_MAX && found < 2; j++) {
            char name[128] = "";
            clGetDeviceInfo(devices[j], CL_DEVICE_NAME, sizeof name, name, NULL);
            for (size_t k = 0; k < count && k < DEVICES_MAX; k++)
                if (places[k].kind == ALLOT_OPENCL && strcmp(places[k].name, name) == 0 &&
                    strstr(places[k].driver, "Portable")) {
                    snprintf(binaries[found].place, sizeof binaries[found].place, "%s", places[k].id);
                    build(devices[j], &binaries[found++]);
                    break;
                }
        }
    }
}

static allot_kernel *kernel_of(const binary *program)
{
    return allot_kernel_create(ALLOT_KERNEL(.name = program == binaries ? "first" : "second",
                                            .params = params, .param_count = 1, .opencl_entry = "three",
                                            .opencl_program = program->bytes,
                                            .opencl_program_bytes = program->size));
}

static allot_future *launch(const allot_kernel *kernel, allot_array *y, const allot_hints *hints)
{
    allot_future *future = allot_launch(executor, kernel, allot_range(N), ALLOT_ARGS(allot_out(y)), hints);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    return future;
}

static void check_lands_on(const binary *program, const allot_kernel *kernel, const allot_hints *hints)
{
    for (int times = 0; times < 3; times++) {
        allot_array *y = allot_array_new(executor, ALLOT_I32, N);
        allot_future *future = launch(kernel, y, hints);
        CHECK_STATUS(allot_future_status(future), ALLOT_OK);
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), program->place);
        const allot_decision *decision = allot_future_decision(future);
        const char *chosen = decision->candidates[decision->chosen].place;
        CHECK(strcmp(chosen, program->place) == 0 || (strcmp(decision->retried_on, program->place) == 0 &&
                                                      strstr(decision->retried_why, "no binary")));
        CHECK(times == 0 || !decision->retried_on[0]); /* where it was built is cheaper by then */
        const int32_t *numbers = allot_array_map(y, ALLOT_READ);
        REQUIRE(numbers != NULL);
        CHECK(numbers[0] == 3 && numbers[N - 1] == 3);
        allot_array_unmap(y);
        allot_release(future);
        allot_array_release(y);
    }
}

static void each_binary_finds_its_device(void)
{
    for (size_t i = 0; i < 2; i++) {
        allot_kernel *kernel = kernel_of(&binaries[i]);
        check_lands_on(&binaries[i], kernel, NULL);
        check_lands_on(&binaries[i], kernel, ALLOT_HINTS(.place = ALLOT_OPENCL));
        allot_kernel_release(kernel);
    }
}

static void who_names_a_device_gets_its_error(void)
{
    for (size_t i = 0; i < 2; i++) {
        allot_kernel *kernel = kernel_of(&binaries[i]);
        allot_array *y = allot_array_new(executor, ALLOT_I32, N);
        allot_future *future = launch(kernel, y, ALLOT_HINTS(.place_id = binaries[1 - i].place));
        CHECK_STATUS(allot_future_status(future), ALLOT_BUILD);
        CHECK(strstr(allot_future_error(future), "no binary") != NULL);
        allot_release(future);
        allot_array_release(y);
        allot_kernel_release(kernel);
    }
}

static void what_nobody_takes_fails(void)
{
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "three", .params = params, .param_count = 1, .opencl_source = "no program"));
    allot_array *y = allot_array_new(executor, ALLOT_I32, N);
    for (int times = 0; times < 2; times++) {
        allot_future *future = launch(kernel, y, NULL);
        CHECK_STATUS(allot_future_status(future), ALLOT_BUILD);
        CHECK(strstr(allot_future_error(future), "does not build") != NULL);
        allot_release(future);
    }
    allot_array_release(y);
    allot_kernel_release(kernel);
}

static allot_status write_four(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        ((int32_t *)part->args[0].data)[i] = 4;
    return ALLOT_OK;
}

/* By a policy that comes to the devices whatever they cost. */
static void with_a_c_variant_it_runs_on_the_cpu(void)
{
    allot_executor *others = executor;
    executor = allot_open(ALLOT_OPTIONS(.policy = "round_robin"));
    REQUIRE(executor != NULL);
    allot_places(executor, NULL, 0);
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "four", .params = params, .param_count = 1,
                                         .opencl_source = "no program", .cpu = write_four));
    allot_array *y = allot_array_new(executor, ALLOT_I32, N);
    size_t moved = 0;
    for (int times = 0; times < 8; times++) {
        allot_future *future = launch(kernel, y, NULL);
        CHECK_STATUS(allot_future_status(future), ALLOT_OK);
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), "thread");
        moved += allot_future_decision(future)->retried_on[0] != '\0';
        allot_release(future);
    }
    CHECK(moved == 2); /* once from each device, which is none to be chosen from then on */
    allot_array_release(y);
    allot_kernel_release(kernel);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    executor = others;
}

static const test_fact facts[] = {
    { "each binary finds the device that takes it", each_binary_finds_its_device },
    { "who names a device gets its error", who_names_a_device_gets_its_error },
    { "what no device takes fails", what_nobody_takes_fails },
    { "with a C variant it runs on the CPU", with_a_c_variant_it_runs_on_the_cpu },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    setenv("POCL_DEVICES", "pthread basic", 1);
    executor = allot_open(NULL);
    build_all();
    if (!binaries[0].size || !binaries[1].size) {
        allot_close(executor);
        return test_skip("no two of PoCL's devices");
    }
    int result =
        watched_main(argc, argv, &(const watched_suite){ "programs for one device", facts, NULL }, 1);
    allot_close(executor);
    for (size_t i = 0; i < 2; i++)
        free(binaries[i].bytes);
    return result;
}
