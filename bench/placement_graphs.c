/* What a decision costs on machines of many places, and whole graphs by the command. */
#include "placement.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAUNCHES 20000

/* ---- Decisions ---- */

/* A machine of so many places, of `classes` unlike classes. */
static bool write_machine(const char *path, int places, int classes)
{
    FILE *to = fopen(path, "we");
    if (!to)
        return false;
    fprintf(to, "{ \"name\": \"many\", \"classes\": [\n");
    for (int i = 0; i < classes; i++)
        fprintf(to,
                " { \"name\": \"c%d\", \"kind\": \"%s\", \"count\": %d, \"flops_per_s\": %d000000000, "
                "\"bytes_per_s\": "
                "100000000000, \"launch_s\": 1e-6 }%s\n",
                i, i ? "opencl" : "thread", places / classes, 10 + i, i + 1 < classes ? "," : "");
    fprintf(to, "] }\n");
    return fclose(to) == 0;
}

/* So many nodes of a processor and eight devices with memories of their own. */
static bool write_nodes(const char *path, int nodes)
{
    FILE *to = fopen(path, "we");
    if (!to)
        return false;
    fprintf(
        to,
        "{ \"name\": \"nodes\", \"nodes\": %d, \"network\": { \"bytes_per_s\": 5e10, \"latency_s\": 2e-6 },"
        " \"classes\": [ { \"name\": \"cpu\", \"flops_per_s\": 1e10, \"bytes_per_s\": 1e11 },"
        " { \"name\": \"gpu\", \"kind\": \"opencl\", \"count\": 8, \"flops_per_s\": 2e10, "
        "\"bytes_per_s\": 1e12, \"launch_s\": 1e-6, \"own_memory\": true, "
        "\"to\": { \"bytes_per_s\": 5e10 }, \"from\": { \"bytes_per_s\": 5e10 } } ] }\n",
        nodes);
    return fclose(to) == 0;
}

static allot_status nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static allot_work some_work(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type, (void)args;
    return (allot_work){ 1e3 * (double)range.size[0], 8 * (double)range.size[0] };
}

static void launch_all(bench_round *round, allot_executor *executor, size_t count)
{
    static const allot_param params[] = { { .name = "y", .type = ALLOT_F32, .access = ALLOT_WRITE } };
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "many", .params = params, .param_count = 1, .cpu = nothing, .work = some_work));
    allot_future **futures = bench_allocate(64, sizeof *futures);
    allot_array *arrays[64];
    for (size_t i = 0; i < 64; i++)
        arrays[i] = allot_array_new(executor, ALLOT_F32, 1000);
    for (size_t done = 0; done < count; done += 64) {
        for (size_t i = 0; i < 64; i++)
            futures[i] = allot_launch(executor, kernel, allot_range(1000 + 16 * (i % 4)),
                                      ALLOT_ARGS(allot_out_view(allot_view_1d(arrays[i], 0, 1000))), NULL);
        allot_wait_all(futures, 64, ALLOT_FOREVER);
        for (size_t i = 0; i < 64; i++)
            if (allot_future_status(futures[i]) != ALLOT_OK)
                bench_fail(round, "a launch failed: %s", allot_future_error(futures[i]));
        allot_release_all(futures, 64);
    }
    for (size_t i = 0; i < 64; i++)
        allot_array_release(arrays[i]);
    allot_kernel_release(kernel);
    free(futures);
}

/* As many nodes or places as producers are asked for; places are all unlike up to 64. */
void placement_decision(bench_round *round)
{
    char path[] = "/tmp/allot-bench-XXXXXX";
    int count = bench_producers(round), file = mkstemp(path);
    bool nodes = strstr(bench_question(round), "nodes") != NULL;
    if (file < 0 ||
        !(nodes ? write_nodes(path, count) : write_machine(path, count, count <= 64 ? count : 8))) {
        bench_fail(round, "no temporary file");
        return;
    }
    close(file);
    allot_executor *executor = allot_open(
        ALLOT_OPTIONS(.machine = path, .model = "off",
                      .policy = strcmp(bench_system(round), "allot") != 0 ? bench_system(round) : "eft"));
    unlink(path);
    if (!executor) {
        bench_fail(round, "%s", allot_open_error());
        return;
    }
    allot_metrics before = { .size = sizeof before }, after = { .size = sizeof after };
    launch_all(round, executor, 2000);
    allot_get_metrics(executor, &before);
    size_t launches = bench_count(round, LAUNCHES) / 64 * 64;
    launch_all(round, executor, launches);
    allot_get_metrics(executor, &after);
    allot_close(executor);
    bench_record(round, "", (double)(after.deciding_ns - before.deciding_ns) / (double)launches);
}

/* ---- Graphs ---- */

/* The folder that this program's own lies in: the command's. */
static bool find_command(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    for (int up = 0; up < 2; up++)
        *strrchr(path, '/') = '\0';
    size_t used = strlen(path);
    snprintf(path + used, size - used, "/allot");
    return access(path, X_OK) == 0;
}

/* The number behind a key of the command's JSON; negative if it is not there. */
static double number_of(const char *json, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(json, quoted);
    return at ? strtod(at + strlen(quoted), NULL) : -1;
}

static bool read_all(const char *line, char *text, size_t size)
{
    FILE *from = popen(line, "re");
    size_t used = from ? fread(text, 1, size - 1, from) : 0;
    text[used] = '\0';
    return from && pclose(from) == 0;
}

/* Cholesky of as many tiles as producers are asked for, on the machine that the question's end names: the
 * last of three runs, so that kernels are known, as a ratio to what no schedule can beat. Each round has
 * other noise, the same for all systems. */
void placement_makespan(bench_round *round)
{
    static char json[1 << 16];
    static unsigned seed;
    char command[4096], line[5000];
    const char *machine = strstr(bench_question(round), "sirocco") ? "sirocco" : "mirage";
    const char *policy = strcmp(bench_system(round), "allot") != 0 ? bench_system(round) : "heft";
    if (!find_command(command, sizeof command)) {
        bench_skip(round, "the command is not beside this program");
        return;
    }
    snprintf(line, sizeof line,
             "ALLOT_MODEL=off '%s' simulate --json --repeat 3 --seed %u --policy %s --tiles %d '%s/%s.json' "
             "'%s/../workloads/cholesky.json'",
             command, ++seed, policy, bench_quick(round) ? 4 : bench_producers(round), PLACEMENT_MACHINES,
             machine, PLACEMENT_MACHINES);
    if (!read_all(line, json, sizeof json) || number_of(json, "failed") != 0 ||
        !(number_of(json, "ratio") >= 0.5))
        bench_fail(round, "allot simulate failed: %.300s", json);
    else
        bench_record(round, "", number_of(json, "ratio"));
}
