#include "fuzz/fuzz.h"

FUZZ(al_npy_format)
