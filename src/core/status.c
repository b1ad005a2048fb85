#include <allot/status.h>

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)

const char *allot_version(void)
{
    return VALUE(ALLOT_VERSION_MAJOR) "." VALUE(ALLOT_VERSION_MINOR) "." VALUE(ALLOT_VERSION_PATCH);
}

const char *allot_status_text(allot_status status)
{
    switch (status) {
#define STATUS_TEXT(name, value, text)                                                                       \
    case ALLOT_##name:                                                                                       \
        return text;
        ALLOT_STATUS_LIST(STATUS_TEXT)
    default:
        return (int)status >= ALLOT_USER ? "the task's own error" : "unknown status";
    }
}

const char *allot_status_name(allot_status status)
{
    switch (status) {
#define STATUS_NAME(name, value, text)                                                                       \
    case ALLOT_##name:                                                                                       \
        return "ALLOT_" #name;
        ALLOT_STATUS_LIST(STATUS_NAME)
    default:
        return (int)status >= ALLOT_USER ? "ALLOT_USER" : "unknown status";
    }
}
