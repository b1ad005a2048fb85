/* The keep: a model's file. Read when the model is first asked, written when it has learned.
 *
 * The file is replaced as a whole by rename, under a lock beside it; what another process wrote meanwhile is
 * joined in. One that is damaged, of another machine or another version is ignored with a warning, and
 * written anew. */
#ifndef AL_PLACEMENT_KEEP_H
#define AL_PLACEMENT_KEEP_H

#include "core/failure.h"
#include "placement/model.h"

/* This machine and library, in words that differ where what was learned elsewhere is of no use. */
const char *al_keep_machine(void);

/* Has the model kept, before it is first used: where `wanted` says (allot_options.model), else the
 * environment's ALLOT_MODEL, else in a file in $XDG_CACHE_HOME/allot or ~/.cache/allot whose name tells the
 * machine; "off": nowhere. Quick: nothing is read yet. `measures`: the rates of the CPUs are measured in the
 * background if the file has none. False when memory is out. */
bool al_keep_begin(al_model *model, const char *wanted, bool measures);
/* Stops measuring and forgets the path; does nothing for one that is not kept. */
void al_keep_end(al_model *model);
/* NULL: it is not kept. */
const char *al_keep_path(al_model *model);

/* Adds what the file has, the first time; whoever comes meanwhile waits. */
void al_keep_load(al_model *model);
/* The same for who will predict: then what the file does not have is measured. */
void al_keep_use(al_model *model);

/* Joins what was learned into the file, and makes its folder if need be. ALLOT_OK also if there was nothing
 * new or the model is not kept. */
allot_status al_keep_save(al_model *model, al_failure *failure);

/* Writes all of it to another file, as a whole or not at all. */
allot_status al_keep_export(al_model *model, const char *path, al_failure *failure);
/* Adds another file's knowledge. One of another machine or version of the library is refused unless
 * `foreign`: then it is doubted. */
allot_status al_keep_import(al_model *model, const char *path, bool foreign, al_failure *failure);
/* Forgets all, and removes the file. */
allot_status al_keep_reset(al_model *model, al_failure *failure);

#endif
