/* What the machine has, and how much of it we may use: made-up control groups and /sys trees, and the real
 * machine. */
#include "test.h"
#include "topology/topology.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- A tree of files to stand for the kernel's ---- */

static char tree[] = "/tmp/allot_test_topology_XXXXXX";

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

/* The quota for a process in `group`, where the hierarchy's group `root` is mounted at `point` of the tree.
 */
static double quota(const char *root, const char *point, const char *group)
{
    char mountinfo[2048], self_cgroup[512];
    snprintf(mountinfo, sizeof mountinfo,
             "23 28 0:21 / /proc rw,relatime - proc proc rw\n"
             "31 23 0:28 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n"
             "41 31 0:38 %s %s/%s rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
             "50 31 0:39 / /mnt rw - ext4 /dev/vdb rw\n",
             root, tree, point);
    snprintf(self_cgroup, sizeof self_cgroup, "4:memory:/other\n1:cpu:/\n0::%s\n", group);
    return al_cgroup_quota_in(mountinfo, self_cgroup);
}

static void make_groups(void)
{
    put("400000 100000\n", "cg/cpu.max");
    put("max 100000\n", "cg/open/cpu.max");
    put("150000 100000\n", "cg/tight/cpu.max");
    put("300000 100000\n", "cg/tight/loose/cpu.max");
    put("50000 100000\n", "cg/tight/tighter/cpu.max");
    put("", "cg/odd/cpu.max");
    put("-3 0\n", "cg/odd/negative/cpu.max");
    put("max 100000\n", "free/cpu.max");
    put("250000 100000\n", "with space/in it/cpu.max");
    put("anything", "nothing/here");
}

static void least_quota_wins(void)
{
    make_groups();
    CU_ASSERT_EQUAL(quota("/", "cg", "/tight/loose"), 1.5);
    CU_ASSERT_EQUAL(quota("/", "cg", "/tight/tighter"), 0.5);
    CU_ASSERT_EQUAL(quota("/", "cg", "/tight"), 1.5);
    CU_ASSERT_EQUAL(quota("/", "cg", "/open"), 4.0);
    CU_ASSERT_EQUAL(quota("/", "cg", "/"), 4.0);
    CU_ASSERT_EQUAL(quota("/", "cg", "/gone/away"), 4.0);
}

static void max_is_no_quota(void)
{
    CU_ASSERT_EQUAL(quota("/", "free", "/"), 0);
    CU_ASSERT_EQUAL(quota("/", "nothing", "/here"), 0);
}

static void malformed_is_no_quota(void)
{
    CU_ASSERT_EQUAL(quota("/", "cg", "/odd/negative"), 4.0);
    CU_ASSERT_EQUAL(al_cgroup_quota_in("", ""), 0);
    CU_ASSERT_EQUAL(al_cgroup_quota_in("garbage - cgroup2 \n - cgroup2\n", "0::/\n"), 0);
    CU_ASSERT_EQUAL(al_cgroup_quota_in("41 31 0:38 / /nowhere rw - cgroup2 cgroup2 rw\n", "0::\n7\n"), 0);
    CU_ASSERT_EQUAL(al_cgroup_quota_in("41 31 0:38 / /nowhere rw - cgroup2 cgroup2 rw\n", "0::/a\n"), 0);
}

static void mounted_part_is_subtracted(void)
{
    CU_ASSERT_EQUAL(quota("/docker/abc", "cg", "/docker/abc/tight"), 1.5);
    CU_ASSERT_EQUAL(quota("/docker/abc", "cg", "/docker/abc"), 4.0);
    CU_ASSERT_EQUAL(quota("/docker/abc", "cg", "/docker/abcd/tight"), 4.0);
}

static void group_outside_of_namespace_uses_the_mount(void)
{
    CU_ASSERT_EQUAL(quota("/", "cg", "/../tight"), 4.0);
    CU_ASSERT_EQUAL(quota("/../..", "cg", "/tight"), 4.0);
}

static void escaped_mount_points_are_read(void)
{
    CU_ASSERT_EQUAL(quota("/", "with\\040space", "/in it"), 2.5);
}

/* ---- A machine without hwloc ---- */

/* Two packages of two cores with two threads each; CPU 7 is offline, so its core has one left. */
static void make_machine(void)
{
    static const char *const siblings[] = { "0-1", "0-1", "2-3", "2-3", "4-5", "4-5", "6" };
    for (int cpu = 0; cpu < 7; cpu++) {
        put(siblings[cpu], "m/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        put(cpu < 4 ? "0-3\n" : "4-6\n", "m/sys/devices/system/cpu/cpu%d/topology/core_siblings_list", cpu);
    }
    put("0-6\n", "m/sys/devices/system/cpu/online");
    put("0-1\n", "m/sys/devices/system/node/online");
    static const char *const caches[][3] = { { "1", "Data", "32K" },
                                             { "1", "Instruction", "64K" },
                                             { "2", "Unified", "1024K" },
                                             { "3", "Unified", "32M" } };
    for (int i = 0; i < 4; i++) {
        put(caches[i][0], "m/sys/devices/system/cpu/cpu0/cache/index%d/level", i);
        put(caches[i][1], "m/sys/devices/system/cpu/cpu0/cache/index%d/type", i);
        put(caches[i][2], "m/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
    }
    put("processor\t: 0\nmodel name\t: Made Up 9000\nflags\t: fpu\n", "m/proc/cpuinfo");
}

static void flat_counts_what_is_online(void)
{
    char root[256];
    snprintf(root, sizeof root, "%s/m", tree);
    make_machine();
    allot_topology topology = { .size = sizeof topology };
    al_topology_flat_at(root, &topology);
    CU_ASSERT_EQUAL(topology.pus, 7);
    CU_ASSERT_EQUAL(topology.cores, 4);
    CU_ASSERT_EQUAL(topology.packages, 2);
    CU_ASSERT_EQUAL(topology.numa_nodes, 2);
    CU_ASSERT_EQUAL(topology.l1_bytes, 32 << 10);
    CU_ASSERT_EQUAL(topology.l2_bytes, 1 << 20);
    CU_ASSERT_EQUAL(topology.l3_bytes, 32 << 20);
    CU_ASSERT_STRING_EQUAL(topology.cpu_model, "Made Up 9000");
}

static void flat_needs_nothing(void)
{
    allot_topology topology = { .size = sizeof topology };
    al_topology_flat_at("/nonexistent", &topology);
    CU_ASSERT_EQUAL(topology.pus, sysconf(_SC_NPROCESSORS_ONLN));
    CU_ASSERT_EQUAL(topology.cores, topology.pus);
    CU_ASSERT_EQUAL(topology.packages, 1);
    CU_ASSERT_EQUAL(topology.numa_nodes, 1);
    CU_ASSERT(topology.memory_bytes > 0);
}

static void flat_survives_malformed_lists(void)
{
    static const char *const lists[] = { "", "-", "3-1", "0-", "0-99999999999999999999", "a,b", "5,0-2" };
    char root[256];
    snprintf(root, sizeof root, "%s/bad", tree);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        allot_topology topology = { .size = sizeof topology };
        put(lists[i], "bad/sys/devices/system/cpu/online");
        al_topology_flat_at(root, &topology);
        CU_ASSERT(topology.pus >= 1);
        CU_ASSERT(topology.cores >= 1);
    }
}

/* ---- This machine ---- */

static void flat_agrees_with_hwloc(void)
{
    allot_topology flat = { .size = sizeof flat }, known = { .size = sizeof known };
    al_topology_flat(&flat);
    if (!al_topology_hwloc(&known))
        return;
    CU_ASSERT_EQUAL(flat.pus, known.pus);
    CU_ASSERT_EQUAL(flat.cores, known.cores);
    CU_ASSERT_EQUAL(flat.packages, known.packages);
    CU_ASSERT_EQUAL(flat.numa_nodes, known.numa_nodes);
}

static void hwloc_is_read(void)
{
    allot_topology topology = { .size = sizeof topology };
    setenv("HWLOC_SYNTHETIC", "pack:2 numa:1 l3:1 l2:4 l1d:1 core:1 pu:2", 1);
    bool read = al_topology_hwloc(&topology);
    unsetenv("HWLOC_SYNTHETIC");
    if (!read)
        return;
    CU_ASSERT_EQUAL(topology.packages, 2);
    CU_ASSERT_EQUAL(topology.numa_nodes, 2);
    CU_ASSERT_EQUAL(topology.cores, 8);
    CU_ASSERT_EQUAL(topology.pus, 16);
    CU_ASSERT(topology.l1_bytes > 0 && topology.l2_bytes > 0 && topology.l3_bytes > 0);
}

static void topology_is_whole(void)
{
    allot_topology topology = { .size = sizeof topology };
    CU_ASSERT_EQUAL(allot_get_topology(&topology), ALLOT_OK);
    CU_ASSERT_EQUAL(topology.size, sizeof topology);
    CU_ASSERT(strcmp(topology.source, "hwloc") == 0 || strcmp(topology.source, "flat") == 0);
    CU_ASSERT(topology.packages >= 1);
    CU_ASSERT(topology.cores >= topology.packages);
    CU_ASSERT(topology.pus >= topology.cores);
    CU_ASSERT(topology.numa_nodes >= 1);
    CU_ASSERT_EQUAL(topology.memory_bytes,
                    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
    CU_ASSERT(topology.usable_cpus >= 1);
    CU_ASSERT(topology.usable_cpus <= topology.affinity_cpus);
    CU_ASSERT_EQUAL(topology.usable_cpus, al_usable_cpus());
    CU_ASSERT(topology.quota_cpus == 0 || topology.usable_cpus <= (int)ceil(topology.quota_cpus));
}

static void bad_sizes_are_refused_and_small_ones_kept(void)
{
    CU_ASSERT_EQUAL(allot_get_topology(NULL), ALLOT_INVALID);
    allot_topology topology = { .size = 0 };
    CU_ASSERT_EQUAL(allot_get_topology(&topology), ALLOT_INVALID);
    topology =
        (allot_topology){ .size = offsetof(allot_topology, packages), .packages = -7, .usable_cpus = -7 };
    CU_ASSERT_EQUAL(allot_get_topology(&topology), ALLOT_OK);
    CU_ASSERT_NOT_EQUAL(topology.source[0], '\0');
    CU_ASSERT_EQUAL(topology.packages, -7);
    CU_ASSERT_EQUAL(topology.usable_cpus, -7);
}

static void affinity_mask_is_asked_anew(void)
{
    cpu_set_t before, one;
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    CU_ASSERT_EQUAL(al_affinity_cpus(), CPU_COUNT(&before));
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof one, &one), 0);
    CU_ASSERT_EQUAL(al_affinity_cpus(), 1);
    CU_ASSERT_EQUAL(al_usable_cpus(), 1);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof before, &before), 0);
}

/* Makes sched_getaffinity fail with `error` from now on, as a sandbox does. */
static bool refuse_affinity(int error)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sched_getaffinity, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof steps / sizeof *steps, .filter = steps };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

/* How many CPUs a child sees when the system refuses with `error`; 99 where no filter can be set. */
static int cpus_when_refused(int error)
{
    pid_t child = fork();
    if (child == 0)
        _exit(refuse_affinity(error) ? al_affinity_cpus() : 99);
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* CONFORMANCE A6 */
static void refused_affinity_falls_back(void)
{
    int online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    static const int errors[] = { EPERM, ENOSYS, EINVAL }; /* EINVAL: as if no mask were large enough */
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int cpus = cpus_when_refused(errors[i]);
        CU_ASSERT(cpus == online || cpus == 99);
    }
}

static void forked_child_is_refused(void)
{
    pid_t child = fork();
    if (child == 0) {
        allot_topology topology = { .size = sizeof topology };
        _exit(allot_get_topology(&topology) == ALLOT_FORKED ? 0 : 1);
    }
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
}

static void libraries_are_listed(void)
{
    size_t count = 0;
    const allot_library *libraries = allot_libraries(&count);
    CU_ASSERT(count >= 3); /* and those that the build found */
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(libraries[i].version);
        CU_ASSERT(libraries[i].found || libraries[i].version[0] == '\0');
        CU_ASSERT_NOT_EQUAL(libraries[i].purpose[0], '\0');
    }
    CU_ASSERT_EQUAL(libraries[0].found, *al_hwloc_version() != '\0');
    CU_ASSERT_PTR_EQUAL(allot_libraries(NULL), libraries);
}

/* ---- Memory of control groups ---- */

static int64_t kills(const char *mount, const char *group, uint64_t *limit_bytes)
{
    char mountinfo[1024], self_cgroup[256];
    snprintf(mountinfo, sizeof mountinfo,
             "31 23 0:28 / %s/cpu rw shared:9 - cgroup cgroup rw,cpu\n"
             "41 31 0:38 / %s/%s\n",
             tree, tree, mount);
    snprintf(self_cgroup, sizeof self_cgroup, "4:cpu,cpuacct:/elsewhere\n%s\n", group);
    *limit_bytes = 1;
    return al_cgroup_memory_kills_in(mountinfo, self_cgroup, limit_bytes);
}

static void kills_for_want_of_memory_are_read(void)
{
    uint64_t limit_bytes;
    put("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "m1/a/b/memory.oom_control");
    put("9223372036854771712\n", "m1/a/b/memory.limit_in_bytes");
    put("1048576\n", "m1/a/memory.limit_in_bytes");
    put("low 7\nhigh 0\noom 5\noom_kill 2\noom_group_kill 0\n", "m2/c/memory.events");
    put("max\n", "m2/c/memory.max");
    const char *first = "m1 rw shared:4 - cgroup cgroup rw,hugetlb,memory",
               *second = "m2 rw shared:4 - cgroup2 cgroup2 rw";
    CU_ASSERT_EQUAL(kills(first, "5:hugetlb,memory:/a/b", &limit_bytes), 3);
    CU_ASSERT_EQUAL(limit_bytes, 1048576); /* of the group above */
    CU_ASSERT_EQUAL(kills(second, "0::/c", &limit_bytes), 2);
    CU_ASSERT_EQUAL(limit_bytes, 0);
    CU_ASSERT_EQUAL(kills(first, "5:memory_not:/a/b", &limit_bytes), -1);
    CU_ASSERT_EQUAL(kills(second, "0::/gone", &limit_bytes), -1);
    CU_ASSERT_EQUAL(al_cgroup_memory_kills_in("", "", &limit_bytes), -1);
}

static const test_fact facts[] = {
    { "kills for want of memory are read, of groups of both versions", kills_for_want_of_memory_are_read },
    { "the least quota on the way up wins", least_quota_wins },
    { "max is no quota", max_is_no_quota },
    { "what is malformed or missing is no quota", malformed_is_no_quota },
    { "the mounted part of the hierarchy is subtracted", mounted_part_is_subtracted },
    { "a group outside of the namespace is limited by the mount's own",
      group_outside_of_namespace_uses_the_mount },
    { "mount points may hold spaces", escaped_mount_points_are_read },
    { "the flat topology counts what is online", flat_counts_what_is_online },
    { "the flat topology needs no /sys and no /proc", flat_needs_nothing },
    { "the flat topology survives malformed lists", flat_survives_malformed_lists },
    { "the flat topology agrees with hwloc here", flat_agrees_with_hwloc },
    { "hwloc's tree is read", hwloc_is_read },
    { "the topology is whole", topology_is_whole },
    { "a size of 0 is refused, a smaller struct gets its part", bad_sizes_are_refused_and_small_ones_kept },
    { "the affinity mask is asked anew", affinity_mask_is_asked_anew },
    { "A6 a refused affinity mask falls back to the CPUs online", refused_affinity_falls_back },
    { "a forked child is refused", forked_child_is_refused },
    { "libraries are listed with their versions", libraries_are_listed },
    { NULL, NULL },
};

int main(void)
{
    if (!mkdtemp(tree))
        return EXIT_FAILURE;
    int code = test_main("topology", facts);
    remove_tree();
    return code;
}
