/* Functions of libraries that the program loads while it runs, when workers are there already. */
#include "process_rig.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static char text[12000], copy[64];

typedef struct plugin {
    void *library;
    allot_function add, counter, crash;
} plugin;

static plugin load(const char *path)
{
    plugin got = { .library = dlopen(path, RTLD_NOW | RTLD_LOCAL) };
    if (!got.library)
        printf("\n    %s\n", dlerror());
    CU_ASSERT_PTR_NOT_NULL_FATAL(got.library);
    allot_function (*counter)(void);
    *(void **)&got.add = dlsym(got.library, "plugin_add");
    *(void **)&got.crash = dlsym(got.library, "plugin_crash");
    *(void **)&counter = dlsym(got.library, "plugin_counter");
    CU_ASSERT_FATAL(got.add && got.crash && counter);
    got.counter = counter();
    return got;
}

/* -1: it failed, and `text` says how. */
static int call(allot_function function, int number)
{
    int result = -1;
    allot_future *future = rig_submit(function, &number, sizeof number, sizeof result);
    if (allot_get(future, &result, sizeof result, LIMIT) != ALLOT_OK)
        result = -1;
    snprintf(text, sizeof text, "%s", allot_future_error(future));
    allot_release(future);
    return result;
}

static void functions_of_a_plugin_run_in_workers(void)
{
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK); /* there are workers already */
    plugin got = load(PLUGIN_OLD);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(call(got.add, i), 1000 + i);
    CU_ASSERT(call(got.counter, 0) >= 1); /* a static one, with the worker's own variables */
    int here = 0;
    CU_ASSERT_EQUAL(got.counter(NULL, NULL, &here), ALLOT_OK);
    CU_ASSERT_EQUAL(here, 1);
    dlclose(got.library);
}

static void a_crash_in_it_is_told_by_name(void)
{
    plugin got = load(PLUGIN_OLD);
    CU_ASSERT_EQUAL(rig_ended(rig_submit(got.crash, NULL, 0, 0), text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT(SANITIZED || (strstr(text, "plugin_crash") && strstr(text, "plugin_old")));
    CU_ASSERT_EQUAL(call(got.add, 1), 1001); /* the next worker loads it too */
    dlclose(got.library);
}

static void put_there(const char *from)
{
    char fresh[80];
    struct stat about;
    snprintf(fresh, sizeof fresh, "%s.new", copy);
    int in = open(from, O_RDONLY | O_CLOEXEC),
        out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    CU_ASSERT_FATAL(in >= 0 && out >= 0 && fstat(in, &about) == 0);
    CU_ASSERT_EQUAL(sendfile(out, in, NULL, (size_t)about.st_size), about.st_size);
    close(in);
    close(out);
    CU_ASSERT_EQUAL(rename(fresh, copy), 0);
}

/* Never is a function of one build run at the place that it has in another. */
static void one_that_was_built_anew_is_loaded_anew(void)
{
    snprintf(copy, sizeof copy, "/tmp/allot_plugin.%d.so", (int)getpid());
    put_there(PLUGIN_OLD);
    plugin old = load(copy);
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(call(old.add, i), 1000 + i);
    dlclose(old.library);
    put_there(PLUGIN_NEW);
    plugin new = load(copy);
    for (int i = 0; i < 8; i++) {
        int result = call(new.add, i);
        if (result != 2000 + i)
            printf("\n    %d %s\n", result, text);
        CU_ASSERT_EQUAL(result, 2000 + i);
    }
    dlclose(new.library);
    unlink(copy);
}

static const test_fact facts[] = {
    { "functions of a plugin run in workers that were there before it",
      functions_of_a_plugin_run_in_workers },
    { "a crash in a plugin is told by name, and the next worker has it", a_crash_in_it_is_told_by_name },
    { "a plugin that was built anew is loaded anew", one_that_was_built_anew_is_loaded_anew },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process plugin", facts, NULL);
}
