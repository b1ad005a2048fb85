/* In place of the answers about OpenCL in a build without it. */
#include "opencl.h"

void opencl_launch(bench_round *round)
{
    bench_skip(round, "built without OpenCL");
}

void opencl_launch_raw(bench_round *round)
{
    bench_skip(round, "built without OpenCL");
}
