#include "placement/keep.h"
#include "base/cachefile.h"
#include "base/log.h"
#include "base/thread.h"
#include "placement/known.h"
#include "placement/merge.h"
#include "placement/rates.h"
#include "placement/store.h"
#include "topology/topology.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((off_t)256 << 20)

/* What an earlier process learned may have changed by some 15 % since, another machine's by anything. */
#define EARLIER_DOUBT 0.02
#define FOREIGN_DOUBT 1.0

typedef struct al_keep {
    bool measures;
    _Atomic bool loaded, used, stop;
    _Atomic bool measured; /* since it was last saved */
    pthread_mutex_t lock;  /* guards the loading, and all below */
    char *path;            /* NULL: not known yet; then it stays */
    bool homeless;         /* there is no place for a file */
    bool measuring;        /* the thread is there */
    pthread_t thread;
} al_keep;

/* ---- Which machine, which file ---- */

static pthread_once_t machine_once = PTHREAD_ONCE_INIT;
static char machine_words[AL_STORE_MACHINE];

/* The first line of /proc/cpuinfo that begins so: what instructions there are decides what libraries do. */
static uint64_t hash_cpu_flags(void)
{
    uint64_t hash = AL_STORE_HASH;
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && !found && getline(&line, &size, file) > 0) {
        found = strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0;
        if (found)
            hash = al_store_hash(hash, line, strlen(line));
    }
    free(line);
    if (file)
        fclose(file);
    return hash;
}

static void describe_machine(void)
{
    allot_topology topology = { .size = sizeof topology };
    if (allot_get_topology(&topology) != ALLOT_OK)
        memset(&topology, 0, sizeof topology);
    snprintf(machine_words, sizeof machine_words,
             "%.127s, %d packages, %d cores, %d threads, %d nodes, L2 %llu, L3 %llu, flags %016" PRIx64
             ", allot %s",
             topology.cpu_model, topology.packages, topology.cores, topology.pus, topology.numa_nodes,
             (unsigned long long)topology.l2_bytes, (unsigned long long)topology.l3_bytes, hash_cpu_flags(),
             allot_version());
}

const char *al_keep_machine(void)
{
    pthread_once(&machine_once, describe_machine);
    return machine_words;
}

static char *join_words(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *words = malloc(size);
    if (words)
        snprintf(words, size, "%s%s%s", a, b, c);
    return words;
}

static char *default_path(void)
{
    const char *machine = al_keep_machine();
    char name[64];
    snprintf(name, sizeof name, "model-%016" PRIx64, al_store_hash(AL_STORE_HASH, machine, strlen(machine)));
    return al_cachefile_path(name);
}

/* Telling the machine takes some milliseconds: not before it must be. With the keep's lock held. */
static const char *path_of(al_keep *keep)
{
    if (!keep->path && !keep->homeless)
        keep->path = default_path();
    keep->homeless = !keep->path;
    return keep->path;
}

const char *al_keep_path(al_model *model)
{
    if (!model->keep)
        return NULL;
    pthread_mutex_lock(&model->keep->lock);
    const char *path = path_of(model->keep);
    pthread_mutex_unlock(&model->keep->lock);
    return path;
}

/* ---- Files ---- */

static allot_status cannot(al_failure *failure, const char *what, const char *path)
{
    return al_failure_set(failure, ALLOT_SYSTEM, "cannot %s %s: %s", what, path, strerror(errno));
}

static allot_status read_all(int file, const char *path, char **text, size_t *size, al_failure *failure)
{
    struct stat about;
    size_t used = 0;
    if (fstat(file, &about) != 0)
        return cannot(failure, "read", path);
    if (!S_ISREG(about.st_mode) || about.st_size > FILE_MAX_BYTES)
        return al_failure_set(failure, ALLOT_INVALID, "%s is no file of a model", path);
    char *bytes = malloc((size_t)about.st_size + 1);
    if (!bytes)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    while (used < (size_t)about.st_size) {
        ssize_t got = read(file, bytes + used, (size_t)about.st_size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    *text = bytes;
    *size = used;
    return ALLOT_OK;
}

/* A model from a file. ALLOT_NOT_FOUND: there is none; ALLOT_INVALID: it is damaged. */
static allot_status read_model(const char *path, al_model **model, char machine[AL_STORE_MACHINE],
                               al_failure *failure)
{
    char *text = NULL, wrong[300] = "";
    size_t size = 0;
    *model = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == ENOENT)
        return al_failure_set(failure, ALLOT_NOT_FOUND, "there is no %s", path);
    if (file < 0)
        return cannot(failure, "open", path);
    allot_status status = read_all(file, path, &text, &size, failure);
    close(file);
    if (status != ALLOT_OK)
        return status;
    *model = al_model_create();
    if (!*model)
        status = al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    else if (!al_store_read(*model, text, size, machine, false, wrong, sizeof wrong))
        status = al_failure_set(failure, ALLOT_INVALID, "%s: %s", path, wrong);
    free(text);
    if (status != ALLOT_OK) {
        al_model_destroy(*model);
        *model = NULL;
    }
    return status;
}

static allot_status write_model(al_model *model, const char *path, al_failure *failure)
{
    char *fresh = join_words(path, ".XXXXXX", "");
    if (!fresh)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    int file = mkostemp(fresh, O_CLOEXEC);
    FILE *stream = file >= 0 ? fdopen(file, "w") : NULL;
    bool written = stream && al_store_write(model, al_keep_machine(), stream);
    if (stream)
        written = fclose(stream) == 0 && written;
    else if (file >= 0)
        close(file);
    written = written && rename(fresh, path) == 0;
    allot_status status = written ? ALLOT_OK : cannot(failure, "write", path);
    if (!written && file >= 0)
        unlink(fresh);
    free(fresh);
    return status;
}

/* ---- Loading ---- */

static void warn_of(al_failure *failure)
{
    al_log(AL_LOG_WARNING, "the cost model begins anew: %s",
           failure->message ? failure->message : "out of memory");
    al_failure_fini(failure);
}

static void absorb_file(al_model *model, const char *path)
{
    al_failure failure = { 0 };
    char machine[AL_STORE_MACHINE];
    al_model *from;
    allot_status status = read_model(path, &from, machine, &failure);
    if (status == ALLOT_OK && strcmp(machine, al_keep_machine()) == 0)
        al_model_absorb(model, from, EARLIER_DOUBT, false);
    else if (status == ALLOT_OK)
        al_log(AL_LOG_WARNING, "the cost model begins anew: %s is of another machine or version: %s", path,
               machine);
    else if (status == ALLOT_NOT_FOUND)
        al_failure_fini(&failure);
    else
        warn_of(&failure);
    al_model_destroy(from);
}

static void *measure(void *of)
{
    al_model *model = of;
    al_rates rates;
    if (al_rates_measure(al_usable_cpus(), &model->keep->stop, &rates)) {
        al_model_set_rates(model, &rates);
        atomic_store(&model->keep->measured, true);
    }
    return NULL;
}

/* Beside the first tasks: the rates help those that come next, and the next process. */
static void start_measuring(al_model *model)
{
    pthread_mutex_lock(&model->lock);
    bool has = model->has_cpu_rates;
    pthread_mutex_unlock(&model->lock);
    if (has || !model->keep->measures)
        return;
    model->keep->measuring = al_thread_start(&model->keep->thread, NULL, measure, model) == 0;
}

void al_keep_load(al_model *model)
{
    al_keep *keep = model->keep;
    if (!keep || atomic_load_explicit(&keep->loaded, memory_order_acquire))
        return;
    pthread_mutex_lock(&keep->lock);
    if (!atomic_load(&keep->loaded)) {
        if (path_of(keep))
            absorb_file(model, keep->path);
        atomic_store_explicit(&keep->loaded, true, memory_order_release);
    }
    pthread_mutex_unlock(&keep->lock);
}

void al_keep_use(al_model *model)
{
    al_keep *keep = model->keep;
    if (!keep || atomic_load_explicit(&keep->used, memory_order_relaxed))
        return;
    al_keep_load(model);
    if (!atomic_exchange(&keep->used, true))
        start_measuring(model);
}

bool al_keep_begin(al_model *model, const char *wanted, bool measures)
{
    if (!wanted || !*wanted)
        wanted = secure_getenv("ALLOT_MODEL");
    if (wanted && strcmp(wanted, "off") == 0)
        return true;
    al_keep *keep = calloc(1, sizeof *keep);
    if (!keep)
        return false;
    bool given = wanted && *wanted;
    keep->path = given ? strdup(wanted) : NULL;
    if ((given && !keep->path) || pthread_mutex_init(&keep->lock, NULL) != 0) {
        free(keep->path);
        free(keep);
        return false;
    }
    keep->measures = measures;
    model->keep = keep;
    return true;
}

void al_keep_end(al_model *model)
{
    al_keep *keep = model->keep;
    if (!keep)
        return;
    atomic_store(&keep->stop, true);
    if (keep->measuring)
        pthread_join(keep->thread, NULL);
    pthread_mutex_destroy(&keep->lock);
    free(keep->path);
    free(keep);
    model->keep = NULL;
}

/* ---- Saving ---- */

/* What is there, if it is of this machine; else nothing. */
static al_model *read_for_saving(const char *path)
{
    al_failure failure = { 0 };
    char machine[AL_STORE_MACHINE];
    al_model *file;
    allot_status status = read_model(path, &file, machine, &failure);
    al_failure_fini(&failure);
    if (status == ALLOT_OK && strcmp(machine, al_keep_machine()) == 0)
        return file;
    al_model_destroy(file);
    return al_model_create();
}

static allot_status save_locked(al_model *model, const char *path, al_failure *failure)
{
    al_model *file = read_for_saving(path);
    bool whole = file && al_model_contribute(file, model);
    allot_status status =
        whole ? write_model(file, path, failure) : al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    al_model_destroy(file);
    return status;
}

allot_status al_keep_save(al_model *model, al_failure *failure)
{
    al_keep *keep = model->keep;
    if (!keep || (!al_model_has_news(model) && !atomic_exchange(&keep->measured, false)))
        return ALLOT_OK;
    const char *path = al_keep_path(model);
    if (!path)
        return ALLOT_OK;
    al_cachefile_make_folders(path);
    int lock = al_cachefile_lock(path);
    if (lock < 0)
        return cannot(failure, "lock", path);
    allot_status status = save_locked(model, path, failure);
    close(lock);
    return status;
}

allot_status al_keep_export(al_model *model, const char *path, al_failure *failure)
{
    al_keep_load(model);
    return write_model(model, path, failure);
}

allot_status al_keep_import(al_model *model, const char *path, bool foreign, al_failure *failure)
{
    char machine[AL_STORE_MACHINE];
    al_model *from;
    al_keep_load(model);
    allot_status status = read_model(path, &from, machine, failure);
    if (status != ALLOT_OK)
        return status;
    bool ours = strcmp(machine, al_keep_machine()) == 0;
    if (!ours && !foreign)
        status = al_failure_set(failure, ALLOT_INVALID, "%s is of another machine or version: %s (here: %s)",
                                path, machine, al_keep_machine());
    else if (!al_model_absorb(model, from, ours ? EARLIER_DOUBT : FOREIGN_DOUBT, true))
        status = al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    al_model_destroy(from);
    return status;
}

allot_status al_keep_reset(al_model *model, al_failure *failure)
{
    al_keep_load(model); /* or it would come back when it is first asked */
    al_model_forget(model);
    const char *path = al_keep_path(model);
    if (!path || unlink(path) == 0 || errno == ENOENT)
        return ALLOT_OK;
    return cannot(failure, "remove", path);
}
