/* Processors that are taken away from threads that do not come back (door.h). */
#include "door.h"
#include "idle.h"
#include "inspect/probe.h"
#include "perturb.h"
#include "run_queue.h"
#include "scheduler.h"
#include "thread_activity.h"
#include "watcher.h"

/* A thread that has used so much in one turn computes, even if it waits for a CPU just now. */
#define COMPUTES_NS 500000

/* Others of the system use its CPU. It needs no help: it goes on when they are done, and another thread of
 * this process would only wait beside it. */
static bool waits_for_cpu(const struct processor *p, const struct thread *t)
{
	int tid = atomic_load_explicit(&t->tid, memory_order_relaxed);
	int64_t used = thread_cpu_ns(tid);

	return p->seen_cpu_ns >= 0 && used >= 0 && used - p->seen_cpu_ns < COMPUTES_NS && !thread_sleeps(tid);
}

bool scheduler_retake(struct thread *t)
{
	if (!door_visit(t))
		return false;
	struct processor *p = t->processor;
	bool waits = atomic_load(&scheduler.nqueue) || atomic_load(&scheduler.nwanted);
	bool wanted = p && (processor_has_ready(p) || (waits && atomic_load(&scheduler.nidle) == 0) ||
			    atomic_load_explicit(&p->timers.earliest, memory_order_relaxed) <= rt_now() ||
			    poller_has_events(&p->poller));
	/* Who says that it blocks is believed. */
	if (wanted && !atomic_load_explicit(&t->blocked, memory_order_relaxed) && waits_for_cpu(p, t)) {
		p->seen_since = rt_now();
		wanted = false;
	}
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
