/* The .npy format, versions 1 to 3 (NumPy Enhancement Proposal 1): magic, version, header length, a Python
 * dictionary as text, which says type, order and shape, then the numbers. Written as version 1 with a header
 * that ends at a multiple of 64 bytes. */
#include "io.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>

/* NumPy's names of our types, without the byte order. */
static const struct descr {
    char text[4];
    allot_type type;
} descrs[] = {
    { "i1", ALLOT_I8 },  { "u1", ALLOT_U8 },  { "i2", ALLOT_I16 },  { "u2", ALLOT_U16 }, { "i4", ALLOT_I32 },
    { "u4", ALLOT_U32 }, { "i8", ALLOT_I64 }, { "u8", ALLOT_U64 },  { "f2", ALLOT_F16 }, { "f4", ALLOT_F32 },
    { "f8", ALLOT_F64 }, { "c8", ALLOT_C32 }, { "c16", ALLOT_C64 },
};

#define DESCR_COUNT     (sizeof descrs / sizeof descrs[0])
#define BIG_ENDIAN_HOST (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* A part of the file. */
typedef struct text {
    const char *at;
    size_t length;
} text;

typedef struct reader {
    const al_file *file;
    const char *at, *end; /* of the header, what is not read yet; then of the numbers */
    al_block *block;
    bool big_endian, fortran_order;
    bool has_descr, has_order, has_shape;
    al_problem *problem;
} reader;

static size_t position(const reader *r)
{
    return (size_t)(r->at - r->file->data);
}

static bool fail(const reader *r, const char *what)
{
    return al_file_problem_at_byte(r->file, position(r), r->problem, "%s", what);
}

static bool fail_at(reader *r, const char *at, const char *what)
{
    r->at = at;
    return fail(r, what);
}

/* ---- The dictionary ---- */

static void skip_spaces(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Whether that character comes next; if so, it is behind us. */
static bool take(reader *r, char c)
{
    skip_spaces(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take_string(reader *r, text *string)
{
    char quote = take(r, '\'') ? '\'' : take(r, '"') ? '"' : '\0';
    const char *close = quote ? memchr(r->at, quote, (size_t)(r->end - r->at)) : NULL;
    if (!close)
        return false;
    *string = (text){ r->at, (size_t)(close - r->at) };
    r->at = close + 1;
    return true;
}

static bool take_word(reader *r, const char *word)
{
    size_t length = strlen(word);
    skip_spaces(r);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

static bool is(text string, const char *word)
{
    return string.length == strlen(word) && memcmp(string.at, word, string.length) == 0;
}

/* A byte order ('<' little, '>' big, '|' none, '=' or nothing this machine's) and a type. */
static bool read_descr(reader *r)
{
    text string;
    skip_spaces(r);
    const char *start = r->at;
    if (!take_string(r, &string))
        return fail(r, "'descr' is not a plain type: structured arrays are not read, save each field alone");
    char order = string.length && strchr("<>|=", string.at[0]) ? string.at[0] : '=';
    if (string.length && strchr("<>|=", string.at[0]))
        string = (text){ string.at + 1, string.length - 1 };
    r->big_endian = order == '>' || (order != '<' && BIG_ENDIAN_HOST);
    for (size_t i = 0; i < DESCR_COUNT; i++)
        if (is(string, descrs[i].text))
            r->block->type = descrs[i].type;
    if (r->block->type == ALLOT_NO_TYPE)
        return fail_at(r, start,
                       "this type is not read: i1 to i8, u1 to u8, f2 to f8, c8 and c16 are; save with "
                       ".astype('f4'), say");
    if (order == '|' && allot_type_size(r->block->type) > 1)
        return fail_at(r, start, "the type needs a byte order, < or >");
    return true;
}

static bool read_order(reader *r)
{
    r->fortran_order = take_word(r, "True");
    return r->fortran_order || take_word(r, "False") ? true
                                                     : fail(r, "'fortran_order' must be True or False");
}

static bool read_dimension(reader *r)
{
    int64_t length;
    skip_spaces(r);
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    al_number_result result = al_number_integer(start, (size_t)(r->at - start), &length);
    if (result == AL_NUMBER_MALFORMED)
        return fail_at(r, start, "'shape' must be a list of whole numbers, like (3, 4)");
    if (result == AL_NUMBER_OK && length == 0)
        return fail_at(r, start, "a dimension is 0: there is nothing to compute with");
    if (r->block->rank == 3)
        return fail_at(r, start, "more than 3 dimensions: reshape the array before saving it");
    if (result == AL_NUMBER_TOO_LARGE)
        length = INT64_MAX; /* more than any file holds, which is told with the other dimensions */
    r->block->shape[r->block->rank++] = (size_t)length;
    take(r, 'L'); /* Python 2 wrote its long integers so */
    return true;
}

/* (), (3,), (3, 4) or (3, 4,); the first is one number. */
static bool read_shape(reader *r)
{
    if (!take(r, '('))
        return fail(r, "'shape' must be a tuple, like (3, 4)");
    while (!take(r, ')')) {
        if (r->block->rank && !take(r, ','))
            return fail(r, "expected , or ) in 'shape'");
        if (r->block->rank && take(r, ')'))
            break;
        if (!read_dimension(r))
            return false;
    }
    if (r->block->rank == 0)
        r->block->shape[r->block->rank++] = 1;
    return true;
}

static bool read_key(reader *r)
{
    static const char *const names[] = { "descr", "fortran_order", "shape" };
    static bool (*const readers[])(reader *) = { read_descr, read_order, read_shape };
    bool *const known[] = { &r->has_descr, &r->has_order, &r->has_shape };
    text key;
    skip_spaces(r);
    const char *start = r->at;
    if (!take_string(r, &key) || !take(r, ':'))
        return fail(r, "expected a key of the header's dictionary, like 'shape':");
    for (size_t i = 0; i < 3; i++) {
        if (!is(key, names[i]))
            continue;
        if (*known[i])
            return fail_at(r, start, "this key was there before");
        *known[i] = true;
        return readers[i](r);
    }
    return fail_at(r, start, "unknown key: 'descr', 'fortran_order' and 'shape' are known");
}

static bool read_dictionary(reader *r)
{
    if (!take(r, '{'))
        return fail(r, "the header must be a dictionary: {'descr': ..., 'fortran_order': ..., 'shape': ...}");
    while (!take(r, '}')) {
        if (!read_key(r))
            return false;
        if (take(r, ','))
            continue;
        if (!take(r, '}'))
            return fail(r, "expected , or } in the header");
        break;
    }
    skip_spaces(r);
    if (r->at < r->end)
        return fail(r, "more text after the header's dictionary");
    if (!r->has_descr || !r->has_order || !r->has_shape)
        return fail(r, "the header lacks 'descr', 'fortran_order' or 'shape'");
    return true;
}

/* ---- The file ---- */

static size_t little_endian(const char *bytes, size_t count)
{
    size_t value = 0;
    for (size_t i = count; i-- > 0;)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

static bool read_prefix(reader *r)
{
    enum {
        MAGIC = 6,
        VERSION = 2
    };
    const size_t left = (size_t)(r->end - r->at);
    if (left == 0)
        return fail(r, "the file is empty");
    if (left < MAGIC || memcmp(r->at, "\x93NUMPY", MAGIC) != 0)
        return fail(r,
                    "does not begin with \\x93NUMPY: not a .npy file (of an .npz archive, unpack one array)");
    if (left < MAGIC + VERSION)
        return fail(r, "ends within the version: cut off");
    unsigned char major = (unsigned char)r->at[MAGIC], minor = (unsigned char)r->at[MAGIC + 1];
    size_t width = major == 1 ? 2 : 4, prefix = MAGIC + VERSION + width;
    if (major < 1 || major > 3 || minor != 0)
        return al_file_problem_at_byte(r->file, MAGIC, r->problem,
                                       "version %d.%d is not read: 1.0, 2.0 and 3.0 are", major, minor);
    if (left < prefix)
        return fail(r, "ends within the header's length: cut off");
    size_t length = little_endian(r->at + MAGIC + VERSION, width);
    r->at += MAGIC + VERSION;
    if (length > left - prefix)
        return al_file_problem_at_byte(r->file, position(r), r->problem,
                                       "the header claims %zu bytes, and the file has %zu more: cut off",
                                       length, left - prefix);
    r->at += width;
    r->end = r->at + length;
    return true;
}

/* The shape is believed only as far as the file has the numbers. */
static bool check_size(reader *r)
{
    char shape[AL_SHAPE];
    size_t claimed = allot_type_size(r->block->type), left = (size_t)(r->end - r->at);
    bool absurd = false;
    for (size_t d = 0; d < r->block->rank; d++)
        absurd |= __builtin_mul_overflow(claimed, r->block->shape[d], &claimed);
    if (!absurd && claimed == left)
        return true;
    al_block_shape_text(r->block, shape);
    if (!absurd && claimed < left)
        return al_file_problem_at_byte(
            r->file, position(r) + claimed, r->problem,
            "%zu bytes are left after the %s numbers: a wrong shape, or something after "
            "the array",
            left - claimed, shape);
    return al_file_problem_at_byte(r->file, position(r), r->problem,
                                   "the shape claims %s numbers of %zu bytes, and the file has %zu bytes "
                                   "more: cut off, or a wrong shape",
                                   shape, allot_type_size(r->block->type), left);
}

/* From column by column, the first dimension fastest, to row by row. */
static bool to_c_order(al_block *block)
{
    al_block from = *block;
    size_t size = allot_type_size(block->type), shape[3] = { 1, 1, 1 }, element = 0;
    memcpy(shape, block->shape, block->rank * sizeof shape[0]);
    if (!al_block_allocate(block)) {
        *block = from;
        return false;
    }
    for (size_t i = 0; i < shape[0]; i++)
        for (size_t j = 0; j < shape[1]; j++)
            for (size_t k = 0; k < shape[2]; k++, element++)
                memcpy((char *)block->data + element * size,
                       (char *)from.data + (i + shape[0] * (j + shape[1] * k)) * size, size);
    free(from.data);
    return true;
}

static bool read_array(const al_file *file, al_input *input, al_problem *problem)
{
    reader r = { .file = file,
                 .at = file->data,
                 .end = file->data + file->size,
                 .block = &input->block,
                 .problem = problem };
    input->kind = AL_DENSE;
    if (!read_prefix(&r) || !read_dictionary(&r))
        return false;
    r.end = file->data + file->size;
    if (!check_size(&r))
        return false;
    if (!al_block_allocate(r.block))
        return fail(&r, "out of memory for its numbers");
    al_block_fill(r.block, r.at, r.big_endian);
    if (!al_block_check(r.block, file, position(&r), problem))
        return false;
    return !r.fortran_order || r.block->rank == 1 || to_c_order(r.block) ? true : fail(&r, "out of memory");
}

/* ---- Writing ---- */

static const char *descr_of(allot_type type)
{
    for (size_t i = 0; i < DESCR_COUNT; i++)
        if (descrs[i].type == type)
            return descrs[i].text;
    return "?";
}

/* As Python writes a tuple: (3,) and (3, 4). */
static void format_shape(const al_block *block, char *shape, size_t size)
{
    int used = snprintf(shape, size, "(");
    for (size_t d = 0; d < block->rank; d++)
        used += snprintf(shape + used, size - (size_t)used, "%s%zu%s", d ? " " : "", block->shape[d],
                         d + 1 < block->rank || d == 0 ? "," : "");
    snprintf(shape + used, size - (size_t)used, ")");
}

static bool write_array(FILE *stream, const al_block *block, al_problem *problem)
{
    enum {
        PREFIX = 10, /* magic 6, version 2, header length 2 */
        ALIGNMENT = 64
    };
    (void)problem; /* it holds any block */
    char shape[100], header[256];
    size_t element = allot_type_size(block->type), count = al_block_count(block);
    const char *order = element == 1 ? "|" : BIG_ENDIAN_HOST ? ">" : "<"; /* as the numbers lie in memory */
    format_shape(block, shape, sizeof shape);
    int used = snprintf(header, sizeof header, "{'descr': '%s%s', 'fortran_order': False, 'shape': %s, }",
                        order, descr_of(block->type), shape);
    size_t length = (PREFIX + (size_t)used + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - PREFIX;
    memset(header + used, ' ', length - (size_t)used);
    header[length - 1] = '\n';

    unsigned char prefix[PREFIX] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0 };
    prefix[8] = (unsigned char)(length & 0xff);
    prefix[9] = (unsigned char)(length >> 8);
    return fwrite(prefix, 1, PREFIX, stream) == PREFIX && fwrite(header, 1, length, stream) == length &&
           fwrite(block->data, element, count, stream) == count;
}

const al_format al_npy_format = {
    .ending = ".npy", .says = "NumPy", .read = read_array, .write = write_array
};
