/* The stacks of fibers, walked, and each kept once.
 *
 * A million fibers stand in few places. What a walk has depended on is kept as a shape (unwind_walk_traced): the first pc, the bytes in
 * use, the return addresses and where they lie. Who has the same shape has the same stack, at the price of some comparisons. */
#ifndef OSPREY_DIG_FIBER_FIBER_WALK_H
#define OSPREY_DIG_FIBER_FIBER_WALK_H

#include "dig/fiber/fiber_list.h"

struct fiber_walks;

/* They go to `list`; `a` and it must outlive it. NULL: out of memory. */
struct fiber_walks *fiber_walks_new(struct address_space *a, struct fiber_list *list);
void fiber_walks_free(struct fiber_walks *w);
/* *ret: in list->stack, or FIBER_NO_STACK where it could not be read. -ENOMEM. */
int fiber_walk(struct fiber_walks *w, struct copied_stack *stack, uint32_t *ret) __attribute__((warn_unused_result));

#endif
