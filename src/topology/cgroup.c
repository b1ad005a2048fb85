/* The limits of control groups: the CPU quota of version 2, and memory in both versions. A group's limit
 * binds all groups below it, so the least on the way up holds.
 *
 * Two texts of the kernel say where to look: /proc/self/mountinfo where the hierarchy is mounted and which
 * part of it the mount shows, /proc/self/cgroup where in the hierarchy this process is (both as seen from its
 * cgroup namespace). */
#include "topology/topology.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT (UINT64_C(1) << 60) /* version 1 says "none" by a number that no machine has */

/* Where a hierarchy is mounted, and the group that the mount point shows. */
typedef struct cgroup_mount {
    char root[PATH_MAX];
    char point[PATH_MAX];
} cgroup_mount;

/* Undoes the kernel's octal escapes (space is \040) in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned code;
        if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1 && strlen(from) >= 4) {
            *to = (char)code;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Whether a list with commas between holds a word. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strncmp(list, word, length) == 0 && strcspn(list, ",\n") == length)
            return true;
    return false;
}

/* Whether a mount's "type source options" are those of a controller's hierarchy of version 1; NULL: of
 * version 2. */
static bool is_hierarchy(const char *type, const char *controller)
{
    if (!controller)
        return strncmp(type, "cgroup2 ", 8) == 0;
    const char *options = strrchr(type, ' ');
    return strncmp(type, "cgroup ", 7) == 0 && options && lists(options + 1, controller);
}

/* One line of mountinfo: "id parent major:minor root point options [fields] - type source options". */
static bool line_mounts(const char *line, const char *controller, cgroup_mount *mount)
{
    const char *type = strstr(line, " - ");
    if (!type || !is_hierarchy(type + 3, controller))
        return false;
    _Static_assert(PATH_MAX == 4096, "the widths below");
    if (sscanf(line, "%*s %*s %*s %4095s %4095s", mount->root, mount->point) != 2)
        return false;
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

static bool find_mount(FILE *mountinfo, const char *controller, cgroup_mount *mount)
{
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (!found && getline(&line, &capacity, mountinfo) >= 0)
        found = line_mounts(line, controller, mount);
    free(line);
    return found;
}

/* The path in a line "number:controllers:path"; that of version 2 has neither. NULL: it is another one's. */
static const char *path_in_line(char *line, const char *controller)
{
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
    if (!path || path[1] != '/')
        return NULL;
    *path = '\0';
    bool its_own = controller ? lists(list + 1, controller) : strcmp(line, "0:") == 0;
    return its_own ? path + 1 : NULL;
}

static bool find_group(FILE *self_cgroup, const char *controller, char path[PATH_MAX])
{
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (!found && getline(&line, &capacity, self_cgroup) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        const char *own = path_in_line(line, controller);
        found = own && snprintf(path, PATH_MAX, "%s", own) < PATH_MAX;
    }
    free(line);
    return found;
}

/* The group's path below the mount point. A group that the mount does not show (it lies outside of the
 * namespace, "/../x", or outside of the mounted part) leaves the mount's own group as the nearest that can be
 * read. */
static const char *path_below(const cgroup_mount *mount, const char *group)
{
    size_t length = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    if (strncmp(group, mount->root, length) != 0 || (group[length] != '/' && group[length] != '\0'))
        return "";
    return strncmp(group + length, "/..", 3) == 0 ? "" : group + length;
}

/* What one group's file says; 0: nothing, as for a group that has no such file (the root has none). */
typedef double group_figure(const char *folder, const char *file);

static double least_up_from(const cgroup_mount *mount, const char *group, group_figure *of, const char *file)
{
    char folder[2 * PATH_MAX];
    snprintf(folder, sizeof folder, "%s%s", mount->point, path_below(mount, group));
    size_t top = strlen(mount->point);
    double least = 0;
    for (;;) {
        double figure = of(folder, file);
        if (figure > 0 && (least == 0 || figure < least))
            least = figure;
        char *last = strrchr(folder, '/');
        if (strlen(folder) <= top || !last)
            return least;
        *last = '\0';
    }
}

static FILE *open_in(const char *folder, const char *file)
{
    char path[2 * PATH_MAX + 40];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return fopen(path, "re");
}

/* ---- CPUs ---- */

static double quota_of(const char *folder, const char *name)
{
    FILE *file = open_in(folder, name);
    if (!file)
        return 0;
    double quota_us = 0, period_us = 0;
    bool limited = fscanf(file, "%lf %lf", &quota_us, &period_us) == 2 && quota_us > 0 && period_us > 0;
    fclose(file);
    return limited ? quota_us / period_us : 0;
}

static double quota_from(FILE *mountinfo, FILE *self_cgroup)
{
    cgroup_mount mount;
    char group[PATH_MAX];
    if (!mountinfo || !self_cgroup || !find_mount(mountinfo, NULL, &mount) ||
        !find_group(self_cgroup, NULL, group))
        return 0;
    return least_up_from(&mount, group, quota_of, "cpu.max");
}

/* ---- Memory ---- */

/* The number behind a word (NULL: the first of all) in a file of the folder. False if there is none. */
static bool read_number(const char *folder, const char *name, const char *word, uint64_t *number)
{
    char key[64];
    FILE *file = open_in(folder, name);
    bool found = false;
    if (!file)
        return false;
    if (!word)
        found = fscanf(file, "%" SCNu64, number) == 1;
    while (!found && word && fscanf(file, "%63s %" SCNu64, key, number) == 2)
        found = strcmp(key, word) == 0;
    fclose(file);
    return found;
}

static double limit_of(const char *folder, const char *name)
{
    uint64_t limit;
    return read_number(folder, name, NULL, &limit) && limit < NO_LIMIT ? (double)limit : 0;
}

/* Where memory is counted: in version 1 where that has the controller, else in version 2. */
static int64_t kills_from(FILE *mountinfo, FILE *self_cgroup, uint64_t *limit_bytes)
{
    cgroup_mount mount;
    char group[PATH_MAX], folder[2 * PATH_MAX];
    uint64_t kills;
    const char *controller = "memory";
    if (!mountinfo || !self_cgroup)
        return -1;
    if (!find_mount(mountinfo, controller, &mount)) {
        controller = NULL;
        rewind(mountinfo);
        if (!find_mount(mountinfo, controller, &mount))
            return -1;
    }
    if (!find_group(self_cgroup, controller, group))
        return -1;
    snprintf(folder, sizeof folder, "%s%s", mount.point, path_below(&mount, group));
    if (!read_number(folder, controller ? "memory.oom_control" : "memory.events", "oom_kill", &kills))
        return -1;
    *limit_bytes =
        (uint64_t)least_up_from(&mount, group, limit_of, controller ? "memory.limit_in_bytes" : "memory.max");
    return (int64_t)kills;
}

/* ---- From which texts ---- */

static void close_if_open(FILE *file)
{
    if (file)
        fclose(file);
}

double al_cgroup_quota(void)
{
    FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
    FILE *self_cgroup = fopen("/proc/self/cgroup", "re");
    double quota = quota_from(mountinfo, self_cgroup);
    close_if_open(mountinfo);
    close_if_open(self_cgroup);
    return quota;
}

int64_t al_cgroup_memory_kills(uint64_t *limit_bytes)
{
    FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
    FILE *self_cgroup = fopen("/proc/self/cgroup", "re");
    int64_t kills = kills_from(mountinfo, self_cgroup, limit_bytes);
    close_if_open(mountinfo);
    close_if_open(self_cgroup);
    return kills;
}

static FILE *open_text(const char *text)
{
    return *text ? fmemopen((char *)text, strlen(text), "r") : NULL; /* "r" does not write to it */
}

double al_cgroup_quota_in(const char *mountinfo, const char *self_cgroup)
{
    FILE *mounts = open_text(mountinfo), *groups = open_text(self_cgroup);
    double quota = quota_from(mounts, groups);
    close_if_open(mounts);
    close_if_open(groups);
    return quota;
}

int64_t al_cgroup_memory_kills_in(const char *mountinfo, const char *self_cgroup, uint64_t *limit_bytes)
{
    FILE *mounts = open_text(mountinfo), *groups = open_text(self_cgroup);
    int64_t kills = kills_from(mounts, groups, limit_bytes);
    close_if_open(mounts);
    close_if_open(groups);
    return kills;
}
