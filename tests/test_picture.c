/* The picture that `allot compare` draws: what is in it, and what happens where it cannot be drawn. */
#include "command.h"

#define COMPARE(folder)                                                                                      \
    ALLOT_RUN("compare", "--kernels", "axpy,gemm", "--sizes", "axpy=1000,axpy=10,gemm=8", "--places",        \
              "thread,inline,auto", "--repeat", "3", "--out", folder)

/* With whatever tool knows XML; without one, that the last element is there. */
static bool is_well_formed(const char *path)
{
    char command[600];
    snprintf(command, sizeof command,
             "if command -v xmllint > /dev/null; then xmllint --noout '%s'\n"
             "elif command -v python3 > /dev/null; then python3 -c "
             "'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' '%s'\n"
             "else tail -n 2 '%s' | grep -q '</svg>'; fi",
             path, path, path);
    return system(command) == 0;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void names_every_kernel_place_and_unit(void)
{
    static char svg[512 * 1024];
    static const char *const words[] = {
        "axpy f32", "axpy f64", "gemm f32", "gemm f64", ">thread<", ">inline<",           ">auto<",    "GB/s",
        "GFLOP/s",  ">1,000<",  ">10<",     ">n<",      ">8<",      "Throughput by size", "p10 to p90"
    };
    const outcome *got = COMPARE(in_folder("drawn"));
    expect_code(got, 0);
    expect_text(got->out, "drawn/compare.svg");
    CU_ASSERT_PTR_NULL(strstr(got->err, "no picture"));
    CU_ASSERT(is_well_formed(in_folder("drawn/compare.svg")));
    read_file(in_folder("drawn/compare.svg"), svg, sizeof svg);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        expect_text(svg, words[i]);
    CU_ASSERT_PTR_NULL(strstr(svg, "scale(0.00)")); /* some programs refuse a picture with such a point */
}

static void keeps_what_draws_it_again(void)
{
    static char data[16384];
    char command[300];
    expect_code(COMPARE(in_folder("again")), 0);
    read_file(in_folder("again/compare.dat"), data, sizeof data);
    const char *small = strstr(data, "# axpy f32 inline\n10 "),
               *large = small ? strstr(small, "\n1000 ") : NULL;
    CU_ASSERT_PTR_NOT_NULL(small);
    CU_ASSERT_PTR_NOT_NULL(large); /* by size, in whatever order they were asked for */
    CU_ASSERT_EQUAL(unlink(in_folder("again/compare.svg")), 0);
    snprintf(command, sizeof command, "cd '%s' && gnuplot -d compare.gp", in_folder("again"));
    CU_ASSERT_EQUAL(system(command), 0);
    CU_ASSERT(is_well_formed(in_folder("again/compare.svg")));
}

static void draws_one_size_of_one_type(void)
{
    const outcome *got = ALLOT_RUN("compare", "-k", "spmv", "-n", "100", "-t", "f32", "-p", "thread", "-r",
                                   "3", "--json", "-o", in_folder("it's one"));
    expect_code(got, 0);
    json_decref(parse_json(got->out)); /* nothing else is printed there */
    CU_ASSERT(is_there(in_folder("it's one/compare.svg")));
}

/* Runs it with PATH leading to that folder alone. */
static const outcome *compare_with_path(const char *path, const char *out)
{
    char before[4096];
    snprintf(before, sizeof before, "%s", getenv("PATH") ? getenv("PATH") : "");
    setenv("PATH", path, 1);
    const outcome *got = COMPARE(out);
    setenv("PATH", before, 1);
    return got;
}

static void does_without_gnuplot(void)
{
    mkdir(in_folder("none"), 0700);
    write_file(in_folder("none/compare.svg"), "old", 3);
    const outcome *got = compare_with_path(in_folder("nowhere"), in_folder("none"));
    expect_code(got, 0);
    expect_text(got->err, "allot compare: no picture: gnuplot was not found (Debian: gnuplot-nox); ");
    expect_text(got->out, "none/compare.csv");
    CU_ASSERT(is_there(in_folder("none/compare.gp")));
    CU_ASSERT(is_there(in_folder("none/compare.dat")));
    CU_ASSERT_FALSE(is_there(in_folder("none/compare.svg"))); /* the old one would not show these figures */
}

static void says_why_gnuplot_failed(void)
{
    static const char script[] = "#!/bin/sh\nprintf '<svg>' > compare.svg\necho 'line 7: what is svg?' >&2\n"
                                 "echo >&2\nexit 1\n";
    mkdir(in_folder("broken"), 0700);
    write_file(in_folder("broken/gnuplot"), script, sizeof script - 1);
    chmod(in_folder("broken/gnuplot"), 0700);
    const outcome *got = compare_with_path(in_folder("broken"), in_folder("half"));
    expect_code(got, 0);
    expect_text(got->err, "no picture: gnuplot failed: line 7: what is svg?; ");
    CU_ASSERT_FALSE(is_there(in_folder("half/compare.svg")));
}

static void refuses_what_cannot_be_written_first(void)
{
    static const char *const names[] = { "compare.svg", "compare.gp", "compare.dat" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[100];
        snprintf(path, sizeof path, "taken%zu", i);
        mkdir(in_folder(path), 0700);
        snprintf(path, sizeof path, "taken%zu/%s", i, names[i]);
        mkdir(in_folder(path), 0700);
        snprintf(path, sizeof path, "taken%zu", i);
        const outcome *got = COMPARE(in_folder(path));
        expect_code(got, 1);
        expect_text(got->err, names[i]);
        expect_text(got->err, "cannot be written: Is a directory");
        CU_ASSERT_PTR_NULL(strstr(got->err, "[1/")); /* nothing was run */
    }
}

int main(void)
{
    static const test_fact facts[] = {
        { "names every kernel, place and unit", names_every_kernel_place_and_unit },
        { "keeps what draws it again", keeps_what_draws_it_again },
        { "draws one size of one type", draws_one_size_of_one_type },
        { "does without gnuplot", does_without_gnuplot },
        { "says why gnuplot failed", says_why_gnuplot_failed },
        { "refuses what cannot be written before it runs", refuses_what_cannot_be_written_first },
        { NULL, NULL },
    };
    if (system("command -v gnuplot > /dev/null 2>&1") != 0)
        return test_skip("no gnuplot here");
    setenv("ALLOT_DATA", TEST_DATA, 1);
    int code = test_main("picture", facts);
    remove_folder();
    return code;
}
