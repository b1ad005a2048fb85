#include "base/fence.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

bool al_fence_asymmetric;

static bool command(int which)
{
    return syscall(SYS_membarrier, which, 0, 0) == 0;
}

/* Before threads exist registering is cheap; later it would wait for every processor. */
__attribute__((constructor)) static void register_process(void)
{
    al_fence_asymmetric = command(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

void al_fence_heavy(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (al_fence_asymmetric)
        command(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
