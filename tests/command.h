/* Running the built command as a user would: arguments in, exit code and both outputs out. */
#ifndef COMMAND_H
#define COMMAND_H

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND   TEST_BINARY_DIR "/allot"
#define ARGUMENTS 24

extern char **environ;

typedef struct outcome {
    int code;             /* the exit code; 1000 + the signal that ended it */
    char out[256 * 1024]; /* standard output, cut to fit */
    char err[64 * 1024];
    long resident_kib;
} outcome;

/* A folder of this test's own, made on first use; remove_folder() removes it with its files. */
static inline const char *folder(void)
{
    static char path[] = "/tmp/allot-test-XXXXXX";
    static bool made;
    if (!made)
        made = mkdtemp(path) != NULL;
    return path;
}

static inline const char *in_folder(const char *name)
{
    static char paths[8][200];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder(), name);
    return path;
}

static inline void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder());
    if (system(command) != 0)
        perror(command);
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *stream = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT_EQUAL_FATAL(fwrite(data, 1, size, stream), size);
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
}

/* The bytes of a file, terminated; their number is returned. */
static inline size_t read_file(const char *path, char *data, size_t size)
{
    FILE *stream = fopen(path, "re");
    if (!stream)
        return data[0] = '\0', 0;
    size_t length = fread(data, 1, size - 1, stream);
    data[length] = '\0';
    fclose(stream);
    return length;
}

/* Starts the program with its outputs going to these descriptors. */
static inline pid_t start_command(const char *program, const char *const *arguments, int out, int err)
{
    posix_spawn_file_actions_t actions;
    pid_t process = -1;
    char *argv[ARGUMENTS] = { (char *)program };
    for (size_t i = 0; arguments[i] && i + 2 < ARGUMENTS; i++)
        argv[i + 1] = (char *)arguments[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    int error = posix_spawn(&process, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    CU_ASSERT_EQUAL_FATAL(error, 0);
    return process;
}

static inline int exit_code(pid_t process, long *resident_kib)
{
    int status = 0;
    struct rusage usage = { 0 };
    while (wait4(process, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    *resident_kib = usage.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Runs a program to its end. The result is static, until the next call. */
static inline const outcome *run_program(const char *program, const char *const *arguments)
{
    static outcome result;
    char out_path[200], err_path[200];
    snprintf(out_path, sizeof out_path, "%s/stdout", folder());
    snprintf(err_path, sizeof err_path, "%s/stderr", folder());
    int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = open(err_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_t process = start_command(program, arguments, out, err);
    close(out);
    close(err);
    result.code = exit_code(process, &result.resident_kib);
    read_file(out_path, result.out, sizeof result.out);
    read_file(err_path, result.err, sizeof result.err);
    return &result;
}

#define ALLOT_RUN(...) run_program(COMMAND, (const char *const[]){ __VA_ARGS__, NULL })

/* Asserts the exit code, and prints what the program said when it is another. */
static inline void expect_code(const outcome *got, int code)
{
    if (got->code != code)
        printf("\n    exit code %d, not %d\n    stdout: %.500s\n    stderr: %.2000s\n", got->code, code,
               got->out, got->err);
    CU_ASSERT_EQUAL(got->code, code);
}

static inline void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        printf("\n    no '%s' in: %.1000s\n", part, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

/* The whole text as JSON; nothing else may be there. The caller ends it with json_decref. */
static inline json_t *parse_json(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        printf("\n    not JSON: %s (line %d) in: %.500s\n", error.text, error.line, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    return json;
}

#endif
