/* Upward ranks: how long the way from a launch's start to the end of the last of its known successors is
 * expected to be (Topcuoglu, Hariri and Wu, TPDS 2002): its own time, and the longest of its successors'
 * ranks with what moving data there takes. A launch's time is that where it is fastest, not the published
 * mean over all places: what many wait for goes there, and a mean over many slow places would call urgent
 * what only they are slow at. (Zhao and Sakellariou compare such choices, Euro-Par 2003.)
 *
 * The graph grows while it runs, so ranks are found when they are asked for and kept until the graph has
 * grown by an eighth: over all, each launch costs a few steps, however many there are. */
#ifndef AL_EXECUTOR_RANK_H
#define AL_EXECUTOR_RANK_H

#include <stdbool.h>

typedef struct al_node al_node;
typedef struct al_follow al_follow;

/* A successor by hints.after: its place in the list of the one that it follows. Guarded by the graph's lock.
 */
struct al_follow {
    al_follow *next, **link; /* link NULL: in no list */
    al_node *to;
};

/* What a node has of it; guarded by the graph's lock. */
typedef struct al_rank {
    bool wanted;           /* by the policy: set before the node is added */
    double weight_s;       /* its own time where it is fastest, and that of moving what it writes */
    _Atomic double rank_s; /* written with the lock held */
    unsigned long at;      /* how many nodes had been added when it was found; 0: it was not */
    al_follow *followers;
    /* While ranks are found: */
    al_node *below;
    void *next_successor; /* al_edge */
    al_follow *next_follower;
    double longest_s;
} al_rank;

/* The node's rank; 0 where it is not wanted. Takes the graph's lock. */
double al_rank_of(al_node *node);

/* Puts a wanted successor by hints.after into the list of the one that it follows, and takes it out: before
 * that one's future is seen to be done. */
void al_rank_follow(al_node *node, al_follow *follow, al_node *successor);
void al_rank_unfollow(al_follow *follow);

#endif
