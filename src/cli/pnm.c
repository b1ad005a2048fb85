/* The netpbm pictures: PGM and PPM, as text (P2, P3) and binary (P5, P6), with up to 16 bits a sample.
 * Comments go from # to the line's end. Written binary. */
#include "io.h"
#include "number.h"
#include "raster.h"

#include <stdlib.h>
#include <string.h>

enum {
    WHITE_MOST = 65535,
    SIDE_MOST = INT32_MAX
};

typedef struct reader {
    const al_file *file;
    const char *at, *end;
    size_t line;
    bool crlf; /* some line of the header ended so */
    size_t width, height, channels;
    unsigned white;
    al_problem *problem;
} reader;

static bool fail(reader *r, const char *what)
{
    return al_file_problem_at_line(r->file, r->line, r->problem, "%s", what);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Over white space and comments. */
static void skip(reader *r)
{
    bool comment = false;
    for (; r->at < r->end; r->at++) {
        if (*r->at == '#')
            comment = true;
        else if (!comment && !is_space(*r->at))
            return;
        if (*r->at == '\n') {
            comment = false;
            r->line++;
            r->crlf |= r->at[-1] == '\r'; /* there is a byte before: the first are the kind */
        }
    }
}

/* A whole number from `least` to `most`, called `name` in what is said of it. */
static bool read_number(reader *r, const char *name, int64_t least, int64_t most, int64_t *value)
{
    skip(r);
    const char *start = r->at;
    while (r->at < r->end && !is_space(*r->at) && *r->at != '#')
        r->at++;
    if (start == r->end)
        return al_file_problem_at_line(r->file, r->line, r->problem, "ends before the %s: cut off", name);
    al_number_result result = al_number_integer(start, (size_t)(r->at - start), value);
    if (result == AL_NUMBER_MALFORMED)
        return al_file_problem_at_line(r->file, r->line, r->problem, "the %s is not a whole number", name);
    if (result == AL_NUMBER_TOO_LARGE || *value < least || *value > most)
        return al_file_problem_at_line(r->file, r->line, r->problem, "the %s must be from %lld to %lld", name,
                                       (long long)least, (long long)most);
    return true;
}

/* P2 to P6, WIDTH HEIGHT WHITE. */
static bool read_header(reader *r, bool *binary)
{
    int64_t width, height, white;
    if (r->at == r->end)
        return fail(r, "the file is empty");
    if (r->end - r->at < 2 || r->at[0] != 'P' || !strchr("2356", r->at[1]) || !r->at[1])
        return fail(r, "does not begin with P2, P3, P5 or P6: not a PGM or PPM picture");
    char kind = r->at[1];
    r->at += 2;
    if (r->at < r->end && !is_space(*r->at) && *r->at != '#')
        return fail(r, "does not begin with P2, P3, P5 or P6 alone: not a PGM or PPM picture");
    if (!read_number(r, "width", 1, SIDE_MOST, &width) || !read_number(r, "height", 1, SIDE_MOST, &height) ||
        !read_number(r, "greatest sample", 1, WHITE_MOST, &white))
        return false;
    r->width = (size_t)width;
    r->height = (size_t)height;
    r->white = (unsigned)white;
    r->channels = kind == '3' || kind == '6' ? 3 : 1;
    *binary = kind >= '5';
    return true;
}

/* The bytes that the samples take if each takes so many; SIZE_MAX when nothing can. */
static size_t claimed_bytes(const reader *r, size_t bytes_each)
{
    size_t claimed;
    if (__builtin_mul_overflow(r->width * r->channels * bytes_each, r->height, &claimed))
        return SIZE_MAX;
    return claimed;
}

static al_block geometry(const reader *r)
{
    al_block block = { .type = r->white > 255 ? ALLOT_U16 : ALLOT_U8, .white = r->white };
    block.shape[block.rank++] = r->height;
    block.shape[block.rank++] = r->width;
    if (r->channels > 1)
        block.shape[block.rank++] = r->channels;
    return block;
}

static bool allocate(reader *r, al_block *block)
{
    *block = geometry(r);
    return al_block_allocate(block) ? true : fail(r, "out of memory for its samples");
}

static void set_sample(al_block *block, size_t index, unsigned value)
{
    if (block->type == ALLOT_U8)
        ((uint8_t *)block->data)[index] = (uint8_t)value;
    else
        ((uint16_t *)block->data)[index] = (uint16_t)value;
}

/* A sample of text takes two bytes at least, with the space behind it. */
static bool read_text(reader *r, al_block *block)
{
    size_t left = (size_t)(r->end - r->at);
    if (claimed_bytes(r, 2) > left)
        return al_file_problem_at_line(
            r->file, r->line, r->problem,
            "the header claims %zu x %zu pixels, more than the %zu bytes behind it can "
            "hold: cut off, or a wrong size",
            r->width, r->height, left);
    if (!allocate(r, block))
        return false;
    size_t count = al_block_count(block);
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (!read_number(r, "next sample", 0, r->white, &value))
            return false;
        set_sample(block, i, (unsigned)value);
    }
    skip(r);
    return r->at == r->end ? true
                           : fail(r, "more text after the last sample: a wrong size, or a second picture");
}

/* One byte of white space stands before the samples; a file that went through an editor may have CR and LF.
 */
static bool skip_header_end(reader *r, size_t claimed)
{
    size_t left = (size_t)(r->end - r->at);
    if (left == 0 || !is_space(*r->at))
        return fail(r, "ends after the header: cut off");
    bool two = left >= 2 && r->at[0] == '\r' && r->at[1] == '\n' && (r->crlf || left - 2 == claimed);
    r->at += two ? 2 : 1;
    return true;
}

static bool check_samples(reader *r, const al_block *block, size_t first_byte)
{
    size_t count = al_block_count(block), width = allot_type_size(block->type);
    for (size_t i = 0; i < count; i++)
        if (al_block_real(block, i) > r->white)
            return al_file_problem_at_byte(r->file, first_byte + i * width, r->problem,
                                           "sample %g is above the header's greatest, %u",
                                           al_block_real(block, i), r->white);
    return true;
}

static bool read_binary(reader *r, al_block *block)
{
    size_t sample = r->white > 255 ? 2 : 1, claimed = claimed_bytes(r, sample);
    if (!skip_header_end(r, claimed))
        return false;
    size_t left = (size_t)(r->end - r->at), at = (size_t)(r->at - r->file->data);
    if (claimed > left)
        return al_file_problem_at_byte(
            r->file, at, r->problem,
            "the header claims %zu x %zu pixels of %zu bytes, and the file has %zu bytes "
            "more: cut off, or a wrong size",
            r->width, r->height, r->channels * sample, left);
    if (left > claimed)
        return al_file_problem_at_byte(
            r->file, at + claimed, r->problem,
            "%zu bytes are left after the last sample: a wrong size, or a second picture", left - claimed);
    if (!allocate(r, block))
        return false;
    al_block_fill(block, r->at, true);
    return check_samples(r, block, at);
}

static bool read_picture(const al_file *file, al_input *input, al_problem *problem)
{
    reader r = {
        .file = file, .at = file->data, .end = file->data + file->size, .line = 1, .problem = problem
    };
    bool binary = false;
    input->kind = AL_DENSE;
    if (!read_header(&r, &binary))
        return false;
    return binary ? read_binary(&r, &input->block) : read_text(&r, &input->block);
}

/* ---- Writing ---- */

static bool write_binary(FILE *stream, const al_raster *raster, int kind)
{
    size_t size = raster->width * raster->channels * al_raster_sample_bytes(raster);
    unsigned char *row = malloc(size);
    bool ok =
        row && fprintf(stream, "P%d\n%zu %zu\n%u\n", kind, raster->width, raster->height, raster->white) > 0;
    for (size_t i = 0; ok && i < raster->height; i++) {
        al_raster_row(raster, i, row);
        ok = fwrite(row, 1, size, stream) == size;
    }
    free(row);
    return ok;
}

static bool write_grey(FILE *stream, const al_block *block, al_problem *problem)
{
    al_raster raster;
    if (!al_raster_of(&raster, block, problem))
        return false;
    if (raster.channels != 1)
        return al_problem_set(problem, AL_EXIT_FAILED,
                              "the picture has %zu channels, and .pgm holds one: use %s", raster.channels,
                              raster.channels == 3 ? ".ppm or .png" : ".png");
    return write_binary(stream, &raster, 5);
}

static bool write_colour(FILE *stream, const al_block *block, al_problem *problem)
{
    al_raster raster;
    if (!al_raster_of(&raster, block, problem))
        return false;
    if (raster.channels != 3)
        return al_problem_set(
            problem, AL_EXIT_FAILED, "the picture has %zu channel%s, and .ppm holds three: use %s",
            raster.channels, raster.channels == 1 ? "" : "s", raster.channels == 1 ? ".pgm or .png" : ".png");
    return write_binary(stream, &raster, 6);
}

const al_format al_pgm_format = {
    .ending = ".pgm", .says = "netpbm, grey", .picture = true, .read = read_picture, .write = write_grey
};
const al_format al_ppm_format = {
    .ending = ".ppm", .says = "netpbm, colour", .picture = true, .read = read_picture, .write = write_colour
};
const al_format al_pnm_format = { .ending = ".pnm", .says = "netpbm", .picture = true, .read = read_picture };
