/* Joining two models: what a file knows into one that runs, and what a process learned into the file that
 * another wrote meanwhile. */
#ifndef AL_PLACEMENT_MERGE_H
#define AL_PLACEMENT_MERGE_H

#include "placement/model.h"

/* Adds all that `from` knows, which nobody else uses meanwhile. What it knows of is thought to have changed
 * since by so much: a variance of the logarithm. What both know is averaged. `new`: it is to be contributed
 * to the model's own file. False when memory was out: some of it may be missing. */
bool al_model_absorb(al_model *model, al_model *from, double doubt, bool new);

/* Adds to `file`, which nobody else uses, what `model` has learned since it was last absorbed or contributed:
 * where the file has still what it had then, in its place, else averaged. */
bool al_model_contribute(al_model *file, al_model *model);

/* True if there is any such. */
bool al_model_has_news(al_model *model);

/* Fits all curves anew from their buckets, and tells the classes. Nobody else uses the model. */
void al_model_refit(al_model *model);

/* Forgets all runs and transfers; entries stay valid. */
void al_model_forget(al_model *model);

#endif
