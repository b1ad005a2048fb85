/* Quarantine, with real drivers that crash and hang (bad_icd/): the command runs beside them as a user would
 * run it, and never loads them. */
#include "command.h"
#include "places/opencl/verdicts.h"
#include "support.h"
#include <allot/numeric.h>

#define GOOD_ICD "/etc/OpenCL/vendors/pocl.icd"
#define BAD_ICD  TEST_BINARY_DIR "/tests/"

/* ---- A folder of drivers, as OCL_ICD_VENDORS names one ---- */

static void add_driver(const char *name, const char *library)
{
    char path[300];
    snprintf(path, sizeof path, "%s/vendors/%s.icd", folder(), name);
    write_file(path, library, strlen(library));
}

/* Only PoCL, and no verdicts yet. */
static void begin_folder(void)
{
    char text[300], command[700];
    snprintf(command, sizeof command, "rm -rf '%s/vendors' '%s/verdicts' && mkdir -p '%s/vendors'", folder(),
             folder(), folder());
    REQUIRE(system(command) == 0);
    REQUIRE(read_file(GOOD_ICD, text, sizeof text) > 0);
    add_driver("good", text);
    setenv("OCL_ICD_VENDORS", in_folder("vendors"), 1);
    setenv("ALLOT_QUARANTINE", in_folder("verdicts"), 1);
    unsetenv("ALLOT_QUARANTINE_S");
}

static json_t *info(const outcome **got)
{
    *got = ALLOT_RUN("info", "--json");
    expect_code(*got, 0);
    return parse_json((*got)->out);
}

static const json_t *driver_of(const json_t *all, const char *name)
{
    size_t i;
    const json_t *it;
    json_array_foreach(json_object_get(all, "drivers"), i,
                       it) if (strstr(json_string_value(json_object_get(it, "file")), name)) return it;
    return NULL;
}

static const char *text_of(const json_t *it, const char *key)
{
    const char *text = json_string_value(json_object_get(it, key));
    return text ? text : "(nothing)";
}

static bool has_device(const json_t *all)
{
    size_t i;
    const json_t *it;
    json_array_foreach(json_object_get(all, "places"), i,
                       it) if (strcmp(text_of(it, "kind"), "opencl") == 0 &&
                               strcmp(text_of(it, "state"), "ready") == 0) return true;
    return false;
}

static void check_driver(const json_t *all, const char *name, const char *state, bool remembered)
{
    const json_t *it = driver_of(all, name);
    CU_ASSERT_STRING_EQUAL(text_of(it, "state"), state);
    CHECK(json_boolean_value(json_object_get(it, "remembered")) == remembered);
}

/* ---- Bad ones ---- */

/* It is left out with these words, at first and when it is remembered; the other one works. */
static void check_left_out(const char *name, const char *words)
{
    for (int remembered = 0; remembered < 2; remembered++) {
        const outcome *got;
        json_t *all = info(&got);
        check_driver(all, name, "left out", remembered);
        check_driver(all, "good.icd", "good", remembered);
        expect_text(text_of(driver_of(all, name), "message"), words);
        expect_text(text_of(all, "devices_message"), name);
        expect_text(got->err, name); /* the warning */
        CHECK(has_device(all));
        json_decref(all);
    }
}

static void leaves_out_a_crash(void)
{
    begin_folder();
    add_driver("crashes", BAD_ICD "libicd_crashes.so\n");
    check_left_out("crashes.icd", "SIGSEGV while it was loaded");
    expect_code(ALLOT_RUN("run", "axpy", "-n", "10000", "--place", "opencl"), 0);
}

static void leaves_out_a_crash_at_loading(void)
{
    begin_folder();
    add_driver("dies", BAD_ICD "libicd_dies.so\n");
    check_left_out("dies.icd", "SIGABRT");
}

static void leaves_out_a_hang(void)
{
    begin_folder();
    add_driver("hangs", BAD_ICD "libicd_hangs.so\n");
    setenv("ALLOT_QUARANTINE_S", TEST_SANITIZED ? "8" : "4", 1);
    check_left_out("hangs.icd", "did not come back within");
}

static void goes_on_without_any_good_one(void)
{
    const outcome *got;
    begin_folder();
    add_driver("good", BAD_ICD "libicd_crashes.so\n");
    json_t *all = info(&got);
    CHECK(!has_device(all));
    expect_text(text_of(all, "devices_message"), "left out");
    expect_text(text_of(all, "devices_message"), "no OpenCL platform");
    json_decref(all);
    expect_code(ALLOT_RUN("run", "axpy", "-n", "10000"), 0);
}

/* The search's own words come after those on any number of drivers. */
static void says_the_last_word_after_many_bad_ones(void)
{
    const outcome *got;
    begin_folder();
    add_driver("good", BAD_ICD "libicd_dies.so\n");
    for (int i = 0; i < 40; i++) {
        char name[40];
        snprintf(name, sizeof name, "one-of-many-bad-drivers-%d", i);
        add_driver(name, BAD_ICD "libicd_dies.so\n");
    }
    json_t *all = info(&got);
    expect_text(text_of(all, "devices_message"), "more drivers are left out; no OpenCL platform");
    expect_text(text_of(all, "devices_message"), "OCL_ICD_VENDORS leads nowhere");
    json_decref(all);
}

/* ---- What does no harm ---- */

static void shows_no_raw_bytes(void)
{
    begin_folder();
    add_driver("junk", "\033[31mred\x9b\xff \007\177 \xc3\xbc.so\n");
    setenv("ALLOT_LOG", "info", 1);
    const outcome *got = ALLOT_RUN("info");
    unsetenv("ALLOT_LOG");
    expect_code(got, 0);
    expect_text(got->out, "\\x1b[31mred\\x9b\\xff \\x07\\x7f \xc3\xbc.so: cannot open");
    for (const char *at = got->out; *at; at++)
        CHECK((unsigned char)*at >= ' ' || *at == '\n');
    expect_text(got->err, "\\x1b[31mred");
    CHECK(!strchr(got->err, '\033'));
}

static void passes_by_what_cannot_be_loaded(void)
{
    const outcome *got;
    begin_folder();
    add_driver("missing", "/nowhere/libmissing.so\n");
    add_driver("noelf", GOOD_ICD "\n");
    add_driver("empty", "");
    add_driver("nodriver", "libm.so.6\n");
    json_t *all = info(&got);
    check_driver(all, "missing.icd", "of no use", false);
    check_driver(all, "noelf.icd", "of no use", false);
    check_driver(all, "empty.icd", "of no use", false);
    check_driver(all, "nodriver.icd", "of no use", false);
    check_driver(all, "good.icd", "good", false);
    expect_text(text_of(driver_of(all, "missing.icd"), "message"), "libmissing.so");
    CU_ASSERT_STRING_EQUAL(text_of(all, "devices_message"), "");
    CHECK(has_device(all));
    json_decref(all);
}

/* ---- Verdicts ---- */

static void tries_what_was_replaced(void)
{
    const outcome *got;
    char text[300];
    begin_folder();
    add_driver("other", BAD_ICD "libicd_crashes.so\n");
    json_decref(info(&got));
    read_file(GOOD_ICD, text, sizeof text);
    add_driver("other", text);
    json_t *all = info(&got);
    check_driver(all, "other.icd", "good", false);
    check_driver(all, "good.icd", "good", true);
    json_decref(all);
}

static void mends_its_file(void)
{
    const outcome *got;
    begin_folder();
    json_decref(info(&got));
    write_file(in_folder("verdicts"), "allot-drivers 1\nrubbish\n", 24);
    for (int again = 0; again < 2; again++) {
        json_t *all = info(&got);
        check_driver(all, "good.icd", "good", again);
        json_decref(all);
    }
}

static void works_where_nothing_can_be_written(void)
{
    const outcome *got;
    begin_folder();
    setenv("ALLOT_QUARANTINE", "/proc/none/verdicts", 1);
    for (int again = 0; again < 2; again++) {
        json_t *all = info(&got);
        check_driver(all, "good.icd", "good", false);
        CHECK(has_device(all));
        json_decref(all);
    }
}

static void can_be_switched_off(void)
{
    const outcome *got;
    begin_folder();
    setenv("ALLOT_QUARANTINE", "off", 1);
    json_t *all = info(&got);
    check_driver(all, "good.icd", "not tried", false);
    expect_text(text_of(driver_of(all, "good.icd"), "message"), "ALLOT_QUARANTINE");
    CHECK(has_device(all));
    json_decref(all);
}

static al_icd an_icd(void)
{
    static char file[300], library[] = BAD_ICD "libicd_crashes.so";
    snprintf(file, sizeof file, "%s/vendors/good.icd", folder());
    return (al_icd){ file, library };
}

static bool is_kept(const al_verdict *now)
{
    size_t count;
    al_verdict *kept = al_verdicts_read(in_folder("verdicts"), &count);
    bool found = al_verdicts_find(kept, count, now) != NULL;
    free(kept);
    return found;
}

static void forgets_bad_verdicts_in_time(void)
{
    al_icd icd = an_icd();
    static al_verdict verdict, now;
    begin_folder();
    REQUIRE(al_verdict_begin(&verdict, &icd));
    verdict.state = ALLOT_DRIVER_LEFT_OUT;
    snprintf(verdict.message, sizeof verdict.message, "100 %% broken, and\nin two lines");
    REQUIRE(al_verdicts_add(in_folder("verdicts"), &verdict));
    REQUIRE(al_verdict_begin(&now, &icd));
    CHECK(is_kept(&now));
    now.when_s = verdict.when_s + AL_VERDICT_BAD_S + 1;
    CHECK(!is_kept(&now));
    now.when_s = verdict.when_s - 1; /* the calendar was set back */
    CHECK(!is_kept(&now));
    verdict.state = ALLOT_DRIVER_GOOD;
    REQUIRE(al_verdicts_add(in_folder("verdicts"), &verdict));
    now.when_s = verdict.when_s + 10 * AL_VERDICT_BAD_S;
    CHECK(is_kept(&now));
}

static void holds_for_the_same_files_alone(void)
{
    al_icd icd = an_icd();
    static al_verdict verdict, now;
    size_t count;
    begin_folder();
    REQUIRE(al_verdict_begin(&verdict, &icd));
    verdict.state = ALLOT_DRIVER_GOOD;
    REQUIRE(al_verdicts_add(in_folder("verdicts"), &verdict));
    REQUIRE(al_verdicts_add(in_folder("verdicts"), &verdict)); /* in place of the first */
    free(al_verdicts_read(in_folder("verdicts"), &count));
    CU_ASSERT_EQUAL(count, 1);
    now = verdict;
    now.library_stamp.changed_ns++;
    CHECK(!is_kept(&now));
    now = verdict;
    now.file_stamp.bytes++;
    CHECK(!is_kept(&now));
    setenv("POCL_ANYTHING", "1", 1);
    REQUIRE(al_verdict_begin(&now, &icd));
    unsetenv("POCL_ANYTHING");
    CHECK(!is_kept(&now));
}

/* ---- A program that was quicker ---- */

static void says_when_it_comes_too_late(void)
{
    cl_uint count;
    allot_driver_info drivers[8];
    begin_folder();
    clGetPlatformIDs(0, NULL, &count);
    allot_executor *executor = allot_open(NULL);
    REQUIRE(executor != NULL);
    for (size_t i = 0; i < 8; i++)
        drivers[i].size = sizeof drivers[i];
    CU_ASSERT_EQUAL(allot_drivers(executor, drivers, 8), 1);
    CU_ASSERT_EQUAL(drivers[0].state, ALLOT_DRIVER_UNTRIED);
    expect_text(drivers[0].message, "has loaded OpenCL drivers before");
    CHECK(has_place(executor, ALLOT_OPENCL));
    CU_ASSERT_EQUAL(allot_drivers(NULL, drivers, 8), 0);
    CU_ASSERT_EQUAL(count_children(), 0);
    allot_close(executor);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "leaves out a driver that crashes", leaves_out_a_crash },
        { "leaves out a driver that crashes when it is loaded", leaves_out_a_crash_at_loading },
        { "leaves out a driver that hangs", leaves_out_a_hang },
        { "goes on without devices where there is no other", goes_on_without_any_good_one },
        { "says the last word after many bad ones", says_the_last_word_after_many_bad_ones },
        { "shows no raw bytes of a file that names no library", shows_no_raw_bytes },
        { "passes by what is missing, no library, or no driver", passes_by_what_cannot_be_loaded },
        { "tries a driver anew that was replaced", tries_what_was_replaced },
        { "mends its file", mends_its_file },
        { "works where nothing can be written", works_where_nothing_can_be_written },
        { "can be switched off", can_be_switched_off },
        { "forgets bad verdicts in time, and good ones not", forgets_bad_verdicts_in_time },
        { "takes a verdict for the same files and environment alone", holds_for_the_same_files_alone },
        { "says so where the program has loaded drivers before", says_when_it_comes_too_late },
        { NULL, NULL },
    };
    if (access(GOOD_ICD, R_OK) != 0)
        return 77; /* a machine without PoCL */
    unsetenv("RUSTICL_ENABLE");
    unsetenv("OCL_ICD_FILENAMES");
    setenv("TEST_WATCHDOG_S", "120", 0); /* it waits for drivers that hang, and starts the command often */
    int result = watched_main(argc, argv, &(const watched_suite){ "quarantine", facts, NULL }, 1);
    remove_folder();
    return result;
}
