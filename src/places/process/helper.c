/* allot-worker: the program that worker processes run when the host cannot be started again as one (an
 * interpreter that loaded the library late, for one). It is linked with the library, whose start hook does
 * everything; a function's module is loaded by its path. */
#include <allot/executor.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    allot_worker_main();
    fputs("allot-worker is started by Allot itself, for its worker processes\n", stderr);
    return EXIT_FAILURE;
}
