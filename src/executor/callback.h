/* Users' callbacks, called in the executor's own thread. */
#ifndef AL_EXECUTOR_CALLBACK_H
#define AL_EXECUTOR_CALLBACK_H

#include <allot/executor.h>

/* The executor one of whose callbacks runs in this thread; NULL outside. */
const allot_executor *al_callback_executor(void);

#endif
