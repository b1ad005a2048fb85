/* The names of functions in a program or library on disk, static ones too: its symbol table. */
#ifndef AL_PLACES_PROCESS_SYMTAB_H
#define AL_PLACES_PROCESS_SYMTAB_H

#include <stddef.h>
#include <stdint.h>

#define AL_SYMTAB_NAME 128

typedef struct al_symtab_query {
    uint64_t offset;           /* in the file */
    char name[AL_SYMTAB_NAME]; /* answer: of the function there; "" if it is not known. Cut where longer */
    uint64_t into;             /* answer: how far into that function */
} al_symtab_query;

/* Answers all queries about one file. Believes nothing that the file says of itself; a file that is none of
 * the kind, or is not there, answers nothing. */
void al_symtab_ask(const char *path, al_symtab_query *queries, size_t count);

#endif
