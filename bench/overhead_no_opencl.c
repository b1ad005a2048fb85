/* In place of overhead_opencl.c in a build without OpenCL. */
#include "overhead.h"

void overhead_opencl_launch(bench_round *round)
{
    bench_skip(round, "built without OpenCL");
}

void overhead_opencl_launch_raw(bench_round *round)
{
    bench_skip(round, "built without OpenCL");
}
