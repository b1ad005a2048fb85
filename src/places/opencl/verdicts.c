#include "places/opencl/verdicts.h"
#include "base/cachefile.h"
#include "placement/store.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define FIRST_LINE     "allot-drivers 1\n"
#define FILE_MAX_BYTES ((size_t)8 << 20)

/* ---- What a verdict holds of ---- */

/* The sum does not heed their order. */
uint64_t al_verdict_environment(void)
{
    static const char *const names[] = { "POCL_",   "RUSTICL_", "OCLGRIND_", "CUDA_",
                                         "ROCR_",   "HIP_",     "ZE_",       "GALLIUM_",
                                         "LP_NUM_", "NEO",      "CL_CONFIG", "LD_LIBRARY_PATH=" };
    uint64_t sum = 0;
    for (char **each = environ; each && *each; each++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(*each, names[i], strlen(names[i])) == 0)
                sum += al_store_hash(AL_STORE_HASH, *each, strlen(*each));
    return sum;
}

void al_verdict_found(al_verdict *verdict, const char *library)
{
    snprintf(verdict->library, sizeof verdict->library, "%s", library);
    verdict->library_stamp = al_icd_stamp_of(verdict->library);
}

bool al_verdict_begin(al_verdict *verdict, const al_icd *icd)
{
    memset(verdict, 0, sizeof *verdict);
    char *library = al_icd_find_library(icd->library);
    bool fits = strlen(icd->file) < sizeof verdict->file && strlen(icd->library) < sizeof verdict->library &&
                (!library || strlen(library) < sizeof verdict->library);
    if (fits) {
        snprintf(verdict->file, sizeof verdict->file, "%s", icd->file);
        verdict->file_stamp = al_icd_stamp_of(icd->file);
        verdict->environment = al_verdict_environment();
        verdict->when_s = (int64_t)time(NULL);
        if (library)
            al_verdict_found(verdict, library);
    }
    free(library);
    return fits;
}

static bool same_stamp(al_stamp a, al_stamp b)
{
    return a.bytes == b.bytes && a.changed_ns == b.changed_ns;
}

static bool holds(const al_verdict *kept, const al_verdict *now)
{
    /* Where the linker's own search finds the library, the one that was opened then must be as it was. */
    bool same_library = *now->library ? strcmp(kept->library, now->library) == 0 : true;
    al_stamp library = *now->library ? now->library_stamp : al_icd_stamp_of(kept->library);
    bool bad = kept->state == ALLOT_DRIVER_LEFT_OUT;
    return strcmp(kept->file, now->file) == 0 && same_library && same_stamp(kept->library_stamp, library) &&
           same_stamp(kept->file_stamp, now->file_stamp) && kept->environment == now->environment &&
           kept->when_s <= now->when_s && (!bad || now->when_s - kept->when_s < AL_VERDICT_BAD_S);
}

const al_verdict *al_verdicts_find(const al_verdict *verdicts, size_t count, const al_verdict *now)
{
    for (size_t i = 0; i < count; i++)
        if (holds(&verdicts[i], now))
            return &verdicts[i];
    return NULL;
}

/* ---- The file: a line a verdict, its words percent-encoded, and last a checksum ---- */

static void write_word(FILE *stream, const char *word)
{
    fputc(' ', stream);
    for (const unsigned char *at = (const unsigned char *)word; *at; at++)
        fprintf(stream, *at <= ' ' || *at == '%' || *at > '~' ? "%%%02x" : "%c", *at);
    if (!*word)
        fputc('%', stream);
}

static void write_verdict(FILE *stream, const al_verdict *it)
{
    fprintf(stream, "driver %d %d %" PRId64 " %" PRIx64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
            it->state, it->devices, it->when_s, it->environment, it->file_stamp.bytes,
            it->file_stamp.changed_ns, it->library_stamp.bytes, it->library_stamp.changed_ns);
    write_word(stream, it->file);
    write_word(stream, it->library);
    write_word(stream, it->message);
    fputc('\n', stream);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes a word off the line's front. */
static bool take_word(char **line, char *to, size_t size)
{
    char *from = *line;
    size_t used = 0;
    while (*from == ' ')
        from++;
    if (!*from)
        return false;
    bool empty = from[0] == '%' && (from[1] == ' ' || !from[1]);
    for (; *from && *from != ' ' && !empty; used++) {
        int high = *from == '%' ? digit(from[1]) : 0, low = *from == '%' && high >= 0 ? digit(from[2]) : 0;
        if (used + 1 >= size || high < 0 || low < 0)
            return false;
        to[used] = *from == '%' ? (char)(16 * high + low) : *from;
        from += *from == '%' ? 3 : 1;
    }
    to[used] = '\0';
    *line = from + empty;
    return true;
}

static bool read_verdict(char *line, al_verdict *it)
{
    int used = 0;
    memset(it, 0, sizeof *it);
    if (sscanf(line, "driver %d %d %" SCNd64 " %" SCNx64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 "%n",
               &it->state, &it->devices, &it->when_s, &it->environment, &it->file_stamp.bytes,
               &it->file_stamp.changed_ns, &it->library_stamp.bytes, &it->library_stamp.changed_ns,
               &used) != 8)
        return false;
    line += used;
    return it->state >= ALLOT_DRIVER_GOOD && it->state <= ALLOT_DRIVER_LEFT_OUT &&
           take_word(&line, it->file, sizeof it->file) && take_word(&line, it->library, sizeof it->library) &&
           take_word(&line, it->message, sizeof it->message);
}

/* The end of the lines before the checksum; NULL: it is not right. */
static char *check_end(char *text, size_t size)
{
    uint64_t wanted;
    char *end = size && text[size - 1] == '\n' ? memrchr(text, '\n', size - 1) : NULL;
    if (strncmp(text, FIRST_LINE, sizeof FIRST_LINE - 1) != 0 || !end ||
        sscanf(end + 1, "end %" SCNx64, &wanted) != 1 ||
        al_store_hash(AL_STORE_HASH, text, (size_t)(end + 1 - text)) != wanted)
        return NULL;
    return end + 1;
}

static size_t count_lines(const char *text, const char *end)
{
    size_t lines = 0;
    for (; text < end; text++)
        lines += *text == '\n';
    return lines;
}

al_verdict *al_verdicts_read(const char *path, size_t *count)
{
    size_t size = 0;
    char *text = al_cachefile_read(path, FILE_MAX_BYTES, &size);
    char *end = text ? check_end(text, size) : NULL;
    al_verdict *verdicts = NULL;
    *count = 0;
    if (end)
        verdicts = calloc(count_lines(text, end), sizeof *verdicts);
    for (char *line = text; verdicts && line < end;) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        *next = '\0';
        if (line > text && read_verdict(line, &verdicts[*count]))
            ++*count;
        line = next + 1;
    }
    free(text);
    return verdicts;
}

static bool write_file(const char *path, const al_verdict *verdicts, size_t count, size_t without,
                       const al_verdict *fresh)
{
    char *text = NULL;
    size_t size = 0;
    FILE *body = open_memstream(&text, &size);
    if (!body)
        return false;
    fputs(FIRST_LINE, body);
    for (size_t i = 0; i < count; i++)
        if (i != without)
            write_verdict(body, &verdicts[i]);
    write_verdict(body, fresh);
    fflush(body);
    if (text)
        fprintf(body, "end %016" PRIx64 "\n", al_store_hash(AL_STORE_HASH, text, size));
    bool written = fclose(body) == 0 && text && al_cachefile_replace(path, text, size);
    free(text);
    return written;
}

bool al_verdicts_add(const char *path, const al_verdict *fresh)
{
    al_cachefile_make_folders(path);
    int lock = al_cachefile_lock(path);
    if (lock < 0)
        return false;
    size_t count, without = 0;
    al_verdict *verdicts = al_verdicts_read(path, &count);
    /* One of the same driver in the same environment goes; else, of too many, the first: the oldest. */
    while (without < count && (strcmp(verdicts[without].file, fresh->file) != 0 ||
                               verdicts[without].environment != fresh->environment))
        without++;
    if (without == count && count >= AL_VERDICTS_MAX)
        without = 0;
    bool written = write_file(path, verdicts, count, without, fresh);
    free(verdicts);
    close(lock);
    return written;
}
