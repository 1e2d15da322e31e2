/* Short locks of what fibers share (channels, mutexes, scopes, wheels of timers): taken only inside (door.h), by
 * who holds a processor. While one processor alone is in use, and so one thread at a time can be there, taking
 * one is a plain store: an atomic instruction is what most calls of the runtime would else cost. */
#ifndef RT_INSIDE_LOCK_H
#define RT_INSIDE_LOCK_H

#include "short_lock.h"

/* in_use.c changes it: to true, by the holder of the only one, once all others have laid down their processors and are
 * through with what they did about it, and no thread runs a fiber without one; to false before there is a second one,
 * and then waits until the holder has been seen outside. So it does not change between a look at it inside and what is
 * done by it; and what looks outside and saw false is done before it can be true (mutex.c). */
extern struct alone {
	_Atomic bool is;
} __attribute__((aligned(128))) alone;

static inline bool is_alone(void)
{
	return __builtin_expect(atomic_load_explicit(&alone.is, memory_order_relaxed), 0);
}

/* It is given back as any short lock. */
static inline void inside_lock_take(struct short_lock *l)
{
	if (is_alone() && __builtin_expect(atomic_load_explicit(&l->held, memory_order_acquire) == 0, 1)) {
		perturb_alone();
		atomic_store_explicit(&l->held, 1, memory_order_relaxed);
	} else {
		short_lock_take(l);
	}
}

#endif
