/* From sampled stacks to a call tree with names. */
#ifndef OSPREY_DIG_PROFILE_PROFILE_NAME_H
#define OSPREY_DIG_PROFILE_PROFILE_NAME_H

#include "dig/profile/profile.h"
#include "dig/profile/profile_space.h"

struct profile_stack; /* profile_bpf.bpf.h */

struct profile_kept_stack {
	uint64_t id_b, layout, count;
	uint64_t *pc; /* malloc'ed; as in struct profile_stack */
	uint32_t tgid, tid;
	uint16_t nkernel, nuser;
	uint8_t end;
	bool kernel_thread;
	char comm[16], process[16];
};
typedef VEC(struct profile_kept_stack) profile_stack_vec;

/* Without count. 0 or -ENOMEM. */
int profile_stack_keep(struct profile_kept_stack *k, const struct profile_stack *s) __attribute__((warn_unused_result));

/* All stacks with a count into *ret, which is initialised here and summed. Tells unnamed and kernel_why. 0 or -errno. */
int profile_name_all(const struct profile_options *o, struct profile_spaces *spaces, const profile_stack_vec *stacks,
		     struct call_tree *ret, struct profile_result *ret_result) __attribute__((warn_unused_result));

#endif
