#include "executor/journal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "executor/terms.h"
#include "placement/decision_line.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TURN_NS       INT64_C(50000000) /* how long a line may wait: adding one wakes nobody */
#define BUFFER_BYTES  (1 << 20)
#define FLUSHED_LINES 16
#define BACKLOG_MOST  4096 /* lines; from there on those who add write themselves */

struct al_journal {
    FILE *file;
    char *path, run[40];
    pthread_t thread;
    pthread_mutex_t writing; /* guards the file; taken before `lock` */
    pthread_mutex_t lock;    /* guards all below */
    pthread_cond_t changed;
    al_terms *first, *last; /* whose tasks are held */
    size_t count;
    bool closing;
};

/* ---- Writing ---- */

static al_terms *take_all(al_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    al_terms *all = journal->first;
    journal->first = journal->last = NULL;
    journal->count = 0;
    pthread_mutex_unlock(&journal->lock);
    return all;
}

static void write_one(al_journal *journal, al_task *task)
{
    const allot_decision *decision = atomic_load_explicit(&task->more->decision, memory_order_acquire);
    al_decision_line(decision, journal->run, decision->done, journal->file);
}

/* Whole lines at once, for others may append to the same file: they are let go before the buffer is full. */
static void write_all(al_journal *journal)
{
    size_t lines = 0;
    pthread_mutex_lock(&journal->writing);
    for (al_terms *terms = take_all(journal), *next; terms; terms = next) {
        next = terms->next_in_journal;
        write_one(journal, terms->task);
        if (++lines % FLUSHED_LINES == 0)
            fflush(journal->file);
        allot_release(&terms->task->future); /* with it the terms may go */
    }
    fflush(journal->file);
    pthread_mutex_unlock(&journal->writing);
}

static void *serve(void *of)
{
    al_journal *journal = of;
    bool closing = false;
    while (!closing) {
        struct timespec until = al_clock_timespec(al_clock_now_ns() + TURN_NS);
        pthread_mutex_lock(&journal->lock);
        if (!journal->closing)
            pthread_cond_timedwait(&journal->changed, &journal->lock, &until);
        closing = journal->closing;
        pthread_mutex_unlock(&journal->lock);
        write_all(journal);
    }
    return NULL;
}

void al_journal_add(al_journal *journal, al_task *task)
{
    if (!journal || !atomic_load_explicit(&task->more->decision, memory_order_acquire))
        return;
    al_terms *terms = al_terms_of(task);
    allot_hold(&task->future);
    terms->next_in_journal = NULL;
    pthread_mutex_lock(&journal->lock);
    if (journal->last)
        journal->last->next_in_journal = terms;
    else
        journal->first = terms;
    journal->last = terms;
    bool much = ++journal->count >= BACKLOG_MOST;
    pthread_mutex_unlock(&journal->lock);
    if (much)
        write_all(journal);
}

/* ---- Life ---- */

static void destroy(al_journal *journal)
{
    pthread_cond_destroy(&journal->changed);
    pthread_mutex_destroy(&journal->lock);
    pthread_mutex_destroy(&journal->writing);
    free(journal->path);
    free(journal);
}

static bool start(al_journal *journal)
{
    errno = al_thread_start(&journal->thread, NULL, serve, journal);
    return errno == 0;
}

static al_journal *create(const char *path)
{
    static _Atomic unsigned runs;
    al_journal *journal = calloc(1, sizeof *journal);
    char *copy = strdup(path);
    if (!journal || !copy) {
        free(journal);
        free(copy);
        return NULL;
    }
    journal->path = copy;
    snprintf(journal->run, sizeof journal->run, "%ld.%u", (long)getpid(), atomic_fetch_add(&runs, 1));
    pthread_mutex_init(&journal->writing, NULL);
    pthread_mutex_init(&journal->lock, NULL);
    al_condition_init(&journal->changed);
    return journal;
}

al_journal *al_journal_open(const char *path)
{
    al_journal *journal = create(path);
    if (!journal)
        return al_last_error(ALLOT_NO_MEMORY, "out of memory");
    journal->file = fopen(path, "ae");
    if (journal->file)
        setvbuf(journal->file, NULL, _IOFBF, BUFFER_BYTES);
    if (journal->file && start(journal))
        return journal;
    al_last_error(ALLOT_SYSTEM, "the decision log %s cannot be opened: %s", path, strerror(errno));
    if (journal->file)
        fclose(journal->file);
    destroy(journal);
    return NULL;
}

void al_journal_close(al_journal *journal)
{
    if (!journal)
        return;
    pthread_mutex_lock(&journal->lock);
    journal->closing = true;
    pthread_cond_signal(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->thread, NULL);
    bool failed = ferror(journal->file) != 0;
    failed = fclose(journal->file) != 0 || failed;
    if (failed)
        al_log(AL_LOG_ERROR, "the decision log %s is not whole: it could not be written", journal->path);
    destroy(journal);
}
