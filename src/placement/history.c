#include "placement/history.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an entry that did not get in has no table afterwards; nothing exits */
#include <uthash.h>

#define SAMPLES_MOST  10  /* then the mean is frozen */
#define OUTLIER_RATIO 1.5 /* StarPU's: more than a half above or below the mean */

/* A kernel, type, size and class of place, one behind the other: numbers by their bits, so that only the same
 * is the same. */
typedef struct key {
    char bytes[256];
    size_t length;
} key;

typedef struct entry {
    UT_hash_handle hh;
    uint64_t tries, samples, outliers;
    double sum_s, least_ms; /* least_ms below 0: none is over */
    char key[];
} entry;

struct al_history {
    pthread_mutex_t lock; /* guards all below */
    entry *entries;
};

al_history *al_history_create(void)
{
    al_history *history = calloc(1, sizeof *history);
    if (history)
        pthread_mutex_init(&history->lock, NULL);
    return history;
}

void al_history_destroy(al_history *history)
{
    entry *each, *next;
    if (!history)
        return;
    HASH_ITER(hh, history->entries, each, next)
    {
        HASH_DEL(history->entries, each);
        free(each);
    }
    pthread_mutex_destroy(&history->lock);
    free(history);
}

static void put(key *to, const void *bytes, size_t size)
{
    size_t room = sizeof to->bytes - to->length, fits = size < room ? size : room;
    memcpy(to->bytes + to->length, bytes, fits);
    to->length += fits;
}

/* Names that are too long are told apart by what fits: their work is in front. */
static key key_of(const allot_snapshot *snapshot, const allot_candidate *candidate)
{
    const char *alike = candidate->alike ? candidate->alike : candidate->place;
    key made;
    made.length = 0;
    put(&made, &snapshot->flops, sizeof snapshot->flops);
    put(&made, &snapshot->bytes, sizeof snapshot->bytes);
    put(&made, snapshot->type, strlen(snapshot->type) + 1);
    put(&made, alike, strlen(alike) + 1);
    put(&made, snapshot->task, strlen(snapshot->task));
    return made;
}

static entry *find(const al_history *history, const key *wanted)
{
    entry *found;
    HASH_FIND(hh, history->entries, wanted->bytes, wanted->length, found);
    return found;
}

static entry *find_or_add(al_history *history, const key *wanted)
{
    entry *found = find(history, wanted);
    if (found)
        return found;
    found = calloc(1, sizeof *found + wanted->length);
    if (!found)
        return NULL;
    memcpy(found->key, wanted->bytes, wanted->length);
    found->least_ms = -1;
    HASH_ADD_KEYPTR(hh, history->entries, found->key, wanted->length, found);
    if (found->hh.tbl)
        return found;
    free(found);
    return NULL;
}

void al_history_recall(al_history *history, const allot_snapshot *snapshot, allot_candidate *candidate)
{
    key wanted = key_of(snapshot, candidate);
    pthread_mutex_lock(&history->lock);
    const entry *found = find(history, &wanted);
    candidate->history_tries = found ? found->tries : 0;
    candidate->history_samples = found ? found->samples : 0;
    candidate->history_s = found && found->samples ? found->sum_s / (double)found->samples : 0;
    candidate->history_ms = found ? found->least_ms : -1;
    pthread_mutex_unlock(&history->lock);
}

void al_history_begin(al_history *history, const allot_snapshot *snapshot, const allot_candidate *candidate)
{
    key wanted = key_of(snapshot, candidate);
    pthread_mutex_lock(&history->lock);
    entry *found = find_or_add(history, &wanted);
    if (found)
        found->tries++;
    pthread_mutex_unlock(&history->lock);
}

static void add_sample(entry *to, double run_s)
{
    double mean_s = to->samples ? to->sum_s / (double)to->samples : run_s;
    if (to->samples >= SAMPLES_MOST)
        return;
    if (run_s > OUTLIER_RATIO * mean_s || run_s * OUTLIER_RATIO < mean_s) {
        if (++to->outliers >= to->samples) /* the mean must be what is wrong */
            to->samples = to->outliers = 0, to->sum_s = 0;
        return;
    }
    to->samples++;
    to->sum_s += run_s;
}

void al_history_end(al_history *history, const allot_snapshot *snapshot, const allot_candidate *candidate,
                    double run_s, double whole_s)
{
    if (!isfinite(run_s) || run_s < 0 || !isfinite(whole_s) || whole_s < 0)
        return;
    key wanted = key_of(snapshot, candidate);
    double ms = floor(whole_s * 1e3);
    pthread_mutex_lock(&history->lock);
    entry *found = find_or_add(history, &wanted);
    if (found) {
        add_sample(found, run_s);
        found->least_ms = found->least_ms < 0 || ms < found->least_ms ? ms : found->least_ms;
    }
    pthread_mutex_unlock(&history->lock);
}
