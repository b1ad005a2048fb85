#include "base/cachefile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES    200
#define LOCK_PAUSE_NS 10000000

static char *join(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *words = malloc(size);
    if (words)
        snprintf(words, size, "%s%s%s", a, b, c);
    return words;
}

char *al_cachefile_path(const char *name)
{
    const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
    if (cache && cache[0] == '/') /* the standard: what is relative is to be ignored */
        return join(cache, "/allot/", name);
    return home && home[0] == '/' ? join(home, "/.cache/allot/", name) : NULL;
}

void al_cachefile_make_folders(const char *path)
{
    char *folder = strdup(path);
    for (char *slash = folder ? strchr(folder + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(folder, 0700);
        *slash = '/';
    }
    free(folder);
}

int al_cachefile_lock(const char *path)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
    char *name = join(path, ".lock", "");
    int lock = name ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    int error = lock >= 0 ? 0 : errno;
    free(name);
    for (int i = 0; lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0; i++) {
        error = errno;
        if (i < LOCK_TRIES && (error == EWOULDBLOCK || error == EINTR)) {
            nanosleep(&pause, NULL);
            continue;
        }
        close(lock);
        lock = -1;
    }
    if (lock < 0)
        errno = error;
    return lock;
}

static size_t read_up_to(int file, char *bytes, size_t most)
{
    size_t used = 0;
    while (used < most) {
        ssize_t got = read(file, bytes + used, most - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    bytes[used] = '\0';
    return used;
}

char *al_cachefile_read(const char *path, size_t most_bytes, size_t *size)
{
    struct stat about;
    char *bytes = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return NULL;
    int error = fstat(file, &about) == 0 ? 0 : errno;
    if (!error && !S_ISREG(about.st_mode))
        error = EINVAL;
    else if (!error && (about.st_size < 0 || (size_t)about.st_size > most_bytes))
        error = EFBIG;
    if (!error && !(bytes = malloc((size_t)about.st_size + 1)))
        error = ENOMEM;
    if (!error)
        *size = read_up_to(file, bytes, (size_t)about.st_size);
    close(file);
    errno = error;
    return bytes;
}

static bool write_all(int file, const char *bytes, size_t size)
{
    while (size) {
        ssize_t put = write(file, bytes, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

bool al_cachefile_replace(const char *path, const void *bytes, size_t size)
{
    char *fresh = join(path, ".XXXXXX", "");
    int file = fresh ? mkostemp(fresh, O_CLOEXEC) : -1;
    bool written = file >= 0 && write_all(file, bytes, size);
    int error = written ? 0 : errno;
    if (file >= 0 && close(file) != 0 && written) {
        written = false;
        error = errno;
    }
    if (written && rename(fresh, path) != 0) {
        written = false;
        error = errno;
    }
    if (!written && file >= 0)
        unlink(fresh);
    free(fresh);
    errno = error;
    return written;
}
