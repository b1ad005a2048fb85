/* The log: levels, receivers, one line a message. */
#include "base/log.h"
#include "test.h"
#include <allot/observe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct heard {
    int count;
    allot_log_level level;
    char line[2000];
} heard;

static void hear(allot_log_level level, const char *line, void *user)
{
    heard *it = user;
    it->count++;
    it->level = level;
    snprintf(it->line, sizeof it->line, "%s", line);
}

/* ---- The environment counts on first use: each asked in a child whose log is still untouched ---- */

static void log_all_levels(void)
{
    al_log(AL_LOG_ERROR, "e%d", 1);
    al_log(AL_LOG_WARNING, "w%d", 2);
    al_log(AL_LOG_INFO, "i%d", 3);
    al_log(AL_LOG_DEBUG, "d%d", 4);
}

/* What a child with ALLOT_LOG=value (NULL: unset) writes to standard error. */
static void child_says(const char *value, char *text, size_t size)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        if (value)
            setenv("ALLOT_LOG", value, 1);
        else
            unsetenv("ALLOT_LOG");
        log_all_levels();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
}

static void environment_sets_the_level(void)
{
    static const struct {
        const char *value, *says;
    } cases[] = {
        { NULL, "allot: error: e1\nallot: warning: w2\n" },
        { "error", "allot: error: e1\n" },
        { "WARNING", "allot: error: e1\nallot: warning: w2\n" },
        { "info", "allot: error: e1\nallot: warning: w2\nallot: info: i3\n" },
        { "debug", "allot: error: e1\nallot: warning: w2\nallot: info: i3\nallot: debug: d4\n" },
        { "loud", "allot: error: e1\nallot: warning: w2\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        child_says(cases[i].value, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].says);
    }
}

static void receiver_gets_what_its_level_lets_through(void)
{
    heard it = { 0 };
    allot_set_log(hear, &it, ALLOT_LOG_INFO);
    log_all_levels();
    CU_ASSERT_EQUAL(it.count, 3);
    CU_ASSERT_EQUAL(it.level, ALLOT_LOG_INFO);
    CU_ASSERT_STRING_EQUAL(it.line, "i3");
    allot_set_log(hear, &it, ALLOT_LOG_ERROR);
    log_all_levels();
    CU_ASSERT_EQUAL(it.count, 4);
    CU_ASSERT_STRING_EQUAL(it.line, "e1");
}

static void absurd_levels_are_clamped(void)
{
    heard it = { 0 };
    allot_set_log(hear, &it, (allot_log_level)77);
    log_all_levels();
    CU_ASSERT_EQUAL(it.count, 4);
    allot_set_log(hear, &it, (allot_log_level)-5);
    log_all_levels();
    CU_ASSERT_EQUAL(it.count, 5);
    al_log((al_log_level)-9, "below all");
    CU_ASSERT_EQUAL(it.level, ALLOT_LOG_ERROR);
    CU_ASSERT_STRING_EQUAL(it.line, "below all");
}

static void message_is_one_line(void)
{
    heard it = { 0 };
    allot_set_log(hear, &it, ALLOT_LOG_DEBUG);
    al_log(AL_LOG_ERROR, "kernel.cl:3:\nundeclared\r\n");
    CU_ASSERT_STRING_EQUAL(it.line, "kernel.cl:3: undeclared");
    al_log(AL_LOG_ERROR, "%s", "\n\n");
    CU_ASSERT_STRING_EQUAL(it.line, "");
}

static void long_lines_are_cut(void)
{
    heard it = { 0 };
    char text[1500];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    allot_set_log(hear, &it, ALLOT_LOG_DEBUG);
    al_log(AL_LOG_ERROR, "%s", text);
    CU_ASSERT_EQUAL(strlen(it.line), 1000);
}

/* ---- Function and user belong together, whoever changes them meanwhile ---- */

static int user_of_one, user_of_two;
static _Atomic int mixed, received;

static void one(allot_log_level level, const char *line, void *user)
{
    (void)level, (void)line;
    mixed += user != &user_of_one;
    received++;
}

static void two(allot_log_level level, const char *line, void *user)
{
    (void)level, (void)line;
    mixed += user != &user_of_two;
    received++;
}

static void *log_much(void *unused)
{
    for (int i = 0; i < 2000; i++)
        al_log(AL_LOG_ERROR, "%d", i);
    return unused;
}

static void receivers_change_whole(void)
{
    pthread_t threads[2];
    allot_set_log(one, &user_of_one, ALLOT_LOG_ERROR);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, log_much, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        allot_set_log(one, &user_of_one, ALLOT_LOG_ERROR);
        allot_set_log(two, &user_of_two, ALLOT_LOG_ERROR);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(mixed, 0);
    CU_ASSERT_EQUAL(received, 4000);
}

static const test_fact facts[] = {
    { "the environment sets the level until somebody else does", environment_sets_the_level },
    { "a receiver gets what its level lets through", receiver_gets_what_its_level_lets_through },
    { "absurd levels are clamped", absurd_levels_are_clamped },
    { "a message is one line", message_is_one_line },
    { "long lines are cut at 1,000 bytes", long_lines_are_cut },
    { "a receiver's function and user change together", receivers_change_whole },
    { NULL, NULL },
};

int main(void)
{
    int code = test_main("log", facts);
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
    return code;
}
