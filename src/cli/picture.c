#include "picture.h"

#include "gnuplot.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void join(char *path, size_t size, const char *folder, const char *name, const char *ending)
{
    snprintf(path, size, "%s/%s.%s", folder, name, ending);
}

bool al_picture_check(const char *folder, const char *name, al_problem *problem)
{
    static const char *const endings[] = { "dat", "gp", "svg" };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[4096];
        join(path, sizeof path, folder, name, endings[i]);
        if (!al_output_check(path, problem))
            return false;
    }
    return true;
}

/* ---- The two files ---- */

static bool close_whole(al_output *output, bool whole, al_problem *problem)
{
    return al_output_close(output, whole, problem) && (whole || al_out_of_memory(problem));
}

static bool write_files(const al_figure *figure, const char *folder, const char *name, al_problem *problem)
{
    char path[4096];
    al_output output;
    join(path, sizeof path, folder, name, "dat");
    if (!al_output_open(&output, path, problem) ||
        !close_whole(&output, al_gnuplot_data(figure, output.stream), problem))
        return false;
    join(path, sizeof path, folder, name, "gp");
    return al_output_open(&output, path, problem) &&
           close_whole(&output, al_gnuplot_script(figure, name, output.stream), problem);
}

/* ---- gnuplot ---- */

/* Starts it in the folder, with what it says going to `said`; an errno, or 0. */
static int start(pid_t *process, const char *folder, const char *script, int said)
{
    const char *const arguments[] = { "gnuplot", "-d", script, NULL }; /* -d: nobody's own settings */
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, said, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
    if (!error)
        error = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!error)
        error = posix_spawnp(process, "gnuplot", &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Reads to the end of what it says; keeps the last line that has a letter in it: the error's own words. */
static void listen(int from, char *last, size_t size)
{
    FILE *stream = fdopen(from, "r");
    char line[400];
    last[0] = '\0';
    if (!stream) {
        close(from);
        return;
    }
    while (fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[strspn(line, " \t^")])
            snprintf(last, size, "%s", line + strspn(line, " \t"));
    }
    fclose(stream);
}

static bool ended_well(pid_t process)
{
    int status;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool not_drawn(al_picture *picture, const char *why, const char *more)
{
    snprintf(picture->why, sizeof picture->why, "%s%s%s", why, more[0] ? ": " : "", more);
    return false;
}

static bool has_content(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_size > 0;
}

static bool run_gnuplot(al_picture *picture, const char *folder, const char *name)
{
    char script[64], svg[4096], last[300];
    int ends[2];
    pid_t process;
    snprintf(script, sizeof script, "%s.gp", name);
    join(svg, sizeof svg, folder, name, "svg");
    unlink(svg); /* an older picture beside newer figures would mislead */
    if (pipe2(ends, O_CLOEXEC) != 0)
        return not_drawn(picture, "gnuplot was not started", strerror(errno));
    int error = start(&process, folder, script, ends[1]);
    close(ends[1]);
    if (error)
        close(ends[0]);
    if (error == ENOENT)
        return not_drawn(picture, "gnuplot was not found (Debian: gnuplot-nox)", "");
    if (error)
        return not_drawn(picture, "gnuplot was not started", strerror(error));
    listen(ends[0], last, sizeof last);
    if (ended_well(process) && has_content(svg))
        return true;
    unlink(svg); /* what there is of it */
    return not_drawn(picture, "gnuplot failed", last);
}

bool al_picture_draw(al_picture *picture, const al_row *rows, size_t count, const char *folder,
                     const char *name, al_problem *problem)
{
    al_figure figure;
    *picture = (al_picture){ 0 };
    bool ok = al_figure_init(&figure, rows, count) || al_out_of_memory(problem);
    ok = ok && write_files(&figure, folder, name, problem);
    al_figure_fini(&figure);
    picture->drawn = ok && run_gnuplot(picture, folder, name);
    return ok;
}
