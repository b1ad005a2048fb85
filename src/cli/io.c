#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct input_format {
    const char *ending;
    al_input_kind kind;
    const char *says;
    bool (*read)(const al_file *file, al_input *input, al_problem *problem);
} input_formats[] = {
    { ".mtx", AL_MATRIX, "Matrix Market", al_matrix_market_read },
    { ".f32", AL_SERIES, "raw little-endian float32", al_f32_read },
};

static const struct output_format {
    const char *ending;
    bool (*write)(FILE *stream, const al_block *block);
} output_formats[] = {
    { ".npy", al_npy_write },
};

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

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

static const struct input_format *input_format_of(const char *path, al_problem *problem)
{
    char known[200] = "";
    for (size_t i = 0; i < COUNT_OF(input_formats); i++) {
        if (ends_in(path, input_formats[i].ending))
            return &input_formats[i];
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s (%s)", i ? " and " : "", input_formats[i].ending,
                 input_formats[i].says);
    }
    al_problem_set(problem, AL_EXIT_INPUT, "%s: unknown kind of file: %s are read", path, known);
    return NULL;
}

bool al_input_read(al_input *input, const char *path, al_problem *problem)
{
    *input = (al_input){ 0 };
    const struct input_format *format = input_format_of(path, problem);
    al_file file;
    if (!format || !al_file_read(&file, path, problem))
        return false;
    input->kind = format->kind;
    snprintf(input->name, sizeof input->name, "%s", base_name(path));
    bool ok = format->read(&file, input, problem);
    al_file_free(&file);
    if (!ok)
        al_input_free(input);
    return ok;
}

void al_input_free(al_input *input)
{
    free(input->series.value);
    free(input->matrix.row_start);
    free(input->matrix.column);
    free(input->matrix.value);
    *input = (al_input){ 0 };
}

const char *al_input_kind_text(al_input_kind kind)
{
    switch (kind) {
    case AL_SERIES:
        return "a series of numbers (.f32)";
    case AL_MATRIX:
        return "a sparse matrix (.mtx)";
    }
    return "?";
}

static float f32_at(const unsigned char *at)
{
    uint32_t bits = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool al_f32_read(const al_file *file, al_input *input, al_problem *problem)
{
    const unsigned char *bytes = (const unsigned char *)file->data;
    size_t count = file->size / 4;
    if (file->size == 0)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: byte 0: the file is empty", file->path);
    if (file->size % 4)
        return al_problem_set(
            problem, AL_EXIT_INPUT,
            "%s: byte %zu: ends within a number (a .f32 file is 4 bytes a number, this one has %zu)",
            file->path, count * 4, file->size);
    input->series.value = calloc(count, sizeof(double));
    if (!input->series.value)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: out of memory for its %zu numbers", file->path,
                              count);
    input->series.count = count;
    for (size_t i = 0; i < count; i++) {
        float value = f32_at(bytes + 4 * i);
        if (!__builtin_isfinite(value))
            return al_problem_set(problem, AL_EXIT_INPUT, "%s: byte %zu: %s is not a number to compute with",
                                  file->path, 4 * i, __builtin_isnan(value) ? "NaN" : "infinity");
        input->series.value[i] = value;
    }
    return true;
}

static const struct output_format *output_format_of(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(output_formats); i++)
        if (ends_in(path, output_formats[i].ending))
            return &output_formats[i];
    return NULL;
}

bool al_output_known(const char *path, al_problem *problem)
{
    if (output_format_of(path))
        return true;
    char known[100] = "";
    for (size_t i = 0; i < COUNT_OF(output_formats); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", output_formats[i].ending);
    }
    return al_problem_set(problem, AL_EXIT_USAGE, "--output %s: the name must end in the format to write: %s",
                          path, known);
}

bool al_output_write(const char *path, const al_block *block, al_problem *problem)
{
    const struct output_format *format = output_format_of(path);
    al_output output;
    if (!format)
        return al_output_known(path, problem);
    if (!al_output_open(&output, path, problem))
        return false;
    bool written = format->write(output.stream, block);
    bool closed = al_output_close(&output, written, problem);
    if (closed && !written)
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    return closed;
}

static bool found_in(const char *folder, const char *below, const char *name, char *path, size_t path_size)
{
    if (!folder || !folder[0])
        return false;
    int length = snprintf(path, path_size, "%s/%s%s", folder, below, name);
    return length > 0 && (size_t)length < path_size && access(path, R_OK) == 0;
}

bool al_data_find(const char *folder, const char *name, char *path, size_t path_size)
{
    if (folder)
        return found_in(folder, "", name, path, path_size);
    if (found_in(getenv("ALLOT_DATA"), "", name, path, path_size))
        return true;
#ifdef ALLOT_DATA_FOLDER
    if (found_in(ALLOT_DATA_FOLDER, "", name, path, path_size))
        return true;
#endif
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    *strrchr(program, '/') = '\0'; /* the kernel gives an absolute path */
    return found_in(program, "../bench/data/", name, path, path_size) ||
           found_in(program, "../share/allot/data/", name, path, path_size);
}
