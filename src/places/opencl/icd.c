#include "places/opencl/icd.h"
#include <CL/cl_icd.h>
#include <dirent.h>
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_FOLDER  "/etc/OpenCL/vendors"
#define AROUND_MAX      64
#define NAME_LINE_BYTES 4096
#define TAG_OF_SECOND_KIND                                                                                   \
    UINT64_C(0x4F50454E434C3331) /* cl_khr_icd 2: the table is the loader's to fill                          \
                                  */

/* ---- Which files ---- */

void al_icd_fini(al_icd *icd)
{
    free(icd->file);
    free(icd->library);
    *icd = (al_icd){ NULL, NULL };
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* The file's first line; "" where it cannot be read. NULL: no memory. */
static char *read_line(const char *path)
{
    char line[NAME_LINE_BYTES] = "";
    FILE *file = fopen(path, "re");
    if (file && !fgets(line, sizeof line, file))
        line[0] = '\0';
    if (file)
        fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    return strdup(line);
}

static size_t add(al_icd *icds, size_t capacity, size_t count, char *file, char *library)
{
    if (file && library && count < capacity) {
        icds[count] = (al_icd){ file, library };
        return count + 1;
    }
    free(file);
    free(library);
    return count;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const al_icd *)a)->file, ((const al_icd *)b)->file);
}

static size_t list_folder(const char *folder, al_icd *icds, size_t capacity)
{
    size_t count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char *path = NULL;
        if (!ends_in(entry->d_name, ".icd") || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
            continue;
        count = add(icds, capacity, count, path, read_line(path));
    }
    if (directory)
        closedir(directory);
    qsort(icds, count, sizeof *icds, by_name);
    return count;
}

/* A file that is no folder: an .icd, looked for among the others' first, or a library. */
static size_t list_one(const char *folder, const char *name, al_icd *icds, size_t capacity)
{
    char *path = NULL;
    if (!ends_in(name, ".icd"))
        return add(icds, capacity, 0, strdup(name), strdup(name));
    if (!strchr(name, '/') && asprintf(&path, "%s/%s", folder, name) < 0)
        return 0;
    if (path && access(path, R_OK) != 0) {
        free(path);
        path = NULL;
    }
    if (!path)
        path = strdup(name);
    return path ? add(icds, capacity, 0, path, read_line(path)) : 0;
}

static const char *said(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

/* A variable of Khronos' loader; the one that Debian has, ocl-icd, came to read it with version 2.3.2. */
static bool loader_reads_names(void)
{
    cl_int(CL_API_CALL * ask)(cl_uint, size_t, void *, size_t *);
    char version[32] = "";
    int parts[3] = { 0, 0, 0 };
    *(void **)&ask = dlsym(RTLD_DEFAULT, "clGetICDLoaderInfoOCLICD");
    if (!ask || ask(2 /* CL_ICDL_VERSION */, sizeof version - 1, version, NULL) != CL_SUCCESS)
        return true;
    sscanf(version, "%d.%d.%d", &parts[0], &parts[1], &parts[2]);
    return parts[0] * 10000 + parts[1] * 100 + parts[2] >= 20302;
}

/* Libraries, by name. */
static size_t list_libraries(const char *names, al_icd *icds, size_t capacity)
{
    size_t count = 0;
    for (const char *end; *names; names = *end ? end + 1 : end) {
        end = names + strcspn(names, ":");
        if (end > names)
            count = add(icds, capacity, count, strndup(names, (size_t)(end - names)),
                        strndup(names, (size_t)(end - names)));
    }
    return count;
}

size_t al_icd_list(al_icd *icds, size_t capacity)
{
    struct stat about;
    const char *folder = said("OPENCL_VENDOR_PATH"), *vendors = said("OCL_ICD_VENDORS");
    const char *libraries = loader_reads_names() ? said("OCL_ICD_FILENAMES") : NULL;
    size_t count = libraries ? list_libraries(libraries, icds, capacity) : 0;
    if (!folder)
        folder = DEFAULT_FOLDER;
    if (vendors && !(stat(vendors, &about) == 0 && S_ISDIR(about.st_mode)))
        return count + list_one(folder, vendors, icds + count, capacity - count);
    return count + list_folder(vendors ? vendors : folder, icds + count, capacity - count);
}

/* ---- Libraries ---- */

static char *find_in_folders(const Dl_serinfo *folders, const char *library)
{
    for (unsigned i = 0; i < folders->dls_cnt; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", folders->dls_serpath[i].dls_name, library) < 0)
            return NULL;
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

char *al_icd_find_library(const char *library)
{
    Dl_serinfo size, *folders = NULL;
    char *found = NULL;
    if (strchr(library, '/'))
        return access(library, F_OK) == 0 ? strdup(library) : NULL;
    void *program = *library ? dlopen(NULL, RTLD_LAZY) : NULL;
    if (program && dlinfo(program, RTLD_DI_SERINFOSIZE, &size) == 0 && (folders = malloc(size.dls_size))) {
        *folders = size;
        if (dlinfo(program, RTLD_DI_SERINFO, folders) == 0)
            found = find_in_folders(folders, library);
    }
    free(folders);
    if (program)
        dlclose(program);
    return found;
}

bool al_icd_is_open(const al_icd *icd)
{
    void *handle = *icd->library ? dlopen(icd->library, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    bool is_driver = handle && dlsym(handle, "clGetExtensionFunctionAddress");
    if (handle)
        dlclose(handle);
    return is_driver;
}

static const cl_icd_dispatch *table_of(cl_platform_id platform)
{
    return *(const cl_icd_dispatch *const *)(const void *)platform; /* what the ICD extension asks for */
}

al_stamp al_icd_stamp_of(const char *path)
{
    struct stat about;
    if (!*path || stat(path, &about) != 0)
        return (al_stamp){ 0, 0 };
    return (al_stamp){ about.st_size, (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec };
}

al_stamp al_icd_stamp(cl_platform_id platform)
{
    Dl_info about = { 0 };
    const void *call;
    memcpy(&call, &table_of(platform)->clBuildProgram, sizeof call);
    bool found = dladdr(call, &about) && about.dli_fname;
    return al_icd_stamp_of(found ? about.dli_fname : "");
}

typedef cl_int(CL_API_CALL *get_platforms)(cl_uint, cl_platform_id *, cl_uint *);

/* The extension's entry, by name or by the call that every driver shows; NULL: it has none. */
static get_platforms find_entry(void *handle)
{
    static const char name[] = "clIcdGetPlatformIDsKHR";
    void *(CL_API_CALL * by_name_there)(const char *);
    get_platforms found = NULL;
    *(void **)&by_name_there = dlsym(handle, "clGetExtensionFunctionAddress");
    if (by_name_there)
        *(void **)&found = by_name_there(name);
    if (!found)
        *(void **)&found = dlsym(handle, name);
    return found;
}

static size_t keep_usable(cl_platform_id *platforms, size_t count, char *why, size_t why_size)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (platforms[i] &&
            (uint64_t)(uintptr_t)table_of(platforms[i])->clGetPlatformIDs != TAG_OF_SECOND_KIND)
            platforms[kept++] = platforms[i];
        else
            snprintf(why, why_size, "it has a platform that only the OpenCL loader can open");
    }
    return kept;
}

static size_t ask_platforms(void *handle, cl_platform_id *platforms, size_t capacity, char *why,
                            size_t why_size)
{
    cl_uint count = 0;
    get_platforms get = find_entry(handle);
    if (!get) {
        snprintf(why, why_size, "it is no OpenCL driver: it has no clIcdGetPlatformIDsKHR");
        return 0;
    }
    cl_int code = capacity ? get((cl_uint)capacity, platforms, &count) : CL_SUCCESS;
    if (code == CL_SUCCESS)
        return keep_usable(platforms, count < capacity ? count : capacity, why, why_size);
    if (code != CL_PLATFORM_NOT_FOUND_KHR)
        snprintf(why, why_size, "clIcdGetPlatformIDsKHR failed with code %d", (int)code);
    return 0;
}

size_t al_icd_open(const char *library, cl_platform_id *platforms, size_t capacity, char *why,
                   size_t why_size, char *path, size_t path_size)
{
    struct link_map *map = NULL;
    why[0] = '\0';
    if (!*library) {
        snprintf(why, why_size, "its .icd file cannot be read, or names no library");
        return 0;
    }
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (!handle) {
        snprintf(why, why_size, "%s", dlerror());
        return 0;
    }
    if (path && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map)
        snprintf(path, path_size, "%s", map->l_name);
    return ask_platforms(handle, platforms, capacity, why, why_size); /* it stays open */
}

/* ---- By the loader or around it ---- */

static _Atomic bool around; /* release after the two below are written, which never change then */
static cl_platform_id around_platforms[AROUND_MAX];
static size_t around_count;

void al_icd_go_around(const cl_platform_id *platforms, size_t count)
{
    around_count = count < AROUND_MAX ? count : AROUND_MAX;
    if (around_count)
        memcpy(around_platforms, platforms, around_count * sizeof *platforms);
    atomic_store_explicit(&around, true, memory_order_release);
}

static bool goes_around(void)
{
    return atomic_load_explicit(&around, memory_order_acquire);
}

cl_int al_icd_platforms(cl_uint capacity, cl_platform_id *platforms, cl_uint *count)
{
    if (!goes_around())
        return clGetPlatformIDs(capacity, platforms, count);
    *count = (cl_uint)around_count;
    for (cl_uint i = 0; i < *count && i < capacity; i++)
        platforms[i] = around_platforms[i];
    return around_count ? CL_SUCCESS : CL_PLATFORM_NOT_FOUND_KHR;
}

cl_int al_icd_platform_info(cl_platform_id platform, cl_platform_info what, size_t size, void *value)
{
    return goes_around() ? table_of(platform)->clGetPlatformInfo(platform, what, size, value, NULL)
                         : clGetPlatformInfo(platform, what, size, value, NULL);
}

cl_int al_icd_devices(cl_platform_id platform, cl_uint capacity, cl_device_id *devices, cl_uint *count)
{
    return goes_around()
               ? table_of(platform)->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, capacity, devices, count)
               : clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, capacity, devices, count);
}

cl_context al_icd_context(cl_platform_id platform, cl_device_id device, cl_int *code)
{
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0 };
    return goes_around() ? table_of(platform)->clCreateContext(properties, 1, &device, NULL, NULL, code)
                         : clCreateContext(properties, 1, &device, NULL, NULL, code);
}

void *al_icd_extension(cl_platform_id platform, const char *name)
{
    return goes_around() ? table_of(platform)->clGetExtensionFunctionAddressForPlatform(platform, name)
                         : clGetExtensionFunctionAddressForPlatform(platform, name);
}
