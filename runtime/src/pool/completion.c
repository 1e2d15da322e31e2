#include "pool/completion.h"

#include <errno.h>
#include <limits.h>

#include "door.h"
#include "futex.h"
#include "outside.h"
#include "osprey/rt/scope.h"
#include "wait.h"

static int fiber_waits(struct completion *c, void *object, int64_t deadline)
{
	struct thread *t = door_enter();
	struct waiter w = { 0 };
	int r = 0;

	short_lock_take(&c->lock);
	if (c->done) {
		short_lock_give(&c->lock);
	} else {
		outside_expect();
		r = wait_in(t, &c->waiter, &c->lock, &w, FIBER_WAIT_POOL, object, deadline);
		if (r < 0)
			outside_give_up();
	}
	door_leave();
	return r;
}

static int thread_waits(struct completion *c, int64_t deadline)
{
	while (atomic_load_explicit(&c->word, memory_order_acquire) == 0) {
		if (deadline != RT_FOREVER && rt_now() >= deadline)
			return -ETIMEDOUT;
		futex_wait(&c->word, 0, deadline);
	}
	/* Who set it still holds the lock, perhaps. */
	short_lock_take(&c->lock);
	short_lock_give(&c->lock);
	return 0;
}

int completion_wait(struct completion *c, void *object, int64_t deadline)
{
	return thread_self() ? fiber_waits(c, object, deadline) : thread_waits(c, deadline);
}

void completion_settle(struct completion *c, void *object)
{
	if (!thread_self()) {
		(void)thread_waits(c, RT_FOREVER);
		return;
	}
	rt_shield_begin();
	(void)fiber_waits(c, object, RT_FOREVER);
	rt_shield_end();
}

void completion_done(struct completion *c)
{
	short_lock_take(&c->lock);
	struct waiter *w = wait_list_claim(&c->waiter);
	struct fiber *f = w ? w->fiber : NULL;
	c->done = true;
	atomic_store_explicit(&c->word, 1, memory_order_release);
	short_lock_give(&c->lock);
	if (f)
		outside_ready(f);
	else	/* The word may be gone: then this wakes nobody, or somebody who looks again. */
		futex_wake(&c->word, INT_MAX);
}
