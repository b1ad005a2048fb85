/* Writing one number as an element of any type, as a C conversion does. */
#ifndef AL_CORE_NUMBER_H
#define AL_CORE_NUMBER_H

#include <allot/kernel.h>

/* Stores `value` at `to` as one element; false if an integer type cannot hold it (complex: the real part). */
bool al_number_store(void *to, allot_type type, double value);

/* Stores a scalar argument converted to `type`; false if it does not fit: an integer type takes only integers
 * in its range, a floating one takes any scalar. */
bool al_number_convert(void *to, allot_type type, const allot_arg *scalar);

#endif
