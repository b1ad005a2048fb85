#include "placement/store.h"
#include "placement/known.h"
#include "placement/merge.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What has a longer name is not kept. */
#define NAME_MAX_BYTES 1000

uint64_t al_store_hash(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* ---- Writing ---- */

static void write_name(FILE *stream, const char *name)
{
    fputc(' ', stream);
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        fprintf(stream, *at <= ' ' || *at == '%' || *at > '~' ? "%%%02x" : "%c", *at);
    if (!*name)
        fputs("%", stream);
}

static void write_real(FILE *stream, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    fprintf(stream, " %" PRIx64, bits);
}

static void write_rates(FILE *stream, const al_rates *rates)
{
    const double values[] = { rates->flops_per_s, rates->bytes_per_s, rates->memory_bytes_per_s,
                              rates->overhead_s,  rates->compile_s,   rates->overhead_sigma,
                              rates->rate_sigma };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        write_real(stream, values[i]);
}

/* Its age becomes doubt: clocks begin anew with each process. */
static void write_bucket(FILE *stream, const char *word, size_t index, const al_bucket *bucket,
                         uint64_t clock)
{
    if (bucket->samples == 0)
        return;
    fprintf(stream, "%s %zu %" PRIu64, word, index, bucket->samples);
    write_real(stream, bucket->log_size);
    write_real(stream, bucket->log_time);
    write_real(stream, bucket->count);
    write_real(stream, bucket->square);
    write_real(stream, al_bucket_doubt(bucket, clock));
    fputc('\n', stream);
}

static void write_curve(FILE *stream, const al_curve *curve, uint64_t clock)
{
    fprintf(stream, " %" PRIu64, curve->runs);
    write_real(stream, curve->square);
    write_real(stream, curve->count);
    fputc('\n', stream);
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        write_bucket(stream, "bucket", i, &curve->buckets[i], clock);
}

static void write_kernel(FILE *stream, al_known_kernel *kernel, size_t type)
{
    al_spin_lock(&kernel->lock);
    uint64_t clock = al_known_clock(kernel);
    al_curve curve = kernel->curve;
    al_bucket build = kernel->build;
    al_rates rates = kernel->rates;
    uint64_t code = kernel->code;
    al_spin_unlock(&kernel->lock);
    if (curve.runs == 0 || strlen(kernel->name) > NAME_MAX_BYTES)
        return;
    fputs("kernel", stream);
    write_name(stream, kernel->name);
    fprintf(stream, " %zu %" PRIx64, type, code);
    write_rates(stream, &rates);
    write_curve(stream, &curve, clock);
    write_bucket(stream, "compile", 0, &build, 0);
}

static void write_class(FILE *stream, al_known_class *known)
{
    if (strlen(known->text) > NAME_MAX_BYTES)
        return;
    al_bucket launches[AL_LAUNCHES];
    al_spin_lock(&known->lock);
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        launches[i] = known->launches[i].seen;
    al_bucket build = known->build;
    al_spin_unlock(&known->lock);
    fputs("class", stream);
    write_name(stream, known->text);
    fprintf(stream, " %d %d\n", (int)known->kind, known->workers);
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        write_bucket(stream, "launch", i, &launches[i], 0);
    write_bucket(stream, "build", 0, &build, 0);
    for (size_t type = 0; type < AL_KNOWN_TYPES; type++)
        for (al_known_kernel *kernel = known->kernels[type]; kernel; kernel = kernel->hh.next)
            write_kernel(stream, kernel, type);
}

static void write_link(FILE *stream, al_model_link *link)
{
    for (int direction = 0; direction < 2; direction++) {
        al_spin_lock(&link->lock);
        al_curve curve = link->curves[direction];
        al_spin_unlock(&link->lock);
        if (curve.runs == 0 || strlen(link->text) > NAME_MAX_BYTES)
            continue;
        fputs("link", stream);
        write_name(stream, link->text);
        fprintf(stream, " %d", direction);
        write_curve(stream, &curve, 0);
    }
}

static void write_body(al_model *model, const char *machine, FILE *stream)
{
    fprintf(stream, "allot-model %d\nmachine", AL_STORE_VERSION);
    write_name(stream, machine);
    fputc('\n', stream);
    pthread_mutex_lock(&model->lock);
    if (model->has_cpu_rates) {
        fputs("rates", stream);
        write_rates(stream, &model->cpu_rates);
        fputc('\n', stream);
    }
    for (al_known_class *first = model->classes; first; first = first->hh.next)
        for (al_known_class *known = first; known; known = known->next)
            write_class(stream, known);
    for (al_model_link *link = model->links; link; link = link->hh.next)
        write_link(stream, link);
    pthread_mutex_unlock(&model->lock);
}

bool al_store_write(al_model *model, const char *machine, FILE *stream)
{
    char *text = NULL;
    size_t size = 0;
    FILE *body = open_memstream(&text, &size);
    if (!body)
        return false;
    write_body(model, machine, body);
    bool whole = !ferror(body);
    whole = fclose(body) == 0 && whole && text;
    if (whole) {
        fwrite(text, 1, size, stream);
        fprintf(stream, "end %016" PRIx64 "\n", al_store_hash(AL_STORE_HASH, text, size));
    }
    free(text);
    return whole && fflush(stream) == 0 && !ferror(stream);
}

/* ---- Reading: words of a line, each taken off its front ---- */

typedef struct reader {
    al_model *model;
    al_known_class *known;   /* that the lines belong to */
    al_known_kernel *kernel; /* NULL: none, or buckets belong to a link */
    al_curve *curve;         /* where buckets go; NULL: nowhere yet */
    bool has_machine;
    char *machine;
    char *line; /* what is left of it, ended by 0 */
    size_t number;
    char *wrong;
    size_t wrong_size;
} reader;

static bool fail(reader *self, const char *format, ...)
{
    va_list arguments;
    int used = snprintf(self->wrong, self->wrong_size, "line %zu: ", self->number);
    va_start(arguments, format);
    if (used > 0 && (size_t)used < self->wrong_size)
        vsnprintf(self->wrong + used, self->wrong_size - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

static char *take_word(reader *self)
{
    char *word = self->line;
    if (!*word)
        return NULL;
    char *end = strchr(word, ' ');
    self->line = end ? end + 1 : word + strlen(word);
    if (end)
        *end = '\0';
    return word;
}

static bool take_number(reader *self, int base, uint64_t most, uint64_t *value)
{
    const char *word = take_word(self);
    char *end = NULL;
    if (!word || !((*word >= '0' && *word <= '9') || (base == 16 && *word >= 'a' && *word <= 'f')))
        return fail(self, "a number is missing");
    errno = 0;
    *value = strtoull(word, &end, base);
    if (*end || errno || *value > most)
        return fail(self, "'%.40s' is not a number up to %" PRIu64, word, most);
    return true;
}

static bool take_real(reader *self, double least, double most, double *value)
{
    uint64_t bits = 0;
    if (!take_number(self, 16, UINT64_MAX, &bits))
        return false;
    memcpy(value, &bits, sizeof bits);
    if (*value >= least && *value <= most) /* not a NaN either */
        return true;
    return fail(self, "%g does not lie between %g and %g", *value, least, most);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place. */
static bool take_name(reader *self, char **name)
{
    char *word = take_word(self), *to = word;
    if (!word || strlen(word) > 3 * NAME_MAX_BYTES)
        return fail(self, "a name is missing or too long");
    *name = word;
    if (strcmp(word, "%") == 0) {
        *word = '\0';
        return true;
    }
    for (char *from = word; *from; to++) {
        if (*from != '%') {
            *to = *from++;
            continue;
        }
        int high = digit(from[1]), low = high < 0 ? -1 : digit(from[2]);
        if (low < 0 || high + low == 0)
            return fail(self, "a name has a broken %% sequence");
        *to = (char)(16 * high + low);
        from += 3;
    }
    *to = '\0';
    return strlen(word) <= NAME_MAX_BYTES || fail(self, "a name is too long");
}

static bool take_rates(reader *self, al_rates *rates)
{
    double *const positive[] = { &rates->flops_per_s, &rates->bytes_per_s, &rates->memory_bytes_per_s,
                                 &rates->overhead_s };
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        if (!take_real(self, 1e-12, 1e20, positive[i]))
            return false;
    return take_real(self, 0, 1e6, &rates->compile_s) && take_real(self, 1e-3, 100, &rates->overhead_sigma) &&
           take_real(self, 1e-3, 100, &rates->rate_sigma);
}

static bool take_bucket(reader *self, size_t buckets, al_bucket *of)
{
    uint64_t index = 0;
    al_bucket bucket = { 0 };
    if (!take_number(self, 10, buckets - 1, &index) || !take_number(self, 10, UINT64_MAX, &bucket.samples) ||
        !take_real(self, -1000, 1000, &bucket.log_size) || !take_real(self, -1000, 1000, &bucket.log_time) ||
        !take_real(self, 1e-12, 1e6, &bucket.count) || !take_real(self, 0, 1e9, &bucket.square) ||
        !take_real(self, 0, 1e9, &bucket.doubt))
        return false;
    if (bucket.samples == 0 || of[index].samples)
        return fail(self, "an empty bucket, or one that was there before");
    of[index] = bucket;
    return true;
}

static bool take_curve(reader *self, al_curve *curve)
{
    if (curve->runs)
        return fail(self, "it was there before");
    if (!take_number(self, 10, UINT64_MAX, &curve->runs) || !take_real(self, 0, 1e9, &curve->square) ||
        !take_real(self, 0, 1e6, &curve->count))
        return false;
    self->curve = curve;
    return curve->runs || fail(self, "nothing ran");
}

/* ---- Lines ---- */

static bool no_memory(reader *self)
{
    return fail(self, "out of memory");
}

static bool read_machine(reader *self)
{
    char *name;
    if (!take_name(self, &name))
        return false;
    snprintf(self->machine, AL_STORE_MACHINE, "%s", name);
    self->has_machine = true;
    return true;
}

static bool read_rates(reader *self)
{
    al_rates rates;
    if (!take_rates(self, &rates))
        return false;
    al_known_set_rates(self->model, &rates);
    return true;
}

static bool read_class(reader *self)
{
    char *text;
    uint64_t kind = 0, workers = 0;
    self->kernel = NULL;
    self->curve = NULL;
    if (!take_name(self, &text) || !take_number(self, 10, 64, &kind) ||
        !take_number(self, 10, INT32_MAX, &workers))
        return false;
    self->known = al_known_class_have(self->model, text, (allot_kind)kind, (int)workers);
    return self->known || no_memory(self);
}

static bool read_kernel(reader *self)
{
    char *name;
    uint64_t type = 0, code = 0;
    self->curve = NULL;
    if (!self->known)
        return fail(self, "no class before it");
    if (!take_name(self, &name) || !take_number(self, 10, AL_KNOWN_TYPES - 1, &type) ||
        !take_number(self, 16, UINT64_MAX, &code))
        return false;
    self->kernel = al_known_kernel_have(self->known, name, (allot_type)type);
    if (!self->kernel)
        return no_memory(self);
    self->kernel->code = code;
    return take_rates(self, &self->kernel->rates) && take_curve(self, &self->kernel->curve);
}

static bool read_link(reader *self)
{
    char *text;
    uint64_t direction = 0;
    self->known = NULL;
    self->kernel = NULL;
    self->curve = NULL;
    if (!take_name(self, &text) || !take_number(self, 10, 1, &direction))
        return false;
    al_model_link *link = al_known_link_have(self->model, text);
    return link ? take_curve(self, &link->curves[direction]) : no_memory(self);
}

static bool read_bucket(reader *self)
{
    return self->curve ? take_bucket(self, AL_CURVE_BUCKETS, self->curve->buckets)
                       : fail(self, "no kernel or link before it");
}

static bool read_compile(reader *self)
{
    return self->kernel ? take_bucket(self, 1, &self->kernel->build) : fail(self, "no kernel before it");
}

static bool read_launch(reader *self)
{
    al_bucket seen[AL_LAUNCHES];
    if (!self->known)
        return fail(self, "no class before it");
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        seen[i] = self->known->launches[i].seen;
    if (!take_bucket(self, AL_LAUNCHES, seen))
        return false;
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        self->known->launches[i].seen = seen[i];
    return true;
}

static bool read_build(reader *self)
{
    return self->known ? take_bucket(self, 1, &self->known->build) : fail(self, "no class before it");
}

static const struct line_kind {
    const char *word;
    bool (*read)(reader *self);
} line_kinds[] = {
    { "machine", read_machine }, { "rates", read_rates },   { "class", read_class },
    { "kernel", read_kernel },   { "bucket", read_bucket }, { "link", read_link },
    { "launch", read_launch },   { "build", read_build },   { "compile", read_compile },
};

static bool read_line(reader *self, char *line)
{
    self->line = line;
    self->number++;
    const char *word = take_word(self);
    for (size_t i = 0; word && i < sizeof line_kinds / sizeof *line_kinds; i++)
        if (strcmp(word, line_kinds[i].word) == 0)
            return line_kinds[i].read(self) && (!*self->line || fail(self, "it is too long"));
    return fail(self, "'%.40s' is no kind of line", word ? word : "");
}

/* The text before the last line, if that is its checksum. */
static bool check_end(reader *self, char *text, size_t size, bool trusting, char **end)
{
    static const char first[] = "allot-model ";
    char wanted[40];
    if (size < sizeof first - 1 || memcmp(text, first, sizeof first - 1) != 0)
        return fail(self, "not a model of Allot");
    if (atoi(text + sizeof first - 1) != AL_STORE_VERSION)
        return fail(self, "version %.10s of the format; this library reads %d", text + sizeof first - 1,
                    AL_STORE_VERSION);
    if (text[size - 1] != '\n' || memchr(text, '\0', size))
        return fail(self, "it is cut off, or not text");
    text[size - 1] = '\0';
    char *last = strrchr(text, '\n');
    if (!last || strncmp(last + 1, "end ", 4) != 0)
        return fail(self, "its end is missing");
    uint64_t hash = al_store_hash(AL_STORE_HASH, text, (size_t)(last + 1 - text));
    snprintf(wanted, sizeof wanted, "end %016" PRIx64, hash);
    *end = last;
    return trusting || strcmp(last + 1, wanted) == 0 ||
           fail(self, "its checksum is wrong: it was changed or damaged");
}

static bool read_lines(reader *self, char *text, char *end)
{
    char *line = strchr(text, '\n');
    *end = '\0';
    while (line && line < end) {
        char *next = strchr(line + 1, '\n');
        if (next)
            *next = '\0';
        if (!read_line(self, line + 1))
            return false;
        line = next;
    }
    return self->has_machine || fail(self, "it does not say whose it is");
}

bool al_store_read(al_model *model, const char *text, size_t size, char machine[AL_STORE_MACHINE],
                   bool trusting, char *wrong, size_t wrong_size)
{
    reader self = {
        .model = model, .machine = machine, .number = 1, .wrong = wrong, .wrong_size = wrong_size
    };
    char *copy = malloc(size + 1), *end = copy;
    if (!copy)
        return no_memory(&self);
    memcpy(copy, text, size);
    copy[size] = '\0';
    machine[0] = '\0';
    bool good = check_end(&self, copy, size, trusting, &end) && read_lines(&self, copy, end);
    free(copy);
    if (good)
        al_model_refit(model);
    return good;
}
