#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Three significant digits, never in scientific notation for what people meet. */
static const char *three_digits(char *text, double value, const char *unit)
{
    double size = fabs(value);
    int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
    snprintf(text, AL_FIGURE, "%.*f%s%s", decimals, value, unit[0] ? " " : "", unit);
    return text;
}

static const char *none(char *text)
{
    snprintf(text, AL_FIGURE, "-");
    return text;
}

const char *al_text_seconds(char *text, double seconds)
{
    if (!isfinite(seconds))
        return none(text);
    if (seconds == 0)
        return snprintf(text, AL_FIGURE, "0"), text;
    if (seconds < 999.5e-9)
        return three_digits(text, seconds * 1e9, "ns");
    if (seconds < 999.5e-6)
        return three_digits(text, seconds * 1e6, "µs");
    if (seconds < 999.5e-3)
        return three_digits(text, seconds * 1e3, "ms");
    return three_digits(text, seconds, "s");
}

const char *al_text_bytes(char *text, double bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t unit = 0;
    if (!isfinite(bytes))
        return none(text);
    while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    if (unit == 0)
        return snprintf(text, AL_FIGURE, "%.0f B", bytes), text;
    return three_digits(text, bytes, units[unit]);
}

const char *al_text_count(char *text, size_t count)
{
    char digits[AL_FIGURE];
    int length = snprintf(digits, sizeof digits, "%zu", count), used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

const char *al_text_figure(char *text, double value)
{
    if (!isfinite(value))
        return none(text);
    if (value >= 9999.5 && value < 1e15)
        return al_text_count(text, (size_t)(value + 0.5));
    if (value != 0 && fabs(value) < 0.0005)
        return snprintf(text, AL_FIGURE, "%.1g", value), text;
    return three_digits(text, value, "");
}

const char *al_text_error(char *text, double value)
{
    if (!isfinite(value))
        return none(text);
    snprintf(text, AL_FIGURE, value == 0 ? "0" : "%.1e", value);
    return text;
}

struct al_table {
    const al_table_column *columns;
    size_t column_count;
    char **cells;
    size_t cell_count, capacity;
    bool *gaps; /* after row i; as many places as `capacity` */
    bool out_of_memory;
};

al_table *al_table_create(const al_table_column *columns, size_t count)
{
    al_table *table = calloc(1, sizeof *table);
    if (table)
        *table = (al_table){ .columns = columns, .column_count = count };
    return table;
}

void al_table_destroy(al_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->gaps);
    free(table);
}

static bool grow(al_table *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : 64;
    char **cells = realloc(table->cells, capacity * sizeof *cells);
    if (cells)
        table->cells = cells;
    bool *gaps = realloc(table->gaps, capacity * sizeof *gaps);
    if (gaps)
        table->gaps = gaps;
    if (!cells || !gaps)
        return false;
    memset(gaps + table->capacity, 0, capacity - table->capacity);
    table->capacity = capacity;
    return true;
}

void al_table_cell(al_table *table, const char *text)
{
    if (!table || table->out_of_memory)
        return;
    char *copy = NULL;
    if (table->cell_count < table->capacity || grow(table))
        copy = strdup(text);
    if (copy)
        table->cells[table->cell_count++] = copy;
    else
        table->out_of_memory = true;
}

void al_table_gap(al_table *table)
{
    if (table && table->cell_count >= table->column_count)
        table->gaps[table->cell_count / table->column_count - 1] = true;
}

/* Characters, not bytes: µ is two bytes of UTF-8. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int column_width(const al_table *table, size_t column)
{
    int widest = width_of(table->columns[column].heading);
    for (size_t i = column; i < table->cell_count; i += table->column_count) {
        int width = width_of(table->cells[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_cell(const al_table *table, size_t column, const char *text, FILE *stream)
{
    int padding = column_width(table, column) - width_of(text);
    bool last = column + 1 == table->column_count, right = table->columns[column].right;
    fprintf(stream, "%*s%s%*s%s", right ? padding : 0, "", text, right || last ? 0 : padding, "",
            last ? "\n" : "  ");
}

bool al_table_print(const al_table *table, FILE *stream)
{
    if (!table)
        return false;
    for (size_t c = 0; c < table->column_count; c++)
        print_cell(table, c, table->columns[c].heading, stream);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->column_count;
        print_cell(table, column, table->cells[i], stream);
        bool row_ends = column + 1 == table->column_count;
        if (row_ends && table->gaps[i / table->column_count] && i + 1 < table->cell_count)
            fputc('\n', stream);
    }
    return !table->out_of_memory;
}
