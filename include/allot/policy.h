/* Policies: which place a launch goes to. A policy is a pure function from a snapshot of the candidates to a
 * choice, so that it can be tested with tables, logged, and asked again without hardware (`allot replay`).
 *
 * An executor uses the one named in allot_options.policy, else in the environment variable ALLOT_POLICY, else
 * "eft". A name may carry an argument behind a colon: "random:42", "fixed:opencl:0". */
#ifndef ALLOT_POLICY_H
#define ALLOT_POLICY_H

#include <allot/place.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All that a policy may look at. Times in seconds. Everything that it points to lives as long as the call. */
typedef struct allot_snapshot {
    size_t size;         /* sizeof(allot_snapshot), set by whoever fills it: what it lacks is 0 */
    const char *task;    /* the kernel's name */
    const char *type;    /* "f32"; "" where all of the kernel's parameters have types of their own */
    double flops, bytes; /* the account of the work: the kernel's own, or the hints' */
    size_t candidate_count;
    const allot_candidate *candidates; /* see allot_candidate: of many places that are alike only those worth
                                          a look */
    const char *argument;              /* what stands behind the colon of the policy's name; "" */
    uint64_t seed;                     /* the number that the argument begins with; 0 */
    uint64_t number;                   /* of this decision in its executor: 0, 1, 2 ... */
    double busy_s;     /* time that launches have taken so far, all places together: running, and what
                          compiling and launching took beside it */
    double explored_s; /* how much of it was spent on trying places for knowledge's sake */
    double deadline_s; /* what is left until the task's deadline; 0: it has none */
    double rank_s;     /* upward rank: the longest expected way from this task's start to the end of its known
                          successors. 0: unknown */
    allot_preference prefer;
    bool deterministic;
    double retried_s; /* the part of explored_s that was spent where the kernel had run at that size before */
} allot_snapshot;

/* What a policy answers. */
typedef struct allot_choice {
    size_t size;     /* sizeof(allot_choice), set by the library */
    int chosen;      /* index of a candidate that is possible; below 0: none */
    bool explores;   /* tried although another looked cheaper: its time counts as explored */
    double urgency;  /* among the launches that wait at one place the greater goes first, where a place sorts
                        by it, after hints.priority: simulated places do, pools and devices do not */
    const char *why; /* one line; static, or lives as long as the process */
} allot_choice;

/* Fills *choice, which says "none" at first. Must not block; any threads at once. A choice that is no
 * possible candidate is not followed: the lowest predicted cost is, and the record says so. Never called when
 * fewer than two candidates are possible, nor for deterministic launches. */
typedef void (*allot_policy_function)(const allot_snapshot *snapshot, void *user, allot_choice *choice);

/* What else than the snapshot's own figures a policy wants to be given; or-ed. Each costs time. */
enum {
    ALLOT_POLICY_HISTORY = 1, /* candidates' history_* */
    ALLOT_POLICY_RANK = 2 /* rank_s; and launches that become ready together are decided by falling rank */
};

typedef struct allot_policy_info {
    size_t size;      /* sizeof(allot_policy_info), set by the caller */
    const char *name; /* letters, digits, _ and -; at most 31 */
    const char *says; /* in one line */
    allot_policy_function choose;
    void *user;
    uint32_t needs; /* ALLOT_POLICY_HISTORY, ALLOT_POLICY_RANK */
} allot_policy_info;

/* Adds a policy to those of this process, for executors opened afterwards; texts are copied. ALLOT_INVALID
 * with allot_last_error(): a member is missing, or the name is taken; ALLOT_NO_MEMORY. It cannot be taken
 * back. */
ALLOT_API allot_status allot_policy_register(const allot_policy_info *policy);

/* Copies up to `capacity` of the policies to infos, whose entries' `size` the caller has set and which lie
 * that far apart; returns how many there are. The built-in ones come first, "eft" first of all. */
ALLOT_API size_t allot_policies(allot_policy_info *infos, size_t capacity);

/* ---- Asking a policy without an executor ---- */

/* A policy with its argument and, where it needs one, its history. Any threads. */
typedef struct allot_policy allot_policy;

/* `name` as in allot_options.policy. NULL with allot_last_error(), which lists the names that there are. */
ALLOT_API allot_policy *allot_policy_create(const char *name);
ALLOT_API void allot_policy_destroy(allot_policy *policy);
/* As it was named, without its argument. */
ALLOT_API const char *allot_policy_name(const allot_policy *policy);

/* What it would choose: argument, seed and history are the policy's own, whatever the snapshot says. Where it
 * needs a history the choice is noted there as a run that has begun. ALLOT_INVALID on NULL or a size of 0,
 * ALLOT_NO_MEMORY. */
ALLOT_API allot_status allot_policy_choose(allot_policy *policy, const allot_snapshot *snapshot,
                                           allot_choice *choice);

/* How a chosen candidate went: `run_s` is the variant's own time, `whole_s` that with transfers and
 * compilation. For policies without a history it does nothing. */
ALLOT_API void allot_policy_learn(allot_policy *policy, const allot_snapshot *snapshot, int chosen,
                                  double run_s, double whole_s);

#ifdef __cplusplus
}
#endif
#endif
