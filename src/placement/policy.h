/* Policies by name: the table of those that there are, and one in use with its argument and its history.
 *
 * The functions themselves are pure; their files are policy_*.c, their table is policies.h. What holds of all
 * stands here once: a single candidate is no choice, a deterministic launch goes to the first, and nothing is
 * ever chosen that is not possible. */
#ifndef AL_PLACEMENT_POLICY_H
#define AL_PLACEMENT_POLICY_H

#include <allot/policy.h>

/* Asks the policy's function; no history is looked at or kept. Never allocates, never locks. */
void al_policy_pick(const allot_policy *policy, const allot_snapshot *snapshot, allot_choice *choice);

/* ALLOT_POLICY_HISTORY, ALLOT_POLICY_RANK. */
uint32_t al_policy_needs(const allot_policy *policy);

/* Fills the history_* of candidates of this task; and notes that one was chosen. Only where a history is
 * needed. Without memory there is none. */
void al_policy_recall(allot_policy *policy, const allot_snapshot *snapshot, allot_candidate *candidates);
void al_policy_note(allot_policy *policy, const allot_snapshot *snapshot, int chosen);

#endif
