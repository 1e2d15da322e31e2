/* Descriptors as a C source. */
#ifndef TYPES_EMIT_H
#define TYPES_EMIT_H

#include <stdio.h>

#include "describe.h"

/* With `headers` (of the annotated types; may be none) the source checks, when it is compiled, that sizes and
 * offsets are still the same. */
void emit(const struct descriptions *d, const char *const *headers, size_t nheaders, FILE *to);

#endif
