#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const al_format *const formats[] = {
    &al_matrix_market_format, &al_npy_format, &al_f32_format, &al_png_format,
    &al_pgm_format,           &al_ppm_format, &al_pnm_format
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

static bool ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const al_format *format_of(const char *path)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (ends_in(path, formats[i]->ending))
            return formats[i];
    return NULL;
}

/* Into `text`, which is static and filled once. */
static const char *list_endings(char *text, size_t size, bool written)
{
    if (text[0])
        return text;
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        size_t used = strlen(text);
        if (written ? formats[i]->write != NULL : formats[i]->read != NULL)
            snprintf(text + used, size - used, "%s%s", used ? ", " : "", formats[i]->ending);
    }
    return text;
}

const char *al_formats_read(void)
{
    static char text[100];
    return list_endings(text, sizeof text, false);
}

const char *al_formats_written(void)
{
    static char text[100];
    return list_endings(text, sizeof text, true);
}

bool al_input_read(al_input *input, const char *path, al_problem *problem)
{
    *input = (al_input){ 0 };
    const al_format *format = format_of(path);
    if (!format || !format->read)
        return al_problem_set(problem, AL_EXIT_INPUT,
                              "%s: unknown kind of file: the name must end in one of %s", path,
                              al_formats_read());
    al_file file;
    if (!al_file_read(&file, path, problem))
        return false;
    snprintf(input->name, sizeof input->name, "%s", base_name(path));
    bool ok = format->read(&file, input, problem);
    al_file_free(&file);
    if (!ok)
        al_input_free(input);
    return ok;
}

void al_input_free(al_input *input)
{
    al_block_free(&input->block);
    free(input->matrix.row_start);
    free(input->matrix.column);
    free(input->matrix.value);
    *input = (al_input){ 0 };
}

const char *al_input_kind_text(al_input_kind kind)
{
    switch (kind) {
    case AL_DENSE:
        return "dense numbers (.npy, .f32, a picture, .mtx in array format)";
    case AL_MATRIX:
        return "a sparse matrix (.mtx in coordinate format)";
    }
    return "?";
}

const al_format *al_output_format(const char *path, al_problem *problem)
{
    const al_format *format = format_of(path);
    if (format && format->write)
        return format;
    al_problem_set(problem, AL_EXIT_USAGE, "--output %s: the name must end in the format to write: %s", path,
                   al_formats_written());
    return NULL;
}

bool al_output_write(const char *path, const al_block *block, al_problem *problem)
{
    const al_format *format = al_output_format(path, problem);
    al_output output;
    if (!format || !al_output_open(&output, path, problem))
        return false;
    al_problem wrong = { 0 }, closing = { 0 };
    bool written = format->write(output.stream, block, &wrong);
    bool closed = al_output_close(&output, written, &closing);
    if (closed && written)
        return true;
    if (wrong.code)
        return al_problem_set(problem, wrong.code, "%s: %s", path, wrong.text);
    if (!closed)
        *problem = closing;
    else
        al_problem_set(problem, AL_EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    return false;
}

static bool found_in(const char *folder, const char *below, const char *name, char *path, size_t path_size)
{
    if (!folder || !folder[0])
        return false;
    int length = snprintf(path, path_size, "%s/%s%s", folder, below, name);
    return length > 0 && (size_t)length < path_size && access(path, R_OK) == 0;
}

/* What a checkout or an installed tree holds beside the program goes before a folder fixed at build time, in
 * which another version may lie. */
static bool found_beside_program(const char *name, char *path, size_t path_size)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    *strrchr(program, '/') = '\0'; /* the kernel gives an absolute path */
    return found_in(program, "../bench/data/", name, path, path_size) ||
           found_in(program, "../share/allot/data/", name, path, path_size);
}

bool al_data_find(const char *folder, const char *name, char *path, size_t path_size)
{
    if (folder)
        return found_in(folder, "", name, path, path_size);
    if (found_in(getenv("ALLOT_DATA"), "", name, path, path_size) ||
        found_beside_program(name, path, path_size))
        return true;
#ifdef ALLOT_DATA_FOLDER
    return found_in(ALLOT_DATA_FOLDER, "", name, path, path_size);
#else
    return false;
#endif
}
