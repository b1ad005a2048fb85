/* The book: the model's entries for each kernel, type and place, found once and kept, so that a decision asks
 * the model without looking anything up by name but the kernel. Read without a lock; pages are never taken
 * out. */
#ifndef AL_EXECUTOR_BOOK_H
#define AL_EXECUTOR_BOOK_H

#include "executor/sheet.h"

#define AL_BOOK_CHAINS 64

/* One kernel and type: an entry a place, by the place's index; NULL until it is first asked for. */
typedef struct al_page {
    struct al_page *next;
    uint64_t hash;
    allot_type type;
    char *kernel;
    al_sheets sheets;
    _Atomic(al_model_entry *) entries[];
} al_page;

typedef struct al_book {
    size_t places; /* room for so many */
    _Atomic(al_page *) chains[AL_BOOK_CHAINS];
} al_book;

void al_book_init(al_book *book, size_t places);
void al_book_fini(al_book *book);

/* NULL when memory is out. */
al_page *al_book_page(al_book *book, const char *kernel, allot_type type);

/* The model's entry for that kernel on a place; NULL when memory is out. `kernel` is one of the page's name:
 * it is asked for its source the first time. */
al_model_entry *al_page_entry(al_page *page, al_model *model, const al_place *place,
                              const allot_kernel *kernel);

#endif
