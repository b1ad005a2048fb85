#include "places/process/words.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE     4096 /* bytes that a pipe which can take any takes whole (PIPE_BUF) */
#define ROUNDS_MAX  16   /* so that one who never stops talking does not keep everybody */
#define FIRST_OTHER 5    /* above the descriptors that a worker is given */
#define PATIENCE_MS 100  /* for a standard error that is full, when its speaker is dead */

bool al_words_open(al_words *words, int *speaker)
{
    int ends[2];
    words->fd = *speaker = -1;
    words->heard = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    words->fd = fcntl(ends[0], F_DUPFD_CLOEXEC, FIRST_OTHER);
    *speaker = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_OTHER);
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    if (words->fd >= 0 && *speaker >= 0 && fcntl(words->fd, F_SETFL, O_NONBLOCK) == 0)
        return true;
    if (*speaker >= 0)
        close(*speaker);
    al_words_close(words);
    errno = error;
    return false;
}

void al_words_close(al_words *words)
{
    if (words->fd >= 0)
        close(words->fd);
    words->fd = -1;
}

static void keep(al_words *words, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words->last[(words->heard + i) % AL_WORDS_KEPT] = bytes[i];
    words->heard += count;
}

/* True if it takes AT_ONCE bytes now; so does one that is broken, or gone. */
static bool can_pass_on(int wait_ms)
{
    struct pollfd own = { STDERR_FILENO, POLLOUT, 0 };
    return poll(&own, 1, wait_ms) != 0;
}

static void pass_on(const char *bytes, size_t count)
{
    while (count) {
        ssize_t wrote = write(STDERR_FILENO, bytes, count);
        if (wrote < 0 && errno != EINTR)
            return;
        bytes += wrote > 0 ? wrote : 0;
        count -= wrote > 0 ? (size_t)wrote : 0;
    }
}

/* Bytes taken; 0: nothing there; -1: no more will come. */
static ssize_t take(al_words *words, char *bytes)
{
    ssize_t got;
    do
        got = read(words->fd, bytes, AT_ONCE);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        keep(words, bytes, (size_t)got);
    return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
}

al_words_state al_words_hear(al_words *words)
{
    char bytes[AT_ONCE];
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (!can_pass_on(0))
            return AL_WORDS_HELD_UP;
        ssize_t got = take(words, bytes);
        if (got <= 0)
            return got ? AL_WORDS_OVER : AL_WORDS_MORE_TO_COME;
        pass_on(bytes, (size_t)got);
    }
    return AL_WORDS_MORE_TO_COME;
}

void al_words_hear_out(al_words *words)
{
    char bytes[AT_ONCE];
    ssize_t got;
    for (int round = 0; words->fd >= 0 && round < ROUNDS_MAX && (got = take(words, bytes)) > 0; round++)
        if (can_pass_on(PATIENCE_MS))
            pass_on(bytes, (size_t)got);
}

static char shown(char c)
{
    return ((unsigned char)c < 32 && c != '\n' && c != '\t') || c == 127 ? '?' : c;
}

void al_words_quote(const al_words *words, char *text, size_t size)
{
    size_t end = words->heard, kept = end < AL_WORDS_KEPT ? end : AL_WORDS_KEPT;
    while (kept && words->last[(end - 1) % AL_WORDS_KEPT] == '\n')
        end--, kept--;
    size_t count = kept < size - 1 ? kept : size - 1, begin = end - count;
    for (size_t at = begin + 1; begin && at < end; at++) /* from the beginning of a line, if there is one */
        if (words->last[(at - 1) % AL_WORDS_KEPT] == '\n') {
            begin = at;
            break;
        }
    for (size_t at = begin; at < end; at++)
        text[at - begin] = shown(words->last[at % AL_WORDS_KEPT]);
    text[end - begin] = 0;
}
