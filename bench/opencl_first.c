#include "opencl.h"
#include "opencl_task.h"
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLATFORMS_MAX 32

/* ---- What is kept on disk ---- */

static char folder[] = "/tmp/bench-opencl-XXXXXX";

static void remove_folder(void)
{
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", folder, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

/* Drivers and libraries find an empty folder where they would keep programs and verdicts. Before the first
 * thread. */
static bool forget_all(bench_round *round)
{
    if (!mkdtemp(folder)) {
        bench_fail(round, "no folder for a cold start");
        return false;
    }
    atexit(remove_folder);
    return setenv("XDG_CACHE_HOME", folder, 1) == 0 && setenv("POCL_CACHE_DIR", folder, 1) == 0;
}

/* ---- Ours ---- */

static bool bump(allot_executor *executor, allot_kernel *kernel, allot_array *number)
{
    allot_future *future = allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_inout(number)),
                                        ALLOT_HINTS(.place = ALLOT_OPENCL));
    bool fine = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    allot_release(future);
    return fine;
}

static bool is_cold(const bench_round *round)
{
    return strstr(bench_question(round), "_cold") != NULL;
}

void opencl_first(bench_round *round)
{
    static const allot_param params[] = {
        { .name = "x", .access = ALLOT_READ_WRITE, .type = ALLOT_I32, .distribution = ALLOT_SLICED }
    };
    if (is_cold(round) && !forget_all(round))
        return;
    int64_t start_ns = bench_now_ns();
    allot_executor *executor = ours_executor(round);
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = OPENCL_TASK_NAME, .params = params, .param_count = 1,
                                         .opencl_source = OPENCL_TASK_TEXT));
    allot_array *number = allot_array_full(executor, ALLOT_I32, 1, 41);
    bool fine = executor && kernel && number && bump(executor, kernel, number);
    int64_t took_ns = bench_now_ns() - start_ns;
    const int *value = fine ? allot_array_map(number, ALLOT_READ) : NULL;
    if (!value && !ours_place(round, ALLOT_OPENCL))
        return;
    if (!value || *value != 42)
        bench_fail(round, "the first kernel made %d of 41", value ? *value : -1);
    else
        bench_record(round, "", (double)took_ns);
    allot_array_unmap(number);
    allot_array_release(number);
    allot_kernel_release(kernel);
    allot_close(executor); /* which keeps programs on disk */
}

/* ---- The raw calls ---- */

/* The first device of the first platform that has one, as ours; NULL: there is none. */
static cl_device_id first_device(void)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_device_id device;
    cl_uint count = 0;
    if (clGetPlatformIDs(PLATFORMS_MAX, platforms, &count) != CL_SUCCESS)
        return NULL;
    for (cl_uint i = 0; i < count && i < PLATFORMS_MAX; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS)
            return device;
    return NULL;
}

/* All of it, each step after the one before went well; *number receives what became of 41. What it makes
 * stays: the process ends. */
static cl_int bump_raw(cl_device_id device, int *number)
{
    const char *text = OPENCL_TASK_TEXT;
    const size_t one = 1;
    int start = 41;
    cl_int code;
    cl_kernel kernel = NULL;
    cl_mem buffer = NULL;
    cl_program program = NULL;
    cl_command_queue queue = NULL;
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        queue = clCreateCommandQueue(context, device, 0, &code);
    if (code == CL_SUCCESS)
        program = clCreateProgramWithSource(context, 1, &text, NULL, &code);
    if (code == CL_SUCCESS)
        code = clBuildProgram(program, 1, &device, "", NULL, NULL);
    if (code == CL_SUCCESS)
        kernel = clCreateKernel(program, OPENCL_TASK_NAME, &code);
    if (code == CL_SUCCESS)
        buffer =
            clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof start, &start, &code);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
    if (code == CL_SUCCESS)
        code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof *number, number, 0, NULL, NULL);
    return code;
}

void opencl_first_raw(bench_round *round)
{
    int number = -1;
    if (is_cold(round) && !forget_all(round))
        return;
    int64_t start_ns = bench_now_ns();
    cl_device_id device = first_device();
    cl_int code = device ? bump_raw(device, &number) : CL_DEVICE_NOT_FOUND;
    int64_t took_ns = bench_now_ns() - start_ns;
    if (!device)
        bench_skip(round, "no such place here: opencl");
    else if (code != CL_SUCCESS || number != 42)
        bench_fail(round, "the first kernel made %d of 41 (%d)", number, (int)code);
    else
        bench_record(round, "", (double)took_ns);
}
