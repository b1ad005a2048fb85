/* All that the readers call of the library, so that a fuzz target is not the whole of it: from the same list.
 */
#include <allot/array.h>

size_t allot_type_size(allot_type type)
{
    static const size_t sizes[] = { 0,
#define TYPE_SIZE(name, size, cl, text) size,
                                    ALLOT_TYPE_LIST(TYPE_SIZE)
#undef TYPE_SIZE
    };
    return sizes[type];
}

const char *allot_type_name(allot_type type)
{
    static const char *const names[] = { "?",
#define TYPE_NAME(name, size, cl, text) text,
                                         ALLOT_TYPE_LIST(TYPE_NAME)
#undef TYPE_NAME
    };
    return names[type];
}
