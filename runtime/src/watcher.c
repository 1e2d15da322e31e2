#include "watcher.h"

#include <limits.h>
#include <signal.h>

#include "cold/cold.h"
#include "cpu_limit.h"
#include "door.h"
#include "futex.h"
#include "heap/heap.h"
#include "idle.h"
#include "in_use.h"
#include "preempt.h"
#include "scheduler.h"
#include "trace/halt.h"
#include "spare.h"
#include "thread_activity.h"
#include "turns.h"

#define BLOCKED_NS 20000
#define HOG_NS 2000000
/* After so long in one turn it notes what CPU time the thread has used. */
#define LONG_NS 900000
#define SLICE_NS 10000000

/* How often it looks how many CPUs the process may use. */
#define LIMIT_NS 1000000000
/* How often some spare stacks give their memory back, and after how long a quiet time all do. */
#define TRIM_NS 50000000
#define QUIET_NS 1000000000

#define SHORTEST_NS 20000
#define LONGEST_NS 2000000
/* Rounds without a find after which it takes longer naps. */
#define PATIENCE 50

/* True when it did something. */
static bool look_at(struct processor *p, int64_t now)
{
	struct thread *t = atomic_load_explicit(&p->thread, memory_order_acquire);
	uint32_t turns = atomic_load_explicit(&p->turns, memory_order_relaxed);

	if (!t)
		return false;
	if (turns != atomic_load_explicit(&p->seen_turns, memory_order_relaxed)) {
		atomic_store_explicit(&p->seen_turns, turns, memory_order_relaxed);
		p->seen_since = now;
		p->seen_cpu_ns = -1;
		return false;
	}
	wake_for_kept(p);
	int64_t since = now - p->seen_since;
	if (since >= LONG_NS && p->seen_cpu_ns < 0)
		p->seen_cpu_ns = thread_cpu_ns(atomic_load_explicit(&t->tid, memory_order_relaxed));
	if (since >= SLICE_NS && !atomic_load_explicit(&t->inside, memory_order_relaxed))
		atomic_fetch_or_explicit(&t->door, DOOR_YIELD, memory_order_relaxed);
	if (since >= HOG_NS && preempt(t)) {
		p->seen_since = now;
		return true;
	}
	bool blocked = atomic_load_explicit(&t->blocked, memory_order_relaxed);
	return since >= (blocked ? BLOCKED_NS : HOG_NS) && scheduler_retake(t);
}

static bool all_idle(void)
{
	return atomic_load(&scheduler.nidle) == atomic_load(&scheduler.nused) &&
	       atomic_load(&scheduler.stopping) == 0;
}

static uint64_t all_turns(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		n += turns_of(&scheduler.processors[i]);
	return n;
}

/* Since it was asked last. */
static bool something_ran(void)
{
	static uint64_t before;
	uint64_t turns = all_turns();
	bool ran = turns != before;

	before = turns;
	return ran;
}

/* Stacks of fibers that are spare for all give their memory back in rounds in which their number did not
 * shrink. */
static void trim_spare(int64_t now)
{
	static int64_t next;
	static uint32_t before;
	uint32_t n = 0;

	if (now < next)
		return;
	next = now + TRIM_NS;
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		n += atomic_load_explicit(&scheduler.nfree[size], memory_order_relaxed);
	if (n >= before && n > 0)
		spare_trim();
	before = n;
}

/* Since when nothing runs: as long as no fiber does, though threads may look whether one should. */
static struct rest {
	uint64_t turns;
	int64_t next;		/* piece that is given back */
	bool heaps;		/* have given what they keep for themselves */
} rest;

/* What is given back when nothing has run for long, piece by piece. Blocks of the heap are kept for as long as
 * elsewhere (rt_heap_decay). Returns when the next piece is due. */
static int64_t give_back(int64_t now)
{
	if (spare_trim_idle())
		return now;
	if (!rest.heaps) {
		rest.heaps = true;
		heap_rest_all();
		idle_threads_look_again();
		return now + atomic_load_explicit(&segments.decay_ms, memory_order_relaxed) * 1000000;
	}
	segments_purge();
	return INT64_MAX;
}

static void sleep_while_idle(void)
{
	uint64_t turns = all_turns();

	if (turns != rest.turns)
		rest = (struct rest){ turns, rt_now() + QUIET_NS, false };
	while (all_idle() && atomic_load(&scheduler.watcher_asleep)) {
		int64_t due = freeze_due();
		futex_wait(&scheduler.watcher_asleep, 1, due < rest.next ? due : rest.next);
		int64_t now = rt_now();
		if (now >= due)
			freeze_some(coarse_clock_set(now));
		if (now >= rest.next)
			rest.next = give_back(now);
	}
}

static void follow_limit(int64_t now)
{
	static int64_t next;

	if (!scheduler.follows_limit || now < next)
		return;
	next = now + LIMIT_NS;
	uint32_t n = cpu_limit_processors("");
	if (n != atomic_load(&scheduler.most_used))
		in_use_set(n);
}

static void *watch(void *unused)
{
	int quiet = 0;
	int64_t nap = SHORTEST_NS;

	(void)unused;
	while (!atomic_load(&scheduler.stopping)) {
		futex_nap(nap);
		/* Who waits now and then for a moment is not to wake it each time. */
		if (all_idle() && !something_ran()) {
			atomic_store(&scheduler.watcher_asleep, 1);
			door_barrier();
			sleep_while_idle();
			atomic_store(&scheduler.watcher_asleep, 0);
		}
		int64_t now = coarse_clock_set(rt_now());
		bool found = freeze_some(now);
		follow_limit(now);
		trim_spare(now);
		for (uint32_t i = 0; i < scheduler.nprocessors; i++)
			found |= look_at(&scheduler.processors[i], now);
		wake_for_timers(now);
		quiet = found ? 0 : quiet + 1;
		if (found)
			nap = SHORTEST_NS;
		else if (quiet > PATIENCE && nap < LONGEST_NS)
			nap *= 2;
	}
	return 0;
}

void watcher_wake(void)
{
	door_settle();
	if (!atomic_load_explicit(&scheduler.watcher_asleep, memory_order_relaxed))
		return;
	atomic_store(&scheduler.watcher_asleep, 0);
	futex_wake(&scheduler.watcher_asleep, INT_MAX);
}

int watcher_start(void)
{
	pthread_attr_t attr;
	sigset_t all, before;

	rest = (struct rest){ .turns = UINT64_MAX };
	/* Its stack is small, and it is no thread of the user: handlers run elsewhere. */
	sigfillset(&all);
	sigdelset(&all, HALT_SIGNAL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&scheduler.watcher, &attr, watch, 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

void watcher_stop(void)
{
	watcher_wake();
	pthread_join(scheduler.watcher, 0);
}
