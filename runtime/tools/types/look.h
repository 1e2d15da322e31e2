/* Descriptors of a process or a core file, and values there: what RT_TYPES_NOTE is for. */
#ifndef TYPES_LOOK_H
#define TYPES_LOOK_H

#include <stdbool.h>

#include "target.h"

/* With `type` NULL lists the types; else prints the value at an address. Returns the exit code. */
int look(struct target *t, const char *type, uint64_t address, bool secrets);

#endif
