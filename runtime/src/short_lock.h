/* A lock between threads for some tens of instructions. Giving it back is a plain store, so there is nobody
 * to call: who finds it held spins, then lets others have the CPU, then naps. No fairness. Never held across
 * a switch of fibers, a system call of the user or memory allocation. */
#ifndef RT_SHORT_LOCK_H
#define RT_SHORT_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "perturb.h"

struct short_lock {
	_Atomic uint32_t held;
};

void short_lock_wait(struct short_lock *l);

static inline bool short_lock_try(struct short_lock *l)
{
	return atomic_exchange_explicit(&l->held, 1, memory_order_acquire) == 0;
}

static inline void short_lock_take(struct short_lock *l)
{
	perturb();
	if (__builtin_expect(!short_lock_try(l), 0))
		short_lock_wait(l);
}

static inline void short_lock_give(struct short_lock *l)
{
	perturb();
	atomic_store_explicit(&l->held, 0, memory_order_release);
}

#endif
