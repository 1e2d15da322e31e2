/* Waiting for what may come from several sides: lists of waiters, and who wins.
 *
 * A fiber that waits stands in one list, or in several at once (select), or in one and in a wheel of timers
 * (a deadline). Lists are guarded by the lock of the thing that owns them. Whoever ends the waiting claims
 * the fiber first: one compare and swap decides among channels, deadlines and cancellation; it is left out
 * where nobody competes. The fiber, once awake, leaves the lists in which it still stands, under their locks,
 * before its waiters (which lie on its stack) go. */
#ifndef RT_WAIT_H
#define RT_WAIT_H

#include <stdbool.h>
#include <stddef.h>

#include "fiber.h"
#include "perturb.h"
#include "short_lock.h"
#include "timer_wheel.h"

struct thread;

struct waiter {
	struct waiter *next, *prev;	/* a circle; NULL when it stands in no list */
	struct fiber *fiber;
	void *element;			/* of channels: where the value comes from or goes to */
	bool contested;			/* others may end the waiting too */
	bool done;			/* of channels: a value changed hands; false: it was closed */
};

/* Under the lock of the thing; who only looks whether somebody waits has not got it (chan.h). */
static inline void wait_list_begin_at(struct wait_list *l, struct waiter *w)
{
	__atomic_store_n(&l->first, w, __ATOMIC_RELEASE);
}

static inline void wait_list_append(struct wait_list *l, struct waiter *w)
{
	if (!l->first) {
		w->next = w->prev = w;
		wait_list_begin_at(l, w);
		return;
	}
	w->next = l->first;
	w->prev = l->first->prev;
	w->prev->next = w;
	w->next->prev = w;
}

static inline void wait_list_remove(struct wait_list *l, struct waiter *w)
{
	if (!w->next)
		return;
	if (w->next == w) {
		wait_list_begin_at(l, NULL);
	} else {
		w->prev->next = w->next;
		w->next->prev = w->prev;
		if (l->first == w)
			wait_list_begin_at(l, w->next);
	}
	w->next = w->prev = NULL;
}

/* The word `claim` of a fiber: how far its present waiting is, below a number that each waiting changes. */
enum {
	CLAIM_OVER,	/* it does not wait, or somebody has ended it */
	CLAIM_OPEN,	/* in lists or a wheel, perhaps not saved yet: who holds their locks ends it */
	CLAIM_SETTLED,	/* it is parked: anybody may end it */
	CLAIM_STATES = 4
};

/* True: the waiting is the caller's to end, who holds the lock of a list (or the wheel) in which the fiber
 * stands. */
static inline bool fiber_claim(struct fiber *f)
{
	uint32_t is = atomic_load_explicit(&f->claim, memory_order_relaxed);

	perturb();
	do {
		if (is % CLAIM_STATES == CLAIM_OVER)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&f->claim, &is, is - is % CLAIM_STATES,
							memory_order_acq_rel, memory_order_relaxed));
	return true;
}

/* Takes the first waiter out. False: another has ended its waiting. The caller holds the lock, does what the
 * waiter waits for, and makes its fiber ready. */
static inline bool wait_list_claim_first(struct wait_list *l)
{
	struct waiter *w = l->first;

	wait_list_remove(l, w);
	if (w->contested && !fiber_claim(w->fiber))
		return false;
	w->fiber->woken_by = w;
	return true;
}

/* The first whose waiting is the caller's to end, or NULL; those that another has ended are dropped. */
static inline struct waiter *wait_list_claim(struct wait_list *l)
{
	struct waiter *w;

	while ((w = l->first))
		if (wait_list_claim_first(l))
			return w;
	return NULL;
}

/* What woken_by points to when it was no waiter. */
extern struct waiter wait_timed_out, wait_cancelled;

/* One waiting of the running fiber: what else may end it than the lists it stands in. Lies on the fiber's
 * stack. */
struct waiting {
	struct timer timer;
	struct fiber *fiber;
	uint32_t number;
	bool timed;
	bool cancellable;
};

/* Before the fiber's waiters are appended, under their locks. Returns whether they are contested: by the
 * deadline, by cancellation, or, says the caller, since there are `several`. If not, none of the following is
 * called. */
bool waiting_begin(struct waiting *w, struct fiber *f, int64_t deadline, bool several);

/* When its context is saved, still under those locks. `w` may be gone when it returns, if no lock keeps the
 * fiber back. */
void waiting_parked(struct waiting *w);

/* When it runs again; before it looks at woken_by. Afterwards it stands in no wheel. 0, -ETIMEDOUT or
 * -ECANCELED: in the last two it still stands in the lists. */
int waiting_end(struct waiting *w);

/* The fiber's waits end with -ECANCELED from now on, the present one too. Any thread of the runtime,
 * inside. */
void wait_cancel(struct thread *t, struct fiber *f);

/* The running fiber waits in `list` (NULL: in none), under `lock` (NULL: there is none), which is given back
 * once its context is saved. `w->element` is the caller's. 0: somebody claimed it, and took it from the list;
 * -ETIMEDOUT or -ECANCELED, and it stands in no list. The lock is not held afterwards. */
int wait_in(struct thread *t, struct wait_list *list, struct short_lock *lock, struct waiter *w,
	    enum fiber_wait what, void *object, int64_t deadline);

#endif
