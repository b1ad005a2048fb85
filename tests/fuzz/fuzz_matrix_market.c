#include "fuzz/fuzz.h"

FUZZ(al_matrix_market_format)
