/* Fibers that will never go on.
 *
 * Rings: each waits for what the next one holds (a mutex, a lock that is written under) or for its end (join). Of a live process
 * each ring is looked at twice. And the whole: nothing runs or is ready, no timer is armed, no descriptor is waited for, no thread is in a
 * blocking call: nothing inside of the process will ever wake one (a thread of the system that calls the runtime could). */
#ifndef OSPREY_DIG_FIBER_FIBER_DEADLOCK_H
#define OSPREY_DIG_FIBER_FIBER_DEADLOCK_H

#include "dig/fiber/fiber_object.h"

struct fiber_deadlocks {
	VEC(struct fiber_ring {
		size_t first; /* in `member` */
		size_t n;
	}) ring;
	VEC(size_t) member; /* indices of l->fiber: each waits for the next, the last for the first */
	bool all; /* nothing will wake any */
};

/* -ENOMEM. */
int fiber_deadlocks_find(const struct address_space *a, const struct fiber_list *l, struct fiber_deadlocks *ret)
	__attribute__((warn_unused_result));
void fiber_deadlocks_deinit(struct fiber_deadlocks *d);

#endif
