/* What must hold of every reader, whatever bytes it is given: it reads them or says why not and where, and
 * what it read is whole. Shared by the fuzz targets and by the test that reads their seeds. */
#ifndef CHECK_INPUT_H
#define CHECK_INPUT_H

#include "cli/io.h"

/* Reads a copy of the bytes, exactly as large, so that AddressSanitizer sees a byte read beyond. Returns
 * NULL, or in static text what did not hold. */
const char *check_input(const al_format *format, const void *bytes, size_t size);

#endif
