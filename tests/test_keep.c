/* The model's file: found, kept, shared between processes, healed. */
#include "placement/keep.h"
#include "placement/merge.h"
#include "placement/prior.h"
#include "command.h"
#include "support.h"
#include <allot/model.h>
#include <math.h>
#include <sys/stat.h>

#define MS 1e-3

static const al_model_key on_threads = { "axpy", ALLOT_F32, "thread", ALLOT_THREAD, 2 };

static al_model *kept(const char *path)
{
    al_model *model = al_model_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    CU_ASSERT_TRUE(al_keep_begin(model, path, false));
    return model;
}

static void learn(al_model *model, const char *kernel, double run_s, int times)
{
    al_model_key key = on_threads;
    key.kernel = kernel;
    for (int i = 0; i < times; i++)
        al_model_learn(model, &key, (allot_work){ 2e6, 12e6 }, run_s, 0);
}

static al_prediction predict(al_model *model, const char *kernel)
{
    al_prediction prediction;
    al_model_key key = on_threads;
    key.kernel = kernel;
    al_model_predict(model, &key, (allot_work){ 2e6, 12e6 }, &prediction);
    return prediction;
}

static void save(al_model *model)
{
    al_failure failure = { 0 };
    CHECK_STATUS(al_keep_save(model, &failure), ALLOT_OK);
    al_failure_fini(&failure);
}

/* ---- Where ---- */

static void with_environment(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void finds_its_file(void)
{
    static const struct {
        const char *wanted, *model, *cache, *home, *path; /* how it begins; NULL: not kept */
    } rows[] = {
        { "off", "/m", "/c", "/h", NULL },
        { NULL, "off", "/c", "/h", NULL },
        { "/w", "/m", "/c", "/h", "/w" },
        { "/w", "off", "/c", "/h", "/w" },
        { NULL, "/m", "/c", "/h", "/m" },
        { "", "/m", "/c", "/h", "/m" },
        { NULL, NULL, "/c", "/h", "/c/allot/model-" },
        { NULL, "", "/c", "/h", "/c/allot/model-" },
        { NULL, NULL, NULL, "/h", "/h/.cache/allot/model-" },
        { NULL, NULL, "relative", "/h", "/h/.cache/allot/model-" },
        { NULL, NULL, NULL, NULL, NULL },
        { NULL, NULL, NULL, "", NULL },
    };
    const char *const names[] = { "XDG_CACHE_HOME", "HOME" };
    char *before[2];
    for (size_t i = 0; i < 2; i++)
        before[i] = getenv(names[i]) ? strdup(getenv(names[i])) : NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        with_environment("ALLOT_MODEL", rows[i].model);
        with_environment(names[0], rows[i].cache);
        with_environment(names[1], rows[i].home);
        al_model *model = kept(rows[i].wanted);
        const char *path = al_keep_path(model), *wanted = rows[i].path;
        CU_ASSERT_TRUE(wanted ? path && strncmp(path, wanted, strlen(wanted)) == 0 : !path);
        al_model_destroy(model);
    }
    setenv("ALLOT_MODEL", "off", 1);
    for (size_t i = 0; i < 2; i++) {
        with_environment(names[i], before[i]);
        free(before[i]);
    }
}

static void tells_its_machine(void)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(al_keep_machine(), "flags "));
    CU_ASSERT_PTR_NOT_NULL(strstr(al_keep_machine(), allot_version()));
    CU_ASSERT_PTR_NULL(strchr(al_keep_machine(), '\n'));
}

/* ---- From run to run ---- */

static void is_there_the_next_time(void)
{
    const char *path = in_folder("deep/down/model");
    al_model *first = kept(path);
    learn(first, "axpy", 2 * MS, 10);
    save(first);
    al_model_destroy(first);
    al_model *second = kept(path);
    CU_ASSERT_EQUAL(predict(second, "axpy").samples, 10);
    CU_ASSERT_TRUE(fabs(log(predict(second, "axpy").run_s / (2 * MS))) < 0.05);
    CU_ASSERT_FALSE(al_model_has_news(second));
    al_model_destroy(second);
}

static void two_at_once_lose_nothing(void)
{
    const char *path = in_folder("two");
    al_model *first = kept(path), *second = kept(path);
    predict(first, "axpy");
    predict(second, "axpy");
    learn(first, "axpy", 1 * MS, 5);
    learn(second, "dot", 2 * MS, 5);
    save(first);
    save(second);
    learn(first, "gemm", 3 * MS, 5);
    save(first);
    al_model *third = kept(path);
    CU_ASSERT_EQUAL(predict(third, "axpy").samples, 5);
    CU_ASSERT_EQUAL(predict(third, "dot").samples, 5);
    CU_ASSERT_EQUAL(predict(third, "gemm").samples, 5);
    al_model_destroy(first);
    al_model_destroy(second);
    al_model_destroy(third);
}

enum {
    SAVERS = 4,
    SAVES = 10
};

static void *learn_and_save(void *of)
{
    char name[16], path[200];
    snprintf(path, sizeof path, "%s/many", folder()); /* in_folder() is for one thread */
    for (int i = 0; i < SAVES; i++) {
        al_model *model = kept(path);
        snprintf(name, sizeof name, "k%d_%d", (int)(intptr_t)of, i);
        learn(model, name, MS, 3);
        save(model);
        al_model_destroy(model);
    }
    return NULL;
}

static void many_at_once_lose_nothing(void)
{
    pthread_t savers[SAVERS];
    folder();
    for (size_t i = 0; i < SAVERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&savers[i], NULL, learn_and_save, (void *)(intptr_t)i), 0);
    for (size_t i = 0; i < SAVERS; i++)
        pthread_join(savers[i], NULL);
    al_model *model = kept(in_folder("many"));
    char name[16];
    for (int i = 0; i < SAVERS * SAVES; i++) {
        snprintf(name, sizeof name, "k%d_%d", i / SAVES, i % SAVES);
        CU_ASSERT_EQUAL(predict(model, name).samples, 3);
    }
    al_model_destroy(model);
}

static void without_news_nothing_is_written(void)
{
    const char *path = in_folder("idle");
    al_model *model = kept(path);
    predict(model, "axpy");
    save(model);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    al_model_destroy(model);
}

/* ---- What is not ours ---- */

static char warning[1200];

static void note_warning(allot_log_level level, const char *line, void *user)
{
    (void)user;
    if (level <= ALLOT_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", line);
}

static void is_ignored_and_healed(const char *text, size_t size, const char *says)
{
    const char *path = in_folder("odd");
    write_file(path, text, size);
    warning[0] = '\0';
    allot_set_log(note_warning, NULL, ALLOT_LOG_WARNING);
    al_model *model = kept(path);
    CU_ASSERT_EQUAL(predict(model, "axpy").samples, 0);
    expect_text(warning, says);
    learn(model, "axpy", MS, 4);
    save(model);
    al_model_destroy(model);
    warning[0] = '\0';
    model = kept(path);
    CU_ASSERT_EQUAL(predict(model, "axpy").samples, 4);
    CU_ASSERT_EQUAL(warning[0], '\0');
    al_model_destroy(model);
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

static void what_is_damaged_is_healed(void)
{
    static char text[64 * 1024];
    const char *path = in_folder("good");
    al_model *model = kept(path);
    learn(model, "axpy", MS, 4);
    save(model);
    al_model_destroy(model);
    size_t size = read_file(path, text, sizeof text);
    is_ignored_and_healed("", 0, "not a model");
    is_ignored_and_healed("\0\0\0\0", 4, "not a model");
    is_ignored_and_healed(text, size / 2, "cut off");
    text[size / 2] ^= 1;
    is_ignored_and_healed(text, size, "checksum is wrong");
}

static void what_is_of_another_machine_is_ignored(void)
{
    static const char text[] = "allot-model 1\nmachine another\n";
    char whole[200];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    int size = snprintf(whole, sizeof whole, "%send %016llx\n", text, (unsigned long long)hash);
    is_ignored_and_healed(whole, (size_t)size, "of another machine or version: another");
}

static void a_folder_in_its_place_is_no_file(void)
{
    al_failure failure = { 0 };
    const char *path = in_folder("folder");
    mkdir(path, 0700);
    allot_set_log(note_warning, NULL, ALLOT_LOG_WARNING);
    al_model *model = kept(path);
    learn(model, "axpy", MS, 4);
    expect_text(warning, "is no file of a model");
    CHECK_STATUS(al_keep_save(model, &failure), ALLOT_SYSTEM);
    expect_text(failure.message, path);
    al_failure_fini(&failure);
    al_model_destroy(model);
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

/* ---- Through an executor ---- */

static allot_executor *opened(const char *path)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = 2, .places = ALLOT_KIND_BIT(ALLOT_THREAD), .model = path));
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    return executor;
}

static void launch(allot_executor *executor, int times)
{
    enum {
        N = 10000
    };
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 1),
                *y = allot_array_full(executor, ALLOT_F32, N, 1);
    for (int i = 0; i < times; i++) {
        allot_future *future = allot_launch(executor, allot_axpy(), allot_range(N),
                                            ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), NULL);
        CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
        allot_release(future);
    }
    allot_array_release(x);
    allot_array_release(y);
}

/* What its launches taught; it takes no more of them. */
static uint64_t runs_known(allot_executor *executor)
{
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN),
                 ALLOT_OK); /* a launch is learned after its future is done */
    allot_model_row rows[64] = { { .size = sizeof rows[0] } };
    size_t count = allot_model_rows(executor, rows, 64);
    uint64_t runs = 0;
    for (size_t i = 0; i < count && i < 64; i++)
        if (rows[i].subject == ALLOT_MODEL_RUN && strcmp(rows[i].kernel, "axpy") == 0)
            runs += rows[i].samples;
    return runs;
}

static void an_executor_keeps_what_it_learned(void)
{
    const char *path = in_folder("executor");
    allot_executor *executor = opened(path);
    CU_ASSERT_STRING_EQUAL(allot_model_path(executor), path);
    CU_ASSERT_EQUAL(allot_model_rows(executor, NULL, 0), 0);
    launch(executor, 5);
    CU_ASSERT_EQUAL(runs_known(executor), 5);
    allot_close(executor);
    executor = opened(path);
    launch(executor, 3);
    CU_ASSERT_EQUAL(runs_known(executor), 8);
    CHECK_STATUS(allot_model_save(executor), ALLOT_OK);
    allot_close(executor);
    executor = opened(path);
    CU_ASSERT_EQUAL(runs_known(executor), 8);
    allot_close(executor);
}

static void exports_imports_and_resets(void)
{
    const char *path = in_folder("one"), *other = in_folder("other"), *file = in_folder("exported");
    allot_executor *executor = opened(path);
    launch(executor, 4);
    CU_ASSERT_EQUAL(runs_known(executor), 4);
    CHECK_STATUS(allot_model_export(executor, file), ALLOT_OK);
    allot_close(executor);
    executor = opened(other);
    CHECK_STATUS(allot_model_import(executor, file, false), ALLOT_OK);
    CU_ASSERT_EQUAL(runs_known(executor), 4);
    allot_close(executor);
    CU_ASSERT_EQUAL(access(other, F_OK), 0);
    executor = opened(other);
    CU_ASSERT_EQUAL(runs_known(executor), 4);
    CHECK_STATUS(allot_model_reset(executor), ALLOT_OK);
    CU_ASSERT_EQUAL(runs_known(executor), 0);
    CU_ASSERT_NOT_EQUAL(access(other, F_OK), 0);
    allot_close(executor);
}

static void refuses_what_cannot_be(void)
{
    const char *path = in_folder("refuses");
    allot_model_rates rates = { 0 };
    allot_executor *executor = opened(path);
    CHECK_STATUS(allot_model_import(executor, in_folder("nowhere"), false), ALLOT_NOT_FOUND);
    expect_text(allot_last_error(), "nowhere");
    write_file(in_folder("bad"), "bad", 3);
    CHECK_STATUS(allot_model_import(executor, in_folder("bad"), true), ALLOT_INVALID);
    CHECK_STATUS(allot_model_export(executor, in_folder("no/folder")), ALLOT_SYSTEM);
    CHECK_STATUS(allot_model_export(executor, NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_model_import(NULL, path, false), ALLOT_INVALID);
    CHECK_STATUS(allot_model_save(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_model_reset(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_model_get_rates(executor, &rates), ALLOT_INVALID);
    CHECK_STATUS(allot_model_get_rates(executor, NULL), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_model_rows(NULL, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(allot_model_path(NULL), "");
    rates.size = sizeof rates;
    CHECK_STATUS(allot_model_get_rates(executor, &rates), ALLOT_OK);
    CU_ASSERT_TRUE(rates.flops_per_s > 0 && rates.bytes_per_s > 0 && rates.wake_s > 0);
    allot_close(executor);
}

static void rows_fit_the_callers_header(void)
{
    struct {
        allot_model_row row;
        char more[8];
    } rows[2] = { { .row = { .size = sizeof rows[0] } }, { .row = { .size = sizeof rows[0] } } };
    const char *path = in_folder("rows");
    allot_executor *executor = opened(path);
    launch(executor, 2);
    runs_known(executor);
    memset(rows[0].more, 7, sizeof rows[0].more);
    CU_ASSERT_TRUE(allot_model_rows(executor, &rows[0].row, 2) >= 1);
    CU_ASSERT_EQUAL(rows[0].more[0], 7);
    CU_ASSERT_STRING_EQUAL(rows[0].row.kernel, "axpy");
    CU_ASSERT_STRING_EQUAL(rows[0].row.place_class, "thread");
    CU_ASSERT_EQUAL(rows[0].row.workers, 2);
    CU_ASSERT_TRUE(rows[0].row.low_s <= rows[0].row.mean_s && rows[0].row.mean_s <= rows[0].row.high_s);
    allot_close(executor);
}

/* Opening reads nothing: what is wrong with the file is found out with the first launch. */
static void opening_does_not_wait_for_the_file(void)
{
    const char *path = in_folder("lazy");
    write_file(path, "odd", 3);
    warning[0] = '\0';
    allot_set_log(note_warning, NULL, ALLOT_LOG_WARNING);
    allot_executor *executor = opened(path);
    CU_ASSERT_EQUAL(warning[0], '\0');
    launch(executor, 1);
    expect_text(warning, "not a model");
    allot_close(executor);
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

/* A simulated device's transfers take what its file says, whichever way. */
static void transfers_both_ways_are_learned(void)
{
    static const char machine[] =
        "{\"name\": \"m\", \"classes\": [{\"name\": \"gpu\", \"kind\": \"opencl\", \"own_memory\": true,"
        " \"to\": {\"bytes_per_s\": 1e9, \"latency_s\": 1e-5},"
        " \"from\": {\"bytes_per_s\": 1e8, \"latency_s\": 1e-5}}]}";
    enum {
        N = 1 << 20
    };
    allot_model_row rows[16] = { { .size = sizeof rows[0] } };
    double to_s = 0, from_s = 0;
    write_file(in_folder("machine.json"), machine, sizeof machine - 1);
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = in_folder("machine.json")));
    if (!executor) /* a build that cannot read machines */
        return;
    CU_ASSERT_STRING_EQUAL(allot_model_path(executor), ""); /* nothing of it goes into the user's file */
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 1),
                *y = allot_array_full(executor, ALLOT_F32, N, 1);
    for (int i = 0; i < 4; i++) {
        allot_release(allot_launch(executor, allot_axpy(), allot_range(N),
                                   ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), NULL));
        CU_ASSERT_PTR_NOT_NULL(allot_array_map(y, ALLOT_READ_WRITE));
        allot_array_unmap(y);
    }
    allot_shutdown(executor, ALLOT_DRAIN);
    size_t count = allot_model_rows(executor, rows, 16);
    for (size_t i = 0; i < count && i < 16; i++) {
        to_s = rows[i].subject == ALLOT_MODEL_TO_PLACE ? rows[i].mean_s : to_s;
        from_s = rows[i].subject == ALLOT_MODEL_FROM_PLACE ? rows[i].mean_s : from_s;
    }
    CU_ASSERT_TRUE(fabs(log(to_s / (4.0 * N / 1e9))) < 0.1);
    CU_ASSERT_TRUE(fabs(log(from_s / (4.0 * N / 1e8))) < 0.1);
    allot_array_release(x);
    allot_array_release(y);
    allot_close(executor);
}

/* ---- From the command line ---- */

static void the_command_shows_carries_and_forgets(void)
{
    const char *path = in_folder("cli"), *file = in_folder("cli-exported");
    const outcome *got;
    setenv("ALLOT_MODEL", path, 1);
    expect_code(ALLOT_RUN("run", "axpy", "-n", "1e5", "--place", "thread"), 0);
    got = ALLOT_RUN("model", "show");
    expect_code(got, 0);
    expect_text(got->out, path);
    expect_text(got->out, "axpy f32");
    got = ALLOT_RUN("model", "show", "--json");
    json_t *shown = parse_json(got->out);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(shown, "path")), path);
    CU_ASSERT_TRUE(json_array_size(json_object_get(shown, "rows")) >= 1);
    json_decref(shown);
    expect_code(ALLOT_RUN("model", "export", file), 0);
    expect_code(ALLOT_RUN("model", "reset"), 0);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    expect_text(ALLOT_RUN("model", "show")->out, "Nothing ran yet");
    expect_code(ALLOT_RUN("model", "import", file), 0);
    expect_text(ALLOT_RUN("model", "show", "--model", path)->out, "axpy f32");
    got = ALLOT_RUN("model", "import", in_folder("nowhere"));
    expect_code(got, 3);
    expect_text(got->err, "nowhere");
    expect_code(ALLOT_RUN("model", "export", in_folder("no/folder")), 1);
    setenv("ALLOT_MODEL", "off", 1);
    expect_text(ALLOT_RUN("model", "show")->out, "it is not kept");
    got = ALLOT_RUN("model", "import", file);
    expect_code(got, 1);
    expect_text(got->err, "not kept");
}

int main(void)
{
    static const test_fact facts[] = {
        { "finds its file", finds_its_file },
        { "tells its machine", tells_its_machine },
        { "is there the next time", is_there_the_next_time },
        { "two at once lose nothing", two_at_once_lose_nothing },
        { "many at once lose nothing", many_at_once_lose_nothing },
        { "without news nothing is written", without_news_nothing_is_written },
        { "what is damaged is healed", what_is_damaged_is_healed },
        { "what is of another machine is ignored", what_is_of_another_machine_is_ignored },
        { "a folder in its place is no file", a_folder_in_its_place_is_no_file },
        { "an executor keeps what it learned", an_executor_keeps_what_it_learned },
        { "exports, imports and resets", exports_imports_and_resets },
        { "refuses what cannot be", refuses_what_cannot_be },
        { "rows fit the caller's header", rows_fit_the_callers_header },
        { "opening does not wait for the file", opening_does_not_wait_for_the_file },
        { "transfers both ways are learned", transfers_both_ways_are_learned },
        { "the command shows, carries and forgets", the_command_shows_carries_and_forgets },
        { NULL, NULL },
    };
    int code = test_main("keep", facts);
    remove_folder();
    return code;
}
