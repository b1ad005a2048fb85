#include "placement/model.h"
#include "placement/curve.h"
#include "placement/link.h"
#include "placement/prior.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an entry that did not get in has no table afterwards; nothing exits */
#include <uthash.h>

/* Places build slowly or fast by driver: the last few builds decide. */
#define MEMORY_BUILDS 8

enum {
    TYPES = ALLOT_C64 + 1
};

typedef struct named_curve {
    UT_hash_handle hh;
    al_curve curve;
    char kernel[]; /* the key */
} named_curve;

typedef struct known_place {
    UT_hash_handle hh;
    named_curve *curves[TYPES]; /* by kernel */
    al_link link;
    uint64_t builds;
    double build_s; /* mean of any kernel's */
    char id[];      /* the key */
} known_place;

struct al_model {
    pthread_mutex_t lock; /* guards all below */
    known_place *places;  /* by id */
    uint64_t clock;       /* runs learned */
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

static void destroy_curves(named_curve *curves)
{
    named_curve *curve, *next;
    HASH_ITER(hh, curves, curve, next)
    {
        HASH_DEL(curves, curve);
        free(curve);
    }
}

void al_model_destroy(al_model *model)
{
    if (!model)
        return;
    known_place *place, *next;
    HASH_ITER(hh, model->places, place, next)
    {
        HASH_DEL(model->places, place);
        for (size_t i = 0; i < TYPES; i++)
            destroy_curves(place->curves[i]);
        free(place);
    }
    pthread_mutex_destroy(&model->lock);
    free(model);
}

/* ---- Looking up: by place, type, kernel. NULL: nothing known, or memory is out and nothing can be learned
 * ---- */

static known_place *find_place(const al_model *model, const char *id)
{
    known_place *place;
    HASH_FIND_STR(model->places, id, place);
    return place;
}

static known_place *add_place(al_model *model, const char *id)
{
    size_t length = strlen(id);
    known_place *place = calloc(1, sizeof *place + length + 1);
    if (!place)
        return NULL;
    memcpy(place->id, id, length);
    al_link_init(&place->link);
    HASH_ADD_KEYPTR(hh, model->places, place->id, length, place);
    if (place->hh.tbl)
        return place;
    free(place);
    return NULL;
}

static size_t type_index(allot_type type)
{
    return (size_t)type < TYPES ? (size_t)type : ALLOT_NO_TYPE;
}

static named_curve *find_curve(const known_place *place, const al_model_key *key)
{
    named_curve *curve;
    HASH_FIND_STR(place->curves[type_index(key->type)], key->kernel, curve);
    return curve;
}

static named_curve *add_curve(known_place *place, const al_model_key *key)
{
    size_t length = strlen(key->kernel);
    named_curve *curve = calloc(1, sizeof *curve + length + 1);
    if (!curve)
        return NULL;
    memcpy(curve->kernel, key->kernel, length);
    HASH_ADD_KEYPTR(hh, place->curves[type_index(key->type)], curve->kernel, length, curve);
    if (curve->hh.tbl)
        return curve;
    free(curve);
    return NULL;
}

/* ---- Runs ---- */

void al_model_predict(al_model *model, const al_model_key *key, allot_work work, al_prediction *prediction)
{
    al_prior prior = al_prior_of(key->kind, key->workers, work);
    pthread_mutex_lock(&model->lock);
    known_place *place = find_place(model, key->place);
    named_curve *curve = place ? find_curve(place, key) : NULL;
    al_curve_predict(curve ? &curve->curve : NULL, &prior, model->clock, prediction);
    if (curve)
        prediction->compile_s = 0;
    else
        prediction->compile_s = place && place->builds ? place->build_s : prior.compile_s;
    pthread_mutex_unlock(&model->lock);
}

static void learn_build(known_place *place, double compile_s)
{
    place->builds++;
    place->build_s += (compile_s - place->build_s) / fmin((double)place->builds, MEMORY_BUILDS);
}

void al_model_learn(al_model *model, const al_model_key *key, allot_work work, double run_s, double compile_s)
{
    if (!isfinite(run_s) || run_s < 0)
        return;
    if (!isfinite(compile_s) || compile_s < 0)
        compile_s = 0;
    al_prior prior = al_prior_of(key->kind, key->workers, work);
    pthread_mutex_lock(&model->lock);
    known_place *place = find_place(model, key->place);
    if (!place)
        place = add_place(model, key->place);
    named_curve *curve = place ? find_curve(place, key) : NULL;
    if (place && !curve)
        curve = add_curve(place, key);
    if (curve)
        al_curve_learn(&curve->curve, &prior, model->clock, run_s, compile_s);
    if (curve && compile_s > 0)
        learn_build(place, compile_s);
    model->clock++;
    pthread_mutex_unlock(&model->lock);
}

/* ---- Transfers ---- */

double al_model_transfer_s(al_model *model, const char *place_id, uint64_t bytes)
{
    al_link unknown;
    al_link_init(&unknown);
    pthread_mutex_lock(&model->lock);
    const known_place *place = find_place(model, place_id);
    double seconds = al_link_predict(place ? &place->link : &unknown, bytes);
    pthread_mutex_unlock(&model->lock);
    return seconds;
}

void al_model_learn_transfer(al_model *model, const char *place_id, uint64_t bytes, uint64_t count,
                             double seconds)
{
    pthread_mutex_lock(&model->lock);
    known_place *place = find_place(model, place_id);
    if (!place)
        place = add_place(model, place_id);
    if (place)
        al_link_learn(&place->link, bytes, count, seconds);
    pthread_mutex_unlock(&model->lock);
}
