#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <string.h>

/* What stands for the character at `text` in a JSON string; "" if it stands for itself. `length` is its UTF-8
 * length. */
static const char *escape(const unsigned char *text, size_t length, char room[8])
{
    if (length == 0)
        return "\\ufffd";
    if (*text == '"' || *text == '\\')
        snprintf(room, 8, "\\%c", *text);
    else if (*text < 0x20 || *text == 0x7f)
        snprintf(room, 8, "\\u%04x", *text);
    else
        return "";
    return room;
}

/* A JSON string: names come from users and may hold anything. What needs no escape is written in one piece.
 */
void al_json_put_text(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text, *piece = at;
    char room[8];
    fputc('"', file);
    while (*at) {
        size_t length = al_utf8_length((const char *)at);
        const char *escaped = escape(at, length, room);
        if (*escaped) {
            fwrite(piece, 1, (size_t)(at - piece), file);
            fputs(escaped, file);
            piece = at + (length ? length : 1);
        }
        at += length ? length : 1;
    }
    fwrite(piece, 1, (size_t)(at - piece), file);
    fputc('"', file);
}

void al_json_put_number(FILE *file, double value)
{
    char text[40];
    if (!isfinite(value)) {
        fputs(isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"", file);
        return;
    }
    snprintf(text, sizeof text, "%.17g", value);
    for (char *at = text; *at; at++) /* the locale's point may be a comma, or longer than that: seldom */
        if (*at == ',')
            *at = '.';
    fputs(text, file);
}
