#include "core/chunk.h"
#include "core/call.h"
#include <stdlib.h>
#include <string.h>

/* What precedes each message in the payload. */
typedef struct record {
    uint64_t index;
    uint64_t size; /* of the text behind it, with its final zero */
} record;

/* The messages of one chunk while it runs. */
typedef struct messages {
    char *bytes; /* AL_FAILURE_TEXT_MAX of them; NULL until there is a message */
    size_t used;
} messages;

/* Keeps what fits: of the room that is left each item to come, and this one, has an equal share. */
static void keep(messages *kept, size_t index, const char *text, size_t items_left)
{
    size_t share = (AL_FAILURE_TEXT_MAX - kept->used) / items_left;
    if (share <= sizeof(record) + 1 || (!kept->bytes && !(kept->bytes = malloc(AL_FAILURE_TEXT_MAX))))
        return;
    size_t length = strnlen(text, share - sizeof(record) - 1);
    record head = { index, length + 1 };
    memcpy(kept->bytes + kept->used, &head, sizeof head);
    memcpy(kept->bytes + kept->used + sizeof head, text, length);
    kept->used += sizeof head + length + 1;
    kept->bytes[kept->used - 1] = '\0';
}

/* Calls the function for one item of the chunk, the i-th. */
static allot_status run_item(allot_function function, const al_chunk *chunk, size_t i,
                             const allot_call *whole, void *results, messages *kept)
{
    const unsigned char *items = (const unsigned char *)(chunk + 1);
    allot_call call = { .stopping = whole->stopping,
                        .in_size = chunk->in_size,
                        .place = whole->place,
                        .out_size = chunk->out_size,
                        .index = chunk->first + i };
    const void *in = chunk->in_size ? items + i * chunk->in_size : NULL;
    void *out = chunk->out_size ? (unsigned char *)results + i * chunk->out_size : NULL;
    allot_status status = function(&call, in, out);
    if (status != ALLOT_OK && call.failure.message)
        keep(kept, call.index, call.failure.message, chunk->count - i);
    al_failure_fini(&call.failure);
    return status;
}

allot_status al_chunk_run(allot_function function, allot_call *call, const void *in, void *out)
{
    const al_chunk *chunk = in;
    int32_t *statuses = out;
    void *results = (unsigned char *)out + al_chunk_results_at(chunk->count);
    messages kept = { 0 };
    size_t i = 0;
    for (; i < chunk->count && !allot_call_stopping(call); i++)
        statuses[i] = (int32_t)run_item(function, chunk, i, call, results, &kept);
    al_failure_payload(&call->failure, kept.bytes, kept.used);
    free(kept.bytes);
    return i < chunk->count ? ALLOT_STOPPED : ALLOT_OK;
}

allot_status al_chunk_call(allot_call *call, const void *in, void *out)
{
    return al_chunk_run(((const al_chunk *)in)->function, call, in, out);
}

const char *al_chunk_message(const al_failure *failure, size_t index)
{
    const char *bytes = failure ? failure->payload : NULL;
    size_t left = bytes ? failure->payload_size : 0;
    while (left > sizeof(record)) {
        record head;
        memcpy(&head, bytes, sizeof head);
        bytes += sizeof head;
        left -= sizeof head;
        if (head.size == 0 || head.size > left || bytes[head.size - 1] != '\0')
            return NULL;
        if (head.index == index)
            return bytes;
        bytes += head.size;
        left -= head.size;
    }
    return NULL;
}
