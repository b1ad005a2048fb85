/* Homes of workers and the order of stealing, on machines that are not here: hwloc's synthetic ones, an XML
 * file, made-up /sys trees; and real executors under masks and quotas. */
#include "test.h"
#include "topology/cpus.h"
#include "topology/topology.h"
#include <allot/allot.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* 2 packages of 4 memory nodes of 64 cores, 8 to an L3, with two hardware threads each. */
#define LARGE       "pack:2 numa:4 l3:8 l2:8 core:1 pu:2"
#define LARGE_CORES 512

static char tree[] = "/tmp/allot_test_layout_XXXXXX";

/* Writes a file below the tree, making the folders on the way. */
static void put(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *text, const char *format, ...)
{
    char name[512], path[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(name, sizeof name, format, values);
    va_end(values);
    snprintf(path, sizeof path, "%s/%s", tree, name);
    for (char *slash = path + strlen(tree); (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        CU_ASSERT_FATAL(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    CU_ASSERT_FATAL(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void remove_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", tree);
    if (system(command) != 0)
        fprintf(stderr, "%s is left behind\n", tree);
}

/* NULL where hwloc is not built in. */
static al_cpu_list *synthetic(const char *description)
{
    bool here = true;
    al_cpu_list *list = al_cpus_hwloc(description, NULL, &here);
    CU_ASSERT(!list || !here);
    CU_ASSERT(list || !*al_hwloc_version());
    if (!list)
        printf("skipped: built without hwloc ");
    return list;
}

static al_layout *layout_of(const char *description, int workers)
{
    al_cpu_list *list = synthetic(description);
    al_layout *layout = list ? al_layout_create(list, workers) : NULL;
    free(list);
    return layout;
}

/* How many different values the homes of workers `begin` to `end` have in one member. */
static int different(const al_layout *layout, int begin, int end, size_t member)
{
    int found = 0;
    for (int i = begin; i < end; i++) {
        int value = *(const int *)((const char *)&layout->homes[i] + member), seen = 0;
        for (int j = begin; j < i; j++)
            seen |= *(const int *)((const char *)&layout->homes[j] + member) == value;
        found += !seen;
    }
    return found;
}
#define DIFFERENT(layout, begin, end, member) different(layout, begin, end, offsetof(al_cpu, member))

/* ---- How many ---- */

static void workers_follow_cpus_and_quota(void)
{
    static const struct {
        int cpus;
        double quota;
        int workers;
    } rows[] = { { 1, 0, 1 },       { 8, 0, 8 },    { 8, 1.5, 2 },     { 8, 0.2, 1 }, { 8, 4, 4 },
                 { 1024, 1.5, 2 },  { 2, 1.5, 2 },  { 2, 64, 2 },      { 0, 0, 1 },   { 1, 0.5, 1 },
                 { 1024, 0, 1024 }, { 8, 7.01, 8 }, { 1024, 512, 512 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        al_cpu_list list = { rows[i].cpus };
        CU_ASSERT_EQUAL(al_layout_default_workers(&list, rows[i].quota), rows[i].workers);
    }
}

/* ---- Homes ---- */

static void a_large_machine_is_filled_core_by_core(void)
{
    al_layout *layout = layout_of(LARGE, 2 * LARGE_CORES);
    if (!layout)
        return;
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 2 * LARGE_CORES, number), 2 * LARGE_CORES);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, LARGE_CORES, core), LARGE_CORES);
    CU_ASSERT_EQUAL(DIFFERENT(layout, LARGE_CORES, 2 * LARGE_CORES, core), LARGE_CORES);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, LARGE_CORES, numa_node), 8);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, LARGE_CORES, package), 2);
    for (int i = 0; i < 2 * LARGE_CORES; i++)
        CU_ASSERT_EQUAL(layout->homes[i].sibling, i / LARGE_CORES);
    free(layout);
}

static void few_workers_stay_together(void)
{
    al_layout *layout = layout_of(LARGE, 256);
    if (!layout)
        return;
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 8, l3), 1);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 64, numa_node), 1);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 65, numa_node), 2);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 256, numa_node), 4);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 256, package), 1);
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 256, core), 256);
    free(layout);
}

static void one_core_takes_all(void)
{
    al_layout *layout = layout_of("core:1 pu:1", 3);
    if (!layout)
        return;
    uint16_t order[2];
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(layout->homes[i].number, 0);
    al_layout_order(layout, 1, order, NULL);
    CU_ASSERT_EQUAL(order[0] + order[1], 2);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 2), AL_SAME_CPU);
    free(layout);
}

static void siblings_come_last(void)
{
    al_layout *layout = layout_of("pack:1 l3:1 core:4 pu:2", 6);
    if (!layout)
        return;
    CU_ASSERT_EQUAL(DIFFERENT(layout, 0, 4, core), 4);
    CU_ASSERT_EQUAL(layout->homes[4].core, layout->homes[0].core);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 4), AL_SAME_CORE);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 1), AL_SAME_CACHE);
    free(layout);
}

static void unknown_cpus_are_no_neighbours(void)
{
    al_cpu_list none = { 0 };
    al_layout *layout = al_layout_create(&none, 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
    CU_ASSERT_EQUAL(layout->homes[3].number, -1);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 1), AL_FAR);
    uint16_t order[3];
    al_layout_order(layout, 2, order, NULL);
    CU_ASSERT_EQUAL(order[0] + order[1] + order[2], 4);
    free(layout);
}

/* ---- Hybrid machines ---- */

static void write_object(FILE *file, const char *type, int index, unsigned mask, const char *more)
{
    static int unique;
    fprintf(
        file,
        "<object type=\"%s\" os_index=\"%d\" cpuset=\"0x%x\" complete_cpuset=\"0x%x\" allowed_cpuset=\"0xff\""
        " nodeset=\"0x1\" complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\" gp_index=\"%d\" %s\n",
        type, index, mask, mask, ++unique, more);
}

static void write_core(FILE *file, int core, int first, int count)
{
    write_object(file, "Core", core, ((1u << count) - 1) << first, ">");
    for (int i = first; i < first + count; i++)
        write_object(file, "PU", i, 1u << i, "/>");
    fputs("</object>\n", file);
}

/* Four efficient cores first, then two fast ones with two hardware threads each. */
static void write_hybrid(const char *path)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("<?xml version=\"1.0\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">\n",
          file);
    write_object(file, "Machine", 0, 0xff, ">");
    write_object(file, "NUMANode", 0, 0xff, "local_memory=\"1073741824\"/>");
    for (int core = 0; core < 4; core++)
        write_core(file, core, core, 1);
    write_core(file, 4, 4, 2);
    write_core(file, 5, 6, 2);
    fputs("</object>\n<cpukind cpuset=\"0x0f\" forced_efficiency=\"0\"/>\n"
          "<cpukind cpuset=\"0xf0\" forced_efficiency=\"1\"/>\n</topology>\n",
          file);
    fclose(file);
}

static void check_hybrid(const al_cpu_list *list)
{
    static const int numbers[] = { 4, 6, 0, 1, 2, 3, 5, 7 };
    CU_ASSERT_EQUAL_FATAL(list->count, 8);
    al_layout *layout = al_layout_create(list, 8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(layout->homes[i].number, numbers[i]);
    free(layout);
}

static void fast_cores_come_first(void)
{
    char path[128];
    bool here = true;
    snprintf(path, sizeof path, "%s/hybrid.xml", tree);
    write_hybrid(path);
    al_cpu_list *list = al_cpus_hwloc(NULL, path, &here);
    if (!list) {
        CU_ASSERT(!*al_hwloc_version());
        printf("skipped: built without hwloc ");
        return;
    }
    CU_ASSERT_FALSE(here);
    check_hybrid(list);
    free(list);
}

/* ---- Order ---- */

/* Every other worker once, nearer ones never after farther ones, and `ends` where the distance changes. */
static void check_order(const al_layout *layout, int worker, const uint16_t *order, const int *ends)
{
    static bool seen[2 * LARGE_CORES];
    memset(seen, 0, sizeof seen);
    bool right = ends[AL_DISTANCES - 1] == layout->workers - 1;
    al_distance last = AL_SAME_CPU;
    for (int i = 0; i < layout->workers - 1; i++) {
        al_distance distance = al_layout_distance(layout, worker, order[i]);
        right = right && order[i] != worker && order[i] < layout->workers && !seen[order[i]] &&
                distance >= last && i < ends[distance] && (distance == 0 || i >= ends[distance - 1]);
        seen[order[i]] = true;
        last = distance;
    }
    CU_ASSERT_TRUE(right);
}

static void stealing_goes_from_near_to_far(void)
{
    al_layout *layout = layout_of(LARGE, 2 * LARGE_CORES);
    if (!layout)
        return;
    static uint16_t order[2 * LARGE_CORES];
    int ends[AL_DISTANCES];
    for (int worker = 0; worker < layout->workers; worker += 37) {
        al_layout_order(layout, worker, order, ends);
        check_order(layout, worker, order, ends);
        CU_ASSERT_EQUAL(ends[AL_SAME_CPU], 0);
        CU_ASSERT_EQUAL(ends[AL_SAME_CORE], 1);
        CU_ASSERT_EQUAL(ends[AL_SAME_CACHE], 15);
        CU_ASSERT_EQUAL(ends[AL_SAME_NODE], 127);
        CU_ASSERT_EQUAL(ends[AL_SAME_PACKAGE], 511);
        CU_ASSERT_EQUAL(ends[AL_FAR], 1023);
    }
    free(layout);
}

/* How many workers have the same first victim at one distance, at worst. */
static int worst_crowd(const al_layout *layout, al_distance distance)
{
    static uint16_t order[2 * LARGE_CORES];
    int crowd[2 * LARGE_CORES] = { 0 }, worst = 0, ends[AL_DISTANCES];
    for (int worker = 0; worker < layout->workers; worker++) {
        al_layout_order(layout, worker, order, ends);
        int begin = distance ? ends[distance - 1] : 0;
        if (ends[distance] > begin && ++crowd[order[begin]] > worst)
            worst = crowd[order[begin]];
    }
    return worst;
}

static void thieves_do_not_crowd(void)
{
    al_layout *layout = layout_of("pack:2 numa:4 l3:2 core:8 pu:1", 128);
    if (!layout)
        return;
    CU_ASSERT_EQUAL(worst_crowd(layout, AL_SAME_CACHE), 1);
    CU_ASSERT(worst_crowd(layout, AL_SAME_NODE) <= 2);
    CU_ASSERT(worst_crowd(layout, AL_SAME_PACKAGE) <= 4);
    CU_ASSERT_EQUAL(worst_crowd(layout, AL_FAR), 1);
    free(layout);
}

static void no_layout_has_a_crowd(void)
{
    static const char *const machines[] = { "core:2 pu:1", "pack:2 core:3 pu:2", "pack:1 l3:1 core:7 pu:1",
                                            "numa:3 l2:2 core:2 pu:2", "pack:4 numa:2 l3:3 core:5 pu:2" };
    uint16_t order[256];
    int ends[AL_DISTANCES];
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
        for (int workers = 1; workers < 200; workers += 11) {
            al_layout *layout = layout_of(machines[i], workers);
            if (!layout)
                return;
            for (int worker = 0; worker < workers; worker++) {
                al_layout_order(layout, worker, order, ends);
                check_order(layout, worker, order, ends);
            }
            free(layout);
        }
}

/* ---- Masks ---- */

static bool odd_or_high(int number, const void *of)
{
    return number % 2 == 1 || number >= *(const int *)of;
}

static bool none(int number, const void *of)
{
    return number < 0 && of;
}

static void a_mask_with_holes_is_followed(void)
{
    al_cpu_list *list = synthetic("pack:1 l3:1 core:8 pu:2"); /* core n has CPUs 2n and 2n + 1 */
    if (!list)
        return;
    int high = 12;
    al_cpus_restrict(list, odd_or_high, &high); /* of cores 0 to 5 the second hardware thread alone */
    CU_ASSERT_EQUAL_FATAL(list->count, 10);
    al_layout *layout = al_layout_create(list, al_layout_default_workers(list, 0));
    CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
    static const int numbers[] = { 1, 3, 5, 7, 9, 11, 12, 14, 13, 15 };
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(layout->homes[i].number, numbers[i]);
    al_cpus_restrict(list, none, &high);
    CU_ASSERT_EQUAL(list->count, 10);
    free(layout);
    free(list);
}

/* ---- Without hwloc ---- */

static void put_cpu(const char *root, int cpu, const char *siblings, int package, const char *l3)
{
    char text[16];
    snprintf(text, sizeof text, "%d\n", package);
    put(siblings, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", root, cpu);
    put(text, "%s/sys/devices/system/cpu/cpu%d/topology/physical_package_id", root, cpu);
    put("3\n", "%s/sys/devices/system/cpu/cpu%d/cache/index0/level", root, cpu);
    put("Unified\n", "%s/sys/devices/system/cpu/cpu%d/cache/index0/type", root, cpu);
    put(l3, "%s/sys/devices/system/cpu/cpu%d/cache/index0/shared_cpu_list", root, cpu);
}

/* As many servers number them: 0 to 3 the cores of two packages, 4 to 7 their second hardware threads. */
static void flat_reads_sys(void)
{
    static const char *const siblings[] = { "0,4", "1,5", "2,6", "3,7" };
    char root[128];
    for (int cpu = 0; cpu < 8; cpu++)
        put_cpu("m", cpu, siblings[cpu % 4], cpu % 4 / 2, cpu % 4 / 2 ? "2-3,6-7" : "0-1,4-5");
    put("0-7\n", "m/sys/devices/system/cpu/online");
    put("0-1\n", "m/sys/devices/system/node/online");
    put("0-1,4-5\n", "m/sys/devices/system/node/node0/cpulist");
    put("2-3,6-7\n", "m/sys/devices/system/node/node1/cpulist");
    snprintf(root, sizeof root, "%s/m", tree);
    al_cpu_list *list = al_cpus_flat(root);
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    al_layout *layout = al_layout_create(list, 8);
    static const int numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(layout->homes[i].number, numbers[i]);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 4), AL_SAME_CORE);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 5), AL_SAME_CACHE);
    CU_ASSERT_EQUAL(al_layout_distance(layout, 0, 2), AL_FAR);
    CU_ASSERT_EQUAL(layout->homes[7].numa_node, 1);
    free(layout);
    free(list);
}

static void flat_knows_fast_cores(void)
{
    static const char *const siblings[] = { "0", "1", "2", "3", "4-5", "4-5", "6-7", "6-7" };
    char root[128];
    for (int cpu = 0; cpu < 8; cpu++)
        put_cpu("h", cpu, siblings[cpu], 0, "0-7");
    put("0-7\n", "h/sys/devices/system/cpu/online");
    put("4-7\n", "h/sys/devices/cpu_core/cpus");
    put("0-3\n", "h/sys/devices/cpu_atom/cpus");
    snprintf(root, sizeof root, "%s/h", tree);
    al_cpu_list *list = al_cpus_flat(root);
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    check_hybrid(list);
    free(list);
}

static void flat_needs_no_sys(void)
{
    static const char *const lists[] = { "",    "-",     "3-1",         "0-", "0-99999999999999999999",
                                         "a,b", "5,0-2", "0-2000000000" };
    al_cpu_list *list = al_cpus_flat("/nonexistent");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_EQUAL(list->count, sysconf(_SC_NPROCESSORS_ONLN));
    free(list);
    char root[128];
    snprintf(root, sizeof root, "%s/bad", tree);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        put(lists[i], "bad/sys/devices/system/cpu/online");
        list = al_cpus_flat(root);
        CU_ASSERT(list && list->count >= 1);
        free(list);
    }
}

static void flat_agrees_with_hwloc(void)
{
    bool here = false;
    al_cpu_list *known = al_cpus_hwloc(NULL, NULL, &here), *flat = al_cpus_flat("");
    if (known && here) {
        al_layout *a = al_layout_create(known, known->count), *b = al_layout_create(flat, flat->count);
        CU_ASSERT_EQUAL_FATAL(a->workers, b->workers);
        for (int i = 0; i < a->workers; i++) {
            CU_ASSERT_EQUAL(a->homes[i].number, b->homes[i].number);
            CU_ASSERT_EQUAL(al_layout_distance(a, 0, i), al_layout_distance(b, 0, i));
        }
        free(a);
        free(b);
    }
    free(known);
    free(flat);
}

/* ---- This machine ---- */

static void homes_can_be_bound(void)
{
    cpu_set_t before;
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    al_layout *layout = al_layout_here(al_usable_cpus());
    CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
    for (int i = 0; i < layout->workers; i++) {
        CU_ASSERT_TRUE(CPU_ISSET((size_t)layout->homes[i].number, &before));
        CU_ASSERT_TRUE(al_cpu_bind_here(layout->homes[i].number));
        CU_ASSERT_EQUAL(sched_getcpu(), layout->homes[i].number);
        CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof before, &before), 0);
    }
    CU_ASSERT_FALSE(al_cpu_bind_here(-1));
    CU_ASSERT_FALSE(al_cpu_bind_here(100000));
    free(layout);
}

static void addresses_have_nodes(void)
{
    int touched = 1;
    size_t size = 1 << 20;
    char *fresh = aligned_alloc(4096, size);
    CU_ASSERT(al_numa_node_of(&touched) >= 0);
    CU_ASSERT(al_numa_node_of(fresh) >= -1);
    int node = al_numa_node_asked(&touched); /* -1 where a sandbox forbids to ask */
    CU_ASSERT(node >= -1 && node < 1024);
    CU_ASSERT_EQUAL(al_numa_node_asked((void *)(uintptr_t)4096), -1);
    free(fresh);
}

static allot_status where(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(int *)out = sched_getcpu();
    return ALLOT_OK;
}

/* Opens an executor as it comes; how many threads its place has, or -1. Every task must run on a CPU of
 * `allowed`. */
static int threads_of_an_executor(const cpu_set_t *allowed)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    allot_metrics metrics = { .size = sizeof metrics };
    for (int i = 0; executor && i < 20; i++) {
        int cpu = -1;
        allot_future *future = allot_submit(executor, where, NULL, 0, sizeof cpu, NULL);
        bool right =
            allot_get(future, &cpu, sizeof cpu, ALLOT_FOREVER) == ALLOT_OK && CPU_ISSET((size_t)cpu, allowed);
        allot_release(future);
        if (!right)
            return -1;
    }
    if (!executor || allot_get_metrics(executor, &metrics) != ALLOT_OK)
        return -1;
    return allot_close(executor) == ALLOT_OK ? metrics.places[0].workers : -1;
}

/* Runs a check in this program anew, since an executor of a forked child would be refused. Returns its code.
 */
static int run_again(const char *what, const char *argument)
{
    pid_t child = fork();
    if (child == 0) {
        execl(test_program(), "test_layout", what, argument, (char *)NULL);
        _exit(99);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* "mask N": with CPU N alone, which leaves a hole below unless it is 0. Returns the number of threads. */
static int under_mask(int number)
{
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET((size_t)number, &mask);
    if (sched_setaffinity(0, sizeof mask, &mask) != 0)
        return 98;
    al_layout *layout = al_layout_here(1);
    bool right = layout && (layout->homes[0].number == number);
    free(layout);
    return right ? threads_of_an_executor(&mask) : 97;
}

static void executors_follow_the_mask(void)
{
    cpu_set_t before;
    char number[16];
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    int last = 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        last = CPU_ISSET((size_t)i, &before) ? i : last;
    snprintf(number, sizeof number, "%d", last);
    CU_ASSERT_EQUAL(run_again("mask", number), 1);
}

/* "quota FILE": with a /proc/self/mountinfo that says that the cgroup hierarchy is mounted in the test's
 * tree. 77: the system does not let us. Returns the number of threads. */
static int under_quota(const char *mountinfo)
{
    cpu_set_t mask;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(mountinfo, "/proc/self/mountinfo", NULL, MS_BIND, NULL) != 0)
        return TEST_SKIPPED;
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? threads_of_an_executor(&mask) : 98;
}

static void executors_follow_the_quota(void)
{
    static const double quotas[] = { 1.5, 0.5, 1, 1000 };
    int cpus = al_affinity_cpus();
    for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
        char text[512], path[128];
        snprintf(text, sizeof text, "%.0f 100000\n", quotas[i] * 100000);
        put(text, "cgroup/cpu.max");
        snprintf(text, sizeof text, "41 31 0:38 / %s/cgroup rw - cgroup2 cgroup2 rw\n", tree);
        put(text, "mountinfo");
        snprintf(path, sizeof path, "%s/mountinfo", tree);
        int threads = run_again("quota", path), whole = (int)ceil(quotas[i]);
        if (threads == TEST_SKIPPED) {
            printf("skipped: no mounts of its own ");
            return;
        }
        CU_ASSERT_EQUAL(threads, whole < cpus ? whole : cpus);
    }
}

/* "synthetic": hwloc's own variable stands for the machine, whose CPUs then are not this system's. */
static int under_synthetic(void)
{
    cpu_set_t mask;
    al_layout *layout = al_layout_here(16);
    bool right = layout && DIFFERENT(layout, 0, 16, number) == 16 && DIFFERENT(layout, 0, 8, core) == 8;
    free(layout);
    return right && sched_getaffinity(0, sizeof mask, &mask) == 0 ? threads_of_an_executor(&mask) : 97;
}

static void a_made_up_machine_stands_in(void)
{
    if (!*al_hwloc_version()) {
        printf("skipped: built without hwloc ");
        return;
    }
    setenv("HWLOC_SYNTHETIC", "pack:2 core:4 pu:2", 1);
    CU_ASSERT_EQUAL(run_again("synthetic", ""), al_usable_cpus());
    unsetenv("HWLOC_SYNTHETIC");
}

static const test_fact facts[] = {
    { "as many workers as CPUs, within the quota rounded up", workers_follow_cpus_and_quota },
    { "2 packages x 4 nodes x 64 cores x 2: each core once, then each core's second",
      a_large_machine_is_filled_core_by_core },
    { "few workers share caches, node and package", few_workers_stay_together },
    { "one core takes every worker", one_core_takes_all },
    { "second hardware threads come last", siblings_come_last },
    { "CPUs that nobody knows are no neighbours", unknown_cpus_are_no_neighbours },
    { "hybrid: fast cores, then efficient ones, then second threads", fast_cores_come_first },
    { "stealing goes from near to far, each other once", stealing_goes_from_near_to_far },
    { "thieves begin at different victims", thieves_do_not_crowd },
    { "any number of workers has an order", no_layout_has_a_crowd },
    { "a mask with holes leaves its CPUs, siblings counted anew", a_mask_with_holes_is_followed },
    { "without hwloc: /sys tells cores, caches, nodes, packages", flat_reads_sys },
    { "without hwloc: hybrid kinds are known", flat_knows_fast_cores },
    { "without hwloc: nothing is needed and bad lists are survived", flat_needs_no_sys },
    { "without hwloc: the same layout as with it, here", flat_agrees_with_hwloc },
    { "homes are CPUs that a thread can be bound to", homes_can_be_bound },
    { "addresses have memory nodes", addresses_have_nodes },
    { "A3 an executor has a thread for each CPU of a mask with holes", executors_follow_the_mask },
    { "A3 an executor has a quota's threads: 1.5 CPUs make two, half of one makes one",
      executors_follow_the_quota },
    { "a made-up machine lays out, and the executor runs here", a_made_up_machine_stands_in },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "mask") == 0)
        return under_mask(atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "quota") == 0)
        return under_quota(argv[2]);
    if (argc == 3 && strcmp(argv[1], "synthetic") == 0)
        return under_synthetic();
    if (!mkdtemp(tree))
        return EXIT_FAILURE;
    int code = test_main("layout", facts);
    remove_tree();
    return code;
}
