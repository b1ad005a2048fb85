/* What a library that is loaded late has in it. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <allot/status.h>

ALLOT_API allot_status plugin_add(allot_call *call, const void *in, void *out); /* int → int */
/* A function that no name is known of outside: → int */
ALLOT_API allot_function plugin_counter(void);
ALLOT_API allot_status plugin_crash(allot_call *call, const void *in, void *out);
ALLOT_API int plugin_filler(int x); /* in the newer build: its functions lie elsewhere */

#endif
