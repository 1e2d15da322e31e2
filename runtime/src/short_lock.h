/* A lock between threads for some tens of instructions. Spins a little, then sleeps in the kernel; no fairness.
 * Never held across a switch of fibers, a system call of the user or memory allocation. */
#ifndef RT_SHORT_LOCK_H
#define RT_SHORT_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct short_lock {
	_Atomic uint32_t word;	/* 0 free, 1 held, 2 held and waited for */
};

void short_lock_wait(struct short_lock *l);
void short_lock_wake(struct short_lock *l);

static inline bool short_lock_try(struct short_lock *l)
{
	uint32_t free = 0;

	return atomic_compare_exchange_strong_explicit(&l->word, &free, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void short_lock_take(struct short_lock *l)
{
	if (!short_lock_try(l))
		short_lock_wait(l);
}

static inline void short_lock_give(struct short_lock *l)
{
	if (atomic_exchange_explicit(&l->word, 0, memory_order_release) == 2)
		short_lock_wake(l);
}

#endif
