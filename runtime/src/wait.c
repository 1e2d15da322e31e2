#include "wait.h"

#include <errno.h>

#include "scheduler.h"

void wait_deadline_fire(struct timer *t)
{
	struct wait_deadline *d = (struct wait_deadline *)t;

	if (!fiber_claim(d->fiber))
		return;
	d->fiber->woken_by = NULL;
	fiber_ready(thread_self(), d->fiber);
}

struct parking {
	struct short_lock *lock;
	struct wait_deadline *deadline;
};

/* The timer first: once the lock is given back the waiting may be over, and `arg` gone. A timer that fires before finds a
 * fiber that takes the lock next. */
static void parked(void *arg)
{
	struct parking p = *(struct parking *)arg;

	if (p.deadline)
		timer_arm(&thread_self()->processor->timers, &p.deadline->timer);
	if (p.lock)
		short_lock_give(p.lock);
}

int wait_in(struct thread *t, struct wait_list *list, struct short_lock *lock, struct waiter *w, enum fiber_wait what,
	    void *object, int64_t deadline)
{
	struct fiber *f = t->running;
	struct wait_deadline d = { { .deadline = deadline, .fire = wait_deadline_fire }, f };
	struct parking p = { lock, deadline == RT_FOREVER ? NULL : &d };

	w->fiber = f;
	w->contested = p.deadline != NULL;
	w->next = w->prev = NULL;
	atomic_store_explicit(&f->claimed, 0, memory_order_relaxed);
	if (list)
		wait_list_append(list, w);
	fiber_park(t, what, object, parked, &p);
	if (!p.deadline)
		return 0;
	timer_cancel(&d.timer);
	if (f->woken_by)
		return 0;
	if (list) {
		short_lock_take(lock);
		wait_list_remove(list, w);
		short_lock_give(lock);
	}
	return -ETIMEDOUT;
}
