#include "session.h"

#include <string.h>

/* Real input is better, seeded values do as well: a missing sample is a note, not an error, unless its folder
 * was named. */
static bool find_sample(al_inputs *inputs, const al_workload_kind *kind, const char *folder, char *path,
                        size_t path_size, bool *found, al_problem *problem)
{
    *found = kind->data && al_data_find(folder, kind->data, path, path_size);
    if (*found || !kind->data)
        return true;
    if (folder)
        return al_problem_set(problem, AL_EXIT_INPUT, "--data %s: no readable %s there", folder, kind->data);
    snprintf(inputs->note, sizeof inputs->note,
             "%s: %s was not found (--data DIR or ALLOT_DATA says where it is): using seeded values",
             kind->name, kind->data);
    return true;
}

static bool read_one(al_inputs *inputs, const al_workload_kind *kind, const char *path, al_problem *problem)
{
    size_t index = inputs->count;
    if (index == AL_INPUTS || !kind->inputs[index].kind)
        return al_problem_set(problem, AL_EXIT_USAGE, "--input %s: %s takes no more than %zu input file%s",
                              path, kind->name, index, index == 1 ? "" : "s");
    if (!al_input_read(&inputs->input[index], path, problem))
        return false;
    const al_input *input = &inputs->input[index];
    inputs->count++;
    if (input->kind != kind->inputs[index].kind)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: holds %s, but %s of %s is %s", path,
                              al_input_kind_text(input->kind), kind->inputs[index].name, kind->name,
                              al_input_kind_text(kind->inputs[index].kind));
    if (input->kind == AL_DENSE && al_type_is_complex(input->block.type))
        return al_problem_set(problem, AL_EXIT_INPUT,
                              "%s: holds complex numbers, and %s takes real ones: save their real part", path,
                              kind->name);
    return true;
}

bool al_inputs_read(al_inputs *inputs, const al_workload_kind *kind, const char *const *paths, size_t count,
                    const char *data_folder, al_problem *problem)
{
    char path[4096];
    bool found;
    *inputs = (al_inputs){ 0 };
    for (size_t i = 0; i < count; i++)
        if (!read_one(inputs, kind, paths[i], problem))
            return false;
    if (count)
        return true;
    return find_sample(inputs, kind, data_folder, path, sizeof path, &found, problem) &&
           (!found || read_one(inputs, kind, path, problem));
}

void al_inputs_free(al_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        al_input_free(&inputs->input[i]);
    inputs->count = 0;
}

al_feed al_inputs_feed(const al_inputs *inputs, allot_executor *executor, allot_type type, int launches)
{
    al_feed feed = { .executor = executor, .type = type, .launches = launches };
    for (size_t i = 0; i < inputs->count; i++)
        feed.inputs[i] = &inputs->input[i];
    return feed;
}

allot_executor *al_session_open(const char *policy, const char *decisions, al_problem *problem)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.policy = policy, .decisions = decisions));
    if (!executor)
        al_problem_set(problem, AL_EXIT_FAILED, "%s", allot_open_error());
    return executor;
}
