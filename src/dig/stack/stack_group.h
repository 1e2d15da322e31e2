/* Threads with equal stacks, together: what makes two hundred threads readable. Pure. */
#ifndef OSPREY_DIG_STACK_STACK_GROUP_H
#define OSPREY_DIG_STACK_STACK_GROUP_H

#include "dig/stack/stack.h"

struct stack_group {
	size_t *thread; /* indices into s->threads, ascending; in the groups' own storage */
	size_t n;
};

struct stack_groups {
	VEC(struct stack_group) groups; /* those that run first; then the largest */
	size_t *storage;
};

/* Equal: the same addresses in user space and kernel, the same end, running or not alike. `apart`: each thread is
 * a group of its own, in the order of threads. -ENOMEM. */
int stack_groups_make(const struct process_stacks *s, bool apart, struct stack_groups *ret)
	__attribute__((warn_unused_result));
void stack_groups_deinit(struct stack_groups *g);

#endif
