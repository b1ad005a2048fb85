#include "places/opencl/program.h"
#include "base/clock.h"
#include "base/log.h"
#include "places/opencl/build.h"
#include "places/opencl/pick.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 256 /* programs; then the one that was idle longest goes */

/* ---- The cache ---- */

void al_opencl_programs_init(al_opencl_programs *programs, al_opencl_device *device)
{
    memset(programs, 0, sizeof *programs);
    programs->device = device;
    programs->folder = al_binaries_folder();
    programs->how = al_opencl_tune_how_asked();
    pthread_mutex_init(&programs->lock, NULL);
    pthread_cond_init(&programs->made, NULL);
}

void al_opencl_programs_fini(al_opencl_programs *programs)
{
    for (al_opencl_program *program; (program = programs->first);) {
        programs->first = program->next;
        al_opencl_program_destroy(program);
    }
    pthread_mutex_destroy(&programs->lock);
    pthread_cond_destroy(&programs->made);
    free(programs->folder);
}

static bool in_use(const al_opencl_program *program)
{
    return atomic_load_explicit(&program->users, memory_order_acquire) != 0; /* pairs with putting it back */
}

/* Takes a program that nobody uses out of the list; NULL: there is none. */
static al_opencl_program *take_unused(al_opencl_programs *programs, bool *left)
{
    pthread_mutex_lock(&programs->lock);
    al_opencl_program **link = &programs->first;
    while (*link && in_use(*link))
        link = &(*link)->next;
    al_opencl_program *unused = *link;
    if (unused) {
        *link = unused->next;
        programs->count--;
    }
    *left = programs->first != NULL;
    pthread_mutex_unlock(&programs->lock);
    return unused;
}

void al_opencl_programs_clear(al_opencl_programs *programs)
{
    bool left = true;
    while (left) {
        al_opencl_program *unused = take_unused(programs, &left);
        if (unused)
            al_opencl_program_destroy(unused);
        else if (left)
            sched_yield();
    }
}

static al_opencl_program *find_for(const al_opencl_programs *programs, uint64_t kernel_id, allot_type type)
{
    al_opencl_program *program = programs->first;
    while (program && (program->kernel_id != kernel_id || program->type != type))
        program = program->next;
    return program;
}

static al_opencl_program *find(const al_opencl_programs *programs, const al_launch *launch)
{
    return find_for(programs, launch->kernel->id, launch->type);
}

static void use(al_opencl_programs *programs, al_opencl_program *program)
{
    atomic_fetch_add_explicit(&program->users, 1, memory_order_relaxed);
    program->used = ++programs->uses;
}

/* Takes the program that was idle longest out of a full list; NULL if there is room or all are in use. */
static al_opencl_program *make_room(al_opencl_programs *programs)
{
    al_opencl_program **oldest = NULL;
    if (programs->count < KEPT_MAX)
        return NULL;
    for (al_opencl_program **link = &programs->first; *link; link = &(*link)->next)
        if (!in_use(*link) && (!oldest || (*link)->used < (*oldest)->used))
            oldest = link;
    if (!oldest)
        return NULL;
    al_opencl_program *out = *oldest;
    *oldest = out->next;
    programs->count--;
    return out;
}

/* ---- One that builds, others that wait for it ---- */

/* With the lock held, which is dropped meanwhile: what is there, or will be; NULL: the caller is to make it,
 * and is known to be about to. */
static al_opencl_program *find_or_begin(al_opencl_programs *programs, al_opencl_making *mine)
{
    for (;;) {
        al_opencl_program *found = find_for(programs, mine->kernel_id, mine->type);
        al_opencl_making *other = programs->making;
        while (other && (other->kernel_id != mine->kernel_id || other->type != mine->type))
            other = other->next;
        if (found)
            return found;
        if (!other)
            break;
        pthread_cond_wait(&programs->made, &programs->lock);
    }
    mine->next = programs->making;
    programs->making = mine;
    return NULL;
}

/* With the lock held. */
static void end_making(al_opencl_programs *programs, const al_opencl_making *mine)
{
    al_opencl_making **link = &programs->making;
    while (*link != mine)
        link = &(*link)->next;
    *link = mine->next;
    pthread_cond_broadcast(&programs->made);
}

/* In use by the caller, built if it was not there; NULL when memory is out. *built_ns: how long that took; 0
 * if it was. */
static al_opencl_program *obtain(al_opencl_programs *programs, const allot_kernel *kernel, allot_type type,
                                 int64_t *built_ns)
{
    al_opencl_making mine = { .kernel_id = kernel->id, .type = type };
    al_opencl_program *out = NULL;
    *built_ns = 0;
    pthread_mutex_lock(&programs->lock);
    al_opencl_program *program = find_or_begin(programs, &mine);
    if (!program) {
        pthread_mutex_unlock(&programs->lock);
        int64_t start_ns = al_clock_now_ns();
        program = al_opencl_program_build(programs, kernel, type);
        *built_ns = al_clock_now_ns() - start_ns;
        pthread_mutex_lock(&programs->lock);
        end_making(programs, &mine);
        if (program) {
            out = make_room(programs);
            program->next = programs->first;
            programs->first = program;
            programs->count++;
        }
    }
    if (program)
        use(programs, program);
    pthread_mutex_unlock(&programs->lock);
    if (out)
        al_opencl_program_destroy(out);
    return program;
}

static bool is_lasting(const al_opencl_program *program)
{
    return program->wrong || (program->status != ALLOT_DEVICE && program->status != ALLOT_NO_MEMORY);
}

/* Puts back a program that cannot be used. An outcome that says nothing about the text (the device was out of
 * memory) is not remembered: the last to leave takes it out, and nobody comes to it any more. */
static void put_bad(al_opencl_programs *programs, al_opencl_program *program)
{
    bool stays = is_lasting(program);
    pthread_mutex_lock(&programs->lock);
    al_opencl_program **link = &programs->first;
    while (*link && *link != program)
        link = &(*link)->next;
    if (*link && !stays) {
        *link = program->next;
        programs->count--;
    }
    /* acq_rel: the last one frees what the others have read. */
    bool last = atomic_fetch_sub_explicit(&program->users, 1, memory_order_acq_rel) == 1;
    pthread_mutex_unlock(&programs->lock);
    if (last && !stays)
        al_opencl_program_destroy(program);
}

allot_status al_opencl_programs_get(al_opencl_programs *programs, al_launch *launch,
                                    al_opencl_program **program, al_failure *failure)
{
    int64_t built_ns;
    al_opencl_program *found = obtain(programs, launch->kernel, launch->type, &built_ns);
    if (!found)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    if (built_ns)
        launch->compiled_ns = built_ns;
    if (found->status == ALLOT_OK) {
        *program = found;
        return ALLOT_OK;
    }
    allot_status status = al_failure_set(failure, found->status, "%s", found->message ? found->message : "");
    put_bad(programs, found);
    return status;
}

void al_opencl_programs_build(al_opencl_programs *programs, const allot_kernel *kernel, allot_type type)
{
    int64_t built_ns;
    al_opencl_program *program = obtain(programs, kernel, type, &built_ns);
    if (!program)
        return;
    if (program->status != ALLOT_OK) {
        al_log(AL_LOG_WARNING, "built in the background: %s", program->message ? program->message : "failed");
        put_bad(programs, program);
        return;
    }
    pthread_mutex_lock(&programs->lock);
    program->untold_s = (double)built_ns * 1e-9;
    pthread_mutex_unlock(&programs->lock);
    al_opencl_programs_put(programs, program, NULL);
}

static void tell_why(const al_opencl_program *program, char *why, size_t size)
{
    const char *message = program->message ? program->message : "its program cannot be built there";
    snprintf(why, size, "%.*s", (int)strcspn(message, "\n"), message);
}

allot_status al_opencl_programs_look(al_opencl_programs *programs, const al_launch *launch, double *untold_s,
                                     char *why, size_t why_size)
{
    *untold_s = 0;
    pthread_mutex_lock(&programs->lock);
    al_opencl_program *found = find(programs, launch);
    if (found && !is_lasting(found)) /* about to be forgotten */
        found = NULL;
    allot_status status = found ? found->status : ALLOT_TIMEOUT;
    if (found && status == ALLOT_OK) {
        *untold_s = found->untold_s;
        found->untold_s = 0;
    } else if (found)
        tell_why(found, why, why_size);
    pthread_mutex_unlock(&programs->lock);
    return status;
}

bool al_opencl_program_is_warm(const al_opencl_program *program, const al_opencl_shape *shape)
{
    for (size_t i = 0; i < AL_OPENCL_SHAPES_MAX && i < program->warmed; i++)
        if (memcmp(&program->warm[i], shape, sizeof *shape) == 0)
            return true;
    return false;
}

/* One takes at a time, with the lock held: the first stays where it is until it is taken, whatever is put
 * before it. */
static al_opencl_entry *take_idle(al_opencl_program *program)
{
    al_opencl_entry *entry = atomic_load_explicit(&program->idle, memory_order_acquire);
    while (entry && !atomic_compare_exchange_weak_explicit(&program->idle, &entry, entry->next,
                                                           memory_order_acquire, memory_order_acquire)) {
    } /* acquire: pairs with giving it back */
    return entry;
}

static bool would_run_warm(const al_opencl_programs *programs, const al_launch *launch, al_opencl_warm *warm)
{
    al_opencl_program *program = warm->program;
    if (program->status != ALLOT_OK)
        return false;
    al_opencl_tune_next(&program->tuning, programs->how, launch, programs->device, &program->limits,
                        &warm->sizes, &warm->trial);
    al_opencl_shape shape = al_opencl_shape_of(&warm->sizes);
    return al_opencl_program_is_warm(program, &shape);
}

bool al_opencl_programs_get_warm(al_opencl_programs *programs, const al_launch *launch, al_opencl_warm *warm)
{
    pthread_mutex_lock(&programs->lock);
    warm->program = find(programs, launch);
    bool there = warm->program && would_run_warm(programs, launch, warm);
    if (there) {
        use(programs, warm->program);
        warm->entry = take_idle(warm->program);
        al_opencl_tune_begin(&warm->program->tuning, &warm->trial);
    } else
        warm->program = NULL;
    pthread_mutex_unlock(&programs->lock);
    return there;
}

void al_opencl_programs_put(al_opencl_programs *programs, al_opencl_program *program,
                            const al_opencl_shape *ran)
{
    if (ran) {
        pthread_mutex_lock(&programs->lock);
        if (!al_opencl_program_is_warm(program, ran))
            program->warm[program->warmed++ % AL_OPENCL_SHAPES_MAX] = *ran;
        pthread_mutex_unlock(&programs->lock);
    }
    /* release: whoever sees that nobody uses it may free it. */
    atomic_fetch_sub_explicit(&program->users, 1, memory_order_release);
}

/* ---- Kernel objects ---- */

cl_int al_opencl_entry_take(al_opencl_programs *programs, al_opencl_program *program, const char *name,
                            al_opencl_entry **entry)
{
    pthread_mutex_lock(&programs->lock);
    *entry = take_idle(program);
    pthread_mutex_unlock(&programs->lock);
    if (*entry)
        return CL_SUCCESS;
    al_opencl_entry *made = malloc(sizeof *made);
    cl_int code = CL_OUT_OF_HOST_MEMORY;
    if (made)
        made->kernel = clCreateKernel(program->program, name, &code);
    if (code != CL_SUCCESS)
        free(made);
    else
        *entry = made;
    return code;
}

void al_opencl_entry_give(al_opencl_programs *programs, al_opencl_program *program, al_opencl_entry *entry)
{
    (void)programs;
    entry->next = atomic_load_explicit(&program->idle, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&program->idle, &entry->next, entry, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

/* ---- What is known of them elsewhere ---- */

void al_opencl_programs_add_wrong(al_opencl_programs *programs, const char *what)
{
    pthread_mutex_lock(&programs->lock);
    size_t used = strlen(programs->wrong);
    if (!strstr(programs->wrong, what))
        snprintf(programs->wrong + used, sizeof programs->wrong - used, "%s%s", used ? "; " : "", what);
    pthread_mutex_unlock(&programs->lock);
}

void al_opencl_programs_recall(al_opencl_programs *programs)
{
    char wrong[sizeof programs->wrong] = "";
    if (programs->folder)
        al_binaries_wrong(programs->folder, programs->device->name, wrong, sizeof wrong);
    if (*wrong)
        al_opencl_programs_add_wrong(programs, wrong);
}

void al_opencl_programs_tell_wrong(al_opencl_programs *programs, char *text, size_t size)
{
    pthread_mutex_lock(&programs->lock);
    snprintf(text, size, "%s", programs->wrong);
    pthread_mutex_unlock(&programs->lock);
}

bool al_opencl_programs_trust(al_opencl_programs *programs, const al_launch *launch, char *why,
                              size_t why_size)
{
    if (!atomic_load_explicit(&programs->any_wrong, memory_order_relaxed))
        return true;
    pthread_mutex_lock(&programs->lock);
    const al_opencl_program *found = find(programs, launch);
    bool wrong = found && found->wrong;
    if (wrong)
        snprintf(why, why_size, "%s", found->message ? found->message : "it computes wrongly there");
    pthread_mutex_unlock(&programs->lock);
    return !wrong;
}

void al_opencl_programs_keep(al_opencl_programs *programs)
{
    for (al_opencl_program *program = programs->first; program && programs->folder; program = program->next) {
        if (program->status == ALLOT_OK && program->key.usable && !program->from_disk)
            al_binaries_store(programs->folder, &program->key, program->program);
        al_opencl_pick_keep(programs, program);
    }
}
