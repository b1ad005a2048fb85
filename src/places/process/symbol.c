#include "places/process/symbol.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading one loaded module ---- */

typedef struct build_id {
    uint32_t size;
    unsigned char bytes[AL_BUILD_ID_MAX];
} build_id;

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

static bool find_in_notes(const unsigned char *notes, size_t size, build_id *id)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t name = sizeof note, content = name + padded(note.n_namesz),
               next = content + padded(note.n_descsz);
        if (next > size)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0) {
            id->size = note.n_descsz < AL_BUILD_ID_MAX ? note.n_descsz : AL_BUILD_ID_MAX;
            memcpy(id->bytes, notes + content, id->size);
            return true;
        }
        notes += next;
        size -= next;
    }
    return false;
}

/* Size 0 if the module was linked without one. */
static void read_build_id(const struct dl_phdr_info *info, build_id *id)
{
    id->size = 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_NOTE &&
            find_in_notes((const unsigned char *)(info->dlpi_addr + header->p_vaddr), header->p_memsz, id))
            return;
    }
}

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && header->p_flags & PF_X &&
            address - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
            return true;
    }
    return false;
}

/* The program comes first, and glibc gives it no name. */
static bool is_program(const struct dl_phdr_info *info)
{
    return !info->dlpi_name || !info->dlpi_name[0];
}

/* ---- The parent's side ---- */

void al_symbols_init(al_symbols *symbols)
{
    memset(symbols, 0, sizeof *symbols);
}

void al_symbols_fini(al_symbols *symbols)
{
    for (uint32_t i = 0; i < symbols->count; i++)
        free(symbols->modules[i].path);
}

typedef struct search {
    uintptr_t address;
    bool found, is_program;
    uintptr_t base;
    build_id id;
    char name[PATH_MAX];
} search;

static int look_at(struct dl_phdr_info *info, size_t size, void *of)
{
    (void)size;
    search *wanted = of;
    if (!contains(info, wanted->address))
        return 0;
    wanted->found = true;
    wanted->is_program = is_program(info);
    wanted->base = info->dlpi_addr;
    read_build_id(info, &wanted->id);
    wanted->name[0] = 0;
    if (info->dlpi_name)
        strncat(wanted->name, info->dlpi_name, sizeof wanted->name - 1);
    return 1;
}

static bool same_module(const al_module *module, const search *found, const char *path)
{
    return module->is_program == found->is_program && strcmp(module->path, path) == 0 &&
           module->build_id_size == found->id.size &&
           memcmp(module->build_id, found->id.bytes, found->id.size) == 0;
}

/* Its number, given now if it is new; AL_MODULES_MAX if there is no room. */
static uint32_t number_of(al_symbols *symbols, const search *found)
{
    char *path = found->is_program ? strdup("") : realpath(found->name, NULL);
    if (!path && !(path = strdup(found->name)))
        return AL_MODULES_MAX;
    uint32_t number = 0;
    while (number < symbols->count && !same_module(&symbols->modules[number], found, path))
        number++;
    al_module *module = &symbols->modules[number < AL_MODULES_MAX ? number : 0];
    if (number == symbols->count && number < AL_MODULES_MAX) {
        symbols->count++;
        module->is_program = found->is_program;
        module->build_id_size = found->id.size;
        memcpy(module->build_id, found->id.bytes, found->id.size);
        module->path = path;
        path = NULL;
    }
    if (number < AL_MODULES_MAX)
        module->base = found->base;
    free(path);
    return number;
}

static int read_counts(struct dl_phdr_info *info, size_t size, void *of)
{
    al_symbols *symbols = of;
    if (size < offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs)
        return 1;
    if (symbols->adds != info->dlpi_adds || symbols->subs != info->dlpi_subs) {
        /* Something was loaded or unloaded: an address may mean another function now. */
        memset(symbols->cache, 0, sizeof symbols->cache);
        symbols->adds = info->dlpi_adds;
        symbols->subs = info->dlpi_subs;
    }
    return 1;
}

static bool find_new(al_symbols *symbols, uintptr_t address, al_symbol *symbol, al_failure *failure)
{
    search wanted;
    wanted.address = address;
    wanted.found = false;
    dl_iterate_phdr(look_at, &wanted);
    if (!wanted.found) {
        al_failure_set(failure, ALLOT_INVALID, "the function at %p lies in no loaded program or library",
                       (void *)address);
        return false;
    }
    uint32_t number = number_of(symbols, &wanted);
    if (number == AL_MODULES_MAX) {
        al_failure_set(failure, ALLOT_TOO_LARGE, "functions of more than %d modules were used",
                       AL_MODULES_MAX);
        return false;
    }
    *symbol = (al_symbol){ number, address - wanted.base };
    return true;
}

void al_symbols_refresh(al_symbols *symbols)
{
    dl_iterate_phdr(read_counts, symbols);
}

bool al_symbols_find(al_symbols *symbols, al_code function, al_symbol *symbol, al_failure *failure)
{
    uintptr_t address = (uintptr_t)function;
    size_t first = (address >> 4) % (AL_SYMBOLS_CACHED / AL_SYMBOLS_TRIED) * AL_SYMBOLS_TRIED;
    struct al_symbol_known *known = &symbols->cache[first], *free_one = known;
    for (size_t i = 0; i < AL_SYMBOLS_TRIED; i++) {
        if (known[i].address == address) {
            *symbol = known[i].symbol;
            return true;
        }
        if (!known[i].address)
            free_one = &known[i];
    }
    if (!find_new(symbols, address, symbol, failure))
        return false;
    *free_one = (struct al_symbol_known){ address, *symbol };
    return true;
}

void al_symbols_introduce(al_symbols *symbols, uint32_t module, al_wire_message *message)
{
    memset(message, 0, sizeof *message);
    message->kind = AL_WIRE_MODULE;
    message->index = module;
    const al_module *from = &symbols->modules[module];
    message->is_program = from->is_program;
    message->build_id_size = from->build_id_size;
    memcpy(message->build_id, from->build_id, from->build_id_size);
    strncat(message->path, from->path, sizeof message->path - 1);
}

/* ---- The worker's side ---- */

typedef struct loaded {
    const al_wire_message *wanted;
    bool found;
    uintptr_t base;
    build_id id;
} loaded;

static bool is_wanted(const struct dl_phdr_info *info, const al_wire_message *wanted)
{
    if (wanted->is_program || is_program(info))
        return wanted->is_program && is_program(info);
    char *path = realpath(info->dlpi_name, NULL);
    bool same = strcmp(path ? path : info->dlpi_name, wanted->path) == 0;
    free(path);
    return same;
}

static int look_for(struct dl_phdr_info *info, size_t size, void *of)
{
    (void)size;
    loaded *module = of;
    if (!is_wanted(info, module->wanted))
        return 0;
    module->found = true;
    module->base = info->dlpi_addr;
    read_build_id(info, &module->id);
    return 1;
}

allot_status al_module_load(const al_wire_message *message, uintptr_t *base, al_failure *failure)
{
    loaded module = { .wanted = message };
    dl_iterate_phdr(look_for, &module);
    if (!module.found && !message->is_program) {
        if (!dlopen(message->path,
                    RTLD_NOW | RTLD_LOCAL)) /* for good: its functions may be called any time */
            return al_failure_set(failure, ALLOT_NOT_FOUND,
                                  "the worker cannot load the function's module: %s", dlerror());
        dl_iterate_phdr(look_for, &module);
    }
    const char *name = message->is_program ? "the program" : message->path;
    if (!module.found)
        return al_failure_set(failure, ALLOT_NOT_FOUND, "the worker does not find %s", name);
    if (module.id.size != message->build_id_size ||
        memcmp(module.id.bytes, message->build_id, module.id.size) != 0)
        return al_failure_set(
            failure, ALLOT_NOT_FOUND,
            message->is_program ? "the function lies in the program itself, and the worker runs another one: "
                                  "call allot_worker_main() first in main, or put the function in a library"
                                : "%s is another build in the worker than here",
            name);
    *base = module.base;
    return ALLOT_OK;
}
