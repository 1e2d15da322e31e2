#include "idle.h"

#include "door.h"
#include "futex.h"
#include "heap/heap.h"
#include "outside.h"
#include "perturb.h"
#include "pin.h"
#include "run.h"
#include "run_queue.h"
#include "turns.h"
#include "watcher.h"
#include "work.h"

/* Turns between two calls for one fiber alone, once they were in vain so often: some hundred microseconds of
 * fibers that only hand over to each other. */
#define MOST_PATIENCE 8191

struct processor *idle_processor_take(void)
{
	struct processor *p = scheduler.idle_processors;

	if (p) {
		scheduler.idle_processors = p->next_idle;
		atomic_fetch_sub(&scheduler.nidle, 1);
	}
	return p;
}

bool idle_processor_remove(struct processor *p)
{
	struct processor **at = &scheduler.idle_processors;

	while (*at && *at != p)
		at = &(*at)->next_idle;
	if (!*at)
		return false;
	*at = p->next_idle;
	atomic_fetch_sub(&scheduler.nidle, 1);
	return true;
}

void idle_processor_put(struct processor *p)
{
	atomic_store_explicit(&p->thread, NULL, memory_order_relaxed);
	p->next_idle = scheduler.idle_processors;
	scheduler.idle_processors = p;
	atomic_fetch_add(&scheduler.nidle, 1);
}

void idle_thread_remove(struct thread *t)
{
	struct thread **at = &scheduler.idle_threads;

	while (*at && *at != t)
		at = &(*at)->next_idle;
	if (*at)
		*at = t->next_idle;
	atomic_store(&t->parked, false);
	atomic_store(&t->wake, 0);	/* it may have been asked to look again (outside.c) */
	if (t->wanted) {
		t->wanted = false;
		atomic_fetch_sub(&scheduler.nwanted, 1);
	}
}

struct thread *idle_thread_take(struct processor *p)
{
	struct thread *t = p->poller.watcher;

	if (atomic_load(&scheduler.nwanted))
		for (t = scheduler.idle_threads; t && !t->wanted; t = t->next_idle)
			;
	else if (!t || !atomic_load(&t->parked) || t->pins)
		for (t = scheduler.idle_threads; t && (t->watches || t->pins); t = t->next_idle)
			;
	if (!t)
		for (t = scheduler.idle_threads; t && t->pins; t = t->next_idle)
			;
	if (t)
		idle_thread_remove(t);
	return t;
}

void processor_hold(struct thread *t, struct processor *p)
{
	t->processor = p;
	atomic_store_explicit(&p->seen_turns, turns_of(p) - 1, memory_order_relaxed);
	atomic_store_explicit(&p->thread, t, memory_order_release);
}

void wake_another(void)
{
	uint32_t none = 0;

	if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) == 0 ||
	    atomic_load_explicit(&scheduler.nspinning, memory_order_relaxed) != 0 ||
	    !atomic_compare_exchange_strong(&scheduler.nspinning, &none, 1))
		return;
	perturb();
	short_lock_take(&scheduler.lock);
	/* A thread that were made now would not be joined any more. */
	struct processor *p = atomic_load(&scheduler.stopping) ? NULL : idle_processor_take();
	short_lock_give(&scheduler.lock);
	if (!p || thread_call(p, true) < 0)
		atomic_fetch_sub(&scheduler.nspinning, 1);
	else
		watcher_wake();
}

void wake_for_one(struct processor *p)
{
	uint32_t patience = atomic_load_explicit(&scheduler.patience, memory_order_relaxed);

	if (turns_of(p) - p->called_at < patience) {
		atomic_store_explicit(&p->kept_at, turns_of(p), memory_order_relaxed);
		return;
	}
	p->called_at = turns_of(p);
	atomic_store_explicit(&scheduler.called_for_one, true, memory_order_relaxed);
	wake_another();
}

void wake_for_kept(struct processor *p)
{
	if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) == 0 ||
	    (atomic_load_explicit(&p->kept_at, memory_order_relaxed) != turns_of(p) && run_queue_length(p) == 0))
		return;
	atomic_store_explicit(&scheduler.patience, 0, memory_order_relaxed);
	wake_another();
}

/* Who was called for one fiber has found it, or another, or nothing. */
static void learn(bool found)
{
	uint32_t patience = atomic_load_explicit(&scheduler.patience, memory_order_relaxed);

	if (!atomic_load_explicit(&scheduler.called_for_one, memory_order_relaxed))
		return;
	atomic_store_explicit(&scheduler.called_for_one, false, memory_order_relaxed);
	patience = found ? 0 : 2 * patience + 1;
	if (patience <= MOST_PATIENCE)
		atomic_store_explicit(&scheduler.patience, patience, memory_order_relaxed);
}

void stop_spinning(struct thread *t, bool found)
{
	if (!t->spinning)
		return;
	t->spinning = false;
	learn(found);
	if (atomic_fetch_sub(&scheduler.nspinning, 1) == 1 && found)
		wake_another();
}

static int64_t earliest_timer(void)
{
	int64_t earliest = INT64_MAX;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++) {
		struct timer_wheel *w = &scheduler.processors[i].timers;
		int64_t at = atomic_load_explicit(&w->earliest, memory_order_relaxed);
		earliest = at < earliest ? at : earliest;
	}
	return earliest;
}

void wake_for_timers(int64_t now)
{
	if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) && earliest_timer() <= now)
		wake_another();
}

/* Under the scheduler's lock: no fiber runs or is ready, and neither timers nor others will make one so. A
 * thread on its way to sleep may have been too late to see a fiber that is pinned to it; it will when it
 * comes here. */
static bool nothing_will_come(int64_t earliest)
{
	if (atomic_load(&scheduler.nidle) != atomic_load(&scheduler.nused) || scheduler.noutside > 0 ||
	    atomic_load(&scheduler.nqueue) > 0 || earliest != INT64_MAX || outside_expected() || poller_expects())
		return false;
	for (struct thread *t = scheduler.threads; t; t = t->next)
		if (atomic_load(&t->npinned))
			return false;
	return true;
}

/* Under the lock: `p` (NULL: there is none) was idle, and is this idle thread's from now on. */
static bool take(struct thread *t, struct processor *p)
{
	if (!p)
		return false;
	idle_thread_remove(t);
	processor_hold(t, p);
	return true;
}

/* Under the lock: has `t` a use for a processor, to run what is ready, or to find who does? Where fibers are pinned to it, it
 * runs no others. */
static bool is_of_use(const struct thread *t)
{
	const struct thread *other = scheduler.idle_threads;

	if (!t->pins || scheduler.nthreads < scheduler.most_threads)
		return true;
	while (other && other->pins)
		other = other->next_idle;
	return other != NULL;
}

void idle_threads_look_again(void)
{
	short_lock_take(&scheduler.lock);
	for (struct thread *t = scheduler.idle_threads; t; t = t->next_idle)
		poller_wake(t);
	short_lock_give(&scheduler.lock);
}

bool thread_sleep(struct thread *t)
{
	bool called = true, kept = false;

	short_lock_take(&scheduler.lock);
	for (;;) {
		int64_t earliest = earliest_timer();
		if (!atomic_load(&t->parked)) {
			atomic_store(&t->wake, 0);
			t->next_idle = scheduler.idle_threads;
			scheduler.idle_threads = t;
			atomic_store(&t->parked, true);
		}
		if (!pinned_may_sleep(t)) {
			called = false;
			break;
		}
		/* Said once: who was first to see it may be joined already, and its memory gone. */
		if (atomic_load(&scheduler.stopping))
			break;
		if (nothing_will_come(earliest)) {
			run_is_over();
			break;
		}
		/* Who pushed work meanwhile may have found an idle processor, and no thread for it: then that one
		 * was laid down with what it had. */
		if (is_of_use(t) && work_anywhere() && take(t, idle_processor_take())) {
			called = false;
			break;
		}
		/* While none is idle those that run see to the timers. */
		bool keeper = atomic_load(&scheduler.nidle) > 0 && earliest < scheduler.keeper_until;
		if (keeper) {
			scheduler.keeper = t;
			scheduler.keeper_until = earliest;
		}
		poller_watch(t);
		short_lock_give(&scheduler.lock);
		heap_rest();
		struct processor *p = poller_sleep(t, keeper ? earliest : INT64_MAX);
		short_lock_take(&scheduler.lock);
		poller_unwatch(t);
		if (scheduler.keeper == t) {
			scheduler.keeper = NULL;
			scheduler.keeper_until = INT64_MAX;
		}
		if (!atomic_load(&t->parked))
			break;		/* it was given a processor */
		atomic_store(&t->wake, 0);
		if (!p || !idle_processor_remove(p))
			p = keeper || (p && atomic_load(&p->is_aside)) ? idle_processor_take() : NULL;
		if (take(t, p)) {
			called = false;
			kept = keeper;
			break;
		}
	}
	bool stopping = atomic_load(&scheduler.stopping);
	short_lock_give(&scheduler.lock);
	if (stopping)
		return false;
	while (called && atomic_load_explicit(&t->wake, memory_order_acquire) == 0)
		futex_wait(&t->wake, 0, INT64_MAX);
	coarse_clock_set(rt_now());
	/* Somebody else is to wake for the timers, and for what this one has watched. */
	if (kept)
		wake_another();
	return true;
}

/* What was pushed meanwhile is looked for once more: pushers look at nidle without a fence, so the barrier is
 * this side's. */
bool give_up_processor(struct thread *t)
{
	struct processor *p = t->processor;

	short_lock_take(&scheduler.lock);
	if (atomic_load(&scheduler.nqueue) || atomic_load(&scheduler.nwanted)) {
		short_lock_give(&scheduler.lock);
		return true;
	}
	t->processor = NULL;
	idle_processor_put(p);
	short_lock_give(&scheduler.lock);
	stop_spinning(t, false);
	perturb();
	door_barrier();
	if (!work_anywhere())
		return false;
	short_lock_take(&scheduler.lock);
	p = idle_processor_take();
	if (p)
		processor_hold(t, p);
	short_lock_give(&scheduler.lock);
	return p != NULL;
}
