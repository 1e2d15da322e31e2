/* From copied registers and bytes to frames, for every thread. For
 * dig alone. */
#ifndef OSPREY_DIG_STACK_STACK_UNWIND_H
#define OSPREY_DIG_STACK_STACK_UNWIND_H

#include "dig/stack/stack.h"
#include "dig/stack/thread_grab.h"

/* What BPF wrote of one thread, copied; *t is overwritten. -ENOMEM. */
int thread_keep_record(struct thread_stack *t, const struct grab_record *r, struct span stack)
	__attribute__((warn_unused_result));
/* Stacks that go on behind what was copied are read further from the live process (or the core), and threads that have
 * run in the meantime are marked as torn. -ENOMEM. */
int stacks_unwind(struct process_stacks *s) __attribute__((warn_unused_result));

#endif
