#include "places/process/seal.h"
#include "places/process/setup.h"
#include <stdatomic.h>

/* Calls follow each other: one thread of the worker has them all. */
static unsigned sealed;
static al_code owner,
    current; /* for whose calls this worker is there; NULL: for any; and the one in progress */
static bool declined;

int al_seal(al_right rights)
{
    unsigned more = rights & ~sealed;
    int error =
        more ? al_seccomp_forbid(more & AL_RIGHT_NETWORK, more & AL_RIGHT_PROGRAMS, more & AL_RIGHT_PROGRAMS)
             : 0;
    if (error)
        return error;
    sealed |= rights;
    owner = current;
    return 0;
}

unsigned al_sealed(void)
{
    return sealed;
}

void al_seal_decline(void)
{
    declined = true;
}

bool al_seal_admits(al_code code)
{
    current = code;
    return !owner || owner == code;
}

bool al_seal_declined(void)
{
    return declined;
}
