/* What the error of a task says when its worker died: the signal, where the code was, the worker's last
 * words; and what becomes of the words of those that live. */
#include "process_rig.h"
#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM 12000

static char text[ROOM];

/* What the message of a task says that ends its worker. */
static const char *message_of(allot_function function, const void *in, size_t in_size)
{
    CU_ASSERT_EQUAL(rig_ended(rig_submit(function, in, in_size, 0), text, sizeof text), ALLOT_WORKER_DIED);
    return text;
}

static bool says(const char *words)
{
    if (!strstr(text, words))
        printf("\n    '%s' is not in: %s\n", words, text);
    return strstr(text, words) != NULL;
}

/* ---- Where it was ---- */

__attribute__((noinline)) static int read_through(const volatile int *where)
{
    return *where + 1;
}

static allot_status read_nothing(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return read_through((const int *)(allot_call_in_size(call) & 8)) ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status call_nothing(allot_call *call, const void *in, void *out)
{
    (void)out;
    void (*volatile function)(void) = NULL;
    function();
    return in ? ALLOT_OK : allot_fail(call, ALLOT_FAILED, "it came back");
}

__attribute__((noinline)) static int descend(volatile char *above, int depth)
{
    volatile char room[4096];
    room[0] = above ? above[0] : (char)depth;
    return depth > 0 ? descend(room, depth + 1) + room[0] : 0;
}

static allot_status descend_for_ever(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    return descend(NULL, 1) ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status divide(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    raise(SIGFPE);
    return allot_call_in_size(call) ? ALLOT_OK : ALLOT_FAILED;
}

static void names_the_function_and_the_address(void)
{
    char zero[1] = { 0 };
    if (SANITIZED)
        return;
    message_of(read_nothing, zero, 1);
    CU_ASSERT(says("was killed by SIGSEGV (11) at address 0x0 in read_through+0x"));
    CU_ASSERT(says(" (test_process_fault)"));
    CU_ASSERT(says("#1 read_nothing+0x"));
}

static void names_the_caller_of_what_is_no_code(void)
{
    if (SANITIZED)
        return;
    message_of(call_nothing, NULL, 0);
    CU_ASSERT(says("was killed by SIGSEGV (11) at address 0x0"));
    CU_ASSERT(says("call_nothing+0x"));
}

static void tells_a_stack_overflow(void)
{
    if (SANITIZED)
        return;
    message_of(descend_for_ever, NULL, 0);
    CU_ASSERT(says("was killed by SIGSEGV (11), its stack overflowed, in descend+0x"));
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
}

static void names_what_raised_a_signal(void)
{
    if (SANITIZED)
        return;
    message_of(divide, NULL, 0);
    CU_ASSERT(says("was killed by SIGFPE (8) in divide+0x"));
    message_of(rig_die, "a", 1);
    CU_ASSERT(says("was killed by SIGABRT (6) in rig_die"));
}

/* ---- Where the host sees to its children itself ---- */

static void names_signals_where_the_host_ignores_its_children(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
    sigaction(SIGCHLD, &ignore, &before);
    message_of(rig_die, "a", 1);
    CU_ASSERT(SANITIZED || says("was killed by SIGABRT (6) in rig_die"));
    message_of(rig_die, "s", 1);
    CU_ASSERT(SANITIZED || says("was killed by SIGSEGV (11)"));
    message_of(rig_die, "k", 1); /* which nobody can write down */
    CU_ASSERT(says("died, and its exit status was taken by the program"));
    sigaction(SIGCHLD, &before, NULL);
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
}

static void reap_all(int number)
{
    int before = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    errno = before;
}

/* Who comes first, the host or the place, is chance. */
static void names_signals_where_the_host_reaps_its_children(void)
{
    struct sigaction reap = { .sa_handler = reap_all, .sa_flags = SA_RESTART }, before;
    sigaction(SIGCHLD, &reap, &before);
    for (int i = 0; i < 20; i++) {
        message_of(rig_die, "s", 1);
        CU_ASSERT(SANITIZED || says("was killed by SIGSEGV (11)"));
        message_of(rig_die, "k", 1);
        CU_ASSERT(says("was killed by SIGKILL (9)") || says("its exit status was taken by the program"));
    }
    sigaction(SIGCHLD, &before, NULL);
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
}

/* ---- Last words ---- */

static allot_status speak_and_die(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    fprintf(stderr, "opening the valve\nrow %d is singular\n", *(const int *)in);
    raise(SIGKILL);
    return ALLOT_OK;
}

static allot_status speak_long_and_die(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    for (int line = 0; line < 2000; line++)
        fprintf(stderr, "this is line %d\n", line);
    fputs("\033[2Jand this the last\n", stderr);
    _exit(3);
}

/* Lets standard error be another file meanwhile. */
static int replace_stderr(int fd)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(fd, STDERR_FILENO);
    return kept;
}

static void restore_stderr(int kept)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static void tells_the_last_words(void)
{
    int row = 12, nothing = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = replace_stderr(nothing);
    message_of(speak_and_die, &row, sizeof row);
    restore_stderr(kept);
    close(nothing);
    CU_ASSERT(says("was killed by SIGKILL (9)\nits last words:\nopening the valve\nrow 12 is singular"));
}

static void tells_whole_lines_and_nothing_that_a_terminal_obeys(void)
{
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = replace_stderr(nothing);
    message_of(speak_long_and_die, NULL, 0);
    restore_stderr(kept);
    close(nothing);
    CU_ASSERT(says("exited with code 3\nits last words:\nthis is line "));
    CU_ASSERT(says("\nthis is line 1999\n?[2Jand this the last"));
    CU_ASSERT(strlen(text) < 4096 + 200 && strlen(text) > 3900);
}

static allot_status speak(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    fprintf(stderr, "%s\n", (const char *)in);
    return ALLOT_OK;
}

static void passes_words_on(void)
{
    char seen[64] = "";
    int file = memfd_create("stderr", MFD_CLOEXEC), kept = replace_stderr(file);
    CU_ASSERT_EQUAL(rig_call(speak, "hello there", 12), ALLOT_OK);
    while (pread(file, seen, sizeof seen - 1, 0) <
           12) /* the watchdog of the run ends this if they never come */
        usleep(100);
    restore_stderr(kept);
    close(file);
    CU_ASSERT_STRING_EQUAL(seen, "hello there\n");
}

enum {
    LONG = 300000 /* more than the pipes on the way hold */
};

static allot_status speak_at_length(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    static char line[LONG];
    memset(line, 'x', sizeof line);
    return fwrite(line, 1, sizeof line, stderr) == sizeof line ? ALLOT_OK : ALLOT_FAILED;
}

static void one_whose_words_nobody_takes_holds_nobody_up(void)
{
    int ends[2];
    size_t read_so_far = 0;
    char bytes[65536];
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    int kept = replace_stderr(ends[1]);
    allot_future *talker = rig_submit(speak_at_length, NULL, 0, 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
    CU_ASSERT_FALSE(allot_done(talker));
    while (read_so_far < LONG)
        read_so_far += (size_t)read(ends[0], bytes, sizeof bytes);
    CU_ASSERT_EQUAL(rig_ended(talker, NULL, 0), ALLOT_OK);
    restore_stderr(kept);
    close(ends[0]);
    close(ends[1]);
}

static const test_fact facts[] = {
    { "H4 B10 the function and the address of a fault are told", names_the_function_and_the_address },
    { "H4 the caller of what is no code is told", names_the_caller_of_what_is_no_code },
    { "H4 a stack overflow is told as such", tells_a_stack_overflow },
    { "H4 what raised a signal is told", names_what_raised_a_signal },
    { "H4 H21 signals are named also where the host ignores its children",
      names_signals_where_the_host_ignores_its_children },
    { "H4 H21 signals are named also where the host reaps its children",
      names_signals_where_the_host_reaps_its_children },
    { "B10 the worker's last words are told", tells_the_last_words },
    { "B10 whole lines are told, and nothing that a terminal obeys",
      tells_whole_lines_and_nothing_that_a_terminal_obeys },
    { "what a worker says is passed on", passes_words_on },
    { "one whose words nobody takes holds nobody up", one_whose_words_nobody_takes_holds_nobody_up },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process fault", facts, NULL);
}
