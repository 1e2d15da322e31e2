/* wait_in where it is hot: inline, and short when nobody else may end the waiting. */
#ifndef RT_WAIT_HERE_H
#define RT_WAIT_HERE_H

#include "switch.h"
#include "wait.h"

SANITIZER_INLINE int wait_here(struct thread *t, struct wait_list *list, struct short_lock *lock,
			     struct waiter *w, enum fiber_wait what, void *object, int64_t deadline)
{
	struct fiber *f = t->running;

	if (__builtin_expect(deadline != RT_FOREVER || f->cold || (f->scope && !f->shields), 0))
		return wait_in(t, list, lock, w, what, object, deadline);
	w->fiber = f;
	w->contested = false;
	wait_list_append(list, w);
	park_locked(t, what, object, lock);
	return 0;
}

#endif
