/* What the subcommands of `allot` share: their table's row, exit codes, how a problem is told, the interrupt.
 */
#ifndef AL_CLI_CLI_H
#define AL_CLI_CLI_H

#include <allot/allot.h>
#include <signal.h>

/* Exit codes, as --help documents them. */
typedef enum al_exit {
    AL_EXIT_OK = 0,
    AL_EXIT_FAILED = 1, /* a wrong result, a failed run, output that could not be written */
    AL_EXIT_USAGE = 2,
    AL_EXIT_INPUT = 3, /* an input file that is missing or malformed */
    AL_EXIT_NO_PLACE = 4,
    AL_EXIT_INTERRUPTED = 130
} al_exit;

/* The same in words, for the end of a subcommand's --help. */
#define AL_EXIT_HELP                                                                                         \
    "Exit codes: 0 all went well; 1 a wrong result, a failed run, or output that could not be written; "     \
    "2 a mistake in the command line; 3 an input file is missing or malformed; 4 no such place, or "         \
    "none that can run it; "                                                                                 \
    "130 interrupted."

/* What went wrong, for the person at the terminal: passed down to whoever may find out, told once in main.c.
 */
typedef struct al_problem {
    al_exit code;
    bool told; /* somebody else has said it on standard error */
    char text[1200];
} al_problem;

/* Records it, printf-like, and returns false, so that a function can say `return al_problem_set(problem,
 * ...);`. */
bool al_problem_set(al_problem *problem, al_exit code, const char *format, ...) ALLOT_PRINTF(3, 4);

/* Prints it on standard error as `allot COMMAND: text` and returns its exit code. */
int al_problem_tell(const al_problem *problem, const char *command);

/* With `on` a failure is also {"error": text} on standard output: for --json, until a result is printed
 * there. */
void al_failures_as_json(bool on);

/* A subcommand. argv[0] is "allot NAME"; returns the exit code. A new one is a row in main.c. */
typedef struct al_command {
    const char *name;
    const char *says;
    int (*run)(int argc, char **argv);
} al_command;

int al_info_run(int argc, char **argv);
int al_run_run(int argc, char **argv);
int al_compare_run(int argc, char **argv);
int al_simulate_run(int argc, char **argv);
int al_replay_run(int argc, char **argv);
int al_model_run(int argc, char **argv);

/* Between these two, the first SIGINT or SIGTERM only sets `al_interrupted`: finish soon, and report what
 * there is. A second one ends the program at once; one outside does too, and says so. SIGPIPE always does:
 * `allot info | head` just ends. */
void al_interrupts_catch(void);
void al_interrupts_release(void);
/* Says so and ends the program at once; may be called in a signal handler. */
_Noreturn void al_interrupts_end(void);
extern volatile sig_atomic_t al_interrupted;

#endif
