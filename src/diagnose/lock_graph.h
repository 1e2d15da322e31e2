/* Who waits for whom: the graph of threads that wait for a mutex and the threads that hold
 * them, from task_span.mutex. A thread waits for at most one mutex, and a mutex has at most one
 * owner, so from each thread there is at most one way, and it ends or runs in a circle. Pure. */
#ifndef OSPREY_DIAGNOSE_LOCK_GRAPH_H
#define OSPREY_DIAGNOSE_LOCK_GRAPH_H

#include "sample/window.h"

/* Longer cycles are not looked for. */
#define LOCK_CYCLE_MAX 64

struct lock_cycle {
	const struct task_span *v[LOCK_CYCLE_MAX]; /* each waits for the next, the last for the first */
	size_t n;
};

/* The thread waited for one mutex at two looks at least, in one system call, without a context
 * switch between: it stands still. */
bool lock_stuck(const struct task_span *t);
/* Who holds what `t` waits for; NULL: `t` waits for nothing, or the owner cannot be named. */
const struct task_span *lock_owner(const struct window *w, const struct task_span *t);
/* The cycle that `t`, standing still, is part of or waits behind. False: there is none. The
 * cycle begins with its first member in the order of the task table, so that all who wait
 * behind one cycle get the same. */
bool lock_cycle_of(const struct window *w, const struct task_span *t, struct lock_cycle *ret);

#endif
