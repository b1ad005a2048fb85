#include "core/source.h"
#include <elf.h>
#include <link.h>
#include <string.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a: Fowler, Noll, Vo, 1991. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return text ? hash_bytes(hash, text, strlen(text) + 1) : hash_bytes(hash, "", 1);
}

/* ---- The module of a C variant ---- */

typedef struct search {
    uintptr_t address;
    uint64_t hash;
} search;

static bool contains(const struct dl_phdr_info *module, uintptr_t address)
{
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &module->dlpi_phdr[i];
        uintptr_t begin = module->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && address >= begin && address - begin < header->p_memsz)
            return true;
    }
    return false;
}

static size_t padded(size_t size)
{
    return (size + 3) / 4 * 4;
}

/* Notes lie one behind the other: a head, a name, a description, each padded to 4 bytes. */
static uint64_t hash_of_notes(const char *notes, size_t size)
{
    for (size_t at = 0; size - at >= sizeof(ElfW(Nhdr));) {
        ElfW(Nhdr) head;
        memcpy(&head, notes + at, sizeof head);
        size_t name = at + sizeof head, description = name + padded(head.n_namesz);
        if (head.n_namesz > size || head.n_descsz > size || description > size ||
            size - description < head.n_descsz)
            return 0;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0)
            return hash_bytes(HASH_START, notes + description, head.n_descsz);
        at = description + padded(head.n_descsz);
        if (at > size)
            return 0;
    }
    return 0;
}

static int look(struct dl_phdr_info *module, size_t size, void *of)
{
    search *self = of;
    (void)size;
    if (!contains(module, self->address))
        return 0;
    for (size_t i = 0; i < module->dlpi_phnum && !self->hash; i++) {
        const ElfW(Phdr) *header = &module->dlpi_phdr[i];
        if (header->p_type == PT_NOTE)
            self->hash = hash_of_notes((const char *)module->dlpi_addr + header->p_vaddr, header->p_memsz);
    }
    return 1;
}

uint64_t al_source_of(const allot_kernel_desc *kernel, allot_kind kind)
{
    if (kind == ALLOT_OPENCL) {
        uint64_t hash = kernel->opencl_source ? hash_text(HASH_START, kernel->opencl_source) : 0;
        return hash ? hash_text(hash_text(hash, kernel->opencl_entry), kernel->opencl_options) : 0;
    }
    search self = { .address = (uintptr_t)kernel->cpu };
    if (kernel->cpu)
        dl_iterate_phdr(look, &self);
    return self.hash;
}
