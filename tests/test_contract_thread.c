/* The contract of a place, against the thread place. */
#include "place_contract.h"

int main(int argc, char **argv)
{
    return contract_main(argc, argv, ALLOT_THREAD);
}
