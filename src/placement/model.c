#include "placement/model.h"
#include "base/spin.h"
#include "placement/curve.h"
#include "placement/link.h"
#include "placement/prior.h"
#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an entry that did not get in has no table afterwards; nothing exits */
#include <uthash.h>

/* Places build slowly or fast by driver, and are woken slowly or fast: the last few decide. */
#define MEMORY_BUILDS   8
#define MEMORY_LAUNCHES 16

enum {
    TYPES = ALLOT_C64 + 1
};

typedef struct known_class known_class;
typedef struct known_kernel known_kernel;

/* One kernel on one place. */
struct al_model_entry {
    UT_hash_handle hh;
    known_kernel *kernel;
    _Atomic bool built; /* compiled there */
    char place[];       /* the key */
};

/* One kernel and type on the places of a class. */
struct known_kernel {
    UT_hash_handle hh;
    al_spin lock; /* guards the curve */
    al_curve curve;
    known_class *of;
    al_model_entry *entries; /* by place; guarded by the model's lock */
    char name[];             /* the key */
};

/* Places that are alike. */
struct known_class {
    UT_hash_handle hh;
    known_class *next; /* of the same text, but another kind or width */
    al_model *model;
    allot_kind kind;
    int workers;
    known_kernel *kernels[TYPES]; /* by name; guarded by the model's lock */
    al_spin lock;                 /* guards all below */
    uint64_t builds, launches;
    double build_s; /* mean of any kernel's */
    double launch_s;
    char text[]; /* the key */
};

struct al_model_link {
    UT_hash_handle hh;
    al_spin lock; /* guards the links */
    al_link links[2];
    char text[]; /* the key */
};

struct al_model {
    pthread_mutex_t lock;   /* guards the tables: what is in them is there for good */
    known_class *classes;   /* by text */
    al_model_link *links;   /* by class */
    _Atomic uint64_t clock; /* runs learned */
};

al_model *al_model_create(void)
{
    al_model *model = calloc(1, sizeof *model);
    if (model && pthread_mutex_init(&model->lock, NULL) != 0) {
        free(model);
        return NULL;
    }
    return model;
}

static void destroy_kernels(known_kernel *kernels)
{
    known_kernel *kernel, *next;
    HASH_ITER(hh, kernels, kernel, next)
    {
        al_model_entry *entry, *next_entry;
        HASH_ITER(hh, kernel->entries, entry, next_entry)
        {
            HASH_DEL(kernel->entries, entry);
            free(entry);
        }
        HASH_DEL(kernels, kernel);
        free(kernel);
    }
}

static void destroy_classes(known_class *class)
{
    while (class) {
        known_class *next = class->next;
        for (size_t i = 0; i < TYPES; i++)
            destroy_kernels(class->kernels[i]);
        free(class);
        class = next;
    }
}

void al_model_destroy(al_model *model)
{
    if (!model)
        return;
    known_class *class, *next;
    HASH_ITER(hh, model->classes, class, next)
    {
        HASH_DEL(model->classes, class);
        destroy_classes(class);
    }
    al_model_link *link, *next_link;
    HASH_ITER(hh, model->links, link, next_link)
    {
        HASH_DEL(model->links, link);
        free(link);
    }
    pthread_mutex_destroy(&model->lock);
    free(model);
}

/* ---- Looking up: by class, type, kernel, place ---- */

/* Zeroed, for a struct that ends with a text at `offset`. */
static void *with_text(size_t size, size_t offset, const char *text)
{
    size_t length = strlen(text);
    char *object = calloc(1, size + length + 1);
    if (object)
        memcpy(object + offset, text, length);
    return object;
}

/* The table's first of that text is in the table, the others hang behind it. */
static known_class *have_class(al_model *model, const al_model_key *key)
{
    const char *text = key->place_class ? key->place_class : key->place;
    known_class *first, *class;
    HASH_FIND_STR(model->classes, text, first);
    for (class = first; class; class = class->next)
        if (class->kind == key->kind && class->workers == key->workers)
            return class;
    class = with_text(sizeof *class, offsetof(known_class, text), text);
    if (!class)
        return NULL;
    class->model = model;
    class->kind = key->kind;
    class->workers = key->workers;
    if (first) {
        class->next = first->next;
        first->next = class;
        return class;
    }
    HASH_ADD_KEYPTR(hh, model->classes, class->text, strlen(text), class);
    if (class->hh.tbl)
        return class;
    free(class);
    return NULL;
}

static size_t type_index(allot_type type)
{
    return (size_t)type < TYPES ? (size_t)type : ALLOT_NO_TYPE;
}

static known_kernel *have_kernel(known_class *class, const al_model_key *key)
{
    known_kernel **kernels = &class->kernels[type_index(key->type)], *kernel;
    HASH_FIND_STR(*kernels, key->kernel, kernel);
    if (kernel || !(kernel = with_text(sizeof *kernel, offsetof(known_kernel, name), key->kernel)))
        return kernel;
    kernel->of = class;
    HASH_ADD_KEYPTR(hh, *kernels, kernel->name, strlen(key->kernel), kernel);
    if (kernel->hh.tbl)
        return kernel;
    free(kernel);
    return NULL;
}

static al_model_entry *have_entry(known_kernel *kernel, const char *place)
{
    al_model_entry *entry;
    HASH_FIND_STR(kernel->entries, place, entry);
    if (entry || !(entry = with_text(sizeof *entry, offsetof(al_model_entry, place), place)))
        return entry;
    entry->kernel = kernel;
    HASH_ADD_KEYPTR(hh, kernel->entries, entry->place, strlen(place), entry);
    if (entry->hh.tbl)
        return entry;
    free(entry);
    return NULL;
}

al_model_entry *al_model_find(al_model *model, const al_model_key *key)
{
    pthread_mutex_lock(&model->lock);
    known_class *class = have_class(model, key);
    known_kernel *kernel = class ? have_kernel(class, key) : NULL;
    al_model_entry *entry = kernel ? have_entry(kernel, key->place) : NULL;
    pthread_mutex_unlock(&model->lock);
    return entry;
}

/* ---- Runs ---- */

al_size al_size_of(allot_work work)
{
    return (al_size){ work, al_prior_of(ALLOT_INLINE, 1, work).load_s };
}

/* The curve gives the expectation and its lower bound; the rest follows. */
static void complete(al_prediction *prediction)
{
    const double bound_sigmas = 1.645; /* of a normal distribution nine tenths lie within */
    prediction->sigma = prediction->low_s > 0 ? log(prediction->run_s / prediction->low_s) / bound_sigmas : 1;
    prediction->high_s = prediction->run_s * exp(bound_sigmas * prediction->sigma);
    prediction->spread = prediction->sigma * sqrt((double)prediction->samples + 1);
}

static void predict(const al_curve *curve, const al_prior *prior, uint64_t clock, al_prediction *prediction)
{
    al_curve_predict(curve, prior, clock, prediction);
    prediction->source = prediction->samples         ? AL_FROM_BUCKET
                         : curve && curve->runs != 0 ? AL_FROM_REGRESSION
                                                     : AL_FROM_PRIOR;
    complete(prediction);
}

void al_entry_predict(al_model_entry *entry, const al_size *size, al_prediction *prediction)
{
    known_kernel *kernel = entry->kernel;
    known_class *class = kernel->of;
    al_prior prior = al_prior_of(class->kind, class->workers, size->work);
    uint64_t clock = atomic_load_explicit(&class->model->clock, memory_order_relaxed);
    al_spin_lock(&kernel->lock);
    predict(&kernel->curve, &prior, clock, prediction);
    al_spin_unlock(&kernel->lock);
    bool built = atomic_load_explicit(&entry->built, memory_order_relaxed);
    al_spin_lock(&class->lock);
    prediction->compile_s = built ? 0 : class->builds ? class->build_s : prior.compile_s;
    prediction->launch_s = class->launch_s;
    al_spin_unlock(&class->lock);
}

static void learn_of_class(known_class *class, const al_run *run)
{
    al_spin_lock(&class->lock);
    if (run->compile_s > 0 && isfinite(run->compile_s)) {
        class->builds++;
        class->build_s += (run->compile_s - class->build_s) / fmin((double)class->builds, MEMORY_BUILDS);
    }
    if (run->launch_s >= 0 && isfinite(run->launch_s)) {
        class->launches++;
        class->launch_s += (run->launch_s - class->launch_s) / fmin((double)class->launches, MEMORY_LAUNCHES);
    }
    al_spin_unlock(&class->lock);
}

void al_entry_learn(al_model_entry *entry, const al_size *size, const al_run *run)
{
    if (!isfinite(run->run_s) || run->run_s < 0)
        return;
    known_kernel *kernel = entry->kernel;
    known_class *class = kernel->of;
    double compile_s = isfinite(run->compile_s) && run->compile_s > 0 ? run->compile_s : 0;
    al_prior prior = al_prior_of(class->kind, class->workers, size->work);
    uint64_t clock = atomic_fetch_add_explicit(&class->model->clock, 1, memory_order_relaxed);
    al_spin_lock(&kernel->lock);
    al_curve_learn(&kernel->curve, &prior, clock, run->run_s, compile_s);
    al_spin_unlock(&kernel->lock);
    atomic_store_explicit(&entry->built, true, memory_order_relaxed);
    learn_of_class(class, run);
}

void al_model_predict(al_model *model, const al_model_key *key, allot_work work, al_prediction *prediction)
{
    al_model_entry *entry = al_model_find(model, key);
    al_size size = al_size_of(work);
    if (entry) {
        al_entry_predict(entry, &size, prediction);
        return;
    }
    al_prior prior = al_prior_of(key->kind, key->workers, work);
    *prediction = (al_prediction){ .compile_s = prior.compile_s };
    predict(NULL, &prior, 0, prediction);
}

void al_model_learn(al_model *model, const al_model_key *key, allot_work work, double run_s, double compile_s)
{
    al_model_entry *entry = al_model_find(model, key);
    al_size size = al_size_of(work);
    if (entry)
        al_entry_learn(entry, &size, &(al_run){ run_s, compile_s, -1 });
}

/* ---- Transfers ---- */

al_model_link *al_model_find_link(al_model *model, const char *place_class)
{
    al_model_link *link;
    pthread_mutex_lock(&model->lock);
    HASH_FIND_STR(model->links, place_class, link);
    if (!link && (link = with_text(sizeof *link, offsetof(al_model_link, text), place_class))) {
        al_link_init(&link->links[AL_TO_PLACE]);
        al_link_init(&link->links[AL_FROM_PLACE]);
        HASH_ADD_KEYPTR(hh, model->links, link->text, strlen(place_class), link);
        if (!link->hh.tbl) {
            free(link);
            link = NULL;
        }
    }
    pthread_mutex_unlock(&model->lock);
    return link;
}

double al_model_link_s(al_model_link *link, al_direction direction, uint64_t bytes, uint64_t count)
{
    if (bytes == 0)
        return 0;
    al_spin_lock(&link->lock);
    double each_s = link->links[direction].latency_s, per_byte_s = link->links[direction].seconds_per_byte;
    al_spin_unlock(&link->lock);
    return (count ? (double)count : 1) * each_s + (double)bytes * per_byte_s;
}

void al_model_link_learn(al_model_link *link, al_direction direction, uint64_t bytes, uint64_t count,
                         double seconds)
{
    al_spin_lock(&link->lock);
    al_link_learn(&link->links[direction], bytes, count, seconds);
    al_spin_unlock(&link->lock);
}

double al_model_transfer_s(al_model *model, const char *place_class, uint64_t bytes)
{
    al_link unknown;
    al_link_init(&unknown);
    al_model_link *link = al_model_find_link(model, place_class);
    return link ? al_model_link_s(link, AL_TO_PLACE, bytes, 1) : al_link_predict(&unknown, bytes);
}

void al_model_learn_transfer(al_model *model, const char *place_class, uint64_t bytes, uint64_t count,
                             double seconds)
{
    al_model_link *link = al_model_find_link(model, place_class);
    if (link)
        al_model_link_learn(link, AL_TO_PLACE, bytes, count, seconds);
}
