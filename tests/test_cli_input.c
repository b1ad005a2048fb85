/* The command's readers and its writer, through `allot run --input --output`: right files give the right
 * numbers, wrong ones an error that names the place. */
#include "command.h"

#include <stdint.h>

#define BANNER(field, symmetry) "%%MatrixMarket matrix coordinate " field " " symmetry "\n"

/* The numbers of a .npy file of doubles; how many. Fails the test on another header. */
static size_t read_npy(const char *path, const char *shape, double *values, size_t capacity)
{
    static char data[8192];
    size_t size = read_file(path, data, sizeof data);
    CU_ASSERT_FATAL(size >= 128);
    CU_ASSERT_EQUAL_FATAL(memcmp(data, "\x93NUMPY\x01\x00", 8), 0);
    size_t header = (unsigned char)data[8] + 256u * (unsigned char)data[9];
    CU_ASSERT_EQUAL((10 + header) % 64, 0);
    CU_ASSERT_EQUAL(data[10 + header - 1], '\n');
    expect_text(data + 10, "'descr': '<f8'");
    expect_text(data + 10, shape);
    size_t count = (size - 10 - header) / sizeof *values;
    CU_ASSERT_FATAL(count <= capacity);
    memcpy(values, data + 10 + header, count * sizeof *values);
    return count;
}

static const outcome *run_matrix(const char *text, size_t size, const char *const vector)
{
    const char *path = in_folder("a.mtx");
    write_file(path, text, size);
    return ALLOT_RUN("run", "spmv", "--place", "inline", "--type", "f64", "--repeat", "1", "--input", path,
                     "--input", vector, "--output", in_folder("y.npy"));
}

/* x = 1, 2, 3 */
static const char *vector(void)
{
    const float x[] = { 1, 2, 3 };
    const char *path = in_folder("x.f32");
    write_file(path, x, sizeof x);
    return path;
}

static void reads_matrices(void)
{
    static const struct {
        const char *text;
        double y[3];
        size_t rows;
    } cases[] = {
        { BANNER("real", "general") "% a comment\n\n2 3 3\n1 1 2.5\n2 3 -1e1\n1 2 .5\n", { 3.5, -30 }, 2 },
        { BANNER("real", "symmetric") "3 3 4\n1 1 2\n2 1 1\n3 2 0.5\n3 3 4\n", { 4, 2.5, 13 }, 3 },
        { BANNER("real", "symmetric") "3 3 1\n1 3 2\n", { 6, 0, 2 }, 3 }, /* the upper half is as good */
        { BANNER("integer", "general") "3 3 2\n1 1 -7\n3 1 +4\n", { -7, 0, 4 }, 3 },
        { BANNER("pattern", "symmetric") "3 3 2\n2 1\n3 3\n", { 2, 1, 3 }, 3 },
        { "%%matrixmarket MATRIX Coordinate Real GENERAL\r\n3 3 2\r\n1 2 3\r\n2 2 5\r\n\r\n",
          { 6, 10, 0 },
          3 },
        { BANNER("real", "general") "3 3 2\n\t1  1\t1 \n 1 1 1",
          { 2, 0, 0 },
          3 }, /* entries of one place add up */
        { BANNER("real", "general") "3 3 0\n", { 0, 0, 0 }, 3 },
        { BANNER("real", "general") "1 3 1\n1 3 4.9406564584124654e-324\n", { 1.5e-323 }, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double y[8];
        char shape[32];
        expect_code(run_matrix(cases[i].text, strlen(cases[i].text), vector()), 0);
        snprintf(shape, sizeof shape, "'shape': (%zu,)", cases[i].rows);
        CU_ASSERT_EQUAL_FATAL(read_npy(in_folder("y.npy"), shape, y, 8), cases[i].rows);
        for (size_t row = 0; row < cases[i].rows; row++)
            CU_ASSERT_EQUAL(y[row], cases[i].y[row]);
    }
}

static void repeats_a_matrix_along_the_diagonal(void)
{
    static const char text[] = BANNER("real", "general") "2 3 2\n1 1 2\n2 3 3\n";
    double y[8];
    const char *path = in_folder("a.mtx");
    write_file(path, text, strlen(text));
    expect_code(ALLOT_RUN("run", "spmv", "-n", "5", "--type", "f64", "--place", "inline", "--input", path,
                          "--input", vector(), "--output", in_folder("y.npy")),
                0);
    CU_ASSERT_EQUAL_FATAL(read_npy(in_folder("y.npy"), "'shape': (6,)", y, 8), 6);
    for (size_t i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(y[i], i % 2 ? 9 : 2);
}

static void applies_axpy_once(void)
{
    const float x[] = { 4, -8 }, y[] = { 1, 2 };
    double result[8];
    write_file(in_folder("u.f32"), x, sizeof x);
    write_file(in_folder("v.f32"), y, sizeof y);
    expect_code(ALLOT_RUN("run", "axpy", "--type", "f64", "--place", "thread", "--input", in_folder("u.f32"),
                          "--input", in_folder("v.f32"), "--output", in_folder("y.npy"), "-n", "3"),
                0);
    CU_ASSERT_EQUAL_FATAL(read_npy(in_folder("y.npy"), "'shape': (3,)", result, 8), 3);
    CU_ASSERT_EQUAL(result[0], 4);
    CU_ASSERT_EQUAL(result[1], -4);
    CU_ASSERT_EQUAL(result[2], 4); /* both series are repeated */
}

static void multiplies_matrices(void)
{
    const float a[] = { 1, 2, 3, 4 }, b[] = { 0, 1, 1, 0 };
    double c[8];
    write_file(in_folder("a.f32"), a, sizeof a);
    write_file(in_folder("b.f32"), b, sizeof b);
    expect_code(ALLOT_RUN("run", "gemm", "--type", "f64", "--input", in_folder("a.f32"), "--input",
                          in_folder("b.f32"), "--place", "thread", "--output", in_folder("c.npy")),
                0);
    CU_ASSERT_EQUAL_FATAL(read_npy(in_folder("c.npy"), "'shape': (2, 2)", c, 8), 4);
    CU_ASSERT(c[0] == 2 && c[1] == 1 && c[2] == 4 && c[3] == 3);
}

static void names_the_line_of_a_malformed_matrix(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", ":1: the file is empty" },
        { "hello\n", ":1: does not begin with %%MatrixMarket" },
        { "%%MatrixMarket matrix coordinate real\n1 1 1\n", ":1: the first line must be" },
        { "%%MatrixMarket vector coordinate real general\n", ":1: 'vector' is not read" },
        { "%%MatrixMarket matrix list real general\n", ":1: 'list' is not read" },
        { BANNER("complex", "general") "1 1 1\n1 1 1 1\n", ":1: 'complex' values are not read" },
        { BANNER("real", "hermitian") "1 1 1\n1 1 1\n", ":1: 'hermitian' is not read" },
        { BANNER("real", "general"), ":1: ends before the line" },
        { BANNER("real", "general") "% only\n% comments\n", ":3: ends before the line" },
        { BANNER("real", "general") "3 3\n", ":2: expected 3 counts" },
        { BANNER("real", "general") "3 3 1 1\n", ":2: expected 3 counts" },
        { BANNER("real", "general") "3 x 1\n1 1 1\n", ":2: 'x' is not a whole number" },
        { BANNER("real", "general") "-3 3 1\n1 1 1\n", ":2: '-3' is negative" },
        { BANNER("real", "general") "2000000000 2000000000 1\n1 1 1\n",
          ":2: '2000000000' rows are more than" },
        { BANNER("real", "general") "3 99999999999999999999999 1\n1 1 1\n", "columns are more than" },
        { BANNER("real", "general") "3 3 4000000000\n1 1 1\n", ":2: '4000000000' entries are more than" },
        { BANNER("real", "general") "3 3 18446744073709551617\n1 1 1\n", "entries are more than" },
        { BANNER("real", "symmetric") "3 2 1\n1 1 1\n", ":2: a symmetric matrix must be square" },
        { BANNER("real", "general") "3 3 2\n1 1 1.00000000\n", ":3: ends after 1 of 2 entries" },
        { BANNER("real", "general") "3 3 1\n1 1 1\n\n2 2 2\n", ":5: more lines than the 1 entries" },
        { BANNER("real", "general") "3 3 1\n4 1 1\n", ":3: '4' is beyond the last row" },
        { BANNER("real", "general") "3 3 1\n1 4 1\n", ":3: '4' is beyond the last column" },
        { BANNER("real", "general") "3 3 1\n0 1 1\n", ":3: '0' is below 1" },
        { BANNER("real", "general") "3 3 1\n1 1 nan\n", ":3: 'nan' is not a number" },
        { BANNER("real", "general") "3 3 1\n1 1 -inf\n", ":3: '-inf' is not a number" },
        { BANNER("real", "general") "3 3 1\n1 1 0x1p3\n", ":3: '0x1p3' is not a number" },
        { BANNER("real", "general") "3 3 1\n1 1 1,5\n", ":3: '1,5' is not a number" },
        { BANNER("real", "general") "3 3 1\n1 1 1e999\n", ":3: '1e999' is too large" },
        { BANNER("real", "general") "3 3 1\n1 1 1 1\n", ":3: expected ROW COLUMN VALUE" },
        { BANNER("real", "general") "3 3 1\n1 1.5 1\n", ":3: '1.5' is not a whole number" },
        { BANNER("real", "general") "3 3 1\n% late\n1 1 1\n", ":3: a comment among the entries" },
        { BANNER("integer", "general") "3 3 1\n1 1 1.5\n", ":3: '1.5' is not a whole number" },
        { BANNER("pattern", "general") "3 3 1\n1 1 1\n", ":3: expected ROW COLUMN" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const outcome *got = run_matrix(cases[i].text, strlen(cases[i].text), vector());
        expect_code(got, 3);
        expect_text(got->err, "a.mtx");
        expect_text(got->err, cases[i].message);
        CU_ASSERT_STRING_EQUAL(got->out, "");
        CU_ASSERT(got->resident_kib < 200 * 1024);
    }
}

static void names_the_byte_of_a_malformed_series(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        { "", 0, "byte 0: the file is empty" },
        { "abc", 3, "byte 0: ends within a number" },
        { "\0\0\0\0\0\0", 6, "byte 4: ends within a number" },
        { "\0\0\0\0\0\0\300\177", 8, "byte 4: NaN" },
        { "\0\0\200\377", 4, "byte 0: infinity" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(in_folder("bad.f32"), cases[i].bytes, cases[i].size);
        const outcome *got = ALLOT_RUN("run", "axpy", "--input", in_folder("bad.f32"));
        expect_code(got, 3);
        expect_text(got->err, "bad.f32: ");
        expect_text(got->err, cases[i].message);
    }
}

static void refuses_what_is_no_input_file(void)
{
    mkdir(in_folder("folder.mtx"), 0700);
    CU_ASSERT_EQUAL(mkfifo(in_folder("pipe.f32"), 0600), 0);
    static const struct {
        const char *kernel, *name, *message;
    } cases[] = {
        { "spmv", "missing.mtx", "missing.mtx: No such file" },
        { "spmv", "folder.mtx", "folder.mtx: is a folder" },
        { "axpy", "pipe.f32", "pipe.f32: is not a regular file" },
        { "axpy", "data.xyz",
          "data.xyz: unknown kind of file: the name must end in one of .mtx, .npy, .f32" },
        { "spmv", "x.f32",
          "x.f32: holds dense numbers (.npy, .f32, a picture, .mtx in array format), but A of spmv is a "
          "sparse "
          "matrix (.mtx in coordinate format)" },
    };
    vector();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const outcome *got = ALLOT_RUN("run", cases[i].kernel, "--input", in_folder(cases[i].name));
        expect_code(got, 3);
        expect_text(got->err, cases[i].message);
    }
    write_file(in_folder("hole.f32"), "", 0);
    CU_ASSERT_EQUAL(truncate(in_folder("hole.f32"), (off_t)1 << 42), 0);
    const outcome *hole = ALLOT_RUN("run", "axpy", "--input", in_folder("hole.f32"));
    expect_code(hole, 3);
    expect_text(hole->err, "hole.f32: has 4.1e+03 GiB, and this machine");
    static const char large[] = BANNER("real", "general") "1 1 1\n1 1 1e300\n";
    write_file(in_folder("large.mtx"), large, strlen(large));
    const outcome *got = ALLOT_RUN("run", "spmv", "--type", "f32", "--input", in_folder("large.mtx"));
    expect_code(got, 3);
    expect_text(got->err, "does not fit f32");
}

static const char sound[] = BANNER("real", "symmetric") "3 3 4\n1 1 2\n2 1 1\n3 2 0.5\n3 3 4\n";

static void takes_no_harm_from_a_file_cut_anywhere(void)
{
    for (size_t size = 0; size + 1 < strlen(sound); size++) {
        const outcome *got = run_matrix(sound, size, vector());
        CU_ASSERT(got->code == 3 || (got->code == 0 && size + 3 > strlen(sound)));
    }
}

static void takes_no_harm_from_a_byte_changed_anywhere(void)
{
    static const char changes[] = "\0\n%9-";
    uint32_t seed = 1;
    for (size_t at = 0; at < strlen(sound); at += 2) {
        char text[sizeof sound];
        memcpy(text, sound, sizeof sound);
        seed = seed * 1664525u + 1013904223u;
        text[at] = changes[(seed >> 16) % (sizeof changes - 1)];
        const outcome *got = run_matrix(text, strlen(sound), vector());
        CU_ASSERT(got->code == 3 || got->code == 0);
    }
}

static void leaves_nothing_where_the_result_cannot_be_written(void)
{
    const outcome *got =
        ALLOT_RUN("run", "axpy", "-n", "10", "--place", "inline", "--output", "/nonexistent/y.npy");
    expect_code(got, 1);
    expect_text(got->err, "/nonexistent/y.npy: cannot be written: No such file");
    got = ALLOT_RUN("run", "axpy", "--output", "y.png");
    expect_code(got, 2);
    expect_text(got->err, ".npy");
}

static void checks_the_output_before_the_first_run(void)
{
    char kept[8] = "";
    struct stat status;
    const outcome *got = ALLOT_RUN("run", "gemm", "-n", "9e15", "--output", "/nonexistent/y.npy");
    expect_code(got, 1); /* before it is known that n is too large */
    expect_text(got->err, "/nonexistent/y.npy: cannot be written: No such file");
    write_file(in_folder("kept.npy"), "kept", 4);
    got = ALLOT_RUN("run", "axpy", "--place", "cloud", "--output", in_folder("kept.npy"));
    expect_code(got, 4);
    read_file(in_folder("kept.npy"), kept, sizeof kept);
    CU_ASSERT_STRING_EQUAL(kept, "kept");
    expect_code(ALLOT_RUN("run", "axpy", "--place", "cloud", "--output", in_folder("never.npy")), 4);
    CU_ASSERT(stat(in_folder("never.npy"), &status) != 0);
}

static void shows_a_result_that_could_not_be_written(void)
{
    CU_ASSERT_EQUAL(symlink("/dev/full", in_folder("full.npy")), 0);
    const outcome *got =
        ALLOT_RUN("run", "axpy", "-n", "9", "--place", "inline", "--output", in_folder("full.npy"));
    expect_code(got, 1);
    expect_text(got->err, "full.npy: cannot be written: No space left");
    expect_text(got->out, "verified");
    CU_ASSERT_PTR_NULL(strstr(got->out, "written to"));
    got = ALLOT_RUN("run", "axpy", "-n", "9", "--place", "inline", "-j", "--output", in_folder("full.npy"));
    expect_code(got, 1);
    json_t *row = parse_json(got->out);
    CU_ASSERT(json_is_true(json_object_get(row, "verified")));
    expect_text(json_string_value(json_object_get(row, "error")), "No space left");
    json_decref(row);
}

static void says_what_was_made_of_the_input(void)
{
    static const char matrix[] = BANNER("real", "general") "3 3 1\n1 1 1\n";
    static const struct {
        const char *words[8]; /* of which those that end in f32 or mtx lie in the test's folder */
        const char *heading;
    } cases[] = {
        { { "axpy", "-n", "2", "-i", "x.f32" }, "n = 2: x.f32, cut to n\n" },
        { { "axpy", "-i", "x.f32", "-i", "ten.f32" }, "n = 3: x.f32; ten.f32, cut to n\n" },
        { { "axpy", "-n", "0", "-i", "x.f32" }, "n = 0, nothing to compute: x.f32, none of it used\n" },
        { { "gemm", "-n", "5", "-i", "ten.f32" }, "n = 5: ten.f32, repeated to n x n\n" },
        { { "gemm", "-i", "ten.f32" }, "n = 3: ten.f32, cut to n x n\n" },
        { { "spmv", "-n", "1", "-i", "a.mtx" }, "n = 3: a.mtx, whole (the nearest to n = 1)\n" },
        { { "spmv", "-n", "7", "-i", "a.mtx" },
          "n = 6: a.mtx, 2 times on the diagonal (the nearest to n = 7)\n" },
        { { "spmv", "-n", "6", "-i", "a.mtx", "-i", "x.f32" },
          "n = 6: a.mtx, 2 times on the diagonal; x.f32, repeated to its columns\n" },
        { { "spmv", "-n", "0", "-i", "a.mtx" }, "n = 0, nothing to compute: a.mtx, none of it used\n" },
    };
    const float ten[10] = { 1 };
    vector();
    write_file(in_folder("ten.f32"), ten, sizeof ten);
    write_file(in_folder("a.mtx"), matrix, strlen(matrix));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *words[12] = { "run", "-pthread", "-r1" };
        for (size_t w = 0; w < 8 && cases[i].words[w]; w++) {
            const char *word = cases[i].words[w];
            words[w + 3] = strchr(word, '.') ? in_folder(word) : word;
        }
        const outcome *got = run_program(COMMAND, words);
        expect_code(got, 0);
        expect_text(got->out, cases[i].heading);
    }
}

/* A .npy file of version 1, its type and shape as NumPy writes them. */
static const char *write_npy(const char *name, const char *descr, const char *shape, const void *data,
                             size_t size)
{
    char bytes[1024] = "\x93NUMPY\x01";
    const char *path = in_folder(name);
    int header =
        snprintf(bytes + 10, 200, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape);
    CU_ASSERT_FATAL((size_t)header + 10 + size <= sizeof bytes);
    bytes[8] = (char)header;
    memcpy(bytes + 10 + header, data, size);
    write_file(path, bytes, 10 + (size_t)header + size);
    return path;
}

static const double six[] = { 1, 2, 3, 4, 5, 6 };

static void multiplies_matrices_of_any_shape(void)
{
    const double column[] = { 1, 10, 100 };
    double c[8];
    const char *a = write_npy("a.npy", "<f8", "(2, 3)", six, sizeof six);
    const char *b = write_npy("b.npy", "<f8", "(3, 1)", column, sizeof column);
    const outcome *got = ALLOT_RUN("run", "gemm", "--type", "f64", "-pthread", "-r1", "--input", a, "--input",
                                   b, "--output", in_folder("c.npy"));
    expect_code(got, 0);
    expect_text(got->out, "n = 2: a.npy (2 x 3); b.npy (3 x 1)\n");
    CU_ASSERT_EQUAL_FATAL(read_npy(in_folder("c.npy"), "'shape': (2, 1)", c, 8), 2);
    CU_ASSERT(c[0] == 321 && c[1] == 654);

    got = ALLOT_RUN("run", "gemm", "--type", "f64", "-pthread", "-r1", "-n2", "--input", a, "--input", b,
                    "--output", in_folder("c.npy")); /* A to its first two columns, B repeated to two */
    expect_code(got, 0);
    expect_text(got->out,
                "a.npy (2 x 3), cut or repeated to n x n; b.npy (3 x 1), cut or repeated to n x n\n");
    CU_ASSERT_EQUAL_FATAL(read_npy(in_folder("c.npy"), "'shape': (2, 2)", c, 8), 4);
    CU_ASSERT(c[0] == 21 && c[1] == 21 && c[2] == 54 && c[3] == 54);

    got = ALLOT_RUN("run", "gemm", "--input", a, "--input", a);
    expect_code(got, 3);
    expect_text(got->err, "a.npy: B has 2 rows, and A 3 columns: they must agree, or give -n");
    got = ALLOT_RUN("run", "gemm", "--input", write_npy("cube.npy", "<f8", "(1, 2, 3)", six, sizeof six));
    expect_code(got, 3);
    expect_text(got->err, "cube.npy: 1 x 2 x 3 numbers are no matrix");
}

static void takes_arrays_of_other_types(void)
{
    static const unsigned char words[] = { 0x00, 0x08, 0xff, 0xf0 }; /* 8, -16 as big-endian 16 bits */
    static const unsigned char picture[] = "P5\n2 1\n255\n\x04\xff";
    static const char array[] = "%%MatrixMarket matrix array real general\n3 1\n1\n2\n3\n";
    static const char matrix[] = BANNER("real", "general") "2 3 2\n1 1 2\n2 3 3\n";
    double y[8];
    const char *zeroes = write_npy("zeroes.npy", "|i1", "(2,)", "\0\0", 2), *output = in_folder("y.npy");
    const char *input = write_npy("words.npy", ">i2", "(2,)", words, sizeof words);
    expect_code(ALLOT_RUN("run", "axpy", "-pinline", "-tf64", "-i", input, "-i", zeroes, "-o", output), 0);
    CU_ASSERT_EQUAL_FATAL(read_npy(output, "'shape': (2,)", y, 8), 2);
    CU_ASSERT(y[0] == 6 && y[1] == -12);

    write_file(input = in_folder("p.pgm"), picture, sizeof picture - 1);
    expect_code(ALLOT_RUN("run", "axpy", "-pinline", "-tf64", "-i", input, "-i", zeroes, "-o", output), 0);
    CU_ASSERT_EQUAL_FATAL(read_npy(output, "'shape': (2,)", y, 8), 2);
    CU_ASSERT(y[0] == 3 && y[1] == 191.25);

    write_file(in_folder("x.mtx"), array, strlen(array));
    write_file(in_folder("a.mtx"), matrix, strlen(matrix));
    expect_code(ALLOT_RUN("run", "spmv", "-pinline", "-tf64", "-i", in_folder("a.mtx"), "-i",
                          in_folder("x.mtx"), "-o", output),
                0);
    CU_ASSERT_EQUAL_FATAL(read_npy(output, "'shape': (2,)", y, 8), 2);
    CU_ASSERT(y[0] == 2 && y[1] == 9);

    const outcome *got =
        ALLOT_RUN("run", "axpy", "--input", write_npy("complex.npy", "<c16", "(3,)", six, sizeof six));
    expect_code(got, 3);
    expect_text(got->err, "complex.npy: holds complex numbers, and axpy takes real ones");
}

static void writes_a_matrix_as_a_picture(void)
{
    const float a[] = { -1, 0, 0.5f, 1 }, unit[] = { 1, 0, 0, 1 };
    char bytes[64];
    const char *first = write_npy("a.npy", "<f4", "(2, 2)", a, sizeof a);
    const char *second = write_npy("unit.npy", "<f4", "(2, 2)", unit, sizeof unit);
    expect_code(
        ALLOT_RUN("run", "gemm", "-i", first, "-i", second, "-r1", "-pthread", "-o", in_folder("c.pgm")), 0);
    CU_ASSERT_EQUAL(read_file(in_folder("c.pgm"), bytes, sizeof bytes), 15);
    CU_ASSERT_EQUAL(memcmp(bytes, "P5\n2 2\n255\n\x00\x80\xbf\xff", 15), 0);
    const outcome *got = ALLOT_RUN("run", "axpy", "-o", in_folder("y.pgm"));
    expect_code(got, 2);
    expect_text(got->err, "y.pgm: the result of axpy is no picture: write it to .npy");
    got = ALLOT_RUN("run", "gemm", "-n4", "-r1", "-pthread", "-o", in_folder("c.ppm"));
    expect_code(got, 1);
    expect_text(got->err, "c.ppm: the picture has 1 channel, and .ppm holds three: use .pgm or .png");
}

/* With weights that move the image by a pixel, and by default blurred, each channel by itself. */
static void filters_pictures(void)
{
    static const unsigned char picture[] = "P6\n2 2\n255\n\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c";
    static const unsigned char moved[] = "P6\n2 2\n255\n\x04\x05\x06\x04\x05\x06\x0a\x0b\x0c\x0a\x0b\x0c";
    static const signed char right[] = { 0, 0, 1 };
    char bytes[64];
    const char *input = in_folder("in.ppm"), *output = in_folder("out.ppm");
    write_file(input, picture, sizeof picture - 1);
    const char *weights = write_npy("right.npy", "|i1", "(1, 3)", right, sizeof right);
    const outcome *got =
        ALLOT_RUN("run", "conv2d", "-r1", "-pthread", "-i", input, "-i", weights, "-o", output);
    expect_code(got, 0);
    expect_text(got->out, "n = 2: in.ppm (2 x 2 x 3); weights right.npy (1 x 3)\n");
    CU_ASSERT_EQUAL(read_file(output, bytes, sizeof bytes), sizeof moved - 1);
    CU_ASSERT_EQUAL(memcmp(bytes, moved, sizeof moved - 1), 0);
    static const char *const kernels[] = { "conv2d", "conv2d_separable" };
    for (size_t k = 0; k < 2; k++) {
        got = ALLOT_RUN("run", kernels[k], "-r1", "-pthread", "-i", input, "-n5", "-o", output);
        expect_code(got, 0);
        expect_text(got->out, "in.ppm (2 x 2 x 3), cut or repeated to n x n; a Gaussian blur of 9 x 9\n");
        read_file(output, bytes, sizeof bytes);
        CU_ASSERT(bytes[11] < bytes[12] && bytes[12] < bytes[13]);
    }
}

static void refuses_what_are_no_weights(void)
{
    static const struct {
        const char *shape, *text;
    } cases[] = {
        { "(2, 3)", "2 x 3" }, { "(6,)", "6" }, { "(1, 2, 3)", "1 x 2 x 3" }, { "(3, 2)", "3 x 2" }
    };
    const char *image = write_npy("image.npy", "<f8", "(2, 3)", six, sizeof six);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[200];
        const char *weights = write_npy("weights.npy", "<f8", cases[i].shape, six, sizeof six);
        const outcome *got = ALLOT_RUN("run", "conv2d", "-i", image, "-i", weights);
        expect_code(got, 3);
        snprintf(text, sizeof text,
                 "weights.npy: %s numbers are no weights of conv2d: it takes an odd number", cases[i].text);
        expect_text(got->err, text);
    }
    const outcome *got = ALLOT_RUN("run", "conv2d_separable", "-i", image, "-i", image);
    expect_code(got, 2);
    expect_text(got->err, "conv2d_separable takes no more than 1 input file");
}

static void adds_products_up(void)
{
    const double y[] = { 4, 5, 6 };
    double sum[8];
    const char *second = write_npy("y.npy", "<f8", "(3,)", y, sizeof y), *output = in_folder("dot.npy");
    expect_code(ALLOT_RUN("run", "dot", "-tf64", "-pthread", "-i", vector(), "-i", second, "-o", output), 0);
    CU_ASSERT_EQUAL_FATAL(read_npy(output, "'shape': (1,)", sum, 8), 1);
    CU_ASSERT_EQUAL(sum[0], 32);
    const outcome *got =
        ALLOT_RUN("run", "dot", "-tf64", "-pthread", "-n5", "-i", vector(), "-i", second, "-o", output);
    expect_code(got, 0);
    expect_text(got->out, "x.f32, repeated to n; y.npy, repeated to n\n");
    read_npy(output, "'shape': (1,)", sum, 8);
    CU_ASSERT_EQUAL(sum[0], 32 + 14);
    got = ALLOT_RUN("run", "dot", "-o", in_folder("dot.png"));
    expect_code(got, 2);
}

/* Filters `from` with the weight 1, which changes nothing, into `to`; false where PNG is not built in. */
static bool copy_picture(const char *from, const char *to)
{
    const signed char one[] = { 1 };
    const char *weights = write_npy("one.npy", "|i1", "(1, 1)", one, sizeof one);
    const outcome *got = ALLOT_RUN("run", "conv2d", "-r1", "-pthread", "-i", from, "-i", weights, "-o", to);
    if (got->code == 2 && strstr(to, ".png"))
        return false;
    expect_code(got, 0);
    expect_text(got->out, "weights one.npy (1 x 1)\n");
    return true;
}

static void copies_pictures_through_png_bit_for_bit(void)
{
    static const struct {
        const char *name, *copy;
        const char *bytes;
        size_t size;
    } cases[] = {
        { "a.ppm", "b.ppm", "P6\n2 1\n255\n\x00\xff\x01\xfe\x80\x7f", 17 },
        { "a.pgm", "b.pgm", "P5\n3 1\n255\n\x00\xff\x80", 14 },
        { "c.pgm", "d.pgm", "P5\n2 2\n65535\n\x00\x00\xff\xff\x12\x34\x00\xff", 21 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[64];
        write_file(in_folder(cases[i].name), cases[i].bytes, cases[i].size);
        if (!copy_picture(in_folder(cases[i].name), in_folder("between.png")))
            return;
        copy_picture(in_folder("between.png"), in_folder(cases[i].copy));
        CU_ASSERT_EQUAL(read_file(in_folder(cases[i].copy), bytes, sizeof bytes), cases[i].size);
        CU_ASSERT_EQUAL(memcmp(bytes, cases[i].bytes, cases[i].size), 0);
    }
}

static void blurs_the_photograph(void)
{
    static char picture[1024 * 1024];
    struct stat status;
    const char *output = in_folder("blurred.ppm");
    const outcome *got = ALLOT_RUN("run", "conv2d", "-r1", "-pthread", "--data", TEST_DATA, "-o", output);
    expect_code(got, 0);
    expect_text(got->out, "n = 512: astronaut.ppm (512 x 512 x 3); a Gaussian blur of 9 x 9\n");
    CU_ASSERT_EQUAL(read_file(output, picture, sizeof picture), 786447);
    CU_ASSERT_EQUAL(memcmp(picture, "P6\n512 512\n255\n", 15), 0);
    got = ALLOT_RUN("run", "conv2d", "-r1", "-pthread", "--data", TEST_DATA, "-o", in_folder("blurred.pgm"));
    expect_code(got, 1);
    expect_text(got->err, "blurred.pgm: the picture has 3 channels, and .pgm holds one: use .ppm or .png");
    CU_ASSERT(stat(in_folder("blurred.pgm"), &status) != 0);
}

static void writes_the_result_of_every_kernel_and_says_so_as_json(void)
{
    static const struct {
        const char *kernel, *input;
    } cases[] = {
        { "axpy", "ecg_108000.f32, cut to n" },
        { "dot", "ecg_108000.f32, cut to n" },
        { "gemm", "seeded values" },
        { "spmv", "bcsstk13.mtx" },
        { "conv2d", "astronaut.ppm" },
        { "conv2d_separable", "astronaut.ppm" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char magic[16];
        const char *output = in_folder("result.npy");
        const outcome *got = ALLOT_RUN("run", cases[i].kernel, "-j", "-r1", "-n20", "-pthread", "--data",
                                       TEST_DATA, "--output", output);
        expect_code(got, 0);
        json_t *row = parse_json(got->out);
        CU_ASSERT(json_is_true(json_object_get(row, "verified")));
        expect_text(json_string_value(json_object_get(row, "input")), cases[i].input);
        json_decref(row);
        CU_ASSERT(read_file(output, magic, sizeof magic) == sizeof magic - 1 &&
                  memcmp(magic, "\x93NUMPY", 6) == 0);
        unlink(output);
        expect_code(ALLOT_RUN("run", cases[i].kernel, "--input", "/nonexistent.npy"), 3);
        expect_code(ALLOT_RUN("run", cases[i].kernel, "--data", "/nonexistent"),
                    strcmp(cases[i].kernel, "gemm") ? 3 : 0);
    }
}

static void tells_a_malformed_file_as_json_too(void)
{
    write_file(in_folder("bad.npy"), "hello", 5);
    const outcome *got = ALLOT_RUN("run", "axpy", "--json", "--input", in_folder("bad.npy"));
    expect_code(got, 3);
    expect_text(got->err, "bad.npy: byte 0: does not begin with");
    json_t *object = parse_json(got->out);
    expect_text(json_string_value(json_object_get(object, "error")), "bad.npy: byte 0: does not begin with");
    json_decref(object);
}

/* Headers that claim 4 GiB and more. */
static void believes_no_header(void)
{
    static const char *const names[] = { "npy/bad_4gib.npy",
                                         "npy/bad_header_claim.npy",
                                         "npy/bad_shape_claim.npy",
                                         "pnm/bad_4gib.pgm",
                                         "pnm/bad_claim_text.ppm",
                                         "png/bad_4gib.png",
                                         "png/bad_chunk_claim.png",
                                         "matrix_market/bad_claim.mtx",
                                         "matrix_market/bad_rows_claim.mtx",
                                         "matrix_market/bad_array_claim.mtx" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1000];
        snprintf(path, sizeof path, "%s/../../tests/fuzz/seeds/%s", TEST_DATA, names[i]);
        const outcome *got = ALLOT_RUN("run", "axpy", "--input", path);
        expect_code(got, 3);
        expect_text(got->err, strchr(names[i], '/'));
        CU_ASSERT(got->resident_kib < 200 * 1024);
    }
}

int main(void)
{
    static const test_fact facts[] = {
        { "reads general, symmetric, integer and pattern matrices, CRLF too", reads_matrices },
        { "repeats a matrix along the diagonal", repeats_a_matrix_along_the_diagonal },
        { "writes the result of one axpy", applies_axpy_once },
        { "multiplies two matrices from files", multiplies_matrices },
        { "names file and line of a malformed matrix", names_the_line_of_a_malformed_matrix },
        { "names file and byte of a malformed series", names_the_byte_of_a_malformed_series },
        { "refuses what is no input file", refuses_what_is_no_input_file },
        { "takes no harm from a file cut anywhere", takes_no_harm_from_a_file_cut_anywhere },
        { "takes no harm from a byte changed anywhere", takes_no_harm_from_a_byte_changed_anywhere },
        { "says where a result cannot be written", leaves_nothing_where_the_result_cannot_be_written },
        { "checks the output before the first run", checks_the_output_before_the_first_run },
        { "shows a result that could not be written", shows_a_result_that_could_not_be_written },
        { "says what was made of the input", says_what_was_made_of_the_input },
        { "multiplies matrices of any shape, and cuts them when told to", multiplies_matrices_of_any_shape },
        { "takes arrays of other types, pictures and Matrix Market arrays", takes_arrays_of_other_types },
        { "writes a matrix as a picture", writes_a_matrix_as_a_picture },
        { "filters pictures with weights from a file, or blurs them", filters_pictures },
        { "refuses what are no weights by their shape", refuses_what_are_no_weights },
        { "adds the products of two series up", adds_products_up },
        { "copies pictures through PNG bit for bit", copies_pictures_through_png_bit_for_bit },
        { "blurs the photograph", blurs_the_photograph },
        { "writes the result of every kernel, and says so as JSON",
          writes_the_result_of_every_kernel_and_says_so_as_json },
        { "tells a malformed file as JSON too", tells_a_malformed_file_as_json_too },
        { "believes no header that claims gigabytes", believes_no_header },
        { NULL, NULL },
    };
    int code = test_main("cli_input", facts);
    remove_folder();
    return code;
}
