/* What DWARF says of one function, for those who read more of it than lines (prototype.h). */
#ifndef OSPREY_DIG_SYMBOL_LINES_DIE_H
#define OSPREY_DIG_SYMBOL_LINES_DIE_H

#include <elfutils/libdw.h>

#include "dig/symbol/lines.h"

/* Calls `read` with the function that starts at this address (the file's own), guarded as libdw must be: its answer is
 * returned. It holds nothing over a call of libdw, since that may never come back. -ENOENT: no function starts there. */
int lines_function(struct lines *l, uint64_t start, int (*read)(void *arg, Dwarf_Die *function), void *arg)
	__attribute__((warn_unused_result));

#endif
