#include "base/utf8.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t al_utf8_length(const char *from)
{
    const unsigned char *text = (const unsigned char *)from;
    size_t length = text[0] < 0x80                      ? 1
                    : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                    : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool surrogate_or_overlong = (text[0] == 0xe0 && text[1] < 0xa0) ||
                                 (text[0] == 0xed && text[1] >= 0xa0) ||
                                 (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90);
    return surrogate_or_overlong ? 0 : length;
}

/* U+0080 to U+009F are control characters too. */
static bool is_shown(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    return length == 1 ? at[0] >= 0x20 && at[0] != 0x7f : length && !(at[0] == 0xc2 && at[1] < 0xa0);
}

void al_utf8_escape(char *to, size_t size, const char *from)
{
    size_t used = 0;
    while (*from && used < size) {
        char one[8];
        size_t length = al_utf8_length(from), taken = length ? length : 1;
        if (is_shown(from, length))
            snprintf(one, sizeof one, "%.*s", (int)length, from);
        else
            snprintf(one, sizeof one, "\\x%02x", (unsigned char)from[0]), taken = 1;
        if (strlen(one) >= size - used)
            break;
        used += (size_t)sprintf(to + used, "%s", one);
        from += taken;
    }
    if (size)
        to[used] = '\0';
}
