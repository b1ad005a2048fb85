#include "fuzz/fuzz.h"

FUZZ(al_f32_format)
