/* Processors that are taken away from threads that do not come back (door.h). */
#include "door.h"
#include "idle.h"
#include "inspect/probe.h"
#include "perturb.h"
#include "run_queue.h"
#include "scheduler.h"
#include "watcher.h"

bool scheduler_retake(struct thread *t)
{
	if (!door_visit(t))
		return false;
	struct processor *p = t->processor;
	bool waits = atomic_load(&scheduler.nqueue) || atomic_load(&scheduler.nwanted);
	bool wanted = p && (processor_has_ready(p) || (waits && atomic_load(&scheduler.nidle) == 0) ||
			    atomic_load_explicit(&p->timers.earliest, memory_order_relaxed) <= rt_now() ||
			    poller_has_events(&p->poller));
	if (wanted) {
		PROBE1(handoff, p->number);
		short_lock_take(&scheduler.lock);
		scheduler.noutside++;
		short_lock_give(&scheduler.lock);
		t->processor = NULL;
		/* Nobody visits it through a thread that it does not belong to. */
		atomic_store_explicit(&p->thread, NULL, memory_order_relaxed);
	}
	door_close(t, wanted);
	perturb();
	/* The thread that goes on with it may have been who woke for the timers of idle processors. */
	if (wanted && thread_call(p, false) == 0)
		wake_another();
	return wanted;
}

void scheduler_return(struct thread *t)
{
	/* Perhaps nothing has run meanwhile. */
	coarse_clock_set(rt_now());
	short_lock_take(&scheduler.lock);
	struct processor *p = idle_processor_take();
	if (p) {
		scheduler.noutside--;
		processor_hold(t, p);
	}
	short_lock_give(&scheduler.lock);
	if (p)
		watcher_wake();
	else
		fiber_yield(t, LEAVE_OTHERS);
}
