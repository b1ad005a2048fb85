/* The record of a decision: candidates, snapshot, choice and outcome in one block, which is freed with the
 * task.
 *
 * It is made for every launch, so it copies no text that lives long enough anyhow: ids and classes are
 * interned, the task's names live as long as the task. */
#ifndef AL_EXECUTOR_RECORD_H
#define AL_EXECUTOR_RECORD_H

#include "executor/price.h"
#include <allot/policy.h>

typedef struct al_record {
    allot_decision decision; /* first: it is what the task holds */
    allot_snapshot snapshot;
    allot_candidate candidates[]; /* then reasons that are not static */
} al_record;

static inline al_record *al_record_of(const allot_decision *decision)
{
    return (al_record *)decision; /* the first member */
}

/* Asks and prices every candidate. NULL when memory is out. */
al_record *al_record_create(const al_price *price);

/* A candidate turned out to be set aside. */
void al_record_set_aside(al_record *record, size_t index, const al_place *place);
/* A candidate is no longer one for this reason, which is copied. */
void al_record_rule_out(al_record *record, size_t index, const char *reason);

#endif
