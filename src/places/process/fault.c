#include "places/process/fault.h"
#include "places/process/symtab.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN      10            /* frames */
#define NEAR_STACK (64u * 1024u) /* a fault so near to the stack pointer is the stack's own */

/* ---- Text that grows ---- */

typedef struct text {
    char *bytes;
    size_t size, used;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *to, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int length = vsnprintf(to->bytes + to->used, to->size - to->used, format, values);
    va_end(values);
    size_t room = to->size - to->used - 1;
    if (length > 0)
        to->used += (size_t)length < room ? (size_t)length : room;
}

static void add_signal(text *to, int number)
{
    if (sigabbrev_np(number))
        add(to, "was killed by SIG%s (%d)", sigabbrev_np(number), number);
    else
        add(to, "was killed by signal %d", number);
}

/* ---- What the worker wrote down: copied, and made safe to use ---- */

typedef struct frame {
    const char *path; /* "": in no file */
    uint64_t address;
    al_symtab_query code;
} frame;

typedef struct report {
    int signal; /* 0: it wrote nothing */
    uint32_t count;
    uint64_t address, stack;
    char paths[AL_CRASH_FILES][AL_CRASH_PATH];
    frame frames[AL_CRASH_FRAMES];
} report;

static void copy_paths(const al_crash *crash, report *to)
{
    memcpy(to->paths, (const void *)crash->paths, sizeof to->paths);
    for (size_t file = 0; file < AL_CRASH_FILES; file++) {
        to->paths[file][AL_CRASH_PATH - 1] = 0;
        for (char *c = to->paths[file]; *c; c++)
            *c = (unsigned char)*c < 32 || *c == 127 ? '?' : *c;
    }
}

static void copy_report(const al_crash *crash, report *to)
{
    memset(to, 0, sizeof *to);
    to->signal = (int)(atomic_load_explicit(&crash->signal, memory_order_acquire) & 127);
    to->count = atomic_load_explicit(&crash->frame_count, memory_order_acquire);
    to->count = to->count < AL_CRASH_FRAMES ? to->count : AL_CRASH_FRAMES;
    to->address = crash->address;
    to->stack = crash->stack;
    copy_paths(crash, to);
    for (uint32_t i = 0; i < to->count; i++) {
        al_crash_frame from = crash->frames[i];
        to->frames[i].path = from.file < AL_CRASH_FILES ? to->paths[from.file] : "";
        to->frames[i].address = from.address;
        to->frames[i].code.offset = from.offset;
    }
}

/* All frames in one file are asked for at once. Above the first frame the call lies before where it returns
 * to. */
static void find_names(report *of, const char *path)
{
    al_symtab_query asked[AL_CRASH_FRAMES];
    uint32_t which[AL_CRASH_FRAMES], count = 0;
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->frames[i].path != path)
            continue;
        which[count] = i;
        asked[count++].offset = of->frames[i].code.offset - (i > 0);
    }
    if (count)
        al_symtab_ask(path, asked, count);
    for (uint32_t i = 0; i < count; i++) {
        asked[i].offset = of->frames[which[i]].code.offset;
        asked[i].into += which[i] > 0;
        of->frames[which[i]].code = asked[i];
    }
}

/* ---- Words ---- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_frame(text *to, const frame *at)
{
    if (!at->path[0])
        add(to, "0x%llx", (unsigned long long)at->address);
    else if (at->code.name[0])
        add(to, "%s+0x%llx (%s)", at->code.name, (unsigned long long)at->code.into, file_name(at->path));
    else
        add(to, "%s+0x%llx", file_name(at->path), (unsigned long long)at->code.offset);
}

/* What merely passes a signal on is not where it went wrong. */
static bool is_passed_through(const frame *at)
{
    const char *name = file_name(at->path);
    return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "libc-", 5) == 0 ||
           strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "libasan", 7) == 0 ||
           strncmp(name, "libtsan", 7) == 0;
}

static bool is_stack_overflow(const report *of)
{
    return of->signal == SIGSEGV && of->address + NEAR_STACK >= of->stack &&
           of->address <= of->stack + NEAR_STACK;
}

static void add_place(text *to, const report *of)
{
    uint32_t at = 0;
    while (at < of->count && is_passed_through(&of->frames[at]))
        at++;
    if (is_stack_overflow(of))
        add(to, ", its stack overflowed,");
    else if (of->signal == SIGSEGV || of->signal == SIGBUS)
        add(to, " at address 0x%llx", (unsigned long long)of->address);
    else if (of->signal == SIGXCPU)
        add(to, ", its CPU time used up,");
    else if (of->signal == SIGXFSZ)
        add(to, ", its file grew too large,");
    if (at < of->count) {
        add(to, " in ");
        add_frame(to, &of->frames[at]);
    } else if (to->bytes[to->used - 1] == ',') {
        to->bytes[--to->used] = 0;
    }
}

static void add_frames(text *to, const report *of)
{
    for (uint32_t i = 0; i < of->count && i < SHOWN; i++) {
        add(to, "\n  #%u ", i);
        add_frame(to, &of->frames[i]);
    }
}

static void add_words(text *to, const al_words *words)
{
    char quoted[AL_WORDS_KEPT];
    al_words_quote(words, quoted, sizeof quoted);
    if (quoted[0])
        add(to, "\nits last words:\n%s", quoted);
}

/* Only the kernel itself gives SIGKILL for it. */
static void add_hunger(text *to, const al_hunger *hunger)
{
    if (!hunger->killed)
        return;
    add(to, " by the kernel for want of memory");
    if (hunger->limit_bytes)
        add(to, " (the limit of its control group is %llu MiB)",
            (unsigned long long)(hunger->limit_bytes >> 20));
}

void al_fault_tell(al_end end, const al_hunger *hunger, const al_crash *crash, const al_words *words,
                   al_fault *fault)
{
    report of;
    text how = { fault->how, sizeof fault->how, 0 }, more = { fault->more, sizeof fault->more, 0 };
    fault->how[0] = fault->more[0] = 0;
    copy_report(crash, &of);
    if (end.kind == AL_END_UNKNOWN && of.signal) /* the program has taken its exit status */
        end = (al_end){ AL_END_KILLED, of.signal };
    if (end.kind == AL_END_UNKNOWN)
        add(&how, "died, and its exit status was taken by the program");
    else if (end.kind == AL_END_EXITED)
        add(&how, "exited with code %d", end.number);
    else
        add_signal(&how, end.number);
    if (!of.signal && (end.kind == AL_END_UNKNOWN || (end.kind == AL_END_KILLED && end.number == SIGKILL)))
        add_hunger(&how, hunger);
    if (end.kind == AL_END_KILLED && end.number == of.signal) {
        for (size_t file = 0; file < AL_CRASH_FILES && of.paths[file][0]; file++)
            find_names(&of, of.paths[file]);
        add_place(&how, &of);
        add_frames(&more, &of);
    }
    add_words(&more, words);
}
