#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_limit.h"
#include "door.h"
#include "exceptions.h"
#include "futex.h"
#include "idle.h"
#include "net/descriptor.h"
#include "in_use.h"
#include "overflow.h"
#include "scheduler.h"
#include "spare.h"
#include "strays.h"
#include "tell.h"
#include "watcher.h"

struct scheduler scheduler;

static int64_t alive(void)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		n += scheduler.processors[i].alive;
	return n;
}

void run_is_over(void)
{
	if (alive() > 0) {
		tell("osprey/rt: deadlock: every fiber waits, and nothing is left that could wake one\n");
		tell_waiting(thread_self());
		abort();
	}
	atomic_store(&scheduler.stopping, 1);
	for (struct thread *t = scheduler.threads; t; t = t->next)
		poller_wake(t);
}

/* Numbers of fibers that earlier runs gave: a handle of theirs is never one of this run's. */
static uint64_t ids_of_before;

/* What other runs left for this one stays: fibers that ended. */
static int processors_init(uint32_t n, uint32_t used, bool follows_limit, uint32_t threads)
{
	struct scheduler fresh = { .nprocessors = n, .nused = n, .most_used = n, .most_threads = threads,
				   .follows_limit = follows_limit, .nthreads = 1, .keeper_until = INT64_MAX };

	for (int size = 0; size < FIBER_STACK_SIZES; size++) {
		fresh.free[size] = scheduler.free[size];
		fresh.trimmed[size] = scheduler.trimmed[size];
		fresh.nfree[size] = scheduler.nfree[size];
	}
	fresh.processors = aligned_alloc(_Alignof(struct processor), n * sizeof *fresh.processors);
	if (!fresh.processors)
		return -ENOMEM;
	scheduler = fresh;
	scheduler.queue_end = &scheduler.queue;
	memset(scheduler.processors, 0, n * sizeof *scheduler.processors);
	int64_t now = coarse_clock_set(rt_now());
	for (uint32_t i = n; i-- > 0;) {
		struct processor *p = &scheduler.processors[i];
		p->number = i;
		p->luck = i + 1;
		p->ids = ids_of_before;
		timer_wheel_init(&p->timers, now);
		poller_init(&p->poller);
		if (i > 0)
			idle_processor_put(p);
	}
	in_use_begin(used);
	return 0;
}

static int helpers_start(struct thread *t)
{
	int r = overflow_begin();

	if (r < 0)
		return r;
	overflow_thread_begin(t);
	r = watcher_start();
	if (r < 0) {
		overflow_thread_end(t);
		overflow_end();
	}
	return r;
}

int scheduler_start(uint32_t processors, uint32_t threads)
{
	uint32_t used = processors;

	if (!context_possible())
		return -ENOTSUP;
	int r = fiber_table_init();

	if (r < 0 || (r = strays_init()) < 0)
		return r;
	ring_configure();
	door_init();
	struct thread *t = thread_new();
	if (!t)
		return -ENOMEM;
	bool follows_limit = processors == 0;
	if (follows_limit) {
		long all = sysconf(_SC_NPROCESSORS_CONF);
		used = cpu_limit_processors("");
		processors = all > (long)used ? (uint32_t)all : used;
		processors = processors < MOST_PROCESSORS ? processors : MOST_PROCESSORS;
	}
	r = processors_init(processors, used, follows_limit, threads);
	if (r < 0) {
		free(t);
		return r;
	}
	processor_hold(t, &scheduler.processors[0]);
	scheduler.threads = t;
	t->handle = pthread_self();
	thread_current = t;
	atomic_store_explicit(&t->tid, gettid(), memory_order_relaxed);
	pthread_sigmask(SIG_SETMASK, NULL, &scheduler.signals);
	floating_point_get(&scheduler.floating_point);
	t->exceptions = exceptions_of_thread();
	strays_begin(t);
	r = helpers_start(t);
	if (r < 0) {
		strays_end(t);
		thread_current = NULL;
		free(t);
		free(scheduler.processors);
	}
	return r;
}

void scheduler_run(void)
{
	struct thread *self = thread_self(), *t, *next;

	thread_loop(self);
	watcher_stop();
	overflow_thread_end(self);
	overflow_end();
	/* Those that still end may look at others, which have ended: at who sleeps. */
	for (t = scheduler.threads; t; t = t->next)
		if (t != self)
			pthread_join(t->handle, NULL);
	/* Not sooner: a cancellation that was put off would end this thread there. */
	strays_end(self);
	for (t = scheduler.threads; t; t = next) {
		next = t->next;
		poller_thread_end(t);
		free(t);
	}
	thread_current = NULL;
	/* The fibers stay for the next run. */
	for (uint32_t i = 0; i < scheduler.nprocessors; i++) {
		for (int size = 0; size < FIBER_STACK_SIZES; size++)
			spare_to_all(&scheduler.processors[i], size, UINT32_MAX);
		if (scheduler.processors[i].ids > ids_of_before)
			ids_of_before = scheduler.processors[i].ids;
		poller_deinit(&scheduler.processors[i].poller);
	}
	descriptor_forget_pollers();
	free(scheduler.processors);
}
