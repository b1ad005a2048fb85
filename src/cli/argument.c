#include "argument.h"

#include "number.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRUCT_BYTES_MAX = 65536,
    SHOWN = 100 /* of a text in a message */
};

/* ---- Words between colons ---- */

/* The next word of *at, up to the separator or the end; *at moves behind it. */
static bool next_word(const char **at, char separator, char *word, size_t size)
{
    char stop[2] = { separator, '\0' };
    size_t length = strcspn(*at, stop);
    if (length >= size)
        return false;
    memcpy(word, *at, length);
    word[length] = '\0';
    *at += length + ((*at)[length] != '\0');
    return true;
}

static allot_type type_of(const char *word)
{
    static const struct {
        const char *name;
        allot_type type;
    } long_names[] = { { "int8", ALLOT_I8 },       { "uint8", ALLOT_U8 },      { "int16", ALLOT_I16 },
                       { "uint16", ALLOT_U16 },    { "int32", ALLOT_I32 },     { "uint32", ALLOT_U32 },
                       { "int64", ALLOT_I64 },     { "uint64", ALLOT_U64 },    { "float16", ALLOT_F16 },
                       { "float32", ALLOT_F32 },   { "float64", ALLOT_F64 },   { "float", ALLOT_F32 },
                       { "double", ALLOT_F64 },    { "int", ALLOT_I32 },       { "uint", ALLOT_U32 },
                       { "complex64", ALLOT_C32 }, { "complex128", ALLOT_C64 } };
    for (size_t i = 0; i < sizeof long_names / sizeof long_names[0]; i++)
        if (strcmp(word, long_names[i].name) == 0)
            return long_names[i].type;
    return allot_type_named(word);
}

static bool bad(al_problem *problem, const char *text, const char *what)
{
    return al_problem_set(problem, AL_EXIT_USAGE, "--arg '%.*s': %s", SHOWN, text, what);
}

/* ---- Numbers ---- */

static bool fits(allot_type type, int64_t value)
{
    size_t bits = allot_type_size(type) * 8;
    bool has_sign = type == ALLOT_I8 || type == ALLOT_I16 || type == ALLOT_I32 || type == ALLOT_I64;
    if (has_sign)
        return bits == 64 || (value >= -(INT64_C(1) << (bits - 1)) && value < INT64_C(1) << (bits - 1));
    return value >= 0 && (bits == 64 || value < INT64_C(1) << bits);
}

static bool is_floating(allot_type type)
{
    return type == ALLOT_F16 || type == ALLOT_F32 || type == ALLOT_F64;
}

/* Sets the argument's value of that type. */
static bool take_number(al_argument_spec *argument, allot_type type, const char *word, const char *text,
                        al_problem *problem)
{
    argument->type = type;
    if (type == ALLOT_C32 || type == ALLOT_C64)
        return bad(problem, text, "a complex number cannot be given by value");
    if (is_floating(type))
        return al_number_real(word, strlen(word), &argument->real) == AL_NUMBER_OK ||
               bad(problem, text, "its value is no decimal number");
    if (al_number_integer(word, strlen(word), &argument->whole) != AL_NUMBER_OK)
        return bad(problem, text, "its value is no whole number");
    return fits(type, argument->whole) || bad(problem, text, "its value does not fit its type");
}

/* ---- Structs ---- */

static void store(const al_argument_spec *number, unsigned char *to)
{
    if (number->type == ALLOT_F32)
        memcpy(to, &(float){ (float)number->real }, 4);
    else if (number->type == ALLOT_F64)
        memcpy(to, &number->real, 8);
    else /* little-endian, as all that OpenCL's drivers here are */
        memcpy(to, &number->whole, allot_type_size(number->type));
}

bool al_argument_number(const char *text, unsigned char bytes[8], size_t *size)
{
    char word[64];
    al_problem none = { 0 };
    al_argument_spec number = { 0 };
    allot_type type = next_word(&text, ':', word, sizeof word) ? type_of(word) : ALLOT_NO_TYPE;
    if (type == ALLOT_NO_TYPE || type == ALLOT_F16 || !take_number(&number, type, text, text, &none))
        return false;
    store(&number, bytes);
    *size = allot_type_size(type);
    return true;
}

/* Adds a member at the next offset that its size divides. */
static bool add_member(al_argument_spec *argument, const char *member, size_t *align, const char *text,
                       al_problem *problem)
{
    char word[64];
    al_argument_spec number = { 0 };
    allot_type type = next_word(&member, ':', word, sizeof word) ? type_of(word) : ALLOT_NO_TYPE;
    if (type == ALLOT_NO_TYPE || type == ALLOT_F16 || !*member)
        return bad(problem, text, "a member of a struct is TYPE:VALUE, like f32:1.5");
    if (!take_number(&number, type, member, text, problem))
        return false;
    size_t size = allot_type_size(type), at = (argument->bytes + size - 1) / size * size;
    if (at + size > STRUCT_BYTES_MAX)
        return bad(problem, text, "the struct is larger than 64 KiB");
    store(&number, argument->packed + at);
    argument->bytes = at + size;
    *align = size > *align ? size : *align;
    return true;
}

static bool take_struct(al_argument_spec *argument, const char *at, const char *text, al_problem *problem)
{
    char member[128];
    size_t align = 1;
    argument->type = ALLOT_U8;
    argument->packed = calloc(1, STRUCT_BYTES_MAX);
    if (!argument->packed)
        return al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    do {
        if (!next_word(&at, ',', member, sizeof member))
            return bad(problem, text, "a member of the struct is too long");
        if (!add_member(argument, member, &align, text, problem))
            return false;
    } while (*at);
    argument->bytes = (argument->bytes + align - 1) / align * align;
    return true;
}

/* ---- Arrays ---- */

static bool take_shape(al_argument_spec *argument, const char *word, const char *text, al_problem *problem)
{
    char extent[32];
    size_t count = 1;
    while (*word) {
        if (argument->rank == 3)
            return bad(problem, text, "its shape has more than 3 dimensions");
        size_t *size = &argument->shape[argument->rank++];
        if (!next_word(&word, 'x', extent, sizeof extent) || al_number_count(extent, size) != AL_NUMBER_OK)
            return bad(problem, text, "its shape is none: 1000000, 1e6 or 512x512 are");
        if (__builtin_mul_overflow(count, *size, &count) || count > PTRDIFF_MAX / 16)
            return bad(problem, text, "its shape is too large");
    }
    return argument->rank > 0 || bad(problem, text, "its shape is missing");
}

static bool take_output(al_argument_spec *argument, const char *path, const char *text, al_problem *problem)
{
    if (!*path)
        return true;
    if (strlen(path) >= sizeof argument->to)
        return bad(problem, text, "its path is too long");
    snprintf(argument->to, sizeof argument->to, "%s", path);
    return al_output_format(path, problem) != NULL;
}

static bool take_new_array(al_argument_spec *argument, const char *at, const char *text, al_problem *problem)
{
    char shape[128];
    if (!next_word(&at, ':', shape, sizeof shape))
        return bad(problem, text, "its shape is too long");
    return take_shape(argument, shape, text, problem) && take_output(argument, at, text, problem);
}

/* A file's name may hold colons, unless it is followed by another. */
static bool take_file(al_argument_spec *argument, const char *path, const char *text, al_problem *problem)
{
    if (!*path)
        return bad(problem, text, "the file's name is missing");
    argument->from = path;
    const char *colon = argument->access == ALLOT_READ_WRITE ? strchr(path, ':') : NULL;
    if (!colon)
        return true;
    argument->from = strndup(path, (size_t)(colon - path));
    argument->from_owned = (char *)argument->from;
    if (!argument->from)
        return al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    return take_output(argument, colon + 1, text, problem);
}

static bool take_array(al_argument_spec *argument, allot_access access, const char *at, const char *text,
                       al_problem *problem)
{
    char word[16];
    const char *behind = at;
    argument->access = access;
    if (access == ALLOT_READ)
        return take_file(argument, at, text, problem);
    argument->type = next_word(&behind, ':', word, sizeof word) ? type_of(word) : ALLOT_NO_TYPE;
    if (argument->type != ALLOT_NO_TYPE)
        return take_new_array(argument, behind, text, problem);
    if (access == ALLOT_WRITE)
        return bad(problem, text,
                   "an output is out:TYPE:SHAPE, like out:f32:1000000, and :FILE to write it to");
    return take_file(argument, at, text, problem);
}

/* ---- All ---- */

static bool take_local(al_argument_spec *argument, const char *at, const char *text, al_problem *problem)
{
    argument->local = true;
    argument->type = ALLOT_U8;
    return (al_number_count(at, &argument->bytes) == AL_NUMBER_OK && argument->bytes > 0) ||
           bad(problem, text, "local memory is local:BYTES, at least 1");
}

/* "y=out:...": a name before the first colon. */
static const char *take_name(al_argument_spec *argument, size_t index, const char *text)
{
    size_t length = strcspn(text, "=:");
    snprintf(argument->name, sizeof argument->name, "arg%zu", index);
    if (text[length] != '=' || !length || length >= sizeof argument->name)
        return text;
    snprintf(argument->name, sizeof argument->name, "%.*s", (int)length, text);
    return text + length + 1;
}

bool al_argument_parse(al_argument_spec *argument, size_t index, const char *text, al_problem *problem)
{
    char word[16];
    *argument = (al_argument_spec){ 0 };
    const char *at = take_name(argument, index, text);
    bool has_word = next_word(&at, ':', word, sizeof word);
    if (has_word && strcmp(word, "in") == 0)
        return take_array(argument, ALLOT_READ, at, text, problem);
    if (has_word && strcmp(word, "out") == 0)
        return take_array(argument, ALLOT_WRITE, at, text, problem);
    if (has_word && strcmp(word, "inout") == 0)
        return take_array(argument, ALLOT_READ_WRITE, at, text, problem);
    if (has_word && strcmp(word, "local") == 0)
        return take_local(argument, at, text, problem);
    if (has_word && strcmp(word, "struct") == 0)
        return take_struct(argument, at, text, problem);
    allot_type type = has_word ? type_of(word) : ALLOT_NO_TYPE;
    if (type == ALLOT_NO_TYPE)
        return bad(problem, text, "it begins with none of in, out, inout, local, struct or a type like f32");
    return take_number(argument, type, at, text, problem);
}

bool al_argument_read(al_argument_spec *argument, al_problem *problem)
{
    if (argument->to[0] && !al_output_check(argument->to, problem))
        return false;
    if (!argument->from)
        return true;
    if (!al_input_read(&argument->input, argument->from, problem))
        return false;
    if (argument->input.kind != AL_DENSE)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: holds %s, and an argument is dense numbers",
                              argument->from, al_input_kind_text(argument->input.kind));
    const al_block *block = &argument->input.block;
    argument->type = block->type;
    argument->rank = block->rank;
    memcpy(argument->shape, block->shape, sizeof argument->shape);
    return true;
}

static size_t count_of(const al_argument_spec *argument)
{
    size_t count = 1;
    for (size_t d = 0; d < argument->rank; d++)
        count *= argument->shape[d];
    return count;
}

static bool refill(const al_argument_spec *argument, al_problem *problem)
{
    void *data = allot_array_map(argument->array, ALLOT_WRITE);
    if (!data)
        return al_problem_set(problem, AL_EXIT_FAILED, "%s: %s", argument->name, allot_last_error());
    size_t bytes = count_of(argument) * allot_type_size(argument->type);
    if (argument->from)
        memcpy(data, argument->input.block.data, bytes);
    else
        memset(data, 0, bytes);
    allot_array_unmap(argument->array);
    return true;
}

bool al_argument_fill(al_argument_spec *argument, allot_executor *executor, al_problem *problem)
{
    if (!argument->access)
        return true;
    if (argument->array) {
        bool fresh = argument->fresh;
        argument->fresh = false;
        return fresh || argument->access != ALLOT_READ_WRITE || refill(argument, problem);
    }
    argument->fresh = true;
    argument->array = argument->from ? allot_array_from(executor, argument->type, count_of(argument),
                                                        argument->input.block.data)
                                     : allot_array_new(executor, argument->type, count_of(argument));
    if (argument->array)
        return true;
    return al_problem_set(problem, AL_EXIT_FAILED, "%s: %s", argument->name, allot_last_error());
}

allot_param al_argument_param(const al_argument_spec *argument)
{
    return (allot_param){ .name = argument->name,
                          .type = argument->type,
                          .access = argument->access,
                          .distribution = ALLOT_WHOLE,
                          .local = argument->local,
                          .bytes = argument->packed ? argument->bytes : 0 };
}

allot_arg al_argument_value(const al_argument_spec *argument)
{
    if (argument->array)
        return (allot_arg){ .access = argument->access, .view = allot_view_all(argument->array) };
    if (argument->local)
        return allot_local(argument->bytes);
    if (argument->packed)
        return allot_bytes(argument->packed, argument->bytes);
    return is_floating(argument->type) ? allot_f64(argument->real) : allot_i64(argument->whole);
}

void al_argument_free(al_argument_spec *argument)
{
    allot_array_release(argument->array);
    al_input_free(&argument->input);
    free(argument->packed);
    free(argument->from_owned);
    *argument = (al_argument_spec){ 0 };
}
