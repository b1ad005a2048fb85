/* The CPU quota of control groups, version 2: a group's limit binds all groups below it, so the least on the
 * way up holds.
 *
 * Two texts of the kernel say where to look: /proc/self/mountinfo where the hierarchy is mounted and which
 * part of it the mount shows, /proc/self/cgroup where in the hierarchy this process is (both as seen from its
 * cgroup namespace). */
#include "topology/topology.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* One line of mountinfo: "id parent major:minor root point options [fields] - type source options". */
static bool line_mounts_cgroup2(const char *line, cgroup_mount *mount)
{
    const char *type = strstr(line, " - ");
    if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
        return false;
    _Static_assert(PATH_MAX == 4096, "the widths below");
    if (sscanf(line, "%*s %*s %*s %4095s %4095s", mount->root, mount->point) != 2)
        return false;
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

static bool find_mount(FILE *mountinfo, cgroup_mount *mount)
{
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (!found && getline(&line, &capacity, mountinfo) >= 0)
        found = line_mounts_cgroup2(line, mount);
    free(line);
    return found;
}

/* The group of version 2 stands in the line "0::PATH". */
static bool find_group(FILE *self_cgroup, char path[PATH_MAX])
{
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (!found && getline(&line, &capacity, self_cgroup) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0 && snprintf(path, PATH_MAX, "%s", line + 3) < PATH_MAX;
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

/* The quota of one group in CPUs; 0: none, as for a group that has no such file (the root has none). */
static double quota_of(const char *folder)
{
    char path[2 * PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    double quota_us = 0, period_us = 0;
    bool limited = fscanf(file, "%lf %lf", &quota_us, &period_us) == 2 && quota_us > 0 && period_us > 0;
    fclose(file);
    return limited ? quota_us / period_us : 0;
}

static double quota_up_from(const cgroup_mount *mount, const char *below)
{
    char folder[2 * PATH_MAX];
    snprintf(folder, sizeof folder, "%s%s", mount->point, below);
    size_t top = strlen(mount->point);
    double least = 0;
    for (;;) {
        double quota = quota_of(folder);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        char *last = strrchr(folder, '/');
        if (strlen(folder) <= top || !last)
            return least;
        *last = '\0';
    }
}

static double quota_from(FILE *mountinfo, FILE *self_cgroup)
{
    cgroup_mount mount;
    char group[PATH_MAX];
    if (!mountinfo || !self_cgroup || !find_mount(mountinfo, &mount) || !find_group(self_cgroup, group))
        return 0;
    return quota_up_from(&mount, path_below(&mount, group));
}

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
