/* Scopes, inside of the runtime.
 *
 * A scope's lock guards its list of fibers, its flag and result, and which scopes its fibers have opened.
 * Locks are taken from outer scopes to inner ones, after a wheel's and before none but the scheduler's. */
#ifndef RT_SCOPE_H
#define RT_SCOPE_H

#include "fiber.h"
#include "timer_wheel.h"
#include "wait.h"

struct thread;

struct scope {
	struct timer timer;		/* first: a timer that fires is its scope */
	struct short_lock lock;
	bool cancelled;
	bool timed;
	int result;
	struct fiber *fibers;		/* a circle */
	struct wait_list closer;
	struct fiber *owner;
	struct scope *outer;		/* that the owner had opened before */
	struct rt_at_close *at_close;
};

/* A fiber of a scope ends, on its own stack, inside. */
void scope_leave(struct thread *t, struct fiber *f, int result);

#endif
