/* Workloads by name: tiled factorisations, a stencil in time, map and reduce, random layers, a stream. */
#include "scenario.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A square of tiles. */
typedef struct square {
    al_scenario *to;
    size_t tiles;
    double n, bytes;       /* of a tile: rows, and bytes */
    uint32_t first, other; /* arrays: the tiles row by row, and a second such square */
} square;

static uint32_t at(const square *on, size_t row, size_t column)
{
    return on->first + (uint32_t)(row * on->tiles + column);
}

static square make_square(al_scenario *to, const al_scenario_size *size)
{
    square made = { to, size->tiles, (double)size->tile, 0, 0, 0 };
    made.bytes = size->bytes > 0 ? size->bytes : 4 * made.n * made.n;
    made.first = (uint32_t)to->array_count;
    for (size_t i = 0; i < made.tiles * made.tiles; i++)
        al_scenario_array(to, made.bytes);
    return made;
}

/* Right-looking, of the lower triangle. Operations as the measured points of bench/data/machines count them.
 */
static void cholesky(al_scenario *to, const al_scenario_size *size)
{
    square a = make_square(to, size);
    double n = a.n, cubed = n * n * n, squared = n * n;
    uint32_t potrf = al_scenario_kernel_of(to, "potrf", "u"), trsm = al_scenario_kernel_of(to, "trsm", "ru");
    uint32_t syrk = al_scenario_kernel_of(to, "syrk", "ru"), gemm = al_scenario_kernel_of(to, "gemm", "rru");
    for (size_t k = 0; k < a.tiles; k++) {
        al_scenario_launch(to, potrf, cubed / 3 + squared / 2 + n / 6, 0, (uint32_t[]){ at(&a, k, k) });
        for (size_t i = k + 1; i < a.tiles; i++)
            al_scenario_launch(to, trsm, cubed + squared, 0, (uint32_t[]){ at(&a, k, k), at(&a, i, k) });
        for (size_t i = k + 1; i < a.tiles; i++) {
            al_scenario_launch(to, syrk, cubed + squared, 0, (uint32_t[]){ at(&a, i, k), at(&a, i, i) });
            for (size_t j = k + 1; j < i; j++)
                al_scenario_launch(to, gemm, 2 * cubed, 0,
                                   (uint32_t[]){ at(&a, i, k), at(&a, j, k), at(&a, i, j) });
        }
    }
}

/* Without pivoting. */
static void lu(al_scenario *to, const al_scenario_size *size)
{
    square a = make_square(to, size);
    double n = a.n, cubed = n * n * n, squared = n * n;
    uint32_t getrf = al_scenario_kernel_of(to, "getrf", "u"), trsm = al_scenario_kernel_of(to, "trsm", "ru");
    uint32_t gemm = al_scenario_kernel_of(to, "gemm", "rru");
    for (size_t k = 0; k < a.tiles; k++) {
        al_scenario_launch(to, getrf, 2 * cubed / 3, 0, (uint32_t[]){ at(&a, k, k) });
        for (size_t i = k + 1; i < a.tiles; i++) {
            al_scenario_launch(to, trsm, cubed + squared, 0, (uint32_t[]){ at(&a, k, k), at(&a, i, k) });
            al_scenario_launch(to, trsm, cubed + squared, 0, (uint32_t[]){ at(&a, k, k), at(&a, k, i) });
        }
        for (size_t i = k + 1; i < a.tiles; i++)
            for (size_t j = k + 1; j < a.tiles; j++)
                al_scenario_launch(to, gemm, 2 * cubed, 0,
                                   (uint32_t[]){ at(&a, i, k), at(&a, k, j), at(&a, i, j) });
    }
}

/* A flat tree; operations of its kernels as in Buttari, Langou, Kurzak and Dongarra, A class of parallel
 * tiled linear algebra algorithms for multicore architectures, 2009. */
static void qr(al_scenario *to, const al_scenario_size *size)
{
    square a = make_square(to, size);
    al_scenario_size small = *size;
    small.bytes = 4 * a.n * 32; /* the triangular factors of 32 columns each */
    square t = make_square(to, &small);
    double cubed = a.n * a.n * a.n;
    uint32_t geqrt = al_scenario_kernel_of(to, "geqrt", "uw"),
             unmqr = al_scenario_kernel_of(to, "unmqr", "rru");
    uint32_t tsqrt = al_scenario_kernel_of(to, "tsqrt", "uuw");
    uint32_t tsmqr = al_scenario_kernel_of(to, "tsmqr", "rruu");
    for (size_t k = 0; k < a.tiles; k++) {
        al_scenario_launch(to, geqrt, 2 * cubed, 0, (uint32_t[]){ at(&a, k, k), at(&t, k, k) });
        for (size_t j = k + 1; j < a.tiles; j++)
            al_scenario_launch(to, unmqr, 3 * cubed, 0,
                               (uint32_t[]){ at(&a, k, k), at(&t, k, k), at(&a, k, j) });
        for (size_t i = k + 1; i < a.tiles; i++) {
            al_scenario_launch(to, tsqrt, 10 * cubed / 3, 0,
                               (uint32_t[]){ at(&a, k, k), at(&a, i, k), at(&t, i, k) });
            for (size_t j = k + 1; j < a.tiles; j++)
                al_scenario_launch(to, tsmqr, 5 * cubed, 0,
                                   (uint32_t[]){ at(&a, i, k), at(&t, i, k), at(&a, k, j), at(&a, i, j) });
        }
    }
}

/* A row of blocks; each step computes each from itself and its neighbours, into the other of two rows. */
static void stencil(al_scenario *to, const al_scenario_size *size)
{
    size_t width = size->tiles, steps = size->steps;
    double bytes = size->bytes > 0 ? size->bytes : 4e6, flops = size->flops > 0 ? size->flops : 2.5 * bytes;
    uint32_t kernel = al_scenario_kernel_of(to, "stencil", "rrrw"), first = (uint32_t)to->array_count;
    for (size_t i = 0; i < 2 * width; i++)
        al_scenario_array(to, bytes);
    for (size_t step = 0; step < steps; step++) {
        uint32_t from = first + (uint32_t)(step % 2 * width),
                 into = first + (uint32_t)((step + 1) % 2 * width);
        for (size_t i = 0; i < width; i++) {
            uint32_t here = (uint32_t)i, left = i ? here - 1 : here, right = i + 1 < width ? here + 1 : here;
            al_scenario_launch(to, kernel, flops, 0,
                               (uint32_t[]){ from + left, from + here, from + right, into + here });
        }
    }
}

/* `tiles` blocks are mapped, and the results reduced by trees of `degree`. */
static void map_reduce(al_scenario *to, const al_scenario_size *size)
{
    size_t count = size->tiles, degree = size->degree;
    double bytes = size->bytes > 0 ? size->bytes : 16e6, flops = size->flops > 0 ? size->flops : 100 * bytes;
    uint32_t map = al_scenario_kernel_of(to, "map", "rw"), reduce = al_scenario_kernel_of(to, "reduce", "ur");
    uint32_t first = (uint32_t)to->array_count;
    for (size_t i = 0; i < 2 * count; i++)
        al_scenario_array(to, i < count ? bytes : bytes / 16);
    for (size_t i = 0; i < count; i++)
        al_scenario_launch(to, map, flops, 0,
                           (uint32_t[]){ first + (uint32_t)i, first + (uint32_t)(count + i) });
    for (size_t apart = 1; apart < count; apart *= degree)
        for (size_t i = 0; i < count; i += apart * degree)
            for (size_t j = i + apart; j < count && j < i + apart * degree; j += apart)
                al_scenario_launch(
                    to, reduce, bytes / 64, 0,
                    (uint32_t[]){ first + (uint32_t)(count + i), first + (uint32_t)(count + j) });
}

/* A step of xorshift64* (Vigna, An experimental exploration of Marsaglia's xorshift generators, 2016). */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Layers of `width` launches; each reads up to `degree` results of the layer before. */
static void layers(al_scenario *to, const al_scenario_size *size)
{
    size_t depth = size->tiles, width = size->width, degree = size->degree;
    double bytes = size->bytes > 0 ? size->bytes : 4e6, flops = size->flops > 0 ? size->flops : 1e9;
    uint64_t state = size->seed * 2654435761u + 88172645463325252u;
    uint32_t before = 0;
    for (size_t layer = 0; layer < depth && !to->no_memory; layer++) {
        uint32_t first = (uint32_t)to->array_count;
        for (size_t i = 0; i < width; i++) {
            char pattern[AL_SCENARIO_ACCESSES + 1] = "w", name[AL_SCENARIO_NAME];
            uint32_t arrays[AL_SCENARIO_ACCESSES] = { al_scenario_array(to, bytes) };
            size_t reads = layer ? 1 + draw(&state) % degree : 0;
            for (size_t j = 1; j <= reads; j++) {
                pattern[j] = 'r';
                arrays[j] = before + (uint32_t)(draw(&state) % width);
            }
            pattern[reads + 1] = '\0';
            size_t kind = draw(&state) % 4; /* kinds differ in how much they compute */
            snprintf(name, sizeof name, "layer%zu", kind);
            al_scenario_launch(to, al_scenario_kernel_of(to, name, pattern),
                               flops * pow(4, (double)kind - 1.5), 0, arrays);
        }
        before = first;
    }
}

enum {
    STAGES_MOST = 64
};

/* `tiles` items pass through `steps` stages of their own. */
static void stream(al_scenario *to, const al_scenario_size *size)
{
    size_t items = size->tiles, stages = size->steps;
    double bytes = size->bytes > 0 ? size->bytes : 8e6, flops = size->flops > 0 ? size->flops : 50 * bytes;
    uint32_t kernels[STAGES_MOST];
    for (size_t s = 0; s < stages; s++) {
        char name[AL_SCENARIO_NAME];
        snprintf(name, sizeof name, "stage%zu", s);
        kernels[s] = al_scenario_kernel_of(to, name, "ru");
    }
    uint32_t first = (uint32_t)to->array_count;
    for (size_t s = 0; s < stages; s++)
        al_scenario_array(to, bytes / 8); /* what a stage looks things up in */
    for (size_t i = 0; i < items; i++) {
        uint32_t item = al_scenario_array(to, bytes);
        for (size_t s = 0; s < stages; s++)
            al_scenario_launch(to, kernels[s], flops * (double)(1 + s % 3), 0,
                               (uint32_t[]){ first + (uint32_t)s, item });
    }
}

/* ---- How many launches that comes to ---- */

static double triangle_count(const al_scenario_size *size)
{
    double tiles = (double)size->tiles;
    return tiles * (tiles + 1) * (tiles + 2) / 6;
}

static double square_count(const al_scenario_size *size)
{
    double tiles = (double)size->tiles;
    return tiles * (tiles + 1) * (2 * tiles + 1) / 6;
}

static double stepped_count(const al_scenario_size *size)
{
    return (double)size->tiles * (double)size->steps;
}

static double reduced_count(const al_scenario_size *size)
{
    return 2 * (double)size->tiles - 1;
}

static double layered_count(const al_scenario_size *size)
{
    return (double)size->tiles * (double)size->width;
}

/* ---- All of them ---- */

static const struct generator {
    const char *name;
    void (*make)(al_scenario *to, const al_scenario_size *size);
    double (*count)(const al_scenario_size *size);
    al_scenario_size usual;
} generators[] = {
    { "cholesky", cholesky, triangle_count, { .tiles = 16, .tile = 960 } },
    { "lu", lu, square_count, { .tiles = 16, .tile = 960 } },
    { "qr", qr, square_count, { .tiles = 16, .tile = 960 } },
    { "stencil", stencil, stepped_count, { .tiles = 64, .steps = 20 } },
    { "map_reduce", map_reduce, reduced_count, { .tiles = 256, .degree = 8 } },
    { "layers", layers, layered_count, { .tiles = 50, .width = 20, .degree = 3 } },
    { "stream", stream, stepped_count, { .tiles = 200, .steps = 4 } },
};

static al_scenario_size complete(const al_scenario_size *given, const al_scenario_size *usual)
{
    al_scenario_size size = *given;
    size.tiles = size.tiles ? size.tiles : usual->tiles;
    size.tile = size.tile ? size.tile : usual->tile;
    size.steps = size.steps ? size.steps : usual->steps;
    size.width = size.width ? size.width : usual->width;
    size.degree = size.degree ? size.degree : usual->degree;
    return size;
}

/* A launch takes some 5 KiB while it waits: what would not fit is refused before it takes the machine. */
static bool fits(const struct generator *by, const al_scenario_size *size, al_problem *problem)
{
    double launches = by->count(size), needed = 5 * 1024 * launches;
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (needed <= memory)
        return true;
    return al_problem_set(problem, AL_EXIT_INPUT,
                          "%s: too large: %.3g launches would take %.3g GiB of memory, and this machine has "
                          "%.3g GiB: give fewer tiles, steps or a smaller width",
                          by->name, launches, needed / 0x1p30, memory / 0x1p30);
}

static bool is_possible(const struct generator *by, const al_scenario_size *size, al_problem *problem)
{
    if (by->make == map_reduce && size->degree < 2)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: degree: expected 2 or more", by->name);
    if (by->make == layers && size->degree > AL_SCENARIO_ACCESSES - 1)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: degree: expected at most %d", by->name,
                              AL_SCENARIO_ACCESSES - 1);
    if (by->make == stream && size->steps > STAGES_MOST)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: steps: expected at most %d", by->name,
                              STAGES_MOST);
    return fits(by, size, problem);
}

bool al_scenario_generate(al_scenario *scenario, const char *generator, const al_scenario_size *size,
                          al_problem *problem)
{
    char names[200] = "";
    for (size_t i = 0; i < sizeof generators / sizeof generators[0]; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", generators[i].name);
        if (strcmp(generators[i].name, generator) != 0)
            continue;
        al_scenario_size whole = complete(size, &generators[i].usual);
        if (!is_possible(&generators[i], &whole, problem))
            return false;
        generators[i].make(scenario, &whole);
        if (scenario->no_memory)
            return al_problem_set(problem, AL_EXIT_INPUT, "%s: out of memory", generator);
        return true;
    }
    return al_problem_set(problem, AL_EXIT_INPUT, "generator '%.40s': expected one of %s", generator, names);
}
