#include "places/process/symtab.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTS_MAX    64    /* loaded parts of a file, and more than any has */
#define SECTIONS_MAX 10000 /* what would be more is no honest file */
#define BLOCK        256   /* symbols read at once */
#define SYMBOLS_MAX  ((size_t)1 << 22)

#if __ELF_NATIVE_CLASS == 64
#define NATIVE_CLASS ELFCLASS64
#else
#define NATIVE_CLASS ELFCLASS32
#endif

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size && offset + done <= INT64_MAX) {
        ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            break;
    }
    return done == size;
}

/* A regular file: anything else might keep its reader waiting. */
static int open_file(const char *path)
{
    struct stat kind;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &kind) != 0 || !S_ISREG(kind.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool read_header(int fd, ElfW(Ehdr) * header)
{
    return read_at(fd, header, sizeof *header, 0) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == NATIVE_CLASS && header->e_phentsize == sizeof(ElfW(Phdr)) &&
           header->e_shentsize == sizeof(ElfW(Shdr));
}

/* Offsets in the file become the addresses that symbols have; 0: in no part that is loaded. */
static void find_addresses(int fd, const ElfW(Ehdr) * header, const al_symtab_query *queries,
                           uint64_t *addresses, size_t count)
{
    for (size_t part = 0; part < header->e_phnum && part < PARTS_MAX; part++) {
        ElfW(Phdr) loaded;
        if (!read_at(fd, &loaded, sizeof loaded, header->e_phoff + part * sizeof loaded))
            return;
        for (size_t i = 0; loaded.p_type == PT_LOAD && i < count; i++)
            if (queries[i].offset - loaded.p_offset < loaded.p_filesz)
                addresses[i] = queries[i].offset - loaded.p_offset + loaded.p_vaddr;
    }
}

/* The full table if there is one, else that of what others may use. */
static bool find_table(int fd, const ElfW(Ehdr) * header, ElfW(Shdr) * table, ElfW(Shdr) * names)
{
    ElfW(Shdr) section;
    bool found = false;
    for (size_t i = 0; i < header->e_shnum && i < SECTIONS_MAX; i++) {
        if (!read_at(fd, &section, sizeof section, header->e_shoff + i * sizeof section))
            break;
        if (section.sh_type != SHT_SYMTAB && (found || section.sh_type != SHT_DYNSYM))
            continue;
        *table = section;
        found = true;
        if (section.sh_type == SHT_SYMTAB)
            break;
    }
    return found && table->sh_link < header->e_shnum &&
           read_at(fd, names, sizeof *names, header->e_shoff + table->sh_link * sizeof *names);
}

static void take_name(int fd, const ElfW(Shdr) * names, const ElfW(Sym) * symbol, uint64_t into,
                      al_symtab_query *query)
{
    uint64_t room = symbol->st_name < names->sh_size ? names->sh_size - symbol->st_name : 0;
    size_t size = room < sizeof query->name - 1 ? (size_t)room : sizeof query->name - 1;
    memset(query->name, 0, sizeof query->name);
    if (!read_at(fd, query->name, size, names->sh_offset + symbol->st_name))
        query->name[0] = 0;
    query->into = into;
}

static void look_through(int fd, const ElfW(Shdr) * table, const ElfW(Shdr) * names,
                         const uint64_t *addresses, al_symtab_query *queries, size_t count)
{
    ElfW(Sym) block[BLOCK];
    size_t total = table->sh_size / sizeof block[0];
    total = total < SYMBOLS_MAX ? total : SYMBOLS_MAX;
    for (size_t first = 0; first < total; first += BLOCK) {
        size_t here = total - first < BLOCK ? total - first : BLOCK;
        if (!read_at(fd, block, here * sizeof block[0], table->sh_offset + first * sizeof block[0]))
            return;
        for (size_t i = 0; i < here; i++)
            for (size_t q = 0; block[i].st_info % 16 == STT_FUNC && q < count; q++)
                if (addresses[q] && addresses[q] - block[i].st_value < block[i].st_size)
                    take_name(fd, names, &block[i], addresses[q] - block[i].st_value, &queries[q]);
    }
}

void al_symtab_ask(const char *path, al_symtab_query *queries, size_t count)
{
    enum {
        AT_ONCE = 32
    };
    ElfW(Ehdr) header;
    ElfW(Shdr) table, names;
    uint64_t addresses[AT_ONCE] = { 0 };
    for (size_t i = 0; i < count; i++)
        queries[i].name[0] = 0;
    int fd = open_file(path);
    if (fd < 0)
        return;
    if (count <= AT_ONCE && read_header(fd, &header) && find_table(fd, &header, &table, &names)) {
        find_addresses(fd, &header, queries, addresses, count);
        look_through(fd, &table, &names, addresses, queries, count);
    }
    close(fd);
}
