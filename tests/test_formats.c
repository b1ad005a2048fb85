/* The readers and writers of the command's files, called as they are: what is written is read again bit for
 * bit, and a malformed file says where and why. The seeds of the fuzz targets are read as well. */
#include "fuzz/check_input.h"
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    SEED_MOST = 8192,
    ROOM = 1 << 24 /* bytes that no reader may ask for at once to read a seed */
};

/* ---- What the readers allocate: the linker puts these before malloc and calloc ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
static size_t largest; /* request so far */

void *__wrap_malloc(size_t size)
{
    largest = size > largest ? size : largest;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    size_t total = size && count > SIZE_MAX / size ? SIZE_MAX : count * size;
    largest = total > largest ? total : largest;
    return __real_calloc(count, size);
}

/* ---- Seeds ---- */

static const struct seeds {
    const char *folder;
    const al_format *format;
} all_seeds[] = {
    { "matrix_market", &al_matrix_market_format },
    { "npy", &al_npy_format },
    { "f32", &al_f32_format },
    { "pnm", &al_pnm_format },
    { "png", &al_png_format },
};

enum {
    FOLDERS = sizeof all_seeds / sizeof all_seeds[0]
};

typedef struct seed {
    const al_format *format;
    char name[300]; /* "npy/bad_cut.npy" */
    char bytes[SEED_MOST];
    size_t size;
} seed;

static bool is_good(const seed *s)
{
    return strncmp(strchr(s->name, '/') + 1, "bad_", 4) != 0;
}

static void load(seed *s)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", TEST_SEEDS, s->name);
    FILE *stream = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    s->size = fread(s->bytes, 1, sizeof s->bytes, stream);
    CU_ASSERT_FATAL(s->size < sizeof s->bytes);
    fclose(stream);
}

/* The writer decides which reader's way back is tried. */
static const al_format *format_of(const struct seeds *folder, const char *name)
{
    if (folder->format != &al_pnm_format)
        return folder->format;
    return strstr(name, ".ppm") ? &al_ppm_format : &al_pgm_format;
}

static bool has_reader(const al_format *format)
{
    return format != &al_png_format || al_png_version()[0];
}

static size_t for_each_seed(void (*check)(const seed *s))
{
    size_t count = 0;
    static seed s;
    for (size_t f = 0; f < FOLDERS; f++) {
        char path[1000];
        snprintf(path, sizeof path, "%s/%s", TEST_SEEDS, all_seeds[f].folder);
        DIR *folder = opendir(path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
        for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            s.format = format_of(&all_seeds[f], entry->d_name);
            if (entry->d_name[0] == '.' || !has_reader(s.format))
                continue;
            snprintf(s.name, sizeof s.name, "%s/%s", all_seeds[f].folder, entry->d_name);
            load(&s);
            check(&s);
            count++;
        }
        closedir(folder);
    }
    return count;
}

static void expect_sound(const seed *s, const void *bytes, size_t size)
{
    const char *wrong = check_input(s->format, bytes, size);
    if (wrong)
        printf("\n    %s (%zu bytes): %s\n", s->name, size, wrong);
    CU_ASSERT_PTR_NULL(wrong);
}

static bool reads(const seed *s, size_t size, al_input *input, al_problem *problem)
{
    al_file file = { .path = s->name, .data = (char *)s->bytes, .size = size };
    *problem = (al_problem){ 0 };
    *input = (al_input){ 0 };
    bool ok = s->format->read(&file, input, problem);
    if (!ok)
        al_input_free(input);
    return ok;
}

static void check_seed(const seed *s)
{
    al_input input;
    al_problem problem;
    largest = 0;
    bool ok = reads(s, s->size, &input, &problem);
    if (ok != is_good(s) || largest > ROOM)
        printf("\n    %s: %s, %zu bytes asked for\n", s->name, ok ? "read" : problem.text, largest);
    CU_ASSERT_EQUAL(ok, is_good(s));
    CU_ASSERT(largest <= ROOM);
    if (ok)
        al_input_free(&input);
    expect_sound(s, s->bytes, s->size);
}

static void reads_every_seed_or_says_why_not(void)
{
    CU_ASSERT(for_each_seed(check_seed) >= 80);
}

/* A text may lack its last newline, and a number its last digits; nothing else may be missing. */
static size_t optional_tail(const seed *s)
{
    return s->format == &al_matrix_market_format || strchr("23", s->bytes[1]) ? 12 : 0;
}

static void cut_seed(const seed *s)
{
    for (size_t size = 0; is_good(s) && size < s->size; size++) {
        al_input input;
        al_problem problem;
        bool ok = reads(s, size, &input, &problem);
        bool may =
            size + optional_tail(s) >= s->size || (s->format == &al_f32_format && size && size % 4 == 0);
        if (ok && !may)
            printf("\n    %s is read from its first %zu of %zu bytes\n", s->name, size, s->size);
        CU_ASSERT(!ok || may);
        if (ok)
            al_input_free(&input);
        expect_sound(s, s->bytes, size);
    }
}

static void refuses_a_file_cut_anywhere(void)
{
    for_each_seed(cut_seed);
}

static void change_seed(const seed *s)
{
    static const char changes[] = "\0\xff\n9 ";
    static char bytes[SEED_MOST];
    memcpy(bytes, s->bytes, s->size);
    for (size_t at = 0; at < s->size; at++) {
        for (size_t i = 0; i + 1 < sizeof changes; i++) {
            bytes[at] = changes[i];
            expect_sound(s, bytes, s->size);
        }
        bytes[at] = s->bytes[at];
    }
}

static void takes_no_harm_from_a_byte_changed_anywhere(void)
{
    for_each_seed(change_seed);
}

/* ---- What is wrong, and where ---- */

static void refuse(const char *name, const al_format *format, const char *message)
{
    static seed s;
    al_input input;
    al_problem problem;
    s = (seed){ .format = format };
    snprintf(s.name, sizeof s.name, "%s", name);
    load(&s);
    CU_ASSERT_FALSE_FATAL(reads(&s, s.size, &input, &problem));
    if (!strstr(problem.text, message))
        printf("\n    %s\n    does not say: %s\n", problem.text, message);
    CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, message));
    CU_ASSERT_EQUAL(problem.code, AL_EXIT_INPUT);
}

static void says_what_is_wrong_with_an_array(void)
{
    static const char *const cases[][2] = {
        { "bad_empty", ": byte 0: the file is empty" },
        { "bad_magic", ": byte 0: does not begin with \\x93NUMPY: not a .npy file" },
        { "bad_version", ": byte 6: version 9.0 is not read: 1.0, 2.0 and 3.0 are" },
        { "bad_header_claim",
          ": byte 8: the header claims 4294967295 bytes, and the file has 2 more: cut off" },
        { "bad_cut",
          ": byte 128: the shape claims 3 numbers of 8 bytes, and the file has 16 bytes more: cut off" },
        { "bad_shape_claim", ": byte 128: the shape claims 4294967296 x 4294967296 x 16 numbers" },
        { "bad_4gib",
          ": byte 128: the shape claims 1073741825 numbers of 4 bytes, and the file has 16 bytes" },
        { "bad_zero", ": byte 61: a dimension is 0: there is nothing to compute with" },
        { "bad_rank", ": byte 70: more than 3 dimensions: reshape" },
        { "bad_nan", ": byte 132: NaN is not a number to compute with" },
        { "bad_inf_half", ": byte 130: infinity is not a number to compute with" },
        { "bad_type", ": byte 20: this type is not read: i1 to i8" },
        { "bad_bool", "this type is not read" },
        { "bad_structured", "structured arrays are not read, save each field alone" },
        { "bad_key", "unknown key: 'descr', 'fortran_order' and 'shape' are known" },
        { "bad_twice", "this key was there before" },
        { "bad_missing", "the header lacks 'descr', 'fortran_order' or 'shape'" },
        { "bad_order", "'fortran_order' must be True or False" },
        { "bad_rubbish",
          ": byte 132: 7 bytes are left after the 1 numbers: a wrong shape, or something after" },
        { "bad_after_dictionary", "more text after the header's dictionary" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[100];
        snprintf(name, sizeof name, "npy/%s.npy", cases[i][0]);
        refuse(name, &al_npy_format, cases[i][1]);
    }
}

static void says_what_is_wrong_with_a_netpbm_picture(void)
{
    static const char *const cases[][2] = {
        { "bad_empty.pgm", ":1: the file is empty" },
        { "bad_kind.pgm", ":1: does not begin with P2, P3, P5 or P6: not a PGM or PPM picture" },
        { "bad_magic.pgm", ":1: does not begin with P2" },
        { "bad_cut.ppm",
          ": byte 11: the header claims 2 x 2 pixels of 3 bytes, and the file has 11 bytes more" },
        { "bad_rubbish.pgm", ": byte 13: 7 bytes are left after the last sample: a wrong size, or a second" },
        { "bad_zero.pgm", ":2: the width must be from 1 to 2147483647" },
        { "bad_negative.pgm", ":2: the width must be from 1" },
        { "bad_claim.pgm", ": byte 31: the header claims 2147483647 x 2147483647 pixels of 2 bytes" },
        { "bad_claim_text.ppm",
          ":3: the header claims 2147483647 x 2147483647 pixels, more than the 4 bytes" },
        { "bad_4gib.pgm",
          ": byte 19: the header claims 65536 x 65537 pixels of 1 bytes, and the file has 2" },
        { "bad_white.pgm", ":3: the greatest sample must be from 1 to 65535" },
        { "bad_white_zero.pgm", ":3: the greatest sample must be from 1" },
        { "bad_sample.pgm", ": byte 12: sample 101 is above the header's greatest, 100" },
        { "bad_sample_text.pgm", ":4: the next sample must be from 0 to 100" },
        { "bad_nan.pgm", ":4: the next sample is not a whole number" },
        { "bad_text_cut.ppm", "ends before the next sample: cut off" },
        { "bad_text_rubbish.pgm", ":5: more text after the last sample" },
        { "bad_no_end.pgm", ":3: ends after the header: cut off" },
        { "bad_header.pgm", ":2: ends before the height: cut off" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[100];
        snprintf(name, sizeof name, "pnm/%s", cases[i][0]);
        refuse(name, &al_pnm_format, cases[i][1]);
    }
}

static void says_what_is_wrong_with_a_png_picture(void)
{
    static const char *const cases[][2] = {
        { "bad_empty", ": byte 0: the file is empty" },
        { "bad_signature", ": byte 0: does not begin with PNG's signature" },
        { "bad_cut", ": byte 33: a chunk claims" },
        { "bad_cut_header", ": byte 8: a chunk claims 13 bytes, and the file has 0 more: cut off" },
        { "bad_chunk_claim", "a chunk claims 1090519055 bytes, and the file has" },
        { "bad_checksum", "CRC error: damaged, or not a PNG picture" },
        { "bad_rubbish", "7 bytes are left after the picture's end: cut them off" },
        { "bad_claim", ": byte 8: the header claims 2147483647 x 2147483647 pixels, more than the file's" },
        { "bad_4gib", ": byte 8: the header claims 65536 x 65537 pixels" },
        { "bad_zero", "damaged, or not a PNG picture" },
        { "bad_rows", "damaged, or not a PNG picture" },
        { "bad_more_rows", "damaged, or not a PNG picture" },
        { "bad_depth", "damaged, or not a PNG picture" },
        { "bad_no_palette", "damaged, or not a PNG picture" },
        { "bad_filter", "damaged, or not a PNG picture" },
        { "bad_no_data", "damaged, or not a PNG picture" },
        { "bad_deflate", "damaged, or not a PNG picture" },
    };
    for (size_t i = 0; has_reader(&al_png_format) && i < sizeof cases / sizeof cases[0]; i++) {
        char name[100];
        snprintf(name, sizeof name, "png/%s.png", cases[i][0]);
        refuse(name, &al_png_format, cases[i][1]);
    }
}

static void says_what_is_wrong_with_an_array_of_matrix_market(void)
{
    refuse("matrix_market/bad_array_cut.mtx", &al_matrix_market_format,
           ":5: ends before the last value: cut off");
    refuse("matrix_market/bad_array_claim.mtx", &al_matrix_market_format,
           ":2: the values are more than the rest of the file holds");
    refuse("matrix_market/bad_no_rows.mtx", &al_matrix_market_format,
           ":2: the matrix has no rows or no columns");
}

/* ---- Values ---- */

static void expect_block(const char *name, const al_format *format, const al_block *shape,
                         const double *values)
{
    static seed s;
    al_input input;
    al_problem problem = { 0 };
    s = (seed){ .format = format };
    snprintf(s.name, sizeof s.name, "%s", name);
    load(&s);
    bool ok = reads(&s, s.size, &input, &problem);
    if (!ok)
        printf("\n    %s\n", problem.text);
    CU_ASSERT_FATAL(ok);
    CU_ASSERT_EQUAL(input.kind, AL_DENSE);
    CU_ASSERT_EQUAL(input.block.type, shape->type);
    CU_ASSERT_EQUAL(input.block.white, shape->white);
    CU_ASSERT_EQUAL(input.block.rank, shape->rank);
    CU_ASSERT_EQUAL_FATAL(memcmp(input.block.shape, shape->shape, sizeof shape->shape), 0);
    for (size_t i = 0; i < al_block_count(shape); i++)
        CU_ASSERT_EQUAL(al_block_real(&input.block, i), values[i]);
    al_input_free(&input);
}

static void reads_arrays_of_every_type_and_order(void)
{
    static const struct {
        const char *name;
        al_block shape;
        double values[6];
    } cases[] = {
        { "f4", { ALLOT_F32, 1, { 6 } }, { 1.5, -2, 3.25, 0, 1e10, -7 } },
        { "f8_big", { ALLOT_F64, 2, { 2, 3 } }, { 1.5, -2, 3.25, 0, 1e10, -7 } },
        { "f4_fortran", { ALLOT_F32, 2, { 3, 2 } }, { 1.5, 0, -2, 1e10, 3.25, -7 } },
        { "i2_fortran_3d", { ALLOT_I16, 3, { 2, 1, 3 } }, { 1, 3, 5, 2, -4, 6 } },
        { "u1", { ALLOT_U8, 2, { 2, 3 } }, { 1, 2, 3, 4, 5, 255 } },
        { "i1", { ALLOT_I8, 1, { 2 } }, { -128, 127 } },
        { "u2", { ALLOT_U16, 1, { 1 } }, { 65535 } },
        { "i4", { ALLOT_I32, 1, { 1 } }, { -2147483648.0 } },
        { "u4", { ALLOT_U32, 1, { 1 } }, { 4294967295.0 } },
        { "i8", { ALLOT_I64, 1, { 1 } }, { -0x1p63 } },
        { "u8", { ALLOT_U64, 1, { 1 } }, { 0x1p64 } },
        { "f2", { ALLOT_F16, 1, { 4 } }, { 1.5, -65504, 0x1p-24, 0 } },
        { "c8", { ALLOT_C32, 1, { 1 } }, { 1 } },
        { "c16", { ALLOT_C64, 2, { 2, 1 } }, { 1, 3 } },
        { "python2", { ALLOT_F64, 1, { 2 } }, { 1, 2 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[100];
        snprintf(name, sizeof name, "npy/%s.npy", cases[i].name);
        expect_block(name, &al_npy_format, &cases[i].shape, cases[i].values);
    }
}

static void reads_text_and_binary_pictures(void)
{
    static const struct {
        const char *name;
        al_block shape;
        double values[6];
    } cases[] = {
        { "p2.pgm", { ALLOT_U8, 2, { 2, 3 }, 255 }, { 0, 1, 2, 253, 254, 255 } },
        { "p5.pgm", { ALLOT_U8, 2, { 2, 3 }, 255 }, { 0, 1, 2, 253, 254, 255 } },
        { "p3_crlf.ppm", { ALLOT_U16, 3, { 2, 1, 3 }, 1000 }, { 0, 500, 1000, 1, 2, 3 } },
        { "p5_16.pgm", { ALLOT_U16, 2, { 2, 2 }, 65535 }, { 0, 256, 65535, 0x1234 } },
        { "p5_100.pgm", { ALLOT_U8, 2, { 1, 2 }, 100 }, { 100, 0 } },
        { "p6.ppm", { ALLOT_U8, 3, { 1, 2, 3 }, 255 }, { 0, 1, 2, 3, 4, 5 } },
        { "p6_16.ppm", { ALLOT_U16, 3, { 1, 1, 3 }, 1023 }, { 1023, 0, 512 } },
        { "p6_crlf.ppm", { ALLOT_U8, 3, { 1, 2, 3 }, 255 }, { 13, 10, 1, 2, 3, 4 } },
        { "p5_white_space.pgm", { ALLOT_U8, 2, { 1, 2 }, 255 }, { 13, 10 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[100];
        snprintf(name, sizeof name, "pnm/%s", cases[i].name);
        expect_block(name, &al_pnm_format, &cases[i].shape, cases[i].values);
    }
}

static void reads_png_of_every_kind(void)
{
    static const struct {
        const char *name;
        al_block shape;
        double values[8]; /* the first ones */
        size_t count;
    } cases[] = {
        { "filters", { ALLOT_U8, 2, { 5, 4 }, 255 }, { 1, 2, 3, 4, 1, 3, 6, 10 }, 8 },
        { "grey_transparent", { ALLOT_U8, 3, { 1, 2, 2 }, 255 }, { 1, 0, 2, 255 }, 4 },
        { "rgb_transparent", { ALLOT_U8, 3, { 1, 1, 4 }, 255 }, { 1, 2, 3, 0 }, 4 },
        { "palette8", { ALLOT_U8, 3, { 1, 4, 3 }, 255 }, { 255, 0, 0, 0, 255, 0, 0, 0 }, 8 },
        { "palette_alpha", { ALLOT_U8, 3, { 2, 6, 4 }, 255 }, { 255, 0, 0, 0, 255, 0, 0, 0 }, 4 },
        { "palette_beyond", { ALLOT_U8, 3, { 1, 1, 3 }, 255 }, { 0, 0, 0 }, 3 }, /* black */
        { "grey1", { ALLOT_U8, 2, { 3, 9 }, 255 }, { 0, 0, 0, 0, 0, 255, 0, 255 }, 8 },
        { "grey2", { ALLOT_U8, 2, { 3, 9 }, 255 }, { 0, 0, 85, 85 }, 4 },
        { "grey4", { ALLOT_U8, 2, { 3, 5 }, 255 }, { 0, 85 }, 2 },
        { "grey16", { ALLOT_U16, 2, { 4, 5 }, 65535 }, { 5 * 256 + 42 }, 1 },
        { "grey_alpha16", { ALLOT_U16, 3, { 2, 3, 2 }, 65535 }, { 5 * 256 + 42 }, 1 },
        { "rgba16", { ALLOT_U16, 3, { 2, 2, 4 }, 65535 }, { 5 * 256 + 42 }, 1 },
        { "gamma", { ALLOT_U8, 2, { 1, 2 }, 255 }, { 1, 2 }, 2 },
        { "profile", { ALLOT_U8, 3, { 1, 2, 3 }, 255 }, { 1, 2, 3, 4, 5, 6 }, 6 },
        { "interlaced_rgb8", { ALLOT_U8, 3, { 9, 9, 3 }, 255 }, { 5, 42, 79 }, 3 },
        { "interlaced_grey16", { ALLOT_U16, 2, { 3, 3 }, 65535 }, { 5 * 256 + 42 }, 1 },
    };
    for (size_t i = 0; has_reader(&al_png_format) && i < sizeof cases / sizeof cases[0]; i++) {
        static seed s;
        al_input input;
        al_problem problem;
        s = (seed){ .format = &al_png_format };
        snprintf(s.name, sizeof s.name, "png/%s.png", cases[i].name);
        load(&s);
        CU_ASSERT_FATAL(reads(&s, s.size, &input, &problem));
        CU_ASSERT_EQUAL(input.block.type, cases[i].shape.type);
        CU_ASSERT_EQUAL(input.block.white, cases[i].shape.white);
        CU_ASSERT_EQUAL(memcmp(input.block.shape, cases[i].shape.shape, sizeof input.block.shape), 0);
        for (size_t v = 0; v < cases[i].count; v++)
            if (al_block_real(&input.block, v) != cases[i].values[v]) {
                printf("\n    %s: sample %zu is %g\n", s.name, v, al_block_real(&input.block, v));
                CU_FAIL("another sample");
            }
        al_input_free(&input);
    }
}

static void reads_matrices_in_array_format(void)
{
    const al_block square = { ALLOT_F64, 2, { 2, 2 } }, symmetric = { ALLOT_F64, 2, { 3, 3 } };
    const double values[] = { 1.5, 300, -2, 4 }, mirrored[] = { 1, 2, 3, 2, 4, 5, 3, 5, 6 };
    expect_block("matrix_market/array.mtx", &al_matrix_market_format, &square, values);
    expect_block("matrix_market/array_symmetric.mtx", &al_matrix_market_format, &symmetric, mirrored);
}

/* ---- Writing ---- */

static char folder[] = "/tmp/allot-formats-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Writes the block to a file, reads it again, and compares: bit for bit. */
static void expect_round_trip(const char *name, const al_block *block)
{
    al_input again;
    al_problem problem = { 0 };
    bool ok =
        al_output_write(in_folder(name), block, &problem) && al_input_read(&again, in_folder(name), &problem);
    if (!ok)
        printf("\n    %s\n", problem.text);
    CU_ASSERT_FATAL(ok);
    CU_ASSERT_STRING_EQUAL(again.name, name);
    CU_ASSERT_EQUAL(again.block.type, block->type);
    CU_ASSERT_EQUAL(again.block.rank, block->rank);
    CU_ASSERT_EQUAL(memcmp(again.block.shape, block->shape, sizeof block->shape), 0);
    CU_ASSERT_EQUAL(
        memcmp(again.block.data, block->data, al_block_count(block) * allot_type_size(block->type)), 0);
    al_input_free(&again);
}

static void keeps_every_type_and_shape_in_npy(void)
{
    static const size_t shapes[][4] = { { 1, 1 }, { 1, 64 }, { 2, 3, 5 }, { 3, 2, 3, 4 }, { 3, 1, 1, 65 } };
    union {
        unsigned char bytes[65 * 16];
        double aligned;
    } data;
    for (size_t i = 0; i < sizeof data.bytes; i++) /* no exponent of all ones: finite in every type */
        data.bytes[i] = (unsigned char)((i * 37 + 11) % 0x70);
    for (allot_type type = ALLOT_I8; type <= ALLOT_C64; type++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            al_block block = { .type = type, .rank = shapes[s][0], .data = data.bytes };
            memcpy(block.shape, &shapes[s][1], sizeof block.shape);
            expect_round_trip("a.npy", &block);
        }
}

static void keeps_pictures(void)
{
    static const char *const names[] = { "a.pgm", "a.ppm", "a.png", "A.PNG" };
    static const unsigned whites[] = { 1, 100, 255, 256, 1000, 65535 };
    uint16_t wide[5 * 7 * 4];
    uint8_t narrow[5 * 7 * 4];
    for (size_t n = 0; n < 4; n++)
        for (size_t w = 0; w < 6; w++)
            for (size_t channels = 1; channels <= 4; channels++) {
                bool png = n >= 2, exact = whites[w] == 255 || whites[w] == 65535;
                if (png ? !exact || !has_reader(&al_png_format) : channels != (n ? 3 : 1))
                    continue;
                al_block block = { .rank = channels > 1 ? 3 : 2, .shape = { 5, 7 }, .white = whites[w] };
                block.shape[2] = channels > 1 ? channels : 0;
                for (size_t i = 0; i < 5 * 7 * channels; i++) {
                    wide[i] = (uint16_t)(i * 7919 % (whites[w] + 1));
                    narrow[i] = (uint8_t)(i * 7919 % (whites[w] + 1));
                }
                block.type = whites[w] > 255 ? ALLOT_U16 : ALLOT_U8;
                block.data = whites[w] > 255 ? (void *)wide : (void *)narrow;
                expect_round_trip(names[n], &block);
            }
}

static void expect_grey(const char *name, const al_block *block, unsigned white, const unsigned *samples)
{
    al_input again;
    al_problem problem = { 0 };
    CU_ASSERT_FATAL(al_output_write(in_folder(name), block, &problem) &&
                    al_input_read(&again, in_folder(name), &problem));
    CU_ASSERT_EQUAL(again.block.white, white);
    for (size_t i = 0; i < al_block_count(&again.block); i++)
        CU_ASSERT_EQUAL(al_block_real(&again.block, i), samples[i]);
    al_input_free(&again);
}

static void makes_a_picture_of_numbers(void)
{
    float blurred[] = { -3, 0.4f, 0.6f, 99.5f, 101, NAN }, heat[] = { -1, 0, 1, 1, 0, -1 }, flat[] = { 7, 7 };
    const unsigned cut[] = { 0, 0, 1, 100, 100, 0 }, scaled[] = { 0, 1, 2, 254, 255, 0 };
    const unsigned stretched[] = { 0, 128, 255, 255, 128, 0 }, black[] = { 0, 0 };
    al_block block = { .type = ALLOT_F32, .rank = 2, .shape = { 2, 3 }, .white = 100, .data = blurred };
    expect_grey("a.pgm", &block, 100, cut);
    if (has_reader(&al_png_format))
        expect_grey("a.png", &block, 255, scaled);
    block = (al_block){ .type = ALLOT_F32, .rank = 2, .shape = { 2, 3 }, .data = heat };
    expect_grey("a.pgm", &block, 255, stretched);
    block = (al_block){ .type = ALLOT_F32, .rank = 2, .shape = { 1, 2 }, .data = flat };
    expect_grey("a.pgm", &block, 255, black);
}

static void says_what_no_picture_can_be(void)
{
    static const struct {
        const char *name;
        al_block block;
        const char *message;
    } cases[] = {
        { "a.png", { ALLOT_F32, 1, { 6 } }, "a.png: 6 f32 numbers are no picture" },
        { "a.pgm", { ALLOT_F32, 3, { 1, 1, 5 } }, "1 x 1 x 5 f32 numbers are no picture" },
        { "a.pgm", { ALLOT_C32, 2, { 1, 2 } }, "1 x 2 c32 numbers are no picture" },
        { "a.pgm",
          { ALLOT_U8, 3, { 1, 1, 3 } },
          "the picture has 3 channels, and .pgm holds one: use .ppm or .png" },
        { "a.ppm",
          { ALLOT_U8, 2, { 1, 1 } },
          "the picture has 1 channel, and .ppm holds three: use .pgm or .png" },
        { "a.ppm",
          { ALLOT_U8, 3, { 1, 1, 4 } },
          "the picture has 4 channels, and .ppm holds three: use .png" },
        { "a.mtx", { ALLOT_U8, 2, { 1, 1 } }, "the name must end in the format to write: .npy," },
    };
    float data[8] = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        al_block block = cases[i].block;
        al_problem problem = { 0 };
        block.data = data;
        if (!has_reader(&al_png_format) && strcmp(cases[i].name, "a.png") == 0)
            continue;
        unlink(in_folder(cases[i].name));
        CU_ASSERT_FALSE(al_output_write(in_folder(cases[i].name), &block, &problem));
        if (!strstr(problem.text, cases[i].message))
            printf("\n    %s\n", problem.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, cases[i].message));
        CU_ASSERT(access(in_folder(cases[i].name), F_OK) != 0);
    }
}

/* ---- The real input ---- */

static void reads_the_real_input(void)
{
    al_input input;
    al_problem problem = { 0 };
    char path[1000];
    CU_ASSERT_FATAL(al_data_find(TEST_DATA, "astronaut.ppm", path, sizeof path));
    CU_ASSERT_FATAL(al_input_read(&input, path, &problem));
    CU_ASSERT(input.block.shape[0] == 512 && input.block.shape[1] == 512 && input.block.shape[2] == 3);
    CU_ASSERT(al_block_real(&input.block, 0) == 0x9a && al_block_real(&input.block, 1) == 0x93);
    expect_round_trip("astronaut.ppm", &input.block);
    if (has_reader(&al_png_format))
        expect_round_trip("astronaut.png", &input.block);
    al_input_free(&input);
    CU_ASSERT_FATAL(al_data_find(TEST_DATA, "ecg_108000.f32", path, sizeof path));
    CU_ASSERT_FATAL(al_input_read(&input, path, &problem));
    CU_ASSERT(input.block.type == ALLOT_F32 && al_block_count(&input.block) == 108000);
    expect_round_trip("ecg.npy", &input.block);
    al_input_free(&input);
    CU_ASSERT_FATAL(al_data_find(TEST_DATA, "bcsstk13.mtx", path, sizeof path));
    CU_ASSERT_FATAL(al_input_read(&input, path, &problem));
    CU_ASSERT(input.kind == AL_MATRIX && input.matrix.rows == 2003 &&
              input.matrix.entries == 2 * 42943 - 2003);
    al_input_free(&input);
}

int main(void)
{
    static const test_fact facts[] = {
        { "reads every seed, or says why not and where", reads_every_seed_or_says_why_not },
        { "refuses a file cut anywhere", refuses_a_file_cut_anywhere },
        { "takes no harm from a byte changed anywhere", takes_no_harm_from_a_byte_changed_anywhere },
        { "says what is wrong with an array", says_what_is_wrong_with_an_array },
        { "says what is wrong with a netpbm picture", says_what_is_wrong_with_a_netpbm_picture },
        { "says what is wrong with a PNG picture", says_what_is_wrong_with_a_png_picture },
        { "says what is wrong with Matrix Market's arrays",
          says_what_is_wrong_with_an_array_of_matrix_market },
        { "reads arrays of every type, order and version", reads_arrays_of_every_type_and_order },
        { "reads netpbm pictures as text and binary, CRLF too", reads_text_and_binary_pictures },
        { "reads PNG pictures of every kind", reads_png_of_every_kind },
        { "reads matrices in array format", reads_matrices_in_array_format },
        { "keeps every type and shape in .npy, bit for bit", keeps_every_type_and_shape_in_npy },
        { "keeps pictures, bit for bit", keeps_pictures },
        { "makes a picture of numbers", makes_a_picture_of_numbers },
        { "says what no picture can be made of", says_what_no_picture_can_be },
        { "reads the real input", reads_the_real_input },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    int code = test_main("formats", facts);
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? code : EXIT_FAILURE;
}
