/* opencl_task, as ours, the raw calls and peers do it: so many tasks, each with a number of its own. */
#ifndef BENCH_OPENCL_TASK_H
#define BENCH_OPENCL_TASK_H

#define OPENCL_TASKS     1000
#define OPENCL_TASK_NAME "bump"
#define OPENCL_TASK_TEXT "kernel void bump(global int *x)\n{\n    x[get_global_id(0)] += 1;\n}\n"

#endif
