/* Matrix Market files (Boisvert, Pozo, Remington: The Matrix Market Exchange Formats, NISTIR 5935, 1996):
 * coordinate ones to compressed rows, array ones, which list every value column by column, to a dense block.
 * Real, integer or pattern values; general, or symmetric with the missing half filled in. */
#include "io.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    TOKENS = 5, /* of the longest line: the banner */
    FREE_ROWS =
        1000000 /* rows and columns that even a tiny file may have; beyond, it must be as long as it says */
};

typedef struct token {
    const char *text;
    size_t length;
} token;

typedef struct reader {
    const al_file *file;
    const char *next, *end; /* what is not read yet */
    size_t line;            /* number of the current line; 0: none yet */
    token tokens[TOKENS];   /* the current line's words */
    size_t token_count;     /* TOKENS + 1: more */
    bool comment;           /* the current line begins with % */
    bool array, pattern, integer, symmetric;
    size_t rows, columns;
    al_problem *problem;
} reader;

/* An entry of the file. */
typedef struct triplet {
    int32_t row, column; /* from 0 */
    double value;
} triplet;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void split(reader *r, const char *at, const char *end)
{
    r->token_count = 0;
    for (;;) {
        while (at < end && is_space(*at))
            at++;
        if (at == end)
            return;
        const char *start = at;
        while (at < end && !is_space(*at))
            at++;
        if (r->token_count == TOKENS) {
            r->token_count = TOKENS + 1;
            return;
        }
        r->tokens[r->token_count++] = (token){ start, (size_t)(at - start) };
    }
}

/* Goes to the next line that is not blank; false at the end of the file, with `line` the last one. */
static bool next_line(reader *r)
{
    while (r->next < r->end) {
        const char *start = r->next;
        const char *newline = memchr(start, '\n', (size_t)(r->end - start));
        const char *end = newline ? newline : r->end;
        r->next = newline ? newline + 1 : r->end;
        r->line++;
        r->comment = *start == '%';
        split(r, start, end);
        if (r->token_count)
            return true;
    }
    return false;
}

static bool fail(reader *r, const char *what)
{
    return al_file_problem_at_line(r->file, r->line ? r->line : 1, r->problem, "%s", what);
}

/* The same about one word of the line, which is shown shortened and without what a terminal would obey. */
static bool fail_at(reader *r, token at, const char *what)
{
    char shown[40], text[200];
    size_t length = at.length < sizeof shown - 1 ? at.length : sizeof shown - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = at.text[i] >= ' ' && at.text[i] <= '~' ? at.text[i] : '?';
    shown[length] = '\0';
    snprintf(text, sizeof text, "'%s%s' %s", shown, length < at.length ? "..." : "", what);
    return fail(r, text);
}

static bool is_word(token at, const char *word)
{
    return at.length == strlen(word) && strncasecmp(at.text, word, at.length) == 0;
}

/* %%MatrixMarket matrix FORMAT FIELD SYMMETRY */
static bool read_banner(reader *r)
{
    if (!next_line(r))
        return fail(r, "the file is empty");
    const token *word = r->tokens;
    if (!is_word(word[0], "%%MatrixMarket"))
        return fail(r, "does not begin with %%MatrixMarket: not a Matrix Market file");
    if (r->token_count != TOKENS)
        return fail(r, "the first line must be: %%MatrixMarket matrix FORMAT FIELD SYMMETRY");
    if (!is_word(word[1], "matrix"))
        return fail_at(r, word[1], "is not read: only matrix is");
    r->array = is_word(word[2], "array");
    if (!r->array && !is_word(word[2], "coordinate"))
        return fail_at(r, word[2], "is not read: coordinate and array are");
    r->pattern = is_word(word[3], "pattern");
    r->integer = is_word(word[3], "integer");
    if (!r->pattern && !r->integer && !is_word(word[3], "real"))
        return fail_at(r, word[3], "values are not read: real, integer and pattern are");
    if (r->pattern && r->array)
        return fail(r, "a pattern has coordinates: an array of it says nothing");
    r->symmetric = is_word(word[4], "symmetric");
    if (!r->symmetric && !is_word(word[4], "general"))
        return fail_at(r, word[4], "is not read: general and symmetric are");
    return true;
}

/* A whole number from `least` to `most`. */
static bool read_index(reader *r, token at, int64_t least, int64_t most, const char *too_large,
                       int64_t *value)
{
    al_number_result result = al_number_integer(at.text, at.length, value);
    if (result == AL_NUMBER_MALFORMED)
        return fail_at(r, at, "is not a whole number");
    if (result == AL_NUMBER_OK && *value < least)
        return fail_at(r, at, least ? "is below 1: indices count from 1" : "is negative");
    if (result == AL_NUMBER_TOO_LARGE || *value > most)
        return fail_at(r, at, too_large);
    return true;
}

/* The first line that is no comment, which has `count` numbers known as `names`. */
static bool find_size(reader *r, size_t count, const char *names)
{
    do {
        if (!next_line(r))
            return al_file_problem_at_line(r->file, r->line, r->problem, "ends before the line %s: cut off",
                                           names);
    } while (r->comment);
    return r->token_count == count ? true
                                   : al_file_problem_at_line(r->file, r->line, r->problem,
                                                             "expected %zu counts: %s", count, names);
}

static bool read_shape(reader *r, int64_t most)
{
    int64_t rows, columns;
    if (!read_index(r, r->tokens[0], 0, most, "rows are more than a file of this length can describe",
                    &rows) ||
        !read_index(r, r->tokens[1], 0, most, "columns are more than a file of this length can describe",
                    &columns))
        return false;
    if (rows == 0 || columns == 0)
        return fail(r, "the matrix has no rows or no columns: there is nothing to compute with");
    if (r->symmetric && rows != columns)
        return fail(r, "a symmetric matrix must be square");
    r->rows = (size_t)rows;
    r->columns = (size_t)columns;
    return true;
}

/* ROWS COLUMNS ENTRIES. The counts are believed only as far as a file of this length could keep them. */
static bool read_size(reader *r, al_matrix *matrix)
{
    if (!find_size(r, 3, "ROWS COLUMNS ENTRIES"))
        return false;
    int64_t entries, left = r->end - r->next, most = FREE_ROWS + left;
    const int64_t shortest =
        r->pattern ? 4 : 6; /* "1 1 1\n": bytes of an entry; the last may lack its newline */
    if (!read_shape(r, most < INT32_MAX ? most : INT32_MAX - 1) ||
        !read_index(r, r->tokens[2], 0, (left + 1) / shortest,
                    "entries are more than the rest of the file holds: cut off, or a wrong count", &entries))
        return false;
    if (entries > (r->symmetric ? INT32_MAX / 2 : INT32_MAX))
        return fail_at(r, r->tokens[2], "entries are too many for 32-bit indices");
    matrix->rows = r->rows;
    matrix->columns = r->columns;
    matrix->entries = (size_t)entries;
    return true;
}

static bool read_value(reader *r, token at, double *value)
{
    int64_t whole = 0;
    al_number_result result = r->integer ? al_number_integer(at.text, at.length, &whole)
                                         : al_number_real(at.text, at.length, value);
    if (result == AL_NUMBER_MALFORMED)
        return fail_at(r, at, r->integer ? "is not a whole number" : "is not a number");
    if (result == AL_NUMBER_TOO_LARGE)
        return fail_at(r, at, "is too large");
    if (r->integer)
        *value = (double)whole;
    return true;
}

static bool read_entry(reader *r, const al_matrix *matrix, triplet *entry)
{
    int64_t row, column;
    double value = 1;
    if (r->comment)
        return fail(r, "a comment among the entries");
    if (r->token_count != (r->pattern ? 2 : 3))
        return fail(r, r->pattern ? "expected ROW COLUMN" : "expected ROW COLUMN VALUE");
    if (!read_index(r, r->tokens[0], 1, (int64_t)matrix->rows, "is beyond the last row", &row) ||
        !read_index(r, r->tokens[1], 1, (int64_t)matrix->columns, "is beyond the last column", &column) ||
        (!r->pattern && !read_value(r, r->tokens[2], &value)))
        return false;
    *entry = (triplet){ (int32_t)(row - 1), (int32_t)(column - 1), value };
    return true;
}

/* All entries, with room for the mirrored ones behind them. *count ends as the number of both. */
static bool read_entries(reader *r, const al_matrix *matrix, triplet *entries, size_t *count)
{
    char text[100];
    for (size_t i = 0; i < matrix->entries; i++) {
        if (!next_line(r)) {
            snprintf(text, sizeof text, "ends after %zu of %zu entries", i, matrix->entries);
            return fail(r, text);
        }
        if (!read_entry(r, matrix, &entries[i]))
            return false;
    }
    if (next_line(r)) {
        snprintf(text, sizeof text, "more lines than the %zu entries announced", matrix->entries);
        return fail(r, text);
    }
    *count = matrix->entries;
    for (size_t i = 0; r->symmetric && i < matrix->entries; i++)
        if (entries[i].row != entries[i].column)
            entries[(*count)++] = (triplet){ entries[i].column, entries[i].row, entries[i].value };
    return true;
}

/* starts[k] = how many entries have a key below k; `starts` has keys + 1 places. */
static void count_keys(const triplet *entries, size_t count, bool by_row, int32_t *starts, size_t keys)
{
    memset(starts, 0, (keys + 1) * sizeof *starts);
    for (size_t i = 0; i < count; i++)
        starts[(size_t)(by_row ? entries[i].row : entries[i].column) + 1]++;
    for (size_t k = 0; k < keys; k++)
        starts[k + 1] += starts[k];
}

/* Sorts by row, and within a row by column: two counting sorts, the first by column, both stable. */
static void compress(const triplet *entries, size_t count, triplet *sorted, int32_t *cursor,
                     al_matrix *matrix)
{
    count_keys(entries, count, false, cursor, matrix->columns);
    for (size_t i = 0; i < count; i++)
        sorted[cursor[entries[i].column]++] = entries[i];
    count_keys(entries, count, true, matrix->row_start, matrix->rows);
    memcpy(cursor, matrix->row_start, (matrix->rows + 1) * sizeof *cursor);
    for (size_t i = 0; i < count; i++) {
        int32_t at = cursor[sorted[i].row]++;
        matrix->column[at] = sorted[i].column;
        matrix->value[at] = sorted[i].value;
    }
    matrix->entries = count;
}

static bool read_coordinates(reader *r, al_matrix *matrix)
{
    triplet *entries = NULL, *sorted = NULL;
    int32_t *cursor = NULL;
    bool ok = false;
    if (!read_size(r, matrix))
        return false;
    size_t most =
        matrix->entries * (r->symmetric ? 2 : 1) + 1; /* one more: an empty matrix is no failed allocation */
    size_t keys = (matrix->rows > matrix->columns ? matrix->rows : matrix->columns) + 1, count = 0;
    entries = calloc(most, sizeof *entries);
    sorted = malloc(most * sizeof *sorted);
    cursor = malloc(keys * sizeof *cursor);
    matrix->row_start = malloc((matrix->rows + 1) * sizeof *matrix->row_start);
    matrix->column = malloc(most * sizeof *matrix->column);
    matrix->value = malloc(most * sizeof *matrix->value);
    if (!entries || !sorted || !cursor || !matrix->row_start || !matrix->column || !matrix->value)
        fail(r, "out of memory");
    else if (read_entries(r, matrix, entries, &count)) {
        compress(entries, count, sorted, cursor, matrix);
        ok = true;
    }
    free(entries);
    free(sorted);
    free(cursor);
    return ok;
}

/* ---- Array format: ROWS COLUMNS, then a value a line ---- */

/* Of a symmetric matrix the lower half alone is listed. */
static size_t array_entries(const reader *r)
{
    return r->symmetric ? r->rows * (r->rows + 1) / 2 : r->rows * r->columns;
}

static bool read_array_size(reader *r, al_block *block)
{
    if (!find_size(r, 2, "ROWS COLUMNS"))
        return false;
    size_t left = (size_t)(r->end - r->next); /* "1\n": two bytes a value, the last may lack its newline */
    if (!read_shape(r, INT32_MAX - 1))        /* so that their product fits */
        return false;
    if (array_entries(r) > (left + 1) / 2)
        return fail(r, "the values are more than the rest of the file holds: cut off, or a wrong count");
    *block = (al_block){ .type = ALLOT_F64, .rank = 2, .shape = { r->rows, r->columns } };
    return al_block_allocate(block) ? true : fail(r, "out of memory");
}

static bool read_array_value(reader *r, const char *missing, double *value)
{
    if (!next_line(r))
        return fail(r, missing);
    if (r->comment)
        return fail(r, "a comment among the values");
    if (r->token_count != 1)
        return fail(r, "expected one value");
    return read_value(r, r->tokens[0], value);
}

static bool read_dense(reader *r, al_block *block)
{
    if (!read_array_size(r, block))
        return false;
    double *value = block->data;
    for (size_t column = 0; column < r->columns; column++)
        for (size_t row = r->symmetric ? column : 0; row < r->rows; row++) {
            double *place = &value[row * r->columns + column];
            if (!read_array_value(r, "ends before the last value: cut off, or a wrong count", place))
                return false;
            if (r->symmetric)
                value[column * r->columns + row] = *place;
        }
    return next_line(r) ? fail(r, "more lines than the values announced") : true;
}

static bool read_matrix(const al_file *file, al_input *input, al_problem *problem)
{
    reader r = { .file = file, .next = file->data, .end = file->data + file->size, .problem = problem };
    if (!read_banner(&r))
        return false;
    input->kind = r.array ? AL_DENSE : AL_MATRIX;
    return r.array ? read_dense(&r, &input->block) : read_coordinates(&r, &input->matrix);
}

const al_format al_matrix_market_format = { .ending = ".mtx", .says = "Matrix Market", .read = read_matrix };
