#include "diagnose/lock_graph.h"

#include "diagnose/evidence.h"

bool lock_stuck(const struct task_span *t)
{
	return t->mutex.address != 0 && !t->gone && t->mutex_looks >= 2 && t->stuck_looks >= 2;
}

const struct task_span *lock_owner(const struct window *w, const struct task_span *t)
{
	if (t->mutex.address == 0 || t->mutex.owner_tid <= 0)
		return NULL;
	return window_thread(w, t->last.pid, t->mutex.owner_tid);
}

static const struct task_span *next_stuck(const struct window *w, const struct task_span *t)
{
	const struct task_span *owner = lock_owner(w, t);

	return owner && lock_stuck(owner) ? owner : NULL;
}

/* Some member of the cycle that the way from `t` ends in; NULL: it ends. */
static const struct task_span *enter_cycle(const struct window *w, const struct task_span *t)
{
	/* Brent: the marker jumps to the walker at each power of two, and is met in a cycle. */
	const struct task_span *marker = t, *walker = next_stuck(w, t);

	for (size_t steps = 1, leap = 1; walker && walker != marker; steps++) {
		if (steps > 4 * LOCK_CYCLE_MAX)
			return NULL;
		if (steps == leap) {
			marker = walker;
			leap *= 2;
		}
		walker = next_stuck(w, walker);
	}
	return walker;
}

bool lock_cycle_of(const struct window *w, const struct task_span *t, struct lock_cycle *ret)
{
	const struct task_span *member = lock_stuck(t) ? enter_cycle(w, t) : NULL;

	if (!member)
		return false;
	const struct task_span *first = member;
	for (const struct task_span *s = next_stuck(w, member); s != member; s = next_stuck(w, s))
		if (s < first)
			first = s;
	ret->n = 0;
	for (const struct task_span *s = first; ret->n == 0 || s != first; s = next_stuck(w, s)) {
		if (ret->n == LOCK_CYCLE_MAX)
			return false;
		ret->v[ret->n++] = s;
	}
	return true;
}
