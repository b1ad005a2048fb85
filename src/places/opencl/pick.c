#include "places/opencl/pick.h"
#include "placement/store.h"

static bool is_warm(const al_opencl_program *program, const al_opencl_sizes *sizes)
{
    al_opencl_shape shape = al_opencl_shape_of(sizes);
    return al_opencl_program_is_warm(program, &shape);
}

void al_opencl_pick(al_opencl_programs *programs, al_opencl_program *program, const al_launch *launch,
                    al_opencl_sizes *sizes, al_opencl_trial *trial)
{
    al_opencl_tuning *tuning = &program->tuning;
    pthread_mutex_lock(&programs->lock);
    al_opencl_tune_next(tuning, programs->how, launch, programs->device, &program->limits, sizes, trial);
    trial->cold = !is_warm(program, sizes);
    al_opencl_tune_begin(tuning, trial);
    pthread_mutex_unlock(&programs->lock);
}

void al_opencl_pick_end(al_opencl_programs *programs, al_opencl_program *program,
                        const al_opencl_trial *trial, int64_t ran_ns)
{
    if (!trial->wanted)
        return;
    pthread_mutex_lock(&programs->lock);
    al_opencl_tune_end(&program->tuning, trial, ran_ns);
    pthread_mutex_unlock(&programs->lock);
}

void al_opencl_pick_nothing(al_opencl_programs *programs, al_opencl_warm *warm)
{
    if (!warm->program)
        return;
    if (warm->entry)
        al_opencl_entry_give(programs, warm->program, warm->entry);
    al_opencl_pick_end(programs, warm->program, &warm->trial, -1);
    al_opencl_programs_put(programs, warm->program, NULL);
    *warm = (al_opencl_warm){ 0 };
}

/* ---- From run to run ---- */

static al_binary_key note_key(const al_opencl_program *program)
{
    al_binary_key key = program->key;
    for (size_t i = 0; i < 2; i++)
        key.words[i] = al_store_hash(key.words[i], AL_BINARY_SIZES, sizeof AL_BINARY_SIZES);
    return key;
}

void al_opencl_pick_recall(al_opencl_programs *programs, al_opencl_program *program)
{
    char note[AL_BINARY_NOTE];
    al_binary_key key = note_key(program);
    if (programs->folder && key.usable && program->limits.open && programs->how != AL_OPENCL_TUNE_NEVER &&
        al_binaries_noted(programs->folder, &key, note))
        al_opencl_tune_read(&program->tuning, note);
}

void al_opencl_pick_keep(al_opencl_programs *programs, al_opencl_program *program)
{
    char note[AL_BINARY_NOTE];
    al_binary_key key = note_key(program);
    if (!key.usable || !program->tuning.changed)
        return;
    al_opencl_tune_write(&program->tuning, note, sizeof note);
    al_binaries_note(programs->folder, &key, note);
    program->tuning.changed = false;
}
