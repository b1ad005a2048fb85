/* The public door to base/log. */
#include "base/log.h"
#include <allot/observe.h>

_Static_assert((int)ALLOT_LOG_ERROR == (int)AL_LOG_ERROR && (int)ALLOT_LOG_DEBUG == (int)AL_LOG_DEBUG,
               "the levels are passed on as they are");

void allot_set_log(allot_log_function function, void *user, allot_log_level level)
{
    al_log_set(function, user, (int)level);
}
