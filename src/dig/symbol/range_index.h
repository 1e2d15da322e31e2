/* Which of many overlapping ranges of addresses counts at an address: worked out once for all of them.
 *
 * Symbols, functions that are inlined into one another, code of a JIT that replaces older code: all are ranges with a
 * rank, and the highest rank that covers an address wins. The index is the plain list of places at which the
 * winner changes; a look-up is one binary search. Building: n log n; at most 2n + 1 steps. Threads: one. */
#ifndef OSPREY_DIG_SYMBOL_RANGE_INDEX_H
#define OSPREY_DIG_SYMBOL_RANGE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

#define RANGE_NONE UINT32_MAX

struct range {
	uint64_t start, end; /* end is the first address behind it; empty ones are passed over */
	uint64_t rank;	     /* higher wins; of equal ones the lower value wins */
	uint32_t value;	     /* the caller's; not RANGE_NONE */
};
typedef VEC(struct range) range_list;

struct range_index {
	VEC(struct range_step {
		uint64_t start;
		uint32_t value; /* RANGE_NONE: nothing from here on */
	}) step;
};

void range_index_deinit(struct range_index *x);
/* `r` is put into another order. *ret needs no _deinit before. 0 or -ENOMEM. */
int range_index_build(struct range *r, size_t n, struct range_index *ret) __attribute__((warn_unused_result));
/* The value, or RANGE_NONE. */
uint32_t range_index_find(const struct range_index *x, uint64_t address);

#endif
