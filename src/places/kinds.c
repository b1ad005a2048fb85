/* The kinds of place that this build has, in the order in which they are listed to users. */
#include "places/place.h"

const al_place_kind *const al_place_kinds[] = {
    &al_thread_kind,
    &al_process_kind,
    &al_inline_kind,
#ifdef ALLOT_WITH_OPENCL
    &al_opencl_kind,
#endif
    NULL,
};
