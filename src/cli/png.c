/* PNG (ISO/IEC 15948) through libpng: 8 and 16 bits, grey, colour, palette, opacity, interlaced. Samples keep
 * their values: neither gamma nor colour profiles are applied, and what has fewer than 8 bits is widened
 * to 8. */
#include "io.h"
#include "raster.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIGNATURE = 8,
    DEFLATE_MOST = 1032, /* how many bytes one byte of a deflate stream can become */
    SAMPLES_MOST = 1 << 30,
    AROUND = 12 /* bytes of a chunk beside its data: length 4, name 4, checksum 4 */
};

const char *al_png_version(void)
{
    return png_get_libpng_ver(NULL);
}

/* ---- Reading ---- */

typedef struct reader {
    const al_file *file;
    size_t at;         /* how much libpng has taken */
    size_t compressed; /* bytes of compressed pixels in the file */
    png_structp png;
    png_infop info;
    al_block *block;
    png_bytep *rows;
    al_problem *problem;
} reader;

/* libpng's way back to setjmp, by which every problem leaves it. */
static PNG_NORETURN void on_error(png_structp png, png_const_charp message)
{
    reader *r = png_get_error_ptr(png);
    if (!r->problem->code)
        al_file_problem_at_byte(r->file, r->at, r->problem, "%s: damaged, or not a PNG picture", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void take_bytes(png_structp png, png_bytep bytes, size_t count)
{
    reader *r = png_get_io_ptr(png);
    if (count > r->file->size - r->at) {
        al_file_problem_at_byte(r->file, r->file->size, r->problem,
                                "the file ends within the picture: cut off");
        png_error(png, "cut off");
    }
    memcpy(bytes, r->file->data + r->at, count);
    r->at += count;
}

static uint32_t big_endian(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Whether a chunk's length is one that the file has room for. */
static bool check_chunk(reader *r, size_t at, size_t length)
{
    size_t left = r->file->size - at;
    if (left < AROUND)
        return al_file_problem_at_byte(r->file, at, r->problem,
                                       "the file ends before the picture does: cut off");
    if (length <= left - AROUND)
        return true;
    return al_file_problem_at_byte(r->file, at, r->problem,
                                   "a chunk claims %zu bytes, and the file has %zu more: cut off, or damaged",
                                   length, left - AROUND);
}

/* Walks over the chunks up to the one that ends the picture, before libpng believes their lengths. Adds up
 * the bytes of compressed pixels, which bound the pixels that there can be. */
static bool check_chunks(reader *r)
{
    const al_file *file = r->file;
    for (size_t at = SIGNATURE;;) {
        size_t length = file->size - at < AROUND ? 0 : big_endian(file->data + at);
        if (!check_chunk(r, at, length))
            return false;
        const char *name = file->data + at + 4;
        if (memcmp(name, "IDAT", 4) == 0)
            r->compressed += length;
        at += AROUND + length;
        if (memcmp(name, "IEND", 4) != 0)
            continue;
        return at == file->size
                   ? true
                   : al_file_problem_at_byte(file, at, r->problem,
                                             "%zu bytes are left after the picture's end: cut them off",
                                             file->size - at);
    }
}

/* Fills in the block's type and shape from the header, which is believed only as far as the file can hold
 * that many pixels. */
static bool read_geometry(reader *r)
{
    png_uint_32 width, height;
    int depth, colour, interlace;
    al_block *block = r->block;
    png_get_IHDR(r->png, r->info, &width, &height, &depth, &colour, &interlace, NULL, NULL);
    size_t row = png_get_rowbytes(r->png, r->info), channels = png_get_channels(r->png, r->info);
    if (row > r->compressed * DEFLATE_MOST / height)
        return al_file_problem_at_byte(
            r->file, SIGNATURE, r->problem,
            "the header claims %u x %u pixels, more than the file's %zu bytes of them can "
            "hold: cut off, or a wrong size",
            width, height, r->compressed);
    png_set_expand(r->png); /* palettes to colours, fewer bits to 8, a transparent colour to opacity */
    if (depth == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        png_set_swap(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    channels = png_get_channels(r->png, r->info);
    if ((double)width * height * (double)channels > SAMPLES_MOST)
        return al_file_problem_at_byte(r->file, SIGNATURE, r->problem,
                                       "%u x %u pixels are too many: at most %d samples are read", width,
                                       height, SAMPLES_MOST);
    block->type = depth == 16 ? ALLOT_U16 : ALLOT_U8;
    block->white = depth == 16 ? 65535 : 255;
    block->shape[block->rank++] = height;
    block->shape[block->rank++] = width;
    if (channels > 1)
        block->shape[block->rank++] = channels;
    return true;
}

static bool allocate(reader *r)
{
    size_t height = r->block->shape[0], row = png_get_rowbytes(r->png, r->info);
    r->rows = calloc(height, sizeof(png_bytep));
    if (!r->rows || !al_block_allocate(r->block))
        return al_problem_set(r->problem, AL_EXIT_INPUT, "%s: out of memory for its pixels", r->file->path);
    for (size_t i = 0; i < height; i++)
        r->rows[i] = (png_bytep)r->block->data + i * row;
    return true;
}

/* Everything that may jump back; whatever it changes lies behind `r`, which survives the jump. */
static bool read_all(reader *r)
{
    png_set_read_fn(r->png, r, take_bytes);
    png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL,
                                -1);  /* texts, profiles: all but the picture */
    png_set_benign_errors(r->png, 0); /* data too much or out of range: not the picture that was meant */
    png_read_info(r->png, r->info);
    if (!read_geometry(r) || !allocate(r))
        return false;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return true;
}

static bool read_guarded(reader *r)
{
    if (setjmp(png_jmpbuf(r->png)))
        return false;
    return read_all(r);
}

static bool read_picture(const al_file *file, al_input *input, al_problem *problem)
{
    reader r = { .file = file, .block = &input->block, .problem = problem };
    input->kind = AL_DENSE;
    if (file->size == 0)
        return al_file_problem_at_byte(file, 0, problem, "the file is empty");
    if (file->size < SIGNATURE || png_sig_cmp((png_const_bytep)file->data, 0, SIGNATURE) != 0)
        return al_file_problem_at_byte(file, 0, problem,
                                       "does not begin with PNG's signature: not a PNG picture");
    if (!check_chunks(&r))
        return false;
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    bool ok =
        r.info ? read_guarded(&r) : al_problem_set(problem, AL_EXIT_INPUT, "%s: out of memory", file->path);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.rows);
    return ok;
}

/* ---- Writing ---- */

typedef struct writer {
    FILE *stream;
    al_raster raster;
    png_structp png;
    png_infop info;
    unsigned char *row;
} writer;

static PNG_NORETURN void on_write_error(png_structp png, png_const_charp message)
{
    (void)message; /* the stream's own error says more */
    png_longjmp(png, 1);
}

static void write_all(writer *w)
{
    static const int colours[] = { PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                   PNG_COLOR_TYPE_RGB_ALPHA };
    const al_raster *raster = &w->raster;
    png_init_io(w->png, w->stream);
    png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(w->png, w->info, (png_uint_32)raster->width, (png_uint_32)raster->height,
                 raster->white > 255 ? 16 : 8, colours[raster->channels - 1], PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (size_t i = 0; i < raster->height; i++) {
        al_raster_row(raster, i, w->row);
        png_write_row(w->png, w->row);
    }
    png_write_end(w->png, w->info);
}

static bool write_guarded(writer *w)
{
    if (setjmp(png_jmpbuf(w->png)))
        return false;
    write_all(w);
    return true;
}

static bool write_picture(FILE *stream, const al_block *block, al_problem *problem)
{
    writer w = { .stream = stream };
    if (!al_raster_of(&w.raster, block, problem))
        return false;
    w.raster.white = w.raster.white > 255 ? 65535 : 255; /* the two whites that PNG has */
    w.row = malloc(w.raster.width * w.raster.channels * al_raster_sample_bytes(&w.raster));
    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_write_error, NULL);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    bool ok = w.row && w.info ? write_guarded(&w) : al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    png_destroy_write_struct(&w.png, &w.info);
    free(w.row);
    return ok;
}

const al_format al_png_format = {
    .ending = ".png", .says = "PNG", .picture = true, .read = read_picture, .write = write_picture
};
