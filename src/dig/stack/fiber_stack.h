/* The fibers of a process whose threads were read, equal ones together.
 *
 * A fiber that runs has the stack of the thread whose stack pointer lies in the fiber's. Pure but for the reading of memory; nothing
 * stops. See dig/fiber/fiber_list.h for privilege and cost. */
#ifndef OSPREY_DIG_STACK_FIBER_STACK_H
#define OSPREY_DIG_STACK_FIBER_STACK_H

#include "dig/fiber/fiber_deadlock.h"
#include "dig/stack/equal_groups.h"
#include "dig/stack/fd_words.h"
#include "dig/stack/stack.h"
#include "dig/symbol/symbol.h"

/* Which fibers are shown. NULL and 0: any. */
struct fiber_wish {
	const char *state; /* "waiting" */
	const char *wait;  /* "receive" */
	uint64_t state_least_ns;
	const char *function; /* part of the name of a function: on the stack, its first one, or the one that made it */
	bool apart; /* each by itself */
	/* How many fibers were read; may be NULL. */
	void (*progress)(void *arg, size_t done, size_t all);
	void *arg;
};

struct fiber_stacks {
	struct fiber_root *root;
	struct fiber_list all;
	struct fiber_deadlocks deadlocks;
	struct equal_groups equal; /* indices into all.fiber, of those that are shown; running ones first, then the largest groups */
	size_t shown;
	struct fd_words words; /* of the descriptors that are waited for; of a core none */
	size_t longest; /* index of the one that has waited longest; SIZE_MAX: none waits */
};

/* -ENOENT: the process does not use the runtime; -EINVAL: a state or wait of that name does not exist (the note lists those that do);
 * others with the reason in `note`. `symbolizer` may be NULL without `function`; `h`: of a live process, what its descriptors are. */
int fiber_stacks_take(struct host *h, const struct process_stacks *s, struct symbolizer *symbolizer, const struct fiber_wish *wish,
		      struct fiber_stacks **ret, struct note *note) __attribute__((warn_unused_result));
void fiber_stacks_free(struct fiber_stacks *f);

/* The thread of the system that runs it, or NULL. */
const struct thread_stack *fiber_thread_stack(const struct process_stacks *s, const struct fiber_stacks *f,
					      const struct fiber_row *row);

#endif
