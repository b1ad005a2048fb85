#include "places/process/start.h"
#include "places/process/worker.h"
#include <allot/executor.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* All of this runs before main, and some of it before the program's own constructors: where a sanitizer's
 * runtime is part of the program it may not be up yet, so nothing here is instrumented. */
#define EARLY __attribute__((no_sanitize("address", "thread", "undefined")))

typedef int (*main_function)(int argc, char **argv, char **environment);
typedef int (*start_function)(main_function run, int argc, char **argv, void (*init)(void),
                              void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

_Atomic int al_start_seen = AL_START_UNSEEN;

static al_door door;

/* ---- The door ---- */

EARLY static const char *take_number(const char *text, int *number)
{
    int value = 0;
    if (!text || *text < '0' || *text > '9')
        return NULL;
    while (*text >= '0' && *text <= '9' && value < 100000000)
        value = value * 10 + (*text++ - '0');
    *number = value;
    return *text == ',' ? text + 1 : text;
}

EARLY static bool read_variable(const char *text, al_door *to)
{
    int parent = 0, preloaded = 0, apart = 0;
    text = take_number(text, &to->socket);
    text = take_number(text, &to->page);
    text = take_number(text, &parent);
    text = take_number(text, &preloaded);
    text = take_number(text, &to->depth);
    text = take_number(text, &to->depth_max);
    text = take_number(text, &apart);
    to->parent = (pid_t)parent;
    to->preloaded = preloaded != 0;
    to->apart = apart != 0;
    return text && *text == 0;
}

/* The other end of the socket belongs to the process that the variable names, and that process is our parent.
 * If it is not our parent any more it has died since: then nobody wants a worker, and least of all another
 * run of main. */
EARLY static bool peer_is_parent(const al_door *from)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(from->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid != from->parent)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != from->parent)
        _exit(EXIT_FAILURE);
    return true;
}

EARLY static void restore_preload(void)
{
    const char *before = getenv(AL_START_PRELOAD);
    if (before)
        setenv("LD_PRELOAD", before, 1);
    else
        unsetenv("LD_PRELOAD");
    unsetenv(AL_START_PRELOAD);
}

/* True once, in a process that its parent started as a worker. */
EARLY static bool enter(al_door *to)
{
    al_door given = { 0 };
    const char *text = getenv(AL_START_VARIABLE);
    if (!text || getauxval(AT_SECURE) || !read_variable(text, &given) || !peer_is_parent(&given))
        return false;
    *to = given;
    unsetenv(AL_START_VARIABLE);
    if (to->preloaded)
        restore_preload();
    fcntl(to->socket, F_SETFD, FD_CLOEXEC);
    fcntl(to->page, F_SETFD, FD_CLOEXEC);
    return true;
}

int al_start_depth(void)
{
    return door.depth;
}

int al_start_depth_max(void)
{
    return door.depth ? door.depth_max : INT_MAX;
}

int allot_process_depth(void)
{
    return al_start_depth();
}

/* ---- The hook ---- */

_Noreturn static void work(void)
{
    if (door.apart)
        al_apart_main(&door);
    al_worker_main(&door);
}

static int worker_main(int argc, char **argv, char **environment)
{
    (void)argc, (void)argv, (void)environment;
    work();
}

/* The program's own main, whose return ends in exit() as a call of it does: al_loading_close() has its turn.
 */
static main_function program_main;

static int run_program(int argc, char **argv, char **environment)
{
    exit(program_main(argc, argv, environment));
}

/* Weak, so that a program linked with -static keeps its C library's own. */
__attribute__((weak, visibility("default"))) int __libc_start_main(main_function run, int argc, char **argv,
                                                                   void (*init)(void), void (*fini)(void),
                                                                   void (*rtld_fini)(void), void *stack_end);

EARLY int __libc_start_main(main_function run, int argc, char **argv, void (*init)(void), void (*fini)(void),
                            void (*rtld_fini)(void), void *stack_end)
{
    static const char problem[] = "allot: the C library's __libc_start_main was not found\n";
    start_function real;
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    if (!real) {
        if (write(STDERR_FILENO, problem, sizeof problem - 1) < 0)
            _exit(EXIT_FAILURE);
        _exit(EXIT_FAILURE);
    }
    atomic_store_explicit(&al_start_seen, AL_START_HOOKED, memory_order_relaxed);
    program_main = run;
    return real(enter(&door) ? worker_main : run_program, argc, argv, init, fini, rtld_fini, stack_end);
}

int allot_worker_main(void)
{
    if (enter(&door))
        work();
    int unseen = AL_START_UNSEEN;
    atomic_compare_exchange_strong(&al_start_seen, &unseen, AL_START_ANNOUNCED);
    return 0;
}

/* ---- A worker that relies on LD_PRELOAD ----
 * If the program's start were bound to another __libc_start_main, main would run a second time: better no
 * worker at all. */

#if __ELF_NATIVE_CLASS == 64
#define SYMBOL_OF(info) ELF64_R_SYM(info)
#else
#define SYMBOL_OF(info) ELF32_R_SYM(info)
#endif

typedef struct dynamic {
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * tables[2];
    size_t sizes[2];
} dynamic;

static dynamic read_dynamic(const struct link_map *map)
{
    dynamic from = { 0 };
    for (const ElfW(Dyn) *each = map->l_ld; each->d_tag != DT_NULL; each++) {
        switch (each->d_tag) {
        case DT_SYMTAB:
            from.symbols = (const void *)each->d_un.d_ptr;
            break;
        case DT_STRTAB:
            from.strings = (const void *)each->d_un.d_ptr;
            break;
        case DT_RELA:
            from.tables[0] = (const void *)each->d_un.d_ptr;
            break;
        case DT_RELASZ:
            from.sizes[0] = each->d_un.d_val;
            break;
        case DT_JMPREL:
            from.tables[1] = (const void *)each->d_un.d_ptr;
            break;
        case DT_PLTRELSZ:
            from.sizes[1] = each->d_un.d_val;
            break;
        default:
            break;
        }
    }
    return from;
}

/* True if the program's reference to __libc_start_main leads here. A reference bound lazily counts by what
 * the search would find. */
static bool program_starts_here(void)
{
    struct link_map *map = NULL;
    void *program = dlopen(NULL, RTLD_LAZY | RTLD_NOLOAD);
    if (!program || dlinfo(program, RTLD_DI_LINKMAP, &map) != 0 || !map || !map->l_ld)
        return false;
    dynamic from = read_dynamic(map);
    for (int table = 0; table < 2; table++) {
        for (size_t i = 0; from.tables[table] && i < from.sizes[table] / sizeof(ElfW(Rela)); i++) {
            const ElfW(Rela) *entry = &from.tables[table][i];
            const char *name = from.strings + from.symbols[SYMBOL_OF(entry->r_info)].st_name;
            if (strcmp(name, "__libc_start_main") != 0)
                continue;
            void *bound = *(void **)(map->l_addr + entry->r_offset);
            void *ours = *(void **)&(start_function){ __libc_start_main };
            return bound == ours || (table == 1 && dlsym(RTLD_DEFAULT, name) == ours);
        }
    }
    return false;
}

__attribute__((constructor)) static void refuse_a_second_main(void)
{
    al_door preload = { 0 };
    const char *text = getenv(AL_START_VARIABLE);
    if (!text || getauxval(AT_SECURE) || !read_variable(text, &preload) || !preload.preloaded)
        return;
    if (peer_is_parent(&preload) && !program_starts_here())
        _exit(AL_START_NOT_HERE);
}
