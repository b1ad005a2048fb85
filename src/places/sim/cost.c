#include "places/sim/cost.h"
#include <math.h>
#include <string.h>

int64_t al_sim_ns(double seconds)
{
    double ns = seconds * 1e9;
    return ns < 0 ? 0 : ns < 9.2e18 ? (int64_t)llround(ns) : INT64_MAX / 2;
}

/* ---- Runs ---- */

static const al_sim_kernel *find_kernel(const al_sim_class *class, const char *name)
{
    for (size_t i = 0; i < class->kernel_count; i++)
        if (strcmp(class->kernels[i].name, name) == 0)
            return &class->kernels[i];
    return NULL;
}

static al_sim_cost scaled(const al_sim_point *point, double flops)
{
    double factor = flops / point->flops;
    return (al_sim_cost){ factor * point->mean_s, factor * point->stddev_s };
}

static double between(double low, double high, double share)
{
    return exp((1 - share) * log(low) + share * log(high));
}

static al_sim_cost from_points(const al_sim_kernel *kernel, double flops)
{
    const al_sim_point *points = kernel->points;
    size_t above = 0;
    while (above < kernel->count && points[above].flops < flops)
        above++;
    if (above == kernel->count)
        return scaled(&points[above - 1], flops);
    if (above == 0 || points[above].flops == flops)
        return scaled(&points[above], flops);
    const al_sim_point *low = &points[above - 1], *high = &points[above];
    double share = log(flops / low->flops) / log(high->flops / low->flops);
    double mean_s = between(low->mean_s, high->mean_s, share);
    double relative = (1 - share) * low->stddev_s / low->mean_s + share * high->stddev_s / high->mean_s;
    return (al_sim_cost){ mean_s, relative * mean_s };
}

static double figure(double value)
{
    return isfinite(value) && value > 0 ? value : 0;
}

al_sim_cost al_sim_cost_of(const al_sim_class *class, const char *kernel, allot_work work)
{
    const al_sim_kernel *known = find_kernel(class, kernel);
    double flops = figure(work.flops), bytes = figure(work.bytes);
    if (known && flops > 0)
        return from_points(known, flops);
    double mean_s = fmax(flops / class->flops_per_s, bytes / class->bytes_per_s); /* a roofline */
    return (al_sim_cost){ mean_s, class->noise * mean_s };
}

/* ---- Chance ---- */

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t al_sim_draw(uint64_t seed, uint64_t stream, uint64_t n)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t state = mixed(seed * step + stream);
    return mixed(state + (n + 1) * step);
}

/* From 0 to 1, neither included. */
static double uniform(uint64_t draw)
{
    return ((double)(draw >> 11) + 0.5) * 0x1p-53;
}

/* Normal by Box and Muller, A note on the generation of random normal deviates, 1958. */
double al_sim_cost_drawn(al_sim_cost cost, uint64_t draw)
{
    if (!(cost.stddev_s > 0) || !(cost.mean_s > 0))
        return cost.mean_s;
    const double turn = 6.283185307179586;
    double normal = sqrt(-2 * log(uniform(draw))) * cos(turn * uniform(mixed(draw + 1)));
    double relative = cost.stddev_s / cost.mean_s, variance = log1p(relative * relative);
    return cost.mean_s * exp(sqrt(variance) * normal - variance / 2);
}

/* ---- Faults ---- */

static bool concerns(const al_sim_fault *fault, size_t device)
{
    return fault->device < 0 || (size_t)fault->device == device;
}

/* How many times slower than at full speed it is at a moment, and until when that holds. */
static double slowness(const al_sim_class *class, size_t device, int64_t at_ns, int64_t *until_ns)
{
    double slower = 1;
    int64_t since_ns = -1;
    *until_ns = INT64_MAX;
    for (size_t i = 0; i < class->fault_count; i++) {
        const al_sim_fault *fault = &class->faults[i];
        if (!(fault->slower > 0) || !concerns(fault, device))
            continue;
        int64_t from_ns = al_sim_ns(fault->at_s);
        if (from_ns > at_ns && from_ns < *until_ns)
            *until_ns = from_ns;
        if (from_ns <= at_ns && from_ns >= since_ns) {
            since_ns = from_ns;
            slower = fault->slower;
        }
    }
    return slower;
}

int64_t al_sim_end_ns(const al_sim_class *class, size_t device, int64_t start_ns, int64_t duration_ns)
{
    double left_ns = (double)duration_ns;
    for (;;) {
        int64_t until_ns;
        double slower = slowness(class, device, start_ns, &until_ns), takes_ns = left_ns * slower;
        if (until_ns == INT64_MAX || takes_ns <= (double)(until_ns - start_ns)) {
            double end_ns = (double)start_ns + takes_ns;
            return end_ns < 9.2e18 ? start_ns + (int64_t)llround(takes_ns) : INT64_MAX / 2;
        }
        left_ns -= (double)(until_ns - start_ns) / slower;
        start_ns = until_ns;
    }
}

int64_t al_sim_death_ns(const al_sim_class *class, size_t device)
{
    int64_t first_ns = INT64_MAX;
    for (size_t i = 0; i < class->fault_count; i++) {
        const al_sim_fault *fault = &class->faults[i];
        if (fault->dies && concerns(fault, device) && al_sim_ns(fault->at_s) < first_ns)
            first_ns = al_sim_ns(fault->at_s);
    }
    return first_ns;
}

bool al_sim_fails(const al_sim_class *class, size_t device, uint64_t n)
{
    for (size_t i = 0; i < class->fault_count; i++)
        if (class->faults[i].each && concerns(&class->faults[i], device) && n % class->faults[i].each == 0)
            return true;
    return false;
}
