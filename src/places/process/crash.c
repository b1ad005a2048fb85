#include "places/process/crash.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

/* Everything that the handler calls may be called in a handler: open, read, close, and the compiler's
 * unwinder, which takes no lock (glibc 2.35 and later). Not backtrace(), which loads that first: a quarter of
 * a millisecond, and not in a handler. */

#define STACK_BYTES 65536 /* of the handler: with room for a processor's largest register file */
#define GUARD_BYTES 4096
static al_crash *record;

/* ---- Where the code was ---- */

typedef struct point {
    uint64_t code, stack;
} point;

static point point_of(const void *context)
{
    const ucontext_t *from = context;
#if defined(__x86_64__)
    return (point){ (uint64_t)from->uc_mcontext.gregs[REG_RIP], (uint64_t)from->uc_mcontext.gregs[REG_RSP] };
#elif defined(__aarch64__)
    return (point){ from->uc_mcontext.pc, from->uc_mcontext.sp };
#else
    (void)from;
    return (point){ 0, 0 };
#endif
}

typedef struct climb {
    point at;
    uint32_t count; /* of frames; 0: still below where the signal came */
} climb;

/* The handler's own frames come first. */
static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *of)
{
    climb *done = of;
    uint64_t address = (uint64_t)_Unwind_GetIP(context);
    if (done->count ? address != 0 : address == done->at.code)
        record->frames[done->count++].address = address;
    return done->count < AL_CRASH_FRAMES ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

/* What the unwinder finds above the handler. A call of what is no code has no frame: its caller's address
 * lies on top of the stack. */
static uint32_t find_frames(point at)
{
    climb done = { at, 0 };
    _Unwind_Backtrace(step, &done);
    if (!done.count)
        record->frames[done.count++].address = at.code;
    if (done.count == 1 && at.stack)
        record->frames[done.count++].address = *(const uint64_t *)(uintptr_t)at.stack;
    return done.count;
}

/* ---- Which file lies there: /proc/self/maps, read by hand ---- */

typedef struct reader {
    int fd;
    ssize_t have, at;
    char bytes[1024];
} reader;

/* -1: the end. */
static int next_char(reader *from)
{
    if (from->at == from->have) {
        from->have = read(from->fd, from->bytes, sizeof from->bytes);
        from->at = 0;
    }
    return from->have > 0 ? (unsigned char)from->bytes[from->at++] : -1;
}

/* A hexadecimal number and the character that ends it. */
static uint64_t read_hex(reader *from, int *end)
{
    uint64_t value = 0;
    for (;;) {
        int c = next_char(from), digit = c >= '0' && c <= '9'   ? c - '0'
                                         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                                : -1;
        if (digit < 0) {
            *end = c;
            return value;
        }
        value = value << 4 | (uint64_t)digit;
    }
}

static int skip_word(reader *from)
{
    int c = next_char(from);
    while (c > ' ')
        c = next_char(from);
    return c;
}

/* The rest of a line without the blanks before it. */
static void read_rest(reader *from, int c, char *text, size_t size)
{
    size_t length = 0;
    while (c == ' ')
        c = next_char(from);
    for (; c >= 0 && c != '\n'; c = next_char(from))
        if (length + 1 < size)
            text[length++] = (char)c;
    text[length] = 0;
}

/* The number of a path in the record; AL_CRASH_NOT_KNOWN when it has no room. */
static uint32_t file_of(const char *path)
{
    uint32_t file = 0;
    while (file < AL_CRASH_FILES && record->paths[file][0] && strcmp(record->paths[file], path) != 0)
        file++;
    if (path[0] != '/' || file == AL_CRASH_FILES)
        return AL_CRASH_NOT_KNOWN;
    strcpy(record->paths[file], path);
    return file;
}

/* One line, "begin-end rights offset device inode path"; false at the end. */
static bool read_mapping(reader *from, uint32_t count)
{
    char path[AL_CRASH_PATH];
    int c;
    uint64_t begin = read_hex(from, &c);
    if (c != '-')
        return false;
    uint64_t end = read_hex(from, &c);
    skip_word(from);
    uint64_t offset = read_hex(from, &c);
    skip_word(from);
    c = skip_word(from);
    read_rest(from, c, path, sizeof path);
    for (uint32_t i = 0; i < count; i++) {
        al_crash_frame *frame = &record->frames[i];
        if (frame->address < begin || frame->address >= end)
            continue;
        frame->file = file_of(path);
        frame->offset = frame->address - begin + offset;
    }
    return true;
}

static void find_files(uint32_t count)
{
    reader from = { .fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC) };
    for (uint32_t i = 0; i < count; i++)
        record->frames[i].file = AL_CRASH_NOT_KNOWN;
    if (from.fd < 0)
        return;
    while (read_mapping(&from, count))
        continue;
    close(from.fd);
}

/* ---- The handler ---- */

/* The default action is in force again when this returns: then the signal that was raised here, or the fault
 * itself, ends the process. A second fault in here does so at once. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    uint32_t none = 0;
    point at = point_of(context);
    if (atomic_compare_exchange_strong(&record->signal, &none, (uint32_t)number)) {
        record->address = (uint64_t)(uintptr_t)(number == SIGABRT ? NULL : info->si_addr);
        record->stack = at.stack;
        uint32_t count = find_frames(at);
        find_files(count);
        atomic_store(&record->frame_count, count);
    }
    raise(number);
}

/* A stack that has run out has no room for a handler. Not freed: it is the thread's as long as it lives. */
static void give_stack(void)
{
    unsigned char *stack =
        mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        return;
    mprotect(stack, GUARD_BYTES, PROT_NONE);
    sigaltstack(&(stack_t){ .ss_sp = stack + GUARD_BYTES, .ss_size = STACK_BYTES }, NULL);
}

void al_crash_watch(al_crash *crash)
{
    static const int numbers[] = {
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ
    };
    record = crash;
    give_stack();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before,
            action = { .sa_sigaction = on_crash,
                       .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND | SA_NODEFER };
        sigemptyset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
    }
}
