#include "places/opencl/binaries.h"
#include "allot/executor.h"
#include "base/cachefile.h"
#include "base/log.h"
#include "base/setting.h"
#include "placement/store.h"
#include "places/opencl/icd.h"
#include "places/opencl/source.h"
#include "places/opencl/verdicts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((size_t)256 << 20)
#define FILES_MAX      65536 /* of a folder that are looked at */

static const char magic[16] = "allot-program 1";

typedef struct header {
    char magic[sizeof magic];
    uint64_t key[2];
    uint64_t bytes, hash; /* of the binary behind it */
} header;

char *al_binaries_folder(void)
{
    const char *asked = secure_getenv("ALLOT_PROGRAMS");
    if (asked && strcmp(asked, "off") == 0)
        return NULL;
    return asked && *asked ? strdup(asked) : al_cachefile_path("programs");
}

/* ---- Keys: two hashes of the same bytes, which begin differently ---- */

static void add(al_binary_key *key, const void *bytes, size_t size)
{
    uint64_t length = size; /* so that two texts are not mistaken for others with the border elsewhere */
    for (size_t i = 0; i < 2; i++) {
        key->words[i] = al_store_hash(key->words[i], &length, sizeof length);
        key->words[i] = al_store_hash(key->words[i], bytes, size);
    }
}

static void add_text(al_binary_key *key, const char *text)
{
    add(key, text ? text : "", text ? strlen(text) : 0);
}

/* What such a text makes also depends on other files. */
static bool includes_files(const allot_kernel *kernel)
{
    const char *text = kernel->desc.opencl_source, *options = kernel->desc.opencl_options;
    return (text && strstr(text, "include")) || (options && strstr(options, "-I"));
}

static void add_kernel(al_binary_key *key, const allot_kernel *kernel, allot_type type)
{
    char prelude[AL_OPENCL_PRELUDE] = "";
    if (kernel->desc.opencl_source)
        al_opencl_source_prelude(kernel, type, prelude, sizeof prelude);
    add_text(key, prelude);
    add_text(key, kernel->desc.opencl_source);
    add(key, kernel->desc.opencl_program, kernel->desc.opencl_program_bytes);
    for (size_t i = 0; i < kernel->desc.opencl_constant_count; i++) {
        const allot_constant *constant = &kernel->desc.opencl_constants[i];
        add(key, &constant->id, sizeof constant->id);
        add(key, constant->value, constant->bytes);
    }
}

static void add_device(al_binary_key *key, const al_opencl_device *device)
{
    char version[256] = "";
    al_stamp library = al_icd_stamp(device->platform);
    uint64_t environment = al_verdict_environment();
    if (clGetDeviceInfo(device->id, CL_DEVICE_VERSION, sizeof version - 1, version, NULL) != CL_SUCCESS)
        version[0] = '\0';
    add_text(key, device->name);
    add_text(key, device->driver);
    add_text(key, version);
    add(key, &library.bytes, sizeof library.bytes);
    add(key, &library.changed_ns, sizeof library.changed_ns);
    add(key, &environment, sizeof environment);
}

al_binary_key al_binaries_key(const al_opencl_device *device, const allot_kernel *kernel, allot_type type,
                              const char *options)
{
    al_binary_key key = { .words = { AL_STORE_HASH, ~AL_STORE_HASH } };
    bool is_text = kernel->desc.opencl_source != NULL;
    key.usable = !includes_files(kernel) && (is_text || al_opencl_source_is_spirv(kernel));
    if (!key.usable)
        return key;
    add_text(&key, allot_version());
    add_text(&key, options);
    add_kernel(&key, kernel, type);
    add_device(&key, device);
    return key;
}

static char *path_to(const char *folder, const al_binary_key *key, const char *ending)
{
    char *path;
    int length =
        asprintf(&path, "%s/%016" PRIx64 "%016" PRIx64 "%s", folder, key->words[0], key->words[1], ending);
    return length < 0 ? NULL : path;
}

static char *path_of(const char *folder, const al_binary_key *key)
{
    return path_to(folder, key, ".bin");
}

/* ---- Loading ---- */

/* What is loaded becomes code of this process: only the user's own files are. */
static bool is_ours(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && about.st_uid == geteuid() && !(about.st_mode & (S_IWGRP | S_IWOTH));
}

static bool is_whole(const al_binary_key *key, const char *bytes, size_t size)
{
    header first;
    if (size <= sizeof first)
        return false;
    memcpy(&first, bytes, sizeof first);
    return memcmp(first.magic, magic, sizeof magic) == 0 && first.bytes == size - sizeof first &&
           memcmp(first.key, key->words, sizeof first.key) == 0 &&
           first.hash == al_store_hash(AL_STORE_HASH, bytes + sizeof first, size - sizeof first);
}

static bool make_program(const al_opencl_device *device, const char *bytes, size_t size, cl_program *program)
{
    const unsigned char *binary = (const unsigned char *)bytes;
    cl_int loaded = CL_SUCCESS, code;
    *program = clCreateProgramWithBinary(device->context, 1, &device->id, &size, &binary, &loaded, &code);
    if (code == CL_SUCCESS && loaded == CL_SUCCESS)
        return true;
    if (code == CL_SUCCESS)
        clReleaseProgram(*program);
    *program = NULL;
    return false;
}

bool al_binaries_load(const char *folder, const al_binary_key *key, const al_opencl_device *device,
                      cl_program *program)
{
    size_t size = 0;
    char *path = path_of(folder, key);
    char *bytes = path && is_ours(path) ? al_cachefile_read(path, FILE_MAX_BYTES, &size) : NULL;
    bool whole = bytes && is_whole(key, bytes, size);
    bool made = whole && make_program(device, bytes + sizeof(header), size - sizeof(header), program);
    if (made)
        utimensat(AT_FDCWD, path, NULL, 0); /* it was used just now */
    else if (bytes)
        al_binaries_drop(folder, key);
    free(bytes);
    free(path);
    return made;
}

void al_binaries_drop(const char *folder, const al_binary_key *key)
{
    char *path = path_of(folder, key);
    if (path && unlink(path) == 0)
        al_log(AL_LOG_INFO, "%s was of no use: its program is built anew", path);
    free(path);
}

/* ---- The limit ---- */

typedef struct entry {
    char name[64];
    int64_t used_ns;
    uint64_t bytes;
} entry;

static int by_use(const void *a, const void *b)
{
    int64_t first = ((const entry *)a)->used_ns, second = ((const entry *)b)->used_ns;
    return (first > second) - (first < second);
}

static bool read_entry(DIR *directory, const char *name, entry *it)
{
    struct stat about;
    size_t length = strlen(name);
    if (length < 32 || length >= sizeof it->name || !(strstr(name, ".bin") || strstr(name, ".note")) ||
        fstatat(dirfd(directory), name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode))
        return false;
    memcpy(it->name, name, length + 1);
    it->used_ns = (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec;
    it->bytes = (uint64_t)about.st_size;
    return true;
}

/* The folder's files, and half-written ones of processes that died; NULL: none. */
static entry *list_entries(DIR *directory, size_t *count, uint64_t *bytes)
{
    entry *entries = NULL;
    size_t capacity = 0;
    *count = 0;
    *bytes = 0;
    for (struct dirent *each; *count < FILES_MAX && (each = readdir(directory));) {
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            entry *more = realloc(entries, capacity * sizeof *entries);
            if (!more)
                break;
            entries = more;
        }
        if (read_entry(directory, each->d_name, &entries[*count]))
            *bytes += entries[(*count)++].bytes;
    }
    return entries;
}

static uint64_t limit_bytes(void)
{
    return (uint64_t)(al_setting("ALLOT_PROGRAMS_MB", 0, 1e9, AL_BINARIES_MB) * 1e6);
}

/* The ones that were used longest ago go. With the folder's lock held. */
static void keep_limit(const char *folder)
{
    size_t count;
    uint64_t bytes, most = limit_bytes();
    DIR *directory = opendir(folder);
    if (!directory)
        return;
    entry *entries = list_entries(directory, &count, &bytes);
    if (bytes > most)
        qsort(entries, count, sizeof *entries, by_use);
    for (size_t i = 0; i < count && bytes > most; i++)
        if (unlinkat(dirfd(directory), entries[i].name, 0) == 0)
            bytes -= entries[i].bytes;
    free(entries);
    closedir(directory);
}

/* ---- Storing ---- */

/* The binary behind room for a header; the caller frees it. NULL: the driver gives none. */
static char *get_binary(cl_program program, size_t *size)
{
    cl_uint devices = 0;
    size_t bytes = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL) != CL_SUCCESS ||
        devices != 1 ||
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS ||
        bytes == 0 || bytes > FILE_MAX_BYTES - sizeof(header))
        return NULL;
    char *whole = calloc(1, sizeof(header) + bytes);
    unsigned char *binary = whole ? (unsigned char *)whole + sizeof(header) : NULL;
    if (whole && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) != CL_SUCCESS) {
        free(whole);
        whole = NULL;
    }
    *size = bytes;
    return whole;
}

static void fill_header(char *whole, const al_binary_key *key, size_t bytes)
{
    header first = { .bytes = bytes,
                     .hash = al_store_hash(AL_STORE_HASH, whole + sizeof first, bytes),
                     .key = { key->words[0], key->words[1] } };
    memcpy(first.magic, magic, sizeof magic);
    memcpy(whole, &first, sizeof first);
}

/* The folder's lock lies beside a file of that name, which is never there. */
static int lock_folder(const char *folder)
{
    char *path;
    if (asprintf(&path, "%s/programs", folder) < 0)
        return -1;
    al_cachefile_make_folders(path);
    int lock = al_cachefile_lock(path);
    free(path);
    return lock;
}

void al_binaries_store(const char *folder, const al_binary_key *key, cl_program program)
{
    size_t bytes;
    char *whole = get_binary(program, &bytes), *path = path_of(folder, key);
    int lock = whole && path ? lock_folder(folder) : -1;
    if (lock >= 0) {
        fill_header(whole, key, bytes);
        if (!al_cachefile_replace(path, whole, sizeof(header) + bytes))
            al_log(AL_LOG_INFO, "cannot keep a program as %s: %s", path, strerror(errno));
        keep_limit(folder);
        close(lock);
    }
    free(path);
    free(whole);
}

/* ---- Notes ---- */

void al_binaries_note(const char *folder, const al_binary_key *key, const char *note)
{
    char *path = path_to(folder, key, ".note");
    int lock = path ? lock_folder(folder) : -1;
    if (lock >= 0) {
        if (!al_cachefile_replace(path, note, strlen(note)))
            al_log(AL_LOG_INFO, "cannot write %s: %s", path, strerror(errno));
        close(lock);
    }
    free(path);
}

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* True if it is a note that holds. */
static bool read_note(const char *path, char note[AL_BINARY_NOTE])
{
    struct stat about;
    size_t size = 0;
    char *text = is_ours(path) ? al_cachefile_read(path, AL_BINARY_NOTE - 1, &size) : NULL;
    if (!text)
        return false;
    memcpy(note, text, size);
    note[size] = '\0';
    free(text);
    if (!begins_with(note, AL_BINARY_WRONG))
        return strcmp(note, AL_BINARY_RIGHT) == 0 || begins_with(note, AL_BINARY_SIZES);
    return stat(path, &about) == 0 && time(NULL) - about.st_mtime < AL_VERDICT_BAD_S;
}

bool al_binaries_noted(const char *folder, const al_binary_key *key, char note[AL_BINARY_NOTE])
{
    char *path = path_to(folder, key, ".note");
    bool found = path && read_note(path, note);
    free(path);
    return found;
}

void al_binaries_wrong(const char *folder, const char *device, char *text, size_t size)
{
    char note[AL_BINARY_NOTE], *path;
    size_t used = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *each; directory && (each = readdir(directory));) {
        if (!strstr(each->d_name, ".note") || asprintf(&path, "%s/%s", folder, each->d_name) < 0)
            continue;
        if (read_note(path, note) && begins_with(note, AL_BINARY_WRONG) && strstr(note, device) &&
            used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "; " : "",
                                     note + strlen(AL_BINARY_WRONG));
        free(path);
    }
    if (directory)
        closedir(directory);
}
