#include "placement/keep.h"
#include "placement/known.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

al_model *al_model_create(void)
{
    al_model *model = calloc(1, sizeof *model);
    if (model && pthread_mutex_init(&model->lock, NULL) != 0) {
        free(model);
        return NULL;
    }
    return model;
}

static void destroy_kernels(al_known_kernel *kernels)
{
    al_known_kernel *kernel, *next;
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

static void destroy_classes(al_known_class *known)
{
    while (known) {
        al_known_class *next = known->next;
        for (size_t i = 0; i < AL_KNOWN_TYPES; i++)
            destroy_kernels(known->kernels[i]);
        free(known);
        known = next;
    }
}

void al_model_destroy(al_model *model)
{
    if (!model)
        return;
    al_keep_end(model);
    al_known_class *known, *next;
    HASH_ITER(hh, model->classes, known, next)
    {
        HASH_DEL(model->classes, known);
        destroy_classes(known);
    }
    al_model_link *link, *next_link;
    HASH_ITER(hh, model->links, link, next_link)
    {
        HASH_DEL(model->links, link);
        free(link);
    }
    for (size_t i = 0; i < AL_KNOWN_TYPES; i++) {
        al_family *family, *next_family;
        HASH_ITER(hh, model->families[i], family, next_family)
        {
            HASH_DEL(model->families[i], family);
            free(family);
        }
    }
    pthread_mutex_destroy(&model->lock);
    free(model);
}

/* ---- Looking up, and making what is not there yet ---- */

/* Zeroed, for a struct that ends with a text at `offset`. */
static void *with_text(size_t size, size_t offset, const char *text)
{
    size_t length = strlen(text);
    char *object = calloc(1, size + length + 1);
    if (object)
        memcpy(object + offset, text, length);
    return object;
}

static bool runs_on_cpus(allot_kind kind)
{
    return kind == ALLOT_INLINE || kind == ALLOT_THREAD || kind == ALLOT_PROCESS;
}

static void set_rates(al_known_class *known, const al_rates *measured)
{
    known->rates = al_rates_guess(known->kind);
    if (measured && runs_on_cpus(known->kind)) {
        double overhead_s = known->kind == ALLOT_THREAD ? measured->overhead_s : known->rates.overhead_s;
        known->rates = *measured;
        known->rates.overhead_s = overhead_s;
    }
    known->belief = al_rates_belief(&known->rates);
    atomic_fetch_add_explicit(&known->taught, 1, memory_order_release);
}

/* The table's first of that text is in the table, the others hang behind it. */
al_known_class *al_known_class_have(al_model *model, const char *text, allot_kind kind, int workers)
{
    al_known_class *first, *known;
    HASH_FIND_STR(model->classes, text, first);
    for (known = first; known; known = known->next)
        if (known->kind == kind && known->workers == workers)
            return known;
    known = with_text(sizeof *known, offsetof(al_known_class, text), text);
    if (!known)
        return NULL;
    known->model = model;
    known->kind = kind;
    known->workers = workers;
    set_rates(known, model->has_cpu_rates ? &model->cpu_rates : NULL);
    if (first) { /* at the end: models are written in the order of their tables */
        while (first->next)
            first = first->next;
        first->next = known;
        return known;
    }
    HASH_ADD_KEYPTR(hh, model->classes, known->text, strlen(text), known);
    if (known->hh.tbl)
        return known;
    free(known);
    return NULL;
}

static size_t type_index(allot_type type)
{
    return (size_t)type < AL_KNOWN_TYPES ? (size_t)type : ALLOT_NO_TYPE;
}

static al_family *have_family(al_model *model, const char *name, allot_type type)
{
    al_family **families = &model->families[type_index(type)], *family;
    HASH_FIND_STR(*families, name, family);
    if (family || !(family = with_text(sizeof *family, offsetof(al_family, name), name)))
        return family;
    HASH_ADD_KEYPTR(hh, *families, family->name, strlen(name), family);
    if (family->hh.tbl)
        return family;
    free(family);
    return NULL;
}

al_known_kernel *al_known_kernel_have(al_known_class *known, const char *name, allot_type type)
{
    al_known_kernel **kernels = &known->kernels[type_index(type)], *kernel;
    HASH_FIND_STR(*kernels, name, kernel);
    al_family *family = kernel ? kernel->family : have_family(known->model, name, type);
    if (kernel || !family || !(kernel = with_text(sizeof *kernel, offsetof(al_known_kernel, name), name)))
        return kernel;
    kernel->of = known;
    kernel->is_probe = strncmp(name, AL_PROBE_PREFIX, strlen(AL_PROBE_PREFIX)) == 0;
    kernel->family = family;
    kernel->version = 1;
    kernel->epoch = atomic_load_explicit(&known->epoch, memory_order_relaxed);
    HASH_ADD_KEYPTR(hh, *kernels, kernel->name, strlen(name), kernel);
    if (kernel->hh.tbl)
        return kernel;
    free(kernel);
    return NULL;
}

static al_model_entry *have_entry(al_known_kernel *kernel, const char *place)
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

al_model_link *al_known_link_have(al_model *model, const char *text)
{
    al_model_link *link;
    HASH_FIND_STR(model->links, text, link);
    if (link || !(link = with_text(sizeof *link, offsetof(al_model_link, text), text)))
        return link;
    link->model = model;
    HASH_ADD_KEYPTR(hh, model->links, link->text, strlen(text), link);
    if (link->hh.tbl)
        return link;
    free(link);
    return NULL;
}

static void settle_code(al_known_kernel *kernel, uint64_t code)
{
    al_spin_lock(&kernel->lock);
    if (code && kernel->code && kernel->code != code) {
        al_curve_suspect(&kernel->curve, AL_OTHER_CODE_DOUBT);
        kernel->version++;
    }
    kernel->code = code ? code : kernel->code;
    al_spin_unlock(&kernel->lock);
}

al_model_entry *al_model_find(al_model *model, const al_model_key *key)
{
    al_keep_use(model);
    pthread_mutex_lock(&model->lock);
    al_known_class *known =
        al_known_class_have(model, key->place_class ? key->place_class : key->place, key->kind, key->workers);
    al_known_kernel *kernel = known ? al_known_kernel_have(known, key->kernel, key->type) : NULL;
    al_model_entry *entry = kernel ? have_entry(kernel, key->place) : NULL;
    pthread_mutex_unlock(&model->lock);
    if (entry)
        settle_code(kernel, key->code);
    if (entry && key->compile_s > 0)
        atomic_store_explicit(&known->told_build_s, key->compile_s, memory_order_relaxed);
    if (entry)
        al_known_changed(known);
    return entry;
}

al_model_link *al_model_find_link(al_model *model, const char *place_class)
{
    pthread_mutex_lock(&model->lock);
    al_model_link *link = al_known_link_have(model, place_class);
    pthread_mutex_unlock(&model->lock);
    return link;
}

/* ---- Measured rates ---- */

/* What was told relative to the old rates is forgotten: the kernels that know it best keep it themselves. */
static void renew_class(al_known_class *known, const al_rates *measured)
{
    al_spin_lock(&known->lock);
    set_rates(known, measured);
    for (size_t i = 0; i < 2; i++)
        known->weight[i] = known->sum[i] = known->square[i] = 0;
    for (size_t type = 0; type < AL_KNOWN_TYPES; type++)
        for (al_known_kernel *kernel = known->kernels[type]; kernel; kernel = kernel->hh.next)
            kernel->testimony = (al_testimony){ 0 };
    al_spin_unlock(&known->lock);
    al_known_changed(known);
}

void al_known_set_rates(al_model *model, const al_rates *measured)
{
    model->has_cpu_rates = true;
    model->cpu_rates = *measured;
    for (al_known_class *first = model->classes; first; first = first->hh.next)
        for (al_known_class *known = first; known; known = known->next)
            if (runs_on_cpus(known->kind))
                renew_class(known, measured);
}

void al_model_set_rates(al_model *model, const al_rates *measured)
{
    pthread_mutex_lock(&model->lock);
    al_known_set_rates(model, measured);
    pthread_mutex_unlock(&model->lock);
}
