#include "executor/book.h"
#include "core/kernel.h"
#include "core/source.h"
#include <stdlib.h>
#include <string.h>

void al_book_init(al_book *book, size_t places)
{
    book->places = places;
}

void al_book_fini(al_book *book)
{
    for (size_t i = 0; i < AL_BOOK_CHAINS; i++) {
        al_page *page = atomic_load(&book->chains[i]);
        while (page) {
            al_page *next = page->next;
            al_sheets_fini(&page->sheets);
            free(page);
            page = next;
        }
    }
}

/* FNV-1a. */
static uint64_t hash_of(const char *kernel, allot_type type)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)type;
    for (const unsigned char *at = (const unsigned char *)kernel; *at; at++)
        hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    return hash;
}

static al_page *find(al_page *first, uint64_t hash, const char *kernel, allot_type type)
{
    while (first && (first->hash != hash || first->type != type || strcmp(first->kernel, kernel) != 0))
        first = first->next;
    return first;
}

static al_page *create(const al_book *book, uint64_t hash, const char *kernel, allot_type type)
{
    size_t entries = book->places * sizeof(_Atomic(al_model_entry *)), name = strlen(kernel) + 1;
    al_page *page = calloc(1, sizeof *page + entries + name);
    if (!page)
        return NULL;
    page->hash = hash;
    page->type = type;
    page->kernel = memcpy((char *)page + sizeof *page + entries, kernel, name);
    return page;
}

al_page *al_book_page(al_book *book, const char *kernel, allot_type type)
{
    uint64_t hash = hash_of(kernel, type);
    _Atomic(al_page *) *chain = &book->chains[hash % AL_BOOK_CHAINS];
    al_page *first = atomic_load_explicit(chain, memory_order_acquire),
            *page = find(first, hash, kernel, type);
    if (page)
        return page;
    al_page *made = create(book, hash, kernel, type);
    while (made && !page) {
        made->next = first;
        if (atomic_compare_exchange_strong(chain, &first, made))
            return made;
        page = find(first, hash, kernel, type); /* another thread was first, perhaps with this one */
    }
    free(made);
    return page;
}

al_model_entry *al_page_entry(al_page *page, al_model *model, const al_place *place,
                              const allot_kernel *kernel)
{
    _Atomic(al_model_entry *) *at = &page->entries[place->index];
    al_model_entry *entry = atomic_load_explicit(at, memory_order_acquire);
    if (entry)
        return entry;
    al_model_key key = { .kernel = page->kernel,
                         .type = page->type,
                         .place = place->id,
                         .kind = place->kind,
                         .workers = place->width,
                         .place_class = place->class_id,
                         .compile_s = place->compile_s,
                         .code = al_source_of(&kernel->desc, place->kind) };
    entry = al_model_find(model, &key); /* the same for whoever asks */
    atomic_store_explicit(at, entry, memory_order_release);
    return entry;
}
