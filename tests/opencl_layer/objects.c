#include "objects.h"
#include <pthread.h>
#include <uthash.h>

typedef struct object {
    UT_hash_handle hh;
    const void *handle; /* the key */
    opencl_layer_kind kind;
    uint32_t references; /* 0: released; kept, to know it again, until a driver uses its address anew */
    cl_int ends;
} object;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static object *objects;
static size_t live[LAYER_KINDS];
static uint64_t misuses;

static object *find(const void *handle)
{
    object *found;
    HASH_FIND_PTR(objects, &handle, found);
    return found;
}

void objects_add(opencl_layer_kind kind, void *handle)
{
    if (!handle)
        return;
    pthread_mutex_lock(&lock);
    object *it = find(handle);
    if (!it && (it = calloc(1, sizeof *it))) {
        it->handle = handle;
        HASH_ADD_PTR(objects, handle, it);
    }
    if (!it)
        abort(); /* a test without memory shows nothing */
    it->kind = kind;
    it->references = 1;
    it->ends = CL_SUCCESS;
    live[kind]++;
    pthread_mutex_unlock(&lock);
}

void objects_retain(void *handle)
{
    pthread_mutex_lock(&lock);
    object *it = find(handle);
    if (it && it->references)
        it->references++;
    pthread_mutex_unlock(&lock);
}

void objects_release(void *handle)
{
    pthread_mutex_lock(&lock);
    object *it = find(handle);
    if (it && it->references && --it->references == 0)
        live[it->kind]--;
    pthread_mutex_unlock(&lock);
}

bool objects_usable(const void *handle)
{
    pthread_mutex_lock(&lock);
    const object *it = handle ? find(handle) : NULL;
    bool usable = !it || it->references;
    misuses += !usable;
    pthread_mutex_unlock(&lock);
    return usable;
}

void objects_set_end(void *event, cl_int ends)
{
    pthread_mutex_lock(&lock);
    object *it = find(event);
    if (it)
        it->ends = ends;
    pthread_mutex_unlock(&lock);
}

cl_int objects_end_of(const void *event)
{
    pthread_mutex_lock(&lock);
    const object *it = find(event);
    cl_int ends = it ? it->ends : CL_SUCCESS;
    pthread_mutex_unlock(&lock);
    return ends;
}

size_t objects_live(opencl_layer_kind kind)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < LAYER_KINDS; i++)
        count += kind == LAYER_KINDS || kind == (opencl_layer_kind)i ? live[i] : 0;
    pthread_mutex_unlock(&lock);
    return count;
}

uint64_t objects_misuses(void)
{
    pthread_mutex_lock(&lock);
    uint64_t count = misuses;
    pthread_mutex_unlock(&lock);
    return count;
}

void objects_forget_misuses(void)
{
    pthread_mutex_lock(&lock);
    misuses = 0;
    pthread_mutex_unlock(&lock);
}
