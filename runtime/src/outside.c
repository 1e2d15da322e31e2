#include "outside.h"

#include "scheduler.h"

static _Atomic uint32_t expected;

void outside_expect(void)
{
	atomic_fetch_add(&expected, 1);
}

void outside_give_up(void)
{
	atomic_fetch_sub(&expected, 1);
}

bool outside_expected(void)
{
	return atomic_load(&expected) != 0;
}

/* The last one that was expected may be what kept the end of the run, or a deadlock, from being seen: an idle thread looks again. */
void outside_done(void)
{
	short_lock_take(&scheduler.lock);
	bool last = atomic_fetch_sub(&expected, 1) == 1;
	struct thread *t = last && atomic_load(&scheduler.nidle) == scheduler.nused ? scheduler.idle_threads : NULL;
	if (t)
		poller_wake(t);
	short_lock_give(&scheduler.lock);
}

void outside_ready(struct fiber *f)
{
	fiber_ready_from_outside(f);
	outside_done();
}
