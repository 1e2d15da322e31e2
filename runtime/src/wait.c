#include "wait.h"

#include "scheduler.h"

void wait_deadline_fire(struct timer *t)
{
	struct wait_deadline *d = (struct wait_deadline *)t;

	if (!fiber_claim(d->fiber))
		return;
	d->fiber->woken_by = NULL;
	fiber_ready(thread_self(), d->fiber);
}
