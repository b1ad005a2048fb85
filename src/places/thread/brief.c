#include "places/thread/brief.h"

#define LOOPS    4    /* that are remembered */
#define BRIEF_NS 1000 /* about twice what it costs to hand half of it over and to hear of its end */

static al_brief *place_of(const al_brief *key)
{
    static _Thread_local al_brief loops[LOOPS] __attribute__((tls_model("initial-exec")));
    uintptr_t mixed = key->body ^ key->body >> 7 ^ key->user >> 4 ^ key->items;
    return &loops[(mixed ^ mixed >> 2) % LOOPS];
}

static bool same(const al_brief *one, const al_brief *other)
{
    return one->body == other->body && one->user == other->user && one->items == other->items;
}

bool al_brief_is(const al_brief *key)
{
    const al_brief *known = place_of(key);
    return known->is && same(known, key);
}

/* One that is brief now and then only had better be shared. */
void al_brief_tell(const al_brief *key, int64_t alone_ns)
{
    bool was = al_brief_is(key);
    *place_of(key) =
        (al_brief){ key->body, key->user, key->items, alone_ns < (was ? BRIEF_NS : BRIEF_NS / 2) };
}
