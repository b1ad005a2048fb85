#include "places/process/setup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FILES_MIN 16

void allot_process_options_init(allot_process_options *options)
{
    if (options)
        *options = (allot_process_options){ .size = sizeof *options };
}

/* ---- Parent ---- */

static bool check_numbers(const allot_process_options *options)
{
    if (options->cpu_ns < 0 || options->tasks_max < 0 || options->depth_max < 0)
        return al_last_error(ALLOT_INVALID,
                             "allot_open: options.process has a limit below 0: cpu_ns %lld, tasks_max %d, "
                             "depth_max %d",
                             (long long)options->cpu_ns, options->tasks_max, options->depth_max);
    if (options->open_files && options->open_files < OPEN_FILES_MIN)
        return al_last_error(ALLOT_INVALID,
                             "allot_open: options.process->open_files is %d: a worker needs %d",
                             options->open_files, OPEN_FILES_MIN);
    return true;
}

static bool check_directory(const char *path)
{
    struct stat kind;
    if (!path)
        return true;
    int error = strlen(path) >= PATH_MAX ? ENAMETOOLONG : stat(path, &kind) != 0 ? errno : 0;
    if (!error && !S_ISDIR(kind.st_mode))
        error = ENOTDIR;
    return !error || al_last_error(ALLOT_INVALID, "allot_open: options.process->directory '%.200s': %s", path,
                                   strerror(error));
}

bool al_setup_read(const allot_process_options *given, allot_process_options *options)
{
    *options = (allot_process_options){ .size = sizeof *options };
    if (!given)
        return true;
    if (!given->size)
        return al_last_error(ALLOT_INVALID,
                             "allot_open: options.process->size is 0: use ALLOT_PROCESS_OPTIONS "
                             "or allot_process_options_init");
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    if (!options->data && options->data_size)
        return al_last_error(ALLOT_INVALID, "allot_open: options.process->data is NULL, and data_size is %zu",
                             options->data_size);
    if ((options->no_network || options->no_exec) && !al_seccomp_there())
        return al_last_error(ALLOT_UNSUPPORTED,
                             "allot_open: options.process->%s needs libseccomp, which this "
                             "build lacks",
                             options->no_network ? "no_network" : "no_exec");
    return check_numbers(options) && check_directory(options->directory);
}

bool al_setup_needed(const allot_process_options *options)
{
    return options->memory_bytes || options->cpu_ns || options->file_bytes || options->open_files ||
           options->directory || options->no_network || options->no_exec || options->growth_bytes ||
           options->initialize || options->finalize;
}

static void fill(const allot_process_options *options, al_setup *setup)
{
    setup->memory_bytes = options->memory_bytes;
    setup->file_bytes = options->file_bytes;
    setup->growth_bytes = options->growth_bytes;
    setup->cpu_ns = options->cpu_ns;
    setup->open_files = options->open_files;
    setup->no_network = options->no_network;
    setup->no_exec = options->no_exec;
    setup->initializes = options->initialize != NULL;
    setup->finalizes = options->finalize != NULL;
    snprintf(setup->directory, sizeof setup->directory, "%s", options->directory ? options->directory : "");
    setup->data_size = options->data_size;
    if (options->data_size)
        memcpy(setup->data, options->data, options->data_size);
}

/* Writing is sealed, so no mapping that writes may be left. */
static bool write_and_seal(int fd, size_t bytes, const allot_process_options *options, al_symbol initialize,
                           al_symbol finalize)
{
    if (ftruncate(fd, (off_t)bytes) != 0)
        return false;
    al_setup *setup = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (setup == MAP_FAILED)
        return false;
    fill(options, setup);
    setup->initialize = initialize;
    setup->finalize = finalize;
    munmap(setup, bytes);
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

int al_setup_create(const allot_process_options *options, al_symbol initialize, al_symbol finalize)
{
    size_t bytes;
    if (__builtin_add_overflow(sizeof(al_setup), options->data_size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return -1;
    }
    int fd = memfd_create("allot-setup", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || write_and_seal(fd, bytes, options, initialize, finalize))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}
