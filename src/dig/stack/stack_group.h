/* Threads with equal stacks, together. Pure. */
#ifndef OSPREY_DIG_STACK_STACK_GROUP_H
#define OSPREY_DIG_STACK_STACK_GROUP_H

#include "dig/stack/equal_groups.h"
#include "dig/stack/stack.h"

/* Members are indices into s->threads. Equal: the same addresses in user space and kernel, the same end, running or not
 * alike. Those that run come first, then the largest groups; of a core, where nothing runs, the thread that ended the
 * process. `apart`: each thread is a group of its own, in the order of threads. -ENOMEM. To be given to
 * equal_groups_deinit. */
int stack_groups_make(const struct process_stacks *s, bool apart, struct equal_groups *ret)
	__attribute__((warn_unused_result));

#endif
