/* Functions as they travel between processes: a module (the program, or a shared object) and an offset from
 * its load base.
 *
 * So static functions and position-independent programs work, whatever address each process loads them at.
 * The module's build-id travels too: a worker that finds another build there says so instead of calling into
 * the wrong place. */
#ifndef AL_PLACES_PROCESS_SYMBOL_H
#define AL_PLACES_PROCESS_SYMBOL_H

#include "core/failure.h"
#include "places/process/wire.h"

#define AL_MODULES_MAX 256 /* fits 16 bits */

typedef void (*al_code)(void); /* any function */

typedef struct al_symbol {
    uint32_t module;
    uint64_t offset;
} al_symbol;

/* ---- The parent's side: from functions to symbols ---- */

typedef struct al_module {
    uintptr_t base;
    bool is_program;
    uint32_t build_id_size;
    unsigned char build_id[AL_BUILD_ID_MAX];
    char *path; /* absolute */
} al_module;

#define AL_SYMBOLS_CACHED 256
#define AL_SYMBOLS_TRIED  4 /* places in the cache where one may be */

/* Its owner locks. */
typedef struct al_symbols {
    al_module modules[AL_MODULES_MAX];
    uint32_t count;
    unsigned long long adds, subs; /* the loader's counts when the cache was filled */
    struct al_symbol_known {
        uintptr_t address;
        al_symbol symbol;
    } cache[AL_SYMBOLS_CACHED];
} al_symbols;

void al_symbols_init(al_symbols *symbols);
void al_symbols_fini(al_symbols *symbols);

/* To be called before functions are looked for that were submitted since: forgets what is known when modules
 * have come or gone. Takes no lock of the loader that is held while constructors run. */
void al_symbols_refresh(al_symbols *symbols);

/* Finds a function's symbol; false with the failure (which may be NULL) set: it lies in no module. The same
 * of locks. */
bool al_symbols_find(al_symbols *symbols, al_code function, al_symbol *symbol, al_failure *failure);

/* Fills the message that tells a worker about a module. */
void al_symbols_introduce(al_symbols *symbols, uint32_t module, al_wire_message *message);

/* ---- The worker's side: from symbols to functions ---- */

/* Finds, or loads, the module that the message names and compares its build-id. *base receives where it lies.
 */
allot_status al_module_load(const al_wire_message *message, uintptr_t *base, al_failure *failure);

#endif
