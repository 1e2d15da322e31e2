/* From stacks as they were sampled to rows with names. */
#ifndef OSPREY_DIG_OFFCPU_OFFCPU_NAME_H
#define OSPREY_DIG_OFFCPU_OFFCPU_NAME_H

#include "dig/offcpu/offcpu.h"
#include "dig/profile/profile_space.h"

struct offcpu_pair {
	const struct profile_stack *wait, *waker; /* waker: nullable */
	enum offcpu_waker_kind kind;
	struct offcpu_sum sum;
};
typedef VEC(struct offcpu_pair) offcpu_pair_vec;

/* Adds all to ret->rows, which is initialised, and sorts them (`crowd`: see there); tells `unnamed` and `kernel_why`. 0 or -errno. */
int offcpu_name_all(struct profile_spaces *spaces, const offcpu_pair_vec *pairs, bool crowd,
		    struct offcpu_result *ret)
	__attribute__((warn_unused_result));

#endif
