#include "places/opencl/quarantine.h"
#include "base/cachefile.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/setting.h"
#include "base/utf8.h"
#include "places/apart.h"
#include "places/opencl/smoke.h"
#include "places/opencl/verdicts.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(al_smoke) <= AL_APART_BYTES, "a trial's memory fits a process's");

typedef struct driver {
    al_icd icd;
    al_verdict verdict;
    bool tried;      /* there is a verdict, kept or fresh */
    bool remembered; /* it is an earlier one */
    al_apart *trial; /* that runs */
} driver;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below: held while drivers are tried */
static bool checked;
static driver drivers[AL_ICDS_MAX];
static size_t driver_count;
static char off[256]; /* why none is tried; "" if they are */

/* ---- Whether ---- */

static bool any_open(void)
{
    for (size_t i = 0; i < driver_count; i++)
        if (al_icd_is_open(&drivers[i].icd))
            return true;
    return false;
}

/* Sets `off`. */
static void see_whether(const char *asked)
{
    if (asked && strcmp(asked, "off") == 0)
        snprintf(off, sizeof off, "switched off by ALLOT_QUARANTINE");
    else if (any_open())
        snprintf(off, sizeof off, "this program has loaded OpenCL drivers before");
    else
        al_apart_allowed(off, sizeof off);
}

/* ---- Trials ---- */

static int64_t patience_ns(void)
{
    return (int64_t)(al_setting("ALLOT_QUARANTINE_S", 1, 86400, AL_QUARANTINE_S) * 1e9);
}

static void cannot_try(const driver *it, const char *why)
{
    al_log(AL_LOG_WARNING, "quarantine: %s is loaded untried: %s", it->icd.file, why);
    if (!*off)
        snprintf(off, sizeof off, "%s", why);
}

static void start_trial(driver *it)
{
    static al_smoke smoke; /* with the lock held */
    al_failure failure = { 0 };
    memset(&smoke, 0, sizeof smoke);
    snprintf(smoke.library, sizeof smoke.library, "%s", it->icd.library);
    it->trial = al_apart_start(al_smoke_run, &smoke, sizeof smoke, &failure);
    if (!it->trial)
        cannot_try(it, failure.message ? failure.message : "out of memory");
    al_failure_fini(&failure);
}

static void judge(driver *it, const al_smoke *smoke, al_apart_end end, const char *how)
{
    al_verdict *verdict = &it->verdict;
    char message[2 * sizeof verdict->message];
    if (*smoke->path && !*verdict->library)
        al_verdict_found(verdict, smoke->path);
    verdict->devices = smoke->devices > 0 ? smoke->devices : 0;
    verdict->state = ALLOT_DRIVER_GOOD;
    if (end == AL_APART_DIED)
        snprintf(message, sizeof message, "%s %.150s", how, smoke->where);
    else if (end == AL_APART_LATE)
        snprintf(message, sizeof message, "it did not come back within %d s %.150s",
                 (int)(patience_ns() / 1000000000), smoke->where);
    else
        snprintf(message, sizeof message, "%s", smoke->wrong);
    al_utf8_escape(verdict->message, sizeof verdict->message, message); /* its file may hold anything */
    if (end != AL_APART_DONE)
        verdict->state = ALLOT_DRIVER_LEFT_OUT;
    else if (!smoke->loaded)
        verdict->state = ALLOT_DRIVER_USELESS;
    it->tried = true;
}

static void end_trial(driver *it, int64_t until_ns, const char *path)
{
    static al_smoke smoke; /* with the lock held */
    char how[64];
    al_apart_end end = al_apart_wait(it->trial, until_ns, &smoke, how, sizeof how);
    it->trial = NULL;
    if (end == AL_APART_UNBEGUN) {
        cannot_try(it, "no process could be started that knows this library's code");
        return;
    }
    smoke.path[sizeof smoke.path - 1] = smoke.where[sizeof smoke.where - 1] = '\0';
    smoke.wrong[sizeof smoke.wrong - 1] = '\0';
    judge(it, &smoke, end, how);
    if (path && !al_verdicts_add(path, &it->verdict))
        al_log(AL_LOG_INFO, "quarantine: cannot write %s: %s", path, strerror(errno));
}

/* ---- All of them ---- */

static void remember(const char *path)
{
    size_t count = 0;
    al_verdict *verdicts = path ? al_verdicts_read(path, &count) : NULL;
    for (size_t i = 0; i < driver_count; i++) {
        driver *it = &drivers[i];
        if (!al_verdict_begin(&it->verdict, &it->icd))
            continue;
        const al_verdict *kept = al_verdicts_find(verdicts, count, &it->verdict);
        it->tried = it->remembered = kept != NULL;
        if (kept)
            it->verdict = *kept;
    }
    free(verdicts);
}

/* All at once: together they take as long as the slowest. */
static void try_drivers(const char *path)
{
    for (size_t i = 0; i < driver_count && !*off; i++)
        if (!drivers[i].tried)
            start_trial(&drivers[i]);
    int64_t until_ns = al_clock_deadline_ns(patience_ns());
    for (size_t i = 0; i < driver_count; i++)
        if (drivers[i].trial)
            end_trial(&drivers[i], until_ns, path);
}

static bool is_bad(const driver *it)
{
    return it->tried && it->verdict.state == ALLOT_DRIVER_LEFT_OUT;
}

/* The others' platforms, around the loader, which would load them all. */
static void leave_out_bad_ones(void)
{
    cl_platform_id platforms[AL_ICDS_MAX];
    size_t count = 0, bad = 0;
    char why[256];
    for (size_t i = 0; i < driver_count; i++)
        bad += is_bad(&drivers[i]);
    if (!bad)
        return;
    for (size_t i = 0; i < driver_count; i++)
        if (!is_bad(&drivers[i]))
            count += al_icd_open(drivers[i].icd.library, platforms + count, AL_ICDS_MAX - count, why,
                                 sizeof why, NULL, 0);
    al_icd_go_around(platforms, count);
}

static void tell(void)
{
    for (size_t i = 0; i < driver_count; i++) {
        const driver *it = &drivers[i];
        if (is_bad(it))
            al_log(AL_LOG_WARNING, "the OpenCL driver %s is left out: %s%s", it->icd.file,
                   it->verdict.message, it->remembered ? " (earlier; it is tried again after 12 hours)" : "");
        else if (it->tried && it->verdict.message[0])
            al_log(AL_LOG_INFO, "the OpenCL driver %s: %s", it->icd.file, it->verdict.message);
    }
    if (*off)
        al_log(AL_LOG_INFO, "OpenCL drivers are not tried before they are loaded: %s", off);
}

static void check(void)
{
    const char *asked = secure_getenv("ALLOT_QUARANTINE");
    driver_count = 0;
    al_icd icds[AL_ICDS_MAX];
    size_t count = al_icd_list(icds, AL_ICDS_MAX);
    for (size_t i = 0; i < count; i++)
        drivers[driver_count++].icd = icds[i];
    see_whether(asked);
    if (!*off) {
        char *path = asked && *asked ? strdup(asked) : al_cachefile_path("drivers");
        remember(path);
        try_drivers(path);
        free(path);
        leave_out_bad_ones();
    }
    tell();
}

void al_quarantine_check(char *message, size_t message_size)
{
    size_t used = 0, more = 0;
    pthread_mutex_lock(&lock);
    if (!checked)
        check();
    checked = true;
    if (message_size)
        message[0] = '\0';
    for (size_t i = 0; i < driver_count; i++) {
        if (!is_bad(&drivers[i]) || used >= message_size / 2) {
            more += is_bad(&drivers[i]);
            continue;
        }
        used += (size_t)snprintf(message + used, message_size - used, "%sthe driver %.256s is left out: %s",
                                 used ? "; " : "", drivers[i].icd.file, drivers[i].verdict.message);
    }
    if (more && used < message_size) /* what the search says itself finds room behind it */
        snprintf(message + used, message_size - used, "; %zu more drivers are left out", more);
    pthread_mutex_unlock(&lock);
}

static void describe(const driver *it, allot_driver_info *info)
{
    allot_driver_info whole = { .remembered = it->remembered };
    snprintf(whole.file, sizeof whole.file, "%s", it->icd.file);
    al_utf8_escape(whole.library, sizeof whole.library,
                   it->verdict.library[0] ? it->verdict.library : it->icd.library);
    if (it->tried) {
        whole.state = (allot_driver_state)it->verdict.state;
        whole.devices = it->verdict.devices;
    }
    snprintf(whole.message, sizeof whole.message, "%s", it->tried ? it->verdict.message : off);
    whole.size = info->size < sizeof whole ? info->size : sizeof whole;
    memcpy(info, &whole, whole.size);
}

size_t al_quarantine_list(allot_driver_info *infos, size_t capacity)
{
    size_t stride = infos && capacity ? infos->size : 0; /* the caller's */
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < driver_count && i < capacity && infos; i++)
        describe(&drivers[i], (allot_driver_info *)((char *)infos + i * stride));
    size_t count = driver_count;
    pthread_mutex_unlock(&lock);
    return count;
}
