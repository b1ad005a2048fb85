#include "core/call.h"
#include <stdio.h>

static void set_message(allot_call *call, const char *format, va_list values)
{
    char text[AL_FAILURE_TEXT_MAX];
    vsnprintf(text, sizeof text, format, values);
    al_failure_set(&call->failure, ALLOT_FAILED, "%s", text);
}

allot_status allot_fail(allot_call *call, allot_status status, const char *format, ...)
{
    if (!call || !format)
        return status;
    va_list values;
    va_start(values, format);
    set_message(call, format, values);
    va_end(values);
    return status;
}

allot_status allot_fail_with(allot_call *call, allot_status status, const void *payload, size_t size,
                             const char *format, ...)
{
    if (!call)
        return status;
    al_failure_payload(&call->failure, payload, size < AL_FAILURE_TEXT_MAX ? size : AL_FAILURE_TEXT_MAX);
    if (!format)
        return status;
    va_list values;
    va_start(values, format);
    set_message(call, format, values);
    va_end(values);
    return status;
}

bool allot_call_stopping(const allot_call *call)
{
    return call && call->stopping && atomic_load_explicit(call->stopping, memory_order_relaxed) != 0;
}

size_t allot_call_in_size(const allot_call *call)
{
    return call ? call->in_size : 0;
}

size_t allot_call_out_size(const allot_call *call)
{
    return call ? call->out_size : 0;
}

size_t allot_call_index(const allot_call *call)
{
    return call ? call->index : 0;
}

const char *allot_call_place(const allot_call *call)
{
    return call && call->place ? call->place : "";
}
