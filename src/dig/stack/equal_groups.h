/* Equal ones together: what makes two hundred threads, or ten thousand goroutines, readable. Pure. */
#ifndef OSPREY_DIG_STACK_EQUAL_GROUPS_H
#define OSPREY_DIG_STACK_EQUAL_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct equal_group {
	size_t *member; /* indices of the items, ascending; in the groups' own storage */
	size_t n;
};

struct equal_groups {
	VEC(struct equal_group) groups;
	size_t *storage;
};

/* Items 0 to n - 1, as whoever groups them knows them. */
struct equal_items {
	size_t n;
	const void *of;
	bool (*left_out)(const void *of, size_t i); /* NULL: none is */
	uint64_t (*hash)(const void *of, size_t i);
	bool (*equal)(const void *of, size_t i, size_t j);
	/* its group comes before the others; NULL: by the first members alone */
	bool (*ahead)(const void *of, size_t i);
};

/* With `ahead`: those that are so first, then the largest; groups of one size by their first members.
 * `apart`: each item is a group, in their order. -ENOMEM. Cost: that of the hash, ~50 ns an item. */
int equal_groups_make(const struct equal_items *items, bool apart, struct equal_groups *ret)
	__attribute__((warn_unused_result));
void equal_groups_deinit(struct equal_groups *g);

#endif
