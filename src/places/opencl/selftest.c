#include "places/opencl/selftest.h"
#include "base/log.h"
#include "core/trial.h"
#include "placement/store.h"
#include "places/opencl/plain.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The verdict ---- */

typedef enum outcome {
    RIGHT,
    WRONG,
    UNDECIDED
} outcome;

static outcome compare(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                       char *what, size_t what_size)
{
    al_failure failure = { 0 };
    outcome result = UNDECIDED;
    al_launch *reference = al_trial_create(kernel, program->type, &failure);
    al_launch *other = reference ? al_trial_create(kernel, program->type, &failure) : NULL;
    if (other && al_trial_run(reference, &failure) == ALLOT_OK &&
        al_opencl_run_plainly(programs, program, other, &failure) == ALLOT_OK)
        result = al_trial_agree(reference, other, what, what_size) ? RIGHT : WRONG;
    if (result == UNDECIDED)
        al_log(AL_LOG_INFO, "%s was not tested on %s: %s", kernel->desc.name, programs->device->name,
               failure.message ? failure.message : "its C variant failed");
    al_launch_destroy(other);
    al_launch_destroy(reference);
    al_failure_fini(&failure);
    return result;
}

/* Another problem may have another outcome. */
static al_binary_key note_key(const al_opencl_program *program, const allot_selftest *test, size_t params)
{
    al_binary_key key = program->key;
    for (size_t i = 0; i < 2; i++) {
        key.words[i] = al_store_hash(key.words[i], &test->range, sizeof test->range);
        key.words[i] = al_store_hash(key.words[i], &test->tolerance, sizeof test->tolerance);
        for (size_t p = 0; p < params; p++)
            key.words[i] = al_store_hash(key.words[i], test->args[p].shape, sizeof test->args[p].shape);
    }
    return key;
}

static bool is_wanted(const allot_kernel *kernel)
{
    const char *asked = getenv("ALLOT_SELFTEST");
    return kernel->desc.selftest && kernel->desc.cpu && !(asked && strcmp(asked, "off") == 0);
}

static bool has_note(const char *folder, const al_binary_key *key, outcome *result, char *what,
                     size_t what_size)
{
    char note[AL_BINARY_NOTE];
    if (!folder || !key->usable || !al_binaries_noted(folder, key, note))
        return false;
    *result = strncmp(note, AL_BINARY_WRONG, strlen(AL_BINARY_WRONG)) == 0 ? WRONG : RIGHT;
    snprintf(what, what_size, "%s", note + (*result == WRONG ? strlen(AL_BINARY_WRONG) : 0));
    return true;
}

static void keep_note(const char *folder, const al_binary_key *key, outcome result, const char *what)
{
    char note[AL_BINARY_NOTE];
    if (!folder || !key->usable || result == UNDECIDED)
        return;
    snprintf(note, sizeof note, "%s%s", result == WRONG ? AL_BINARY_WRONG : AL_BINARY_RIGHT,
             result == WRONG ? what : "");
    al_binaries_note(folder, key, note);
}

bool al_opencl_selftest(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                        char *what, size_t what_size)
{
    outcome result;
    char differs[200] = "";
    if (!is_wanted(kernel))
        return true;
    al_binary_key key = note_key(program, kernel->desc.selftest, kernel->desc.param_count);
    if (!has_note(programs->folder, &key, &result, what, what_size)) {
        result = compare(programs, program, kernel, differs, sizeof differs);
        snprintf(what, what_size, "%.60s (%s) computes wrongly on %.100s: %s", kernel->desc.name,
                 allot_type_name(program->type), programs->device->name, differs);
        keep_note(programs->folder, &key, result, what);
    }
    if (result == WRONG)
        al_log(AL_LOG_WARNING, "%s: it is not used there", what);
    return result != WRONG;
}
