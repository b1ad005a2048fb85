/* A collection of things that each belong to one half-open range of bytes, [begin, end), found by the ranges
 * that theirs overlap: in logarithmic time and the number found, as long as ranges of about one length lie
 * apart.
 *
 * Each octave of length has a list of its own, sorted by where its spans begin: those that overlap a range
 * are neighbours there. */
#ifndef AL_BASE_SPANS_H
#define AL_BASE_SPANS_H

#include <stdbool.h>
#include <stddef.h>

/* First in whatever is kept. */
typedef struct al_span {
    size_t begin, end;
} al_span;

typedef struct al_spans_level al_spans_level;

typedef struct al_spans {
    al_spans_level *levels; /* of those lengths that there are, in no order */
} al_spans;

/* All zero bytes are an empty collection. Frees every span in it. */
void al_spans_fini(al_spans *spans);

/* The thing of exactly [begin, end), which is not empty: what there is, else `size` zeroed bytes with its
 * span filled. NULL when memory is out. Before its list grows, those that unused() says nobody needs are
 * freed. */
void *al_spans_have(al_spans *spans, size_t begin, size_t end, size_t size,
                    bool (*unused)(const al_span *span));

/* Calls visit() for each whose span overlaps [begin, end), until it answers false; that is the result. The
 * collection must not change meanwhile. */
bool al_spans_visit(const al_spans *spans, size_t begin, size_t end, bool (*visit)(al_span *span, void *of),
                    void *of);

#endif
