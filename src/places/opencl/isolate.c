#include "places/opencl/isolate.h"
#include "base/log.h"
#include "placement/store.h"
#include "places/opencl/opencl.h"
#include "places/opencl/plain.h"
#include "places/seal.h"
#include "places/select.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX   64
#define KERNELS_MAX  64 /* that a worker builds */
#define LAUNCHES_MAX 64 /* unlike launches of a kernel that it remembers */

/* ---- What travels: the descriptor, and behind it what it points at, by offset ---- */

typedef struct parcel {
    uint64_t bytes;         /* of all */
    allot_kernel_desc desc; /* pointers mean nothing but by the offsets below; 0: NULL */
    uint64_t place_id, name, source, entry, options, program;
    uint64_t param_names[AL_PARAMS_MAX];
    allot_param params[AL_PARAMS_MAX];
} parcel;

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t parcel_bytes(const allot_kernel_desc *desc, const char *place_id)
{
    size_t bytes = sizeof(parcel) + text_bytes(place_id) + text_bytes(desc->name) +
                   text_bytes(desc->opencl_source) + text_bytes(desc->opencl_entry) +
                   text_bytes(desc->opencl_options) + desc->opencl_program_bytes;
    for (size_t i = 0; i < desc->param_count; i++)
        bytes += text_bytes(desc->params[i].name);
    return bytes;
}

/* Where it was put; 0 for NULL. */
static uint64_t put(parcel *to, const void *bytes, size_t size)
{
    uint64_t at = to->bytes;
    if (!bytes)
        return 0;
    memcpy((char *)to + at, bytes, size);
    to->bytes += size;
    return at;
}

static void pack(parcel *to, const allot_kernel_desc *desc, const char *place_id)
{
    memset(to, 0, sizeof *to);
    to->bytes = sizeof *to;
    to->desc = *desc;
    to->place_id = put(to, place_id, text_bytes(place_id));
    to->name = put(to, desc->name, text_bytes(desc->name));
    to->source = put(to, desc->opencl_source, text_bytes(desc->opencl_source));
    to->entry = put(to, desc->opencl_entry, text_bytes(desc->opencl_entry));
    to->options = put(to, desc->opencl_options, text_bytes(desc->opencl_options));
    to->program = put(to, desc->opencl_program, desc->opencl_program_bytes);
    for (size_t i = 0; i < desc->param_count; i++) {
        to->params[i] = desc->params[i];
        to->params[i].name = NULL;
        to->param_names[i] = put(to, desc->params[i].name, text_bytes(desc->params[i].name));
    }
}

static const void *at(const parcel *from, uint64_t offset)
{
    return offset ? (const char *)from + offset : NULL;
}

/* ---- In the worker: one task at a time ---- */

/* A kernel that came before, and how it was launched. */
typedef struct known {
    struct known *next;
    uint64_t hash;
    allot_kernel *kernel;
    uint32_t types;                  /* a bit for each for which it was built */
    uint64_t launches[LAUNCHES_MAX]; /* what the driver has compiled for */
    size_t launch_count;
} known;

static struct {
    bool looked;
    char why[512]; /* there is no device */
    al_place *places[PLACES_MAX];
    size_t count;
    bool open[PLACES_MAX];
    known *kernels;
    size_t kernel_count;
} worker;

/* The first that is meant; `count` if none is. */
static size_t number_of(const char *place_id)
{
    const char *word = place_id ? al_select_word(place_id) : "";
    size_t number = 0;
    while (number < worker.count && !(place_id && strcmp(worker.places[number]->id, place_id) == 0) &&
           !(word && al_select_means(word, worker.places[number])))
        number++;
    return number;
}

static al_opencl *find_device(const char *place_id, allot_status *status, al_failure *failure)
{
    static const al_place_config config = { .threads = 1, .processes = 1 };
    if (!worker.looked)
        worker.count =
            al_opencl_kind.discover(&config, worker.places, PLACES_MAX, worker.why, sizeof worker.why);
    worker.looked = true;
    size_t number = number_of(place_id);
    if (number == worker.count) {
        char there[1024];
        al_select_list(worker.places, worker.count, there, sizeof there);
        *status = al_failure_set(failure, ALLOT_NO_DEVICE,
                                 "%s: no such device in a worker process (devices: %s)%s%s",
                                 place_id ? place_id : allot_kind_name(ALLOT_OPENCL), *there ? there : "none",
                                 *worker.why ? ": " : "", worker.why);
        return NULL;
    }
    al_opencl *self = (al_opencl *)worker.places[number];
    *status = worker.open[number] ? ALLOT_OK : al_opencl_device_open(&self->device, failure);
    worker.open[number] = worker.open[number] || *status == ALLOT_OK;
    return *status == ALLOT_OK ? self : NULL;
}

/* A kernel with a descriptor of its own memory. */
static allot_kernel *unpack(const parcel *from)
{
    parcel *own = malloc(from->bytes);
    if (!own)
        return NULL;
    memcpy(own, from, from->bytes);
    allot_kernel_desc *desc = &own->desc;
    for (size_t i = 0; i < desc->param_count; i++)
        own->params[i].name = at(own, own->param_names[i]);
    desc->size = sizeof *desc;
    desc->name = at(own, own->name);
    desc->params = own->params;
    desc->types = NULL;
    desc->cpu = NULL;
    desc->opencl_source = at(own, own->source);
    desc->opencl_entry = at(own, own->entry);
    desc->opencl_options = at(own, own->options);
    desc->opencl_program = at(own, own->program);
    desc->work = NULL;
    desc->check = NULL; /* the parent has checked */
    desc->selftest = NULL;
    allot_kernel *kernel = allot_kernel_create(desc);
    if (kernel)
        kernel->owned = own;
    else
        free(own);
    return kernel;
}

/* NULL: no memory. */
static known *find_kernel(const parcel *from)
{
    uint64_t hash = al_store_hash(AL_STORE_HASH, from, from->bytes);
    for (known *it = worker.kernels; it; it = it->next)
        if (it->hash == hash)
            return it;
    known *it = calloc(1, sizeof *it);
    allot_kernel *kernel = it ? unpack(from) : NULL;
    if (!kernel) {
        free(it);
        return NULL;
    }
    it->next = worker.kernels;
    it->hash = hash;
    it->kernel = kernel;
    worker.kernels = it;
    worker.kernel_count++;
    return it;
}

/* Elements from the view's first to its last. */
static size_t extent(const allot_value *value)
{
    size_t last = 0;
    for (size_t d = 0; d < 3; d++) {
        if (value->shape[d] == 0)
            return 0;
        last += (value->shape[d] - 1) * value->stride[d];
    }
    return last + 1;
}

static allot_type type_of(const allot_param *param, const allot_part *part)
{
    return param->type == ALLOT_T ? part->type : param->type;
}

static bool take_array(const allot_param *param, const allot_value *value, allot_type type, allot_arg *arg,
                       allot_array **array)
{
    *array = al_array_over(type, extent(value), value->data);
    if (!*array)
        return false;
    allot_view view = { .array = *array, .rank = param->rank ? param->rank : 1 };
    for (size_t d = 0; d < 3; d++) {
        view.shape[d] = value->shape[d];
        view.stride[d] = value->stride[d];
    }
    *arg = param->access == ALLOT_READ    ? allot_in_view(view)
           : param->access == ALLOT_WRITE ? allot_out_view(view)
                                          : allot_inout_view(view);
    return true;
}

/* Numbers are put in later, as they came. */
static allot_arg take_other(const allot_param *param, const allot_value *value, allot_type type)
{
    if (param->local)
        return allot_local(value->count);
    if (param->bytes)
        return allot_bytes(value->data, param->bytes);
    return type >= ALLOT_F16 ? allot_f64(0) : allot_i64(0);
}

static void put_numbers(al_launch *launch, const allot_part *part)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        al_argument *argument = &launch->args[i];
        if (al_param_is_number(argument->param))
            memcpy(argument->scalar, part->args[i].data, allot_type_size(argument->type));
    }
}

/* The launch as the parent had it, over the memory that is mapped here. */
static al_launch *remake(const allot_kernel *kernel, const allot_part *part, allot_status *status,
                         al_failure *failure)
{
    size_t count = kernel->desc.param_count;
    allot_arg args[AL_PARAMS_MAX] = { 0 };
    allot_array *arrays[AL_PARAMS_MAX] = { NULL };
    al_launch *launch = NULL;
    bool made = true;
    for (size_t i = 0; i < count && made; i++) {
        const allot_param *param = &kernel->desc.params[i];
        allot_type type = type_of(param, part);
        if (param->access)
            made = take_array(param, &part->args[i], type, &args[i], &arrays[i]);
        else
            args[i] = take_other(param, &part->args[i], type);
    }
    *status = ALLOT_NO_MEMORY;
    if (made)
        launch = al_launch_create(kernel, part->range, args, count, status, failure);
    for (size_t i = 0; i < count; i++)
        allot_array_release(arrays[i]);
    if (launch)
        put_numbers(launch, part);
    return launch;
}

/* ---- In the worker: what it may still do ----
 * Drivers need a compiler when they build, and some a linker of its own process at the first launch of each
 * shape; after that nothing but the kernel could want one. */

static void seal(al_right rights)
{
    static bool told;
    int error = al_seal(rights);
    if (error && !told)
        al_log(AL_LOG_WARNING, "isolated kernels are not kept from %s: %s",
               rights & AL_RIGHT_PROGRAMS ? "running programs" : "the network", strerror(error));
    told = told || error;
}

/* Where the driver chooses the group's size, it does so by the range. */
static uint64_t launch_hash(const al_opencl *device, const al_opencl_program *program,
                            const al_launch *launch)
{
    al_opencl_sizes sizes;
    al_opencl_sizes_of(launch, &device->device, &program->limits, &sizes);
    al_opencl_shape shape = al_opencl_shape_of(&sizes);
    uint64_t hash = al_store_hash(AL_STORE_HASH, &shape, sizeof shape);
    hash = al_store_hash(hash, &launch->type, sizeof launch->type);
    return sizes.has_local ? hash : al_store_hash(hash, sizes.global, sizeof sizes.global);
}

static bool ran_before(const known *it, uint64_t hash)
{
    for (size_t i = 0; i < it->launch_count && i < LAUNCHES_MAX; i++)
        if (it->launches[i] == hash)
            return true;
    return false;
}

static allot_status run_built(al_opencl *device, known *it, al_opencl_program *program, al_launch *launch,
                              al_failure *failure)
{
    uint64_t hash = launch_hash(device, program, launch);
    bool again = ran_before(it, hash);
    if (!again && al_sealed() & AL_RIGHT_PROGRAMS) {
        al_seal_decline();
        return ALLOT_OK;
    }
    seal(again ? AL_RIGHT_NETWORK | AL_RIGHT_PROGRAMS : AL_RIGHT_NETWORK);
    allot_status status = al_opencl_run_plainly(&device->programs, program, launch, failure);
    if (status == ALLOT_OK && !again)
        it->launches[it->launch_count++ % LAUNCHES_MAX] = hash;
    return status;
}

/* No more builds in a worker that can start no programs, nor where what was built might be dropped again. */
static allot_status get_program(al_opencl *device, known *it, al_launch *launch, al_opencl_program **program,
                                al_failure *failure)
{
    char why[256];
    uint32_t type = UINT32_C(1) << launch->type;
    if (!al_opencl_accepts(device, launch, why, sizeof why))
        return al_failure_set(failure, ALLOT_UNSUPPORTED, "%s", why);
    if (!(it->types & type) && (al_sealed() & AL_RIGHT_PROGRAMS || worker.kernel_count > KERNELS_MAX)) {
        al_seal_decline();
        return ALLOT_OK;
    }
    allot_status status = al_opencl_programs_get(&device->programs, launch, program, failure);
    if (status == ALLOT_OK || status == ALLOT_BUILD)
        it->types |= type; /* others may be tried again */
    return status;
}

static allot_status run(al_opencl *device, known *it, const allot_part *part, al_failure *failure)
{
    allot_status status;
    al_opencl_program *program = NULL;
    al_launch *launch = remake(it->kernel, part, &status, failure);
    if (!launch)
        return status;
    status = get_program(device, it, launch, &program, failure);
    if (program) {
        status = run_built(device, it, program, launch, failure);
        al_opencl_programs_put(&device->programs, program, NULL);
    }
    al_launch_destroy(launch);
    return status;
}

/* The variant in C of the kernel that stands in: its first argument is the parcel. */
static allot_status run_isolated(allot_call *call, const allot_part *part)
{
    const parcel *from = part->args[0].data;
    allot_part own = { part->type, part->range, part->begin, part->end, part->args + 1 };
    allot_status status;
    al_failure failure = { 0 };
    al_opencl *device = find_device(at(from, from->place_id), &status, &failure);
    if (device) {
        known *it = find_kernel(from);
        status = it ? run(device, it, &own, &failure) : ALLOT_NO_MEMORY;
    }
    call->failure = failure;
    return status;
}

/* ---- In the parent ---- */

/* The block behind the kernel that stands in. */
typedef struct stand_in {
    allot_param params[AL_PARAMS_MAX];
    char name[];
} stand_in;

static allot_kernel *make_kernel(const allot_kernel_desc *desc)
{
    static const char suffix[] = " (isolated)";
    stand_in *own = calloc(1, sizeof *own + strlen(desc->name) + sizeof suffix);
    if (!own)
        return NULL;
    sprintf(own->name, "%s%s", desc->name, suffix);
    own->params[0] = (allot_param){ .name = "program", .type = ALLOT_U8, .access = ALLOT_READ };
    memcpy(own->params + 1, desc->params, desc->param_count * sizeof *desc->params);
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = own->name, .params = own->params, .param_count = desc->param_count + 1,
                     .cpu = run_isolated, .grain = SIZE_MAX)); /* the device has the whole range */
    if (kernel)
        kernel->owned = own;
    else
        free(own);
    return kernel;
}

static allot_arg argument_again(const al_argument *argument)
{
    allot_arg arg = { .access = argument->param->access, .view = argument->view };
    if (al_argument_is_array(argument))
        return arg;
    if (argument->param->local)
        return allot_local(argument->bytes);
    if (argument->param->bytes)
        return allot_bytes(al_argument_data(argument), argument->bytes);
    return argument->type >= ALLOT_F16 ? allot_f64(0) : allot_i64(0); /* its value comes as it is */
}

static al_launch *launch_with(const allot_kernel *kernel, const al_launch *launch, allot_array *program,
                              allot_status *status, al_failure *failure)
{
    allot_arg args[AL_PARAMS_MAX] = { allot_in(program) };
    for (size_t i = 0; i < launch->arg_count; i++)
        args[i + 1] = argument_again(&launch->args[i]);
    al_launch *isolated =
        al_launch_create(kernel, launch->range, args, launch->arg_count + 1, status, failure);
    for (size_t i = 0; isolated && i < launch->arg_count; i++)
        memcpy(isolated->args[i + 1].scalar, launch->args[i].scalar, sizeof launch->args[i].scalar);
    if (isolated)
        isolated->work = launch->work;
    return isolated;
}

static const char *why_not(const al_launch *launch)
{
    if (!al_kernel_has_opencl(launch->kernel))
        return "the kernel has no OpenCL variant";
    if (launch->arg_count + 1 > AL_PARAMS_MAX)
        return "it has too many parameters";
    if (launch->kernel->desc.opencl_constant_count)
        return "specialisation constants do not travel to worker processes";
    return al_launch_has_offset(launch) ? "ranges with an offset do not travel to worker processes" : NULL;
}

al_launch *al_opencl_isolate(const al_launch *launch, const char *place_id, allot_status *status,
                             al_failure *failure)
{
    const allot_kernel_desc *desc = &launch->kernel->desc;
    al_launch *isolated = NULL;
    const char *against = why_not(launch);
    if (against) {
        *status = al_failure_set(failure, ALLOT_UNSUPPORTED, "%s, isolated: %s", desc->name, against);
        return NULL;
    }
    *status = ALLOT_NO_MEMORY;
    allot_kernel *kernel = make_kernel(desc);
    allot_array *program = kernel ? al_array_own(ALLOT_U8, parcel_bytes(desc, place_id)) : NULL;
    if (program) {
        pack((parcel *)(void *)program->host, desc, place_id);
        isolated = launch_with(kernel, launch, program, status, failure);
    }
    allot_array_release(program);
    allot_kernel_release(kernel);
    return isolated;
}
