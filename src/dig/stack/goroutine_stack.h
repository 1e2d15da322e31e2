/* The goroutines of a process whose threads were read, equal ones together.
 *
 * Goroutines that run have no stack of their own in allgs: theirs is the one of the thread that runs them. Pure but for
 * the reading of memory; nothing stops. See dig/go/go_runtime.h for versions, privilege and cost. */
#ifndef OSPREY_DIG_STACK_GOROUTINE_STACK_H
#define OSPREY_DIG_STACK_GOROUTINE_STACK_H

#include "dig/go/go_runtime.h"
#include "dig/stack/equal_groups.h"
#include "dig/stack/stack.h"

struct goroutine_stacks {
	struct go_runtime *runtime;
	struct goroutines all;
	struct equal_groups equal; /* indices into all.goroutine; running ones first, then the largest groups */
	size_t running, system; /* goroutines; system: the runtime's own */
};

/* `apart`: each is a group of its own, by id. `system`: those of the runtime too. -ENOENT: no Go program;
 * -EOPNOTSUPP: older than 1.17; others with the reason in `note`. */
int goroutine_stacks_take(const struct process_stacks *s, bool apart, bool system, struct goroutine_stacks **ret,
			  struct note *note) __attribute__((warn_unused_result));
void goroutine_stacks_free(struct goroutine_stacks *g);

#endif
