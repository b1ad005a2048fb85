/* The `allot` command: finds the subcommand, and keeps its manners: signals, and output that could not be
 * written. */
#include "cli.h"
#include "json.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const al_command commands[] = {
    { "info", "what this machine has: topology, places, libraries", al_info_run },
    { "run", "run a sample kernel a few times, on your data or ours, or an OpenCL kernel of your own",
      al_run_run },
    { "compare", "run every sample kernel on every place and compare them", al_compare_run },
    { "simulate", "run a workload on a simulated machine, in virtual time", al_simulate_run },
    { "replay", "ask other policies for the decisions of a log again", al_replay_run },
    { "model", "show, export, import or reset what was learned of this machine", al_model_run },
};
enum {
    COMMAND_COUNT = sizeof commands / sizeof commands[0]
};

volatile sig_atomic_t al_interrupted;
static volatile sig_atomic_t failures_as_json;

_Noreturn void al_interrupts_end(void)
{
    static const char text[] = "\nallot: interrupted\n", json[] = "{\n  \"error\": \"interrupted\"\n}\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) >= 0 && failures_as_json)
        (void)!write(STDOUT_FILENO, json, sizeof json - 1);
    _exit(AL_EXIT_INTERRUPTED);
}

static void end_at_once(int signal_number)
{
    (void)signal_number;
    al_interrupts_end();
}

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    al_interrupted = 1;
}

static void handle_interrupts(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESETHAND | SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void al_interrupts_catch(void)
{
    handle_interrupts(on_interrupt);
}

void al_interrupts_release(void)
{
    handle_interrupts(end_at_once);
}

/* A standard descriptor that is closed would be given to the next file opened, and that file be written over.
 * In its place comes one that fails in its direction, so that the loss is noticed. */
static void keep_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
}

static bool output_failed;
static int output_errno;

/* Called when a subcommand is done, and at exit for those that argp ends. */
static void flush_output(void)
{
    errno = 0;
    bool failed = fflush(stdout) != 0;
    if (output_failed || (!failed && !ferror(stdout)))
        return;
    output_failed = true;
    output_errno = errno;
}

/* A full disk must not look like success; a reader that has gone (EPIPE, where SIGPIPE is ignored) knows it
 * itself. */
static void check_output(void)
{
    flush_output();
    errno = 0;
    if (fclose(stdout) != 0 && !output_failed) {
        output_failed = true;
        output_errno = errno;
    }
    if (!output_failed)
        return;
    if (output_errno != EPIPE)
        fprintf(stderr, "allot: cannot write to standard output%s%s\n", output_errno ? ": " : "",
                output_errno ? strerror(output_errno) : "");
    _exit(AL_EXIT_FAILED);
}

int al_problem_tell(const al_problem *problem, const char *command)
{
    if (!problem->told)
        fprintf(stderr, "%s: %s\n", command, problem->text);
    if (problem->code == AL_EXIT_USAGE)
        fprintf(stderr, "Try `%s --help'.\n", command);
    if (failures_as_json)
        al_json_print(json_pack("{so}", "error", al_json_text(problem->text)), stdout);
    return problem->code;
}

void al_failures_as_json(bool on)
{
    failures_as_json = on;
}

static int print_help(void)
{
    puts("Usage: allot COMMAND [OPTION...]\n"
         "Runs numeric work where it runs best: a thread pool, worker processes, OpenCL devices.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].says);
    puts("\n  allot COMMAND --help   what a command takes\n"
         "  allot --version        the version\n"
         "\n"
         "Start with:\n"
         "  allot info\n"
         "  allot run axpy -n 1e6 --explain\n"
         "  allot run gemm --place opencl   # or gpu, or part of a device's name\n"
         "  allot compare\n"
         "  allot simulate mirage cholesky\n"
         "\n"
         "Exit codes:\n"
         "    0  all went well\n"
         "    1  a wrong result, a failed run, or output that could not be written\n"
         "    2  a mistake in the command line\n"
         "    3  an input file is missing or malformed\n"
         "    4  no such place, or none that can run it\n"
         "  130  interrupted\n"
         "\n"
         "Environment: ALLOT_DATA names the folder of the sample input; ALLOT_LOG is error, warning, info or "
         "debug; ALLOT_MODEL names the cost model's file, or is \"off\"; ALLOT_POLICY is by what places are "
         "chosen, as --policy. README.md and the headers name the rest.");
    return AL_EXIT_OK;
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "allot %s\n", allot_version());
}

static int no_command(const char *word)
{
    if (word)
        fprintf(stderr, "allot: unknown command '%s':", word);
    else
        fprintf(stderr, "allot: name a command:");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
    fprintf(stderr, " are there\nTry `allot --help'.\n");
    return AL_EXIT_USAGE;
}

static int dispatch(const char *word, int argc, char **argv)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) != 0)
            continue;
        char name[64]; /* what argp calls the program in its messages */
        snprintf(name, sizeof name, "allot %s", commands[i].name);
        argv[0] = name;
        int code = commands[i].run(argc, argv);
        flush_output();
        return code;
    }
    return no_command(word);
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    al_interrupts_release();
    atexit(check_output);
    argp_err_exit_status = AL_EXIT_USAGE;
    argp_program_version_hook = print_version;

    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word)
        return no_command(NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version(stdout, NULL), AL_EXIT_OK;
    bool help = strcmp(word, "help") == 0;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "-h") == 0 ||
        (help && argc == 2))
        return print_help();
    if (help) { /* `allot help run` is `allot run --help` */
        char option[] = "--help", *arguments[] = { NULL, option, NULL };
        return dispatch(argv[2], 2, arguments);
    }
    return dispatch(word, argc - 1, argv + 1);
}
