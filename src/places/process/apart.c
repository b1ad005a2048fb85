#include "places/apart.h"
#include "base/clock.h"
#include "base/shared.h"
#include "places/process/spawn.h"
#include "places/process/start.h"
#include "places/process/symbol.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* What parent and child share. The parent trusts nothing in it but the length. */
typedef struct apart_page {
    al_wire_message module; /* of the function */
    uint64_t offset;        /* of it, in the module */
    _Atomic uint32_t begun, done;
    _Alignas(64) unsigned char bytes[AL_APART_BYTES];
} apart_page;

struct al_apart {
    al_spawner spawner;
    al_spawned child;
    int fd;
    apart_page *page;
    size_t size;
};

/* ---- The child ---- */

static apart_page *map_page(int fd)
{
    void *page = mmap(NULL, sizeof(apart_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

/* What foreign code has to say while it is tried is for nobody, and its crash leaves no core. */
static void be_quiet(void)
{
    const struct rlimit none = { 0, 0 };
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    setrlimit(RLIMIT_CORE, &none);
    if (nowhere >= 0)
        dup2(nowhere, STDOUT_FILENO);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
}

_Noreturn void al_apart_main(const al_door *door)
{
    al_failure ignored = { 0 };
    uintptr_t base;
    apart_page *page = map_page(door->page);
    prctl(PR_SET_NAME, "allot-apart");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    be_quiet();
    if (!page || al_module_load(&page->module, &base, &ignored) != ALLOT_OK)
        _exit(EXIT_FAILURE);
    atomic_store(&page->begun, 1);
    ((al_apart_function)(base + page->offset))(page->bytes);
    atomic_store(&page->done, 1);
    _exit(EXIT_SUCCESS);
}

/* ---- The parent ---- */

bool al_apart_allowed(char *why, size_t why_size)
{
    return al_spawner_allowed(why, why_size);
}

/* A function travels as its module and its offset there. */
static allot_status name_function(apart_page *page, al_apart_function function, al_failure *failure)
{
    al_symbol symbol;
    al_symbols *symbols = malloc(sizeof *symbols);
    if (!symbols)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    al_symbols_init(symbols);
    al_symbols_refresh(symbols);
    bool found = al_symbols_find(symbols, (al_code)function, &symbol, failure);
    if (found) {
        al_symbols_introduce(symbols, symbol.module, &page->module);
        page->offset = symbol.offset;
    }
    al_symbols_fini(symbols);
    free(symbols);
    return found ? ALLOT_OK : ALLOT_NOT_FOUND;
}

static void destroy(al_apart *apart)
{
    al_spawner_fini(&apart->spawner);
    if (apart->page)
        munmap(apart->page, sizeof *apart->page);
    if (apart->fd >= 0)
        close(apart->fd);
    free(apart);
}

static allot_status prepare(al_apart *apart, al_apart_function function, al_failure *failure)
{
    apart->fd = al_shared_create("allot-apart", sizeof *apart->page);
    apart->page = apart->fd >= 0 ? map_page(apart->fd) : NULL;
    if (!apart->page)
        return al_failure_set(failure, ALLOT_SYSTEM, "no memory to share with a process: %s",
                              strerror(errno));
    if (!al_spawner_init(&apart->spawner))
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    apart->spawner.apart = true;
    apart->spawner.depth = al_start_depth() + 1;
    apart->spawner.depth_max = apart->spawner.depth; /* it has no workers */
    return name_function(apart->page, function, failure);
}

al_apart *al_apart_start(al_apart_function function, const void *bytes, size_t size, al_failure *failure)
{
    al_apart *apart = calloc(1, sizeof *apart);
    if (!apart) {
        al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
        return NULL;
    }
    apart->fd = -1;
    apart->size = size < AL_APART_BYTES ? size : AL_APART_BYTES;
    allot_status status = prepare(apart, function, failure);
    if (status == ALLOT_OK) {
        memcpy(apart->page->bytes, bytes, apart->size);
        status = al_spawn(&apart->spawner, apart->fd, -1, &apart->child, failure);
    }
    if (status == ALLOT_OK)
        return apart;
    destroy(apart);
    return NULL;
}

/* True if it has ended by then. */
static bool await_end(const al_spawned *child, int64_t until_ns)
{
    /* Without a pidfd the end of the socket tells, which nobody but the child has. */
    struct pollfd on = { child->pidfd >= 0 ? child->pidfd : child->socket, POLLIN, 0 };
    for (;;) {
        int64_t left_ns = until_ns - al_clock_now_ns();
        int64_t left_ms = left_ns > 0 ? left_ns / 1000000 + 1 : 0;
        int ready = poll(&on, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

static al_end reap(al_spawned *child)
{
    al_end end = al_spawned_reap(child);
    if (child->pidfd >= 0)
        close(child->pidfd);
    close(child->socket);
    return end;
}

static void tell_end(al_end end, char *how, size_t how_size)
{
    const char *name = end.kind == AL_END_KILLED ? sigabbrev_np(end.number) : NULL;
    if (name)
        snprintf(how, how_size, "it was killed by SIG%s", name);
    else if (end.kind == AL_END_KILLED)
        snprintf(how, how_size, "it was killed by signal %d", end.number);
    else if (end.kind == AL_END_EXITED)
        snprintf(how, how_size, "it exited with code %d", end.number);
    else
        snprintf(how, how_size, "it ended");
}

/* A program whose start does not lead through this library may have another way. */
static bool start_otherwise(al_apart *apart, al_end end)
{
    return end.kind == AL_END_EXITED && end.number == AL_START_NOT_HERE &&
           al_spawner_change(&apart->spawner) &&
           al_spawn(&apart->spawner, apart->fd, -1, &apart->child, NULL) == ALLOT_OK;
}

al_apart_end al_apart_wait(al_apart *apart, int64_t until_ns, void *bytes, char *how, size_t how_size)
{
    bool in_time;
    al_end end;
    do {
        in_time = await_end(&apart->child, until_ns);
        if (!in_time)
            al_spawned_signal(&apart->child, SIGKILL);
        end = reap(&apart->child);
    } while (in_time && start_otherwise(apart, end));
    bool begun = atomic_load(&apart->page->begun) == 1, done = atomic_load(&apart->page->done) == 1;
    memcpy(bytes, apart->page->bytes, apart->size);
    tell_end(end, how, how_size);
    destroy(apart);
    if (begun && done)
        return AL_APART_DONE;
    return !begun ? AL_APART_UNBEGUN : in_time ? AL_APART_DIED : AL_APART_LATE;
}
