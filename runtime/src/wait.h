/* Waiting for what may come from several sides: lists of waiters, and who wins.
 *
 * A fiber that waits stands in one list, or in several at once (select), or in one and in a wheel of timers (a deadline).
 * Lists are guarded by the lock of the thing that owns them. Whoever ends the waiting claims the fiber first: one compare
 * and swap decides among channels, deadlines and cancellation. The fiber, once awake, leaves the lists in which it still
 * stands, under their locks, before its waiters (which lie on its stack) go. */
#ifndef RT_WAIT_H
#define RT_WAIT_H

#include <stdbool.h>
#include <stddef.h>

#include "fiber.h"
#include "short_lock.h"
#include "timer_wheel.h"

struct waiter {
	struct waiter *next, *prev;	/* a circle; NULL when it stands in no list */
	struct fiber *fiber;
	void *element;			/* of channels: where the value comes from or goes to */
	bool contested;			/* others may end the waiting too */
	bool done;			/* of channels: a value changed hands; false: the channel was closed */
};

struct wait_list {
	struct waiter *first;
};

static inline void wait_list_append(struct wait_list *l, struct waiter *w)
{
	if (!l->first) {
		w->next = w->prev = w;
		l->first = w;
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
		l->first = NULL;
	} else {
		w->prev->next = w->next;
		w->next->prev = w->prev;
		if (l->first == w)
			l->first = w->next;
	}
	w->next = w->prev = NULL;
}

static inline bool fiber_claim(struct fiber *f)
{
	uint32_t open = 0;

	return atomic_compare_exchange_strong_explicit(&f->claimed, &open, 1, memory_order_acq_rel, memory_order_relaxed);
}

/* Takes the first waiter whose waiting is the caller's to end, or NULL. Those that another has ended are dropped. The caller holds
 * the lock, does what the waiter waits for, and makes its fiber ready. */
static inline struct waiter *wait_list_claim(struct wait_list *l)
{
	struct waiter *w;

	while ((w = l->first)) {
		wait_list_remove(l, w);
		if (!w->contested || fiber_claim(w->fiber)) {
			w->fiber->woken_by = w;
			return w;
		}
	}
	return NULL;
}

/* A deadline of the running fiber. It lies on the fiber's stack. */
struct wait_deadline {
	struct timer timer;
	struct fiber *fiber;
};

void wait_deadline_fire(struct timer *t);

struct thread;

/* The running fiber waits in `list` (NULL: in none), under `lock` (NULL: there is none), which is given back once its context is
 * saved. `w->element` is the caller's. 0: somebody claimed it, and took it from the list; -ETIMEDOUT, and it stands in no list. The lock is
 * not held afterwards. */
int wait_in(struct thread *t, struct wait_list *list, struct short_lock *lock, struct waiter *w, enum fiber_wait what,
	    void *object, int64_t deadline);

#endif
