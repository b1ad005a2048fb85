#include "places/opencl/sizes.h"
#include <string.h>

#define LINE        256 /* items in a group of a long range: fills any vector, costs a CPU little a group */
#define SHORT_LINE  32  /* of a range that would else leave compute units without groups */
#define GROUPS_EACH 4   /* groups that each compute unit should get */
#define SIDE        8   /* of a group in 2 or 3 dimensions, at most */
#define SMALL       65536

/* Sizes of groups over tiles: 32 items fill a GPU's warp and leave a CPU enough groups to share out. */
static const size_t tile_groups[3][3] = { { 32, 1, 1 }, { 8, 4, 1 }, { 4, 4, 2 } };

static bool any(const size_t size[3])
{
    return size[0] || size[1] || size[2];
}

/* ---- What the kernel says ---- */

/* A text that has one of the names is taken to use it, also in a comment. */
static bool names(const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; text && i < count; i++)
        if (strstr(text, names[i]))
            return true;
    return false;
}

/* A range in two pieces has other sizes, groups and offsets than the range. */
static bool names_groups(const char *text)
{
    static const char *const of_range[] = { "get_global_size", "get_global_offset", "get_global_linear_id",
                                            "get_num_groups",  "get_group_id",      "#include" };
    return names(text, of_range, sizeof of_range / sizeof of_range[0]);
}

/* What has to do with its own group in any way: local memory, ids and sizes, sub-groups, barriers; or a name
 * that is put together. */
static bool names_its_group(const char *text)
{
    static const char *const of_group[] = { "local", "group", "barrier", "##", "#include" };
    return names(text, of_group, sizeof of_group / sizeof of_group[0]);
}

static bool is_open(const allot_kernel *kernel)
{
    const allot_kernel_desc *desc = &kernel->desc;
    for (size_t i = 0; i < desc->param_count; i++)
        if (desc->params[i].local)
            return false;
    return desc->opencl_source && !kernel->reduces && !any(desc->local) &&
           !names_its_group(desc->opencl_source) && !names_its_group(desc->opencl_options);
}

void al_opencl_limits_init(al_opencl_limits *limits, const al_opencl_device *device, cl_kernel entry,
                           const allot_kernel *kernel)
{
    size_t group = 0, required[3] = { 0 };
    *limits = (al_opencl_limits){ 0 };
    if (clGetKernelWorkGroupInfo(entry, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof group, &group, NULL) ==
        CL_SUCCESS)
        limits->max_group = group;
    if (clGetKernelWorkGroupInfo(entry, device->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof required,
                                 required, NULL) == CL_SUCCESS)
        memcpy(limits->required, required, sizeof required);
    if (clGetKernelWorkGroupInfo(entry, device->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                                 sizeof group, &group, NULL) == CL_SUCCESS)
        limits->multiple = group;
    limits->open = is_open(kernel);
    const char *options = kernel->desc.opencl_options;
    limits->sees_groups = kernel->reduces || !kernel->desc.opencl_source ||
                          names_groups(kernel->desc.opencl_source) || names_groups(options);
}

/* ---- Choosing ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of one group. */
static size_t most_items(const al_opencl_device *device, const al_opencl_limits *limits)
{
    return limits->max_group ? smaller(limits->max_group, device->max_group) : device->max_group;
}

/* Halves what is too large, the longest dimension first. All are powers of two. */
static void shrink_to_fit(size_t local[3], const al_opencl_device *device, const al_opencl_limits *limits)
{
    size_t most = most_items(device, limits);
    for (size_t d = 0; d < 3; d++)
        while (local[d] > 1 && local[d] > device->max_local[d])
            local[d] /= 2;
    while (local[0] * local[1] * local[2] > 1 && local[0] * local[1] * local[2] > most) {
        size_t longest = local[0] >= local[1] && local[0] >= local[2] ? 0 : local[1] >= local[2] ? 1 : 2;
        local[longest] /= 2;
    }
}

static void divide(size_t local[3], const size_t global[3])
{
    for (size_t d = 0; d < 3; d++)
        while (global[d] % local[d])
            local[d] /= 2;
}

/* Whether a part of the range may have groups of its own, where their size does not divide it. */
static bool may_split(const al_launch *launch, const al_opencl_limits *limits)
{
    return launch->range.rank == 1 && !any(launch->kernel->desc.tile) && !limits->sees_groups &&
           !al_launch_has_offset(launch);
}

static void choose(const al_launch *launch, const al_opencl_device *device, const al_opencl_limits *limits,
                   al_opencl_sizes *sizes)
{
    size_t rank = launch->range.rank, each = LINE * GROUPS_EACH;
    bool tiled = any(launch->kernel->desc.tile), splits = may_split(launch, limits);
    size_t line = sizes->global[0] / each >= (size_t)device->compute_units ? LINE : SHORT_LINE;
    for (size_t d = 0; d < rank; d++)
        sizes->local[d] = tiled ? tile_groups[rank - 1][d] : rank == 1 ? line : SIDE;
    shrink_to_fit(sizes->local, device, limits);
    if (splits && sizes->local[0] == LINE && sizes->global[0] % LINE && sizes->global[0] % (LINE / 4) == 0)
        sizes->local[0] = LINE / 4; /* nearly as fast, and leaves no rest */
    if (splits && sizes->global[0] < LINE && sizes->global[0] % sizes->local[0])
        sizes->local[0] = 1; /* a second command would cost more than small groups do */
    if (splits)
        sizes->rest = sizes->global[0] % sizes->local[0];
    else if (!tiled)
        divide(sizes->local, sizes->global);
    sizes->has_local = sizes->chosen = true;
}

/* ---- Sizes ---- */

/* The kernel's own size, given in its descriptor or in its text. */
static void take(const size_t local[3], size_t rank, al_opencl_sizes *sizes)
{
    for (size_t d = 0; d < rank; d++)
        sizes->local[d] = local[d] ? local[d] : 1;
    sizes->has_local = true;
}

/* A kernel over tiles guards its edges, so that there may be more items. */
static void round_up(al_opencl_sizes *sizes)
{
    for (size_t d = 0; d < 3; d++)
        if (sizes->global[d] % sizes->local[d])
            sizes->global[d] +=
                sizes->local[d] - sizes->global[d] % sizes->local[d]; /* absurd ones are refused later */
}

/* The range, a work-item an index or a tile. */
static void count_items(const al_launch *launch, al_opencl_sizes *sizes)
{
    const size_t *tiles = launch->kernel->desc.tile;
    *sizes = (al_opencl_sizes){ .local = { 1, 1, 1 } };
    for (size_t d = 0; d < 3; d++) {
        size_t tile = tiles[d] ? tiles[d] : 1, range = launch->range.size[d];
        sizes->global[d] = range / tile + (range % tile != 0);
    }
}

void al_opencl_sizes_of(const al_launch *launch, const al_opencl_device *device,
                        const al_opencl_limits *limits, al_opencl_sizes *sizes)
{
    const allot_kernel_desc *desc = &launch->kernel->desc;
    count_items(launch, sizes);
    if (any(desc->local))
        take(desc->local, launch->range.rank, sizes);
    else if (any(limits->required))
        take(limits->required, launch->range.rank, sizes);
    else
        choose(launch, device, limits, sizes);
    if (any(desc->tile))
        round_up(sizes);
}

/* ---- Others ---- */

/* Which dimension is the one that memory runs along is the kernel's secret, so both ways are there. */
static const uint16_t variants[3][AL_OPENCL_VARIANTS - 1][3] = {
    { { 64, 1, 1 },
      { 128, 1, 1 },
      { 256, 1, 1 },
      { 512, 1, 1 },
      { 1024, 1, 1 },
      { 32, 1, 1 },
      { 2048, 1, 1 } },
    { { 16, 16, 1 }, { 32, 8, 1 }, { 8, 32, 1 }, { 64, 4, 1 }, { 4, 64, 1 }, { 256, 1, 1 }, { 1, 256, 1 } },
    { { 8, 8, 4 }, { 4, 8, 8 }, { 32, 4, 2 }, { 2, 4, 32 }, { 16, 4, 4 }, { 4, 4, 16 }, { 4, 4, 4 } },
};

/* Whether the device and the kernel take such a group, and it fills what the device runs in step. */
static bool is_legal(const size_t local[3], const al_opencl_device *device, const al_opencl_limits *limits)
{
    size_t items = local[0] * local[1] * local[2];
    for (size_t d = 0; d < 3; d++)
        if (local[d] > device->max_local[d])
            return false;
    return items <= most_items(device, limits) && (!limits->multiple || items % limits->multiple == 0);
}

/* Not if half of it would lie beyond the range. */
static bool fits_range(const al_launch *launch, const al_opencl_limits *limits, const al_opencl_sizes *sizes)
{
    bool tiled = any(launch->kernel->desc.tile), splits = may_split(launch, limits);
    for (size_t d = 0; d < launch->range.rank; d++)
        if (tiled ? sizes->local[d] / 2 >= sizes->global[d]
                  : sizes->local[d] > sizes->global[d] || (!splits && sizes->global[d] % sizes->local[d]))
            return false;
    return true;
}

bool al_opencl_sizes_variant(const al_launch *launch, const al_opencl_device *device,
                             const al_opencl_limits *limits, size_t variant, al_opencl_sizes *sizes)
{
    size_t standard[3];
    al_opencl_sizes_of(launch, device, limits, sizes);
    if (variant == 0 || !sizes->chosen || !limits->open)
        return variant == 0;
    memcpy(standard, sizes->local, sizeof standard);
    count_items(launch, sizes);
    for (size_t d = 0; d < 3; d++)
        sizes->local[d] = variants[launch->range.rank - 1][variant - 1][d];
    sizes->has_local = sizes->chosen = true;
    if (memcmp(sizes->local, standard, sizeof standard) == 0 || !is_legal(sizes->local, device, limits) ||
        !fits_range(launch, limits, sizes))
        return false;
    if (any(launch->kernel->desc.tile))
        round_up(sizes);
    else if (may_split(launch, limits))
        sizes->rest = sizes->global[0] % sizes->local[0];
    return true;
}

bool al_opencl_sizes_groups(const al_opencl_sizes *sizes, size_t *groups)
{
    *groups = 1;
    for (size_t d = 0; d < 3; d++)
        if (__builtin_mul_overflow(*groups, sizes->global[d] / sizes->local[d], groups))
            return false;
    return true;
}

al_opencl_shape al_opencl_shape_of(const al_opencl_sizes *sizes)
{
    bool small = sizes->global[0] < SMALL && sizes->global[1] < SMALL && sizes->global[2] < SMALL;
    al_opencl_shape shape = { .kind = 1 | (sizes->rest ? 2 : 0) | (small ? 4 : 0) };
    memcpy(shape.local, sizes->local, sizeof shape.local);
    return shape;
}
