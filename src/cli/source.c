#include "source.h"

#include "measure.h"
#include "number.h"
#include "options.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Options ---- */

/* "512x512" or "512,512". */
static bool take_sizes(size_t sizes[3], size_t *rank, const char *option, const char *text,
                       al_problem *problem)
{
    const char *at = text;
    *rank = 0;
    do {
        char extent[32];
        size_t length = strcspn(at, "x,");
        if (*rank == 3 || length >= sizeof extent)
            return al_problem_set(problem, AL_EXIT_USAGE,
                                  "%s '%.60s': give 1 to 3 sizes, like 1e6 or 512x512", option, text);
        snprintf(extent, sizeof extent, "%.*s", (int)length, at);
        if (!al_option_count(&sizes[(*rank)++], option, extent, problem))
            return false;
        at += length;
    } while (*at && *++at);
    return true;
}

static bool add_option(al_source *source, const char *before, const char *text, al_problem *problem)
{
    size_t used = strlen(source->options);
    int more = snprintf(source->options + used, sizeof source->options - used, "%s%s%s", used ? " " : "",
                        before, text);
    if (more > 0 && (size_t)more < sizeof source->options - used)
        return true;
    return al_problem_set(problem, AL_EXIT_USAGE, "the build options are longer than %d bytes",
                          AL_SOURCE_TEXT);
}

static bool add_argument(al_source *source, const char *text, al_problem *problem)
{
    if (source->argument_count == AL_SOURCE_ARGUMENTS)
        return al_problem_set(problem, AL_EXIT_USAGE, "--arg %.60s: at most %d arguments", text,
                              AL_SOURCE_ARGUMENTS);
    size_t index = source->argument_count++;
    return al_argument_parse(&source->arguments[index], index + 1, text, problem);
}

static bool add_constant(al_source *source, const char *text, al_problem *problem)
{
    char id[32];
    size_t number = SIZE_MAX, length = strcspn(text, ":"), index = source->constant_count;
    if (index == AL_SOURCE_CONSTANTS)
        return al_problem_set(problem, AL_EXIT_USAGE, "--constant %.60s: at most %d constants", text,
                              AL_SOURCE_CONSTANTS);
    allot_constant *constant = &source->constants[index];
    snprintf(id, sizeof id, "%.*s", (int)length, text);
    if (!text[length] || length >= sizeof id || al_number_count(id, &number) != AL_NUMBER_OK ||
        number > UINT32_MAX ||
        !al_argument_number(text + length + 1, source->constant_values[index], &constant->bytes))
        return al_problem_set(problem, AL_EXIT_USAGE,
                              "--constant '%.60s': give ID:TYPE:VALUE, like 7:u32:5, with a value that fits "
                              "its type",
                              text);
    constant->id = (uint32_t)number;
    constant->value = source->constant_values[index];
    source->constant_count++;
    return true;
}

static bool take_timeout(al_source *source, const char *text, al_problem *problem)
{
    const double most_s = 1e9;
    if (al_number_real(text, strlen(text), &source->timeout_s) == AL_NUMBER_OK && source->timeout_s > 0 &&
        source->timeout_s <= most_s)
        return true;
    return al_problem_set(problem, AL_EXIT_USAGE, "--timeout '%.60s': give seconds above 0, like 10 or 0.5",
                          text);
}

bool al_source_take(al_source *source, int key, const char *text, al_problem *problem)
{
    static const char *const names[] = { "--source",  "--entry",   "--arg",     "--global",
                                         "--offset",  "--local",   "--option",  "--define",
                                         "--isolate", "--timeout", "--constant" };
    const char *name = names[key - AL_SOURCE_FILE];
    size_t rank;
    if (!source->first)
        source->first = name;
    switch (key) {
    case AL_SOURCE_FILE:
        source->path = text;
        return true;
    case AL_SOURCE_ENTRY:
        source->entry = text;
        return true;
    case AL_SOURCE_ARGUMENT:
        return add_argument(source, text, problem);
    case AL_SOURCE_GLOBAL:
        return take_sizes(source->global, &source->rank, name, text, problem);
    case AL_SOURCE_OFFSET:
        return take_sizes(source->offset, &rank, name, text, problem);
    case AL_SOURCE_LOCAL:
        return take_sizes(source->local, &rank, name, text, problem);
    case AL_SOURCE_OPTION:
        return add_option(source, "", text, problem);
    case AL_SOURCE_ISOLATE:
        source->isolate = true;
        return true;
    case AL_SOURCE_TIMEOUT:
        return take_timeout(source, text, problem);
    case AL_SOURCE_CONSTANT:
        return add_constant(source, text, problem);
    default:
        return add_option(source, "-D ", text, problem);
    }
}

bool al_source_check(const al_source *source, al_problem *problem)
{
    if (!source->path)
        return al_problem_set(problem, AL_EXIT_USAGE,
                              "%s belongs to a kernel of your own: --source FILE names it", source->first);
    if (!source->entry)
        return al_problem_set(problem, AL_EXIT_USAGE, "--source %s: --entry names its kernel function",
                              source->path);
    if (!source->rank)
        return al_problem_set(problem, AL_EXIT_USAGE, "--source %s: --global says how many work-items",
                              source->path);
    return true;
}

/* ---- Files ---- */

/* Text is compiled; all else is SPIR-V or a binary, which the library tells apart. */
static bool read_program(al_source *source, al_problem *problem)
{
    if (!al_file_read(&source->file, source->path, problem))
        return false;
    if (source->file.size < 4)
        return al_problem_set(problem, AL_EXIT_INPUT, "%s: holds no program", source->path);
    if (memchr(source->file.data, '\0', source->file.size))
        return true;
    source->text = strndup(source->file.data, source->file.size);
    return source->text || al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
}

/* What the text includes is looked for beside it. */
static bool add_folder(al_source *source, al_problem *problem)
{
    const char *slash = strrchr(source->path, '/');
    char folder[2048];
    int length = slash ? snprintf(folder, sizeof folder, "%.*s", (int)(slash - source->path), source->path)
                       : snprintf(folder, sizeof folder, ".");
    if (!source->text || length <= 0 || (size_t)length >= sizeof folder || strchr(folder, ' '))
        return true; /* drivers part options at spaces */
    return add_option(source, "-I ", folder, problem);
}

/* A module's first word, in either byte order. */
static bool is_spirv(const al_file *file)
{
    return memcmp(file->data, "\x03\x02\x23\x07", 4) == 0 || memcmp(file->data, "\x07\x23\x02\x03", 4) == 0;
}

bool al_source_read(al_source *source, al_problem *problem)
{
    if (!read_program(source, problem) || !add_folder(source, problem))
        return false;
    if (source->constant_count && (source->text || !is_spirv(&source->file)))
        return al_problem_set(problem, AL_EXIT_USAGE,
                              "--constant: only a SPIR-V module has specialisation constants, which %s is not"
                              "%s",
                              source->path, source->text ? ": --define sets macros of a text" : "");
    for (size_t i = 0; i < source->argument_count; i++)
        if (!al_argument_read(&source->arguments[i], problem))
            return false;
    return true;
}

/* ---- Launching ---- */

bool al_source_prepare(al_source *source, allot_executor *executor, al_problem *problem)
{
    allot_kernel_desc desc;
    for (size_t i = 0; i < source->argument_count; i++) {
        if (!al_argument_fill(&source->arguments[i], executor, problem))
            return false;
        source->params[i] = al_argument_param(&source->arguments[i]);
    }
    allot_kernel_desc_init(&desc);
    desc.name = desc.opencl_entry = source->entry;
    desc.params = source->params;
    desc.param_count = source->argument_count;
    desc.opencl_options = source->options;
    desc.opencl_plain = true;
    desc.opencl_constants = source->constants;
    desc.opencl_constant_count = source->constant_count;
    memcpy(desc.local, source->local, sizeof desc.local);
    if (source->text)
        desc.opencl_source = source->text;
    else {
        desc.opencl_program = source->file.data;
        desc.opencl_program_bytes = source->file.size;
    }
    source->kernel = allot_kernel_create(&desc);
    return source->kernel || al_problem_set(problem, AL_EXIT_USAGE, "%s", allot_last_error());
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool wait_for(allot_future *future, al_problem *problem)
{
    while (allot_wait(future, 100000000) == ALLOT_TIMEOUT)
        if (al_interrupted)
            al_interrupts_end();
    allot_status status = allot_future_status(future);
    if (status == ALLOT_OK)
        return true;
    al_exit code = status == ALLOT_NO_PLACE || status == ALLOT_NO_DEVICE ? AL_EXIT_NO_PLACE
                   : status == ALLOT_BUILD || status == ALLOT_INVALID || status == ALLOT_NOT_FOUND
                       ? AL_EXIT_INPUT
                       : AL_EXIT_FAILED;
    return al_problem_set(problem, code, "%s", allot_future_error(future));
}

/* Launches and waits; NULL with a problem. */
static allot_future *launch(al_source *source, allot_executor *executor, const al_target *target,
                            double *seconds, al_problem *problem)
{
    allot_arg arguments[AL_SOURCE_ARGUMENTS];
    allot_ndrange range = { .rank = source->rank };
    allot_hints hints = al_target_hints(target);
    hints.isolate = source->isolate;
    hints.deadline_ns = (int64_t)(source->timeout_s * 1e9);
    for (size_t d = 0; d < 3; d++) {
        range.size[d] = d < source->rank ? source->global[d] : 1;
        range.offset[d] = source->offset[d];
    }
    for (size_t i = 0; i < source->argument_count; i++) {
        if (!al_argument_fill(&source->arguments[i], executor, problem))
            return NULL;
        arguments[i] = al_argument_value(&source->arguments[i]);
    }
    int64_t start = now_ns();
    allot_future *future =
        allot_launch(executor, source->kernel, range, arguments, source->argument_count, &hints);
    bool ok = wait_for(future, problem);
    *seconds = (double)(now_ns() - start) / 1e9;
    if (ok)
        return future;
    allot_release(future);
    return NULL;
}

static void keep(al_source *source, allot_future *future, double seconds)
{
    const allot_decision *decision = allot_future_decision(future);
    source->run_s[source->runs] = seconds;
    source->kernel_s[source->runs++] = decision ? decision->ran_s : 0;
    source->moved_s = decision ? decision->moved_s : 0;
    allot_release(source->last);
    source->last = future;
}

bool al_source_measure(al_source *source, allot_executor *executor, const al_target *target, size_t repeats,
                       al_problem *problem)
{
    double seconds;
    source->run_s = calloc(repeats, sizeof *source->run_s);
    source->kernel_s = calloc(repeats, sizeof *source->kernel_s);
    if (!source->run_s || !source->kernel_s)
        return al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    source->last = launch(source, executor, target, &source->first_s, problem);
    for (size_t i = 0; source->last && i < repeats; i++) {
        allot_future *future = launch(source, executor, target, &seconds, problem);
        if (!future)
            return false;
        keep(source, future, seconds);
    }
    return source->last != NULL;
}

/* ---- What came of it ---- */

static al_block block_of(const al_argument_spec *argument, const void *data)
{
    al_block block = { .type = argument->type, .rank = argument->rank, .data = (void *)data };
    memcpy(block.shape, argument->shape, sizeof block.shape);
    return block;
}

static const void *read_array(const al_argument_spec *argument, al_problem *problem)
{
    const void *data = allot_array_map(argument->array, ALLOT_READ);
    if (!data)
        al_problem_set(problem, AL_EXIT_FAILED, "%s cannot be read: %s", argument->name, allot_last_error());
    return data;
}

bool al_source_write(al_source *source, al_problem *problem)
{
    for (size_t i = 0; i < source->argument_count; i++) {
        const al_argument_spec *argument = &source->arguments[i];
        const void *data = argument->to[0] ? read_array(argument, problem) : NULL;
        if (!data && argument->to[0])
            return false;
        if (!data)
            continue;
        al_block block = block_of(argument, data);
        bool ok = al_output_write(argument->to, &block, problem);
        allot_array_unmap(argument->array);
        if (!ok)
            return false;
    }
    return true;
}

/* Of one output: the first numbers, and the least, greatest and mean. */
typedef struct summary {
    size_t count, odd; /* NaN or infinite */
    double least, greatest, mean, first[4];
} summary;

static summary summarise(const al_block *block)
{
    summary sum = { .count = al_block_count(block), .least = INFINITY, .greatest = -INFINITY };
    for (size_t i = 0; i < sum.count; i++) {
        double value = al_block_real(block, i);
        if (i < 4)
            sum.first[i] = value;
        if (!isfinite(value)) {
            sum.odd++;
            continue;
        }
        sum.least = fmin(sum.least, value);
        sum.greatest = fmax(sum.greatest, value);
        sum.mean += (value - sum.mean) / (double)(i + 1 - sum.odd);
    }
    return sum;
}

static void print_output(const al_argument_spec *argument)
{
    al_problem problem = { 0 };
    char shape[AL_SHAPE];
    const void *data = read_array(argument, &problem);
    if (!data)
        return;
    al_block block = block_of(argument, data);
    summary sum = summarise(&block);
    if (!sum.count) {
        printf("  %-10s %s %s: empty%s%s\n", argument->name, allot_type_name(argument->type),
               al_block_shape_text(&block, shape), argument->to[0] ? ", written to " : "", argument->to);
        allot_array_unmap(argument->array);
        return;
    }
    printf("  %-10s %s %s: %.6g", argument->name, allot_type_name(argument->type),
           al_block_shape_text(&block, shape), sum.first[0]);
    for (size_t i = 1; i < 4 && i < sum.count; i++)
        printf(", %.6g", sum.first[i]);
    printf("%s (least %.6g, greatest %.6g, mean %.6g%s)", sum.count > 4 ? ", ..." : "", sum.least,
           sum.greatest, sum.mean, sum.odd ? "; NaN or infinite ones left out" : "");
    printf("%s%s\n", argument->to[0] ? ", written to " : "", argument->to);
    allot_array_unmap(argument->array);
}

void al_source_print(al_source *source)
{
    char a[AL_FIGURE], b[AL_FIGURE], c[AL_FIGURE];
    double median = al_quantile(source->run_s, source->runs, 0.5);
    printf("%s of %s\n", source->entry, source->path);
    printf("  ran on     %s\n", allot_future_place(source->last));
    printf("  time       %s, median of %zu (p10 %s, p90 %s), from launch to done\n",
           al_text_seconds(a, median), source->runs,
           al_text_seconds(b, al_quantile(source->run_s, source->runs, 0.1)),
           al_text_seconds(c, al_quantile(source->run_s, source->runs, 0.9)));
    printf("  of that    %s in the kernel, %s for transfers\n",
           al_text_seconds(a, al_quantile(source->kernel_s, source->runs, 0.5)),
           al_text_seconds(b, source->moved_s));
    printf("  first run  %s, start, compilation and transfers included\n",
           al_text_seconds(a, source->first_s));
    for (size_t i = 0; i < source->argument_count; i++)
        if (source->arguments[i].access & ALLOT_WRITE)
            print_output(&source->arguments[i]);
    printf("  not verified: there is no reference for a kernel of your own\n");
}

static json_t *json_output(const al_argument_spec *argument)
{
    al_problem problem = { 0 };
    char shape[AL_SHAPE];
    const void *data = read_array(argument, &problem);
    if (!data)
        return json_null();
    al_block block = block_of(argument, data);
    summary sum = summarise(&block);
    json_t *object =
        json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "argument", al_json_text(argument->name), "type",
                  allot_type_name(argument->type), "shape", al_block_shape_text(&block, shape), "least",
                  al_json_real(sum.least), "greatest", al_json_real(sum.greatest), "mean",
                  al_json_real(sum.mean), "file", al_json_text_or_null(argument->to));
    allot_array_unmap(argument->array);
    return object;
}

json_t *al_source_json(al_source *source)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < source->argument_count; i++)
        if (source->arguments[i].access & ALLOT_WRITE)
            json_array_append_new(outputs, json_output(&source->arguments[i]));
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "source",
                     al_json_text(source->path), "entry", al_json_text(source->entry), "place",
                     allot_future_place(source->last), "runs", al_json_count(source->runs), "median_s",
                     al_json_real(al_quantile(source->run_s, source->runs, 0.5)), "p10_s",
                     al_json_real(al_quantile(source->run_s, source->runs, 0.1)), "p90_s",
                     al_json_real(al_quantile(source->run_s, source->runs, 0.9)), "kernel_s",
                     al_json_real(al_quantile(source->kernel_s, source->runs, 0.5)), "transfer_s",
                     al_json_real(source->moved_s), "first_s", al_json_real(source->first_s), "verified", 0,
                     "outputs", outputs);
}

void al_source_free(al_source *source)
{
    for (size_t i = 0; i < source->argument_count; i++)
        al_argument_free(&source->arguments[i]);
    allot_release(source->last);
    allot_kernel_release(source->kernel);
    al_file_free(&source->file);
    free(source->text);
    free(source->run_s);
    free(source->kernel_s);
    *source = (al_source){ 0 };
}
