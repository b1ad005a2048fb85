#include "fuzz/check_input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "input";

static const char *check_refusal(const al_problem *problem)
{
    static char text[1400];
    size_t length = strlen(path);
    if (problem->code != AL_EXIT_INPUT)
        return "refused without a problem";
    if (strncmp(problem->text, path, length) == 0 && problem->text[length] == ':' &&
        strlen(problem->text) > 12)
        return NULL;
    snprintf(text, sizeof text, "refused without the place: %s", problem->text);
    return text;
}

static const char *check_matrix(const al_matrix *matrix)
{
    if (matrix->rows < 1 || matrix->columns < 1)
        return "a matrix without rows or columns";
    if (matrix->row_start[0] != 0 || (size_t)matrix->row_start[matrix->rows] != matrix->entries)
        return "the rows do not hold all entries";
    for (size_t row = 0; row < matrix->rows; row++) {
        int32_t begin = matrix->row_start[row], end = matrix->row_start[row + 1];
        if (begin > end)
            return "a row ends before it begins";
        for (int32_t i = begin; i < end; i++) {
            if (matrix->column[i] < 0 || (size_t)matrix->column[i] >= matrix->columns)
                return "a column out of range";
            if (i > begin && matrix->column[i - 1] > matrix->column[i])
                return "columns out of order";
            if (!isfinite(matrix->value[i]))
                return "a value that is no number";
        }
    }
    return NULL;
}

/* Writes the block, reads that, and compares: bit for bit. */
static const char *check_round_trip(const al_format *format, const al_block *block)
{
    char *bytes = NULL;
    al_file file = { .path = path };
    al_problem problem = { 0 };
    al_input again = { 0 };
    const char *wrong = NULL;
    FILE *stream = open_memstream(&bytes, &file.size);
    if (!stream)
        abort();
    bool written = format->write(stream, block, &problem);
    fclose(stream);
    file.data = bytes;
    if (!written)
        wrong =
            problem.code == AL_EXIT_FAILED ? NULL : "not written, without a problem"; /* not every one fits */
    else if (!format->read(&file, &again, &problem))
        wrong = "what was written is not read";
    else if (again.block.type != block->type || again.block.rank != block->rank ||
             memcmp(again.block.shape, block->shape, sizeof block->shape) != 0)
        wrong = "what was written has another type or shape";
    else if (memcmp(again.block.data, block->data, al_block_count(block) * allot_type_size(block->type)) != 0)
        wrong = "what was written has other values";
    al_input_free(&again);
    free(bytes);
    return wrong;
}

static const char *check_block(const al_format *format, const al_block *block)
{
    if (!allot_type_size(block->type) || block->rank < 1 || block->rank > 3)
        return "no type or shape";
    if (al_block_count(block) < 1)
        return "nothing in it";
    for (size_t i = 0; i < al_block_count(block); i++) {
        double value = al_block_real(block, i);
        if (!isfinite(value))
            return "a value that is no number";
        if (block->white && (value < 0 || value > block->white))
            return "a sample out of range";
    }
    return format->write ? check_round_trip(format, block) : NULL;
}

const char *check_input(const al_format *format, const void *bytes, size_t size)
{
    al_file file = { .path = path, .data = malloc(size ? size : 1), .size = size };
    al_input input = { 0 };
    al_problem problem = { 0 };
    if (!file.data)
        abort();
    memcpy(file.data, bytes, size);
    bool ok = format->read(&file, &input, &problem);
    const char *wrong = !ok                       ? check_refusal(&problem)
                        : problem.code            ? "read, and a problem"
                        : input.kind == AL_MATRIX ? check_matrix(&input.matrix)
                        : input.kind == AL_DENSE  ? check_block(format, &input.block)
                                                  : "no kind";
    al_input_free(&input);
    al_file_free(&file);
    return wrong;
}
