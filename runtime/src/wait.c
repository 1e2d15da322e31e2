#include "wait.h"

#include <errno.h>

#include "cold/cold.h"
#include "perturb.h"
#include "scheduler.h"

struct waiter wait_timed_out, wait_cancelled;

static void timed_out(struct timer *timer)
{
	struct fiber *f = ((struct waiting *)timer)->fiber;

	if (!fiber_claim(f))
		return;
	f->woken_by = &wait_timed_out;
	fiber_ready(thread_self(), f);
}

bool waiting_begin(struct waiting *w, struct fiber *f, int64_t deadline, bool several)
{
	w->fiber = f;
	w->timed = deadline != RT_FOREVER;
	w->cancellable = f->scope && !f->shields;
	if (!w->timed && !w->cancellable && !several)
		return false;
	atomic_store_explicit(&w->timer.wheel, NULL, memory_order_relaxed);
	w->timer.deadline = deadline;
	w->timer.fire = timed_out;
	w->number = atomic_load_explicit(&f->claim, memory_order_relaxed) + CLAIM_STATES;
	atomic_store_explicit(&f->claim, w->number + CLAIM_OPEN, memory_order_relaxed);
	return true;
}

/* For those without a lock: they come when it is parked. */
static bool claim_settled(struct fiber *f)
{
	uint32_t is = atomic_load(&f->claim);

	return is % CLAIM_STATES == CLAIM_SETTLED &&
	       atomic_compare_exchange_strong(&f->claim, &is, is - CLAIM_SETTLED);
}

static void cancelled(struct thread *t, struct fiber *f)
{
	f->woken_by = &wait_cancelled;
	fiber_ready(t, f);
}

void waiting_parked(struct waiting *w)
{
	struct thread *t = thread_self();
	struct fiber *f = w->fiber;
	bool cancellable = w->cancellable;
	uint32_t open = w->number + CLAIM_OPEN;

	if (w->timed)
		timer_arm(&t->processor->timers, &w->timer);
	perturb();
	/* It may have run already, and wait for something else by now: then the number is another. And who
	 * cancels sets the flag and then looks whether it has settled; this side settles and then looks at
	 * the flag. */
	uint32_t settled = open - CLAIM_OPEN + CLAIM_SETTLED;
	if (!cancellable || !atomic_compare_exchange_strong(&f->claim, &open, settled) ||
	    !atomic_load(&f->cancelled))
		return;
	perturb();
	/* Of this waiting only: by now it may be over, and the fiber another one's. */
	if (atomic_compare_exchange_strong(&f->claim, &settled, settled - CLAIM_SETTLED))
		cancelled(t, f);
}

int waiting_end(struct waiting *w)
{
	if (w->timed)
		timer_cancel(&w->timer);
	struct waiter *by = w->fiber->woken_by;
	return by == &wait_timed_out ? -ETIMEDOUT : by == &wait_cancelled ? -ECANCELED : 0;
}

void wait_cancel(struct thread *t, struct fiber *f)
{
	atomic_store(&f->cancelled, true);
	if (claim_settled(f))
		cancelled(t, f);
}

struct parking {
	struct short_lock *lock;
	struct waiting *waiting;	/* NULL when nobody competes */
	struct cold *cold;		/* NULL when its stack stays */
};

static void parked(void *arg)
{
	struct parking p = *(struct parking *)arg;

	if (p.cold)
		cold_parked(p.cold);
	if (p.waiting)
		waiting_parked(p.waiting);
	if (p.lock)
		short_lock_give(p.lock);
}

/* `waiting`, and `w`, lie where they may: on the stack, or in `cold`. */
SANITIZER_INLINE int wait_with(struct thread *t, struct wait_list *list, struct short_lock *lock,
			       struct waiter *w, struct waiting *waiting, struct cold *cold,
			       enum fiber_wait what, void *object, int64_t deadline)
{
	struct fiber *f = t->running;
	struct parking p = { lock, waiting, cold };

	w->fiber = f;
	w->contested = waiting_begin(waiting, f, deadline, false);
	w->next = w->prev = NULL;
	if (!w->contested)
		p.waiting = NULL;
	if (list)
		wait_list_append(list, w);
	fiber_park(t, what, object, parked, &p);
	int r = p.waiting ? waiting_end(waiting) : 0;
	if (r < 0 && list) {
		short_lock_take(lock);	/* also that of a thread pool */
		wait_list_remove(list, w);
		short_lock_give(lock);
	}
	return r;
}

static __attribute__((noinline)) int wait_cold(struct thread *t, struct wait_list *list,
					       struct short_lock *lock, struct waiter *w,
					       enum fiber_wait what, void *object, int64_t deadline)
{
	struct cold *c = t->running->cold;

	cold_stand_in(c, w, what, object);
	int r = wait_with(t, list, lock, &c->waiter, &c->waiting, c, what, object, deadline);
	cold_stand_down(c, w, what, object, r == 0);
	return r;
}

int wait_in(struct thread *t, struct wait_list *list, struct short_lock *lock, struct waiter *w,
	    enum fiber_wait what, void *object, int64_t deadline)
{
	struct waiting waiting;

	if (__builtin_expect(t->running->cold != NULL, 0) && cold_suits(t->running, list, w, what, object))
		return wait_cold(t, list, lock, w, what, object, deadline);
	return wait_with(t, list, lock, w, &waiting, NULL, what, object, deadline);
}
