/* Other libraries' threads beside ours: while an executor is open its workers use every core already, so what
 * they call should not start a team of its own.
 *
 * Found at run time, never linked: OpenMP (GNU, LLVM, Intel), OpenBLAS, BLIS, MKL; those that are loaded when
 * an executor is opened. Where the setting is a thread's own (OpenMP, MKL) each worker sets its own once, and
 * the user's threads keep theirs. Where it is the process's (OpenBLAS, BLIS) it is set at the first open and
 * restored at the last close. Nothing is set per task. */
#ifndef AL_TOPOLOGY_CITIZEN_H
#define AL_TOPOLOGY_CITIZEN_H

/* At open, and at close: one restore a cap. Libraries are looked for at each open. */
void al_citizen_cap(void);
void al_citizen_restore(void);

/* The calling thread is a worker from now on: caps what is set per thread. Waits for no loader. */
void al_citizen_enter_worker(void);

/* The environment variables that do the same for a new process, set to 1 where the user set none; ended by
 * NULL. */
extern const char *const al_citizen_variables[];

#define AL_CITIZEN_VARIABLES 4

#endif
