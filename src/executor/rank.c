#include "executor/rank.h"
#include "executor/graph.h"

#define STALE_SHARE 8 /* of the graph: so much may come before a rank is found anew */

/* How many nodes have been added since counting began; with the graph's lock held. */
static bool is_known(const al_node *node, const al_graph_size *size)
{
    return node->rank.at && (size->added - node->rank.at) * STALE_SHARE <= size->inside;
}

static al_node *push(al_node *node, al_node *below)
{
    node->rank.below = below;
    node->rank.next_successor = node->successors;
    node->rank.next_follower = node->rank.followers;
    node->rank.longest_s = 0;
    return node;
}

static al_node *next_successor(al_node *node)
{
    al_rank *rank = &node->rank;
    al_edge *edge = rank->next_successor;
    if (edge) {
        rank->next_successor = edge->next;
        return edge->to;
    }
    al_follow *follow = rank->next_follower;
    if (!follow)
        return NULL;
    rank->next_follower = follow->next;
    return follow->to;
}

static void hear(al_node *node, double rank_s)
{
    if (node && rank_s > node->rank.longest_s)
        node->rank.longest_s = rank_s;
}

static al_node *pop(al_node *node, const al_graph_size *size)
{
    node->rank.rank_s = node->rank.weight_s + node->rank.longest_s;
    node->rank.at = size->added;
    hear(node->rank.below, node->rank.rank_s);
    return node->rank.below;
}

/* Depth first, with a stack through the nodes: chains may be long. */
static void find(al_node *node, const al_graph_size *size)
{
    al_node *top = push(node, NULL);
    while (top) {
        al_node *next = next_successor(top);
        if (!next)
            top = pop(top, size);
        else if (is_known(next, size))
            hear(top, next->rank.rank_s);
        else
            top = push(next, top);
    }
}

double al_rank_of(al_node *node)
{
    if (!node->rank.wanted)
        return 0;
    al_graph_lock();
    al_graph_size size = al_graph_size_locked();
    if (!is_known(node, &size))
        find(node, &size);
    double rank_s = node->rank.rank_s;
    al_graph_unlock();
    return rank_s;
}

void al_rank_follow(al_node *node, al_follow *follow, al_node *successor)
{
    al_graph_lock();
    *follow = (al_follow){ .next = node->rank.followers, .link = &node->rank.followers, .to = successor };
    if (follow->next)
        follow->next->link = &follow->next;
    node->rank.followers = follow;
    al_graph_unlock();
}

void al_rank_unfollow(al_follow *follow)
{
    if (!follow->link) /* only who put it in takes it out */
        return;
    al_graph_lock();
    *follow->link = follow->next;
    if (follow->next)
        follow->next->link = follow->link;
    follow->link = NULL;
    al_graph_unlock();
}
