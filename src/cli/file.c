#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(al_file *file, int descriptor, size_t size, al_problem *problem)
{
    file->data = malloc(size ? size : 1);
    if (!file->data)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: out of memory for its %zu bytes", file->path,
                              size);
    while (file->size < size) {
        ssize_t got = read(descriptor, file->data + file->size, size - file->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return al_problem_set(problem, AL_EXIT_INPUT, "%s: cannot be read: %s", file->path,
                                  strerror(errno));
        if (got == 0)
            break; /* it shrank meanwhile: what is there is judged by the reader */
        file->size += (size_t)got;
    }
    return true;
}

/* A file is read whole, and what is made of it takes as much again: a hole of a terabyte must not take the
 * machine. */
static bool fits(const al_file *file, size_t size, al_problem *problem)
{
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if ((double)size <= memory / 2)
        return true;
    return al_problem_set(
        problem, AL_EXIT_INPUT,
        "%s: has %.3g GiB, and this machine %.3g GiB of memory, twice as much is needed: cut the "
        "file into parts",
        file->path, (double)size / 0x1p30, memory / 0x1p30);
}

bool al_file_read(al_file *file, const char *path, al_problem *problem)
{
    *file = (al_file){ .path = path };
    int descriptor =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a pipe must not wait for a writer */
    if (descriptor < 0)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: %s", path, strerror(errno));
    struct stat status;
    bool ok;
    if (fstat(descriptor, &status) != 0)
        ok = al_problem_set(problem, AL_EXIT_INPUT, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        ok = al_problem_set(problem, AL_EXIT_INPUT, "%s: is a folder, not a file", path);
    else if (!S_ISREG(status.st_mode))
        ok = al_problem_set(problem, AL_EXIT_INPUT, "%s: is not a regular file", path);
    else
        ok = fits(file, (size_t)status.st_size, problem) &&
             read_all(file, descriptor, (size_t)status.st_size, problem);
    close(descriptor);
    if (!ok)
        al_file_free(file);
    return ok;
}

void al_file_free(al_file *file)
{
    free(file->data);
    *file = (al_file){ 0 };
}

static bool output_failed(const al_output *output, al_problem *problem)
{
    return al_problem_set(problem, AL_EXIT_FAILED, "%s: cannot be written: %s", output->path,
                          strerror(errno));
}

bool al_output_open(al_output *output, const char *path, al_problem *problem)
{
    *output = (al_output){ 0 };
    if ((size_t)snprintf(output->path, sizeof output->path, "%s", path) >= sizeof output->path)
        return al_problem_set(problem, AL_EXIT_FAILED, "the path of the output is too long");
    struct stat status;
    bool in_place = lstat(path, &status) == 0 && !S_ISREG(status.st_mode);
    if (!in_place)
        snprintf(output->temporary, sizeof output->temporary, "%s.%ld.part", path, (long)getpid());
    output->stream = fopen(in_place ? output->path : output->temporary, "we");
    return output->stream ? true : output_failed(output, problem);
}

/* Opened and closed, neither cut nor waited for. */
static bool check_existing(const char *path, al_problem *problem)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (descriptor < 0 && errno != ENXIO) /* a pipe whose reader is still to come */
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return true;
}

bool al_output_check(const char *path, al_problem *problem)
{
    al_output output;
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return check_existing(path, problem);
    return al_output_open(&output, path, problem) && al_output_close(&output, false, problem);
}

bool al_output_check_in_place(const char *path, al_problem *problem)
{
    struct stat status;
    return lstat(path, &status) == 0 ? check_existing(path, problem) : al_output_check(path, problem);
}

bool al_output_close(al_output *output, bool keep, al_problem *problem)
{
    if (!output->stream)
        return true;
    bool ok = !ferror(output->stream);
    ok &= fclose(output->stream) == 0;
    if (ok && keep && output->temporary[0])
        ok = rename(output->temporary, output->path) == 0;
    if (!ok)
        output_failed(output, problem);
    if (output->temporary[0] && (!ok || !keep))
        unlink(output->temporary);
    output->stream = NULL;
    return ok;
}
