#include "short_lock.h"

#include "futex.h"
#include "relax.h"

/* About a microsecond: a holder that runs is done by then, one that was put off the CPU is not. */
#define SPINS 60

void short_lock_wait(struct short_lock *l)
{
	for (int i = 0; i < SPINS; i++) {
		relax();
		if (atomic_load_explicit(&l->word, memory_order_relaxed) == 0 && short_lock_try(l))
			return;
	}
	while (atomic_exchange_explicit(&l->word, 2, memory_order_acquire) != 0)
		futex_wait(&l->word, 2, INT64_MAX);
}

void short_lock_wake(struct short_lock *l)
{
	futex_wake(&l->word, 1);
}
