/* Raw float32: four bytes a number, little endian, nothing else. */
#include "io.h"

static bool read_series(const al_file *file, al_input *input, al_problem *problem)
{
    enum {
        WIDTH = 4
    };
    size_t count = file->size / WIDTH;
    if (file->size == 0)
        return al_file_problem_at_byte(file, 0, problem, "the file is empty");
    if (file->size % WIDTH)
        return al_file_problem_at_byte(file, count * WIDTH, problem,
                                       "ends within a number (a .f32 file is 4 bytes a number, this one has "
                                       "%zu): cut off, or not raw float32",
                                       file->size);
    input->kind = AL_DENSE;
    input->block = (al_block){ .type = ALLOT_F32, .rank = 1, .shape = { count } };
    if (!al_block_allocate(&input->block))
        return al_file_problem_at_byte(file, 0, problem, "out of memory for its %zu numbers", count);
    al_block_fill(&input->block, file->data, false);
    return al_block_check(&input->block, file, 0, problem);
}

const al_format al_f32_format = { .ending = ".f32",
                                  .says = "raw little-endian float32",
                                  .read = read_series };
