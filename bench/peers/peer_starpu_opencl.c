/* Asks StarPU's OpenCL driver: its only worker is the first device, a CPU where there is no other. Tasks are
 * asynchronous codelets with a number each, submitted and then all waited for; the numbers come back when
 * they are acquired, outside the clock. */
#include "../opencl_task.h"
#include "../round.h"
#include <stdlib.h>
#include <starpu.h>
#include <starpu_opencl.h>

#define BATCHES 5

static struct starpu_opencl_program program;
static _Atomic size_t failed;

/* In its worker's thread: the driver waits for what was enqueued by itself. */
static void bump(void *buffers[], void *arguments)
{
    cl_kernel kernel;
    cl_command_queue queue;
    const size_t one = 1;
    (void)arguments;
    cl_mem number = (cl_mem)STARPU_VARIABLE_GET_PTR(buffers[0]);
    cl_int code = starpu_opencl_load_kernel(&kernel, &queue, &program, OPENCL_TASK_NAME,
                                            starpu_worker_get_devid(starpu_worker_get_id()));
    if (code == CL_SUCCESS)
        code = clSetKernelArg(kernel, 0, sizeof number, &number);
    if (code == CL_SUCCESS)
        code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        failed++;
    starpu_opencl_release_kernel(kernel);
}

static struct starpu_codelet codelet = { .opencl_funcs = { bump },
                                         .opencl_flags = { STARPU_OPENCL_ASYNC },
                                         .nbuffers = 1,
                                         .modes = { STARPU_RW },
                                         .name = OPENCL_TASK_NAME };

static bool open_starpu(bench_round *round)
{
    static bool opened;
    struct starpu_conf conf;
    if (opened)
        return true;
    setenv("STARPU_SILENT", "1", 1);
    setenv("STARPU_BUS_CALIBRATE", "0", 1);
    setenv("STARPU_OPENCL_ON_CPUS", "1", 1);
    starpu_conf_init(&conf);
    conf.ncpus = conf.ncuda = 0;
    conf.nopencl = 1;
    conf.sched_policy_name = "eager";
    int error = starpu_init(&conf);
    opened = error == 0 && starpu_opencl_worker_get_count() == 1 &&
             starpu_opencl_load_opencl_from_string(OPENCL_TASK_TEXT, &program, NULL) == CL_SUCCESS;
    if (!opened)
        bench_skip(round, "starpu_init answered %d, with %u OpenCL workers", error,
                   error ? 0 : starpu_opencl_worker_get_count());
    return opened;
}

static bool run_batch(starpu_data_handle_t *handles)
{
    for (size_t i = 0; i < OPENCL_TASKS; i++) {
        struct starpu_task *task = starpu_task_create();
        task->cl = &codelet;
        task->handles[0] = handles[i];
        if (starpu_task_submit(task) != 0)
            return false;
    }
    return starpu_task_wait_for_all() == 0 && !failed;
}

static void check(bench_round *round, starpu_data_handle_t *handles, const int *numbers, int batches)
{
    for (size_t i = 0; i < OPENCL_TASKS && bench_fine(round); i++) {
        starpu_data_acquire(handles[i], STARPU_R);
        if (numbers[i] != batches)
            bench_fail(round, "a number is %d after %d batches", numbers[i], batches);
        starpu_data_release(handles[i]);
    }
}

static void ask(bench_round *round)
{
    static starpu_data_handle_t handles[OPENCL_TASKS];
    static int numbers[OPENCL_TASKS], batches;
    int64_t times_ns[BATCHES];
    if (!open_starpu(round))
        return;
    for (size_t i = 0; i < OPENCL_TASKS && !batches; i++)
        starpu_variable_data_register(&handles[i], STARPU_MAIN_RAM, (uintptr_t)&numbers[i],
                                      sizeof numbers[i]);
    bool fine = run_batch(handles);
    for (size_t i = 0; i < BATCHES && fine; i++) {
        int64_t start_ns = bench_now_ns();
        fine = run_batch(handles);
        times_ns[i] = bench_now_ns() - start_ns;
    }
    batches += BATCHES + 1;
    if (!fine)
        bench_fail(round, "a task failed");
    check(round, handles, numbers, batches);
    if (bench_fine(round))
        bench_record(round, "", (double)bench_middle(times_ns, BATCHES) / OPENCL_TASKS);
}

int main(int argc, char **argv)
{
    return bench_answer(argc, argv, ask);
}
