/* The functions of osprey/rt/fiber.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "door.h"
#include "inside_lock.h"
#include "inspect/probe.h"
#include "misuse.h"
#include "rt_spawn.h"
#include "scheduler.h"
#include "wait_here.h"

int64_t rt_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct fiber *spawn_prepare(struct thread *t, rt_function *function, void *arg,
			    const struct rt_spawn_options *options)
{
	struct fiber *f = fiber_new(t->processor, options ? options->stack : RT_STACK_DEFAULT);

	if (!f)
		return NULL;
	f->function = function;
	f->arg = arg;
	f->joinable = false;
	f->ended = false;
	f->name = options ? options->name : NULL;
	f->created_at = __builtin_return_address(0);
	f->born = coarse_clock();
	f->creator_id = t->running ? atomic_load_explicit(&t->running->id, memory_order_relaxed) : 0;
	f->scope = NULL;
	f->opened = NULL;
	f->shields = 0;
	f->pins = 0;
	f->pinned_to = NULL;
	atomic_store_explicit(&f->cancelled, false, memory_order_relaxed);
	return f;
}

int rt_go(rt_function *function, void *arg)
{
	struct thread *t = door_enter();
	struct fiber *f = spawn_prepare(t, function, arg, NULL);

	if (f) {
		f->created_at = __builtin_return_address(0);
		fiber_start(t, f);
	}
	door_leave();
	return f ? 0 : -ENOMEM;
}

int rt_spawn(rt_function *function, void *arg, const struct rt_spawn_options *options, struct rt_fiber *ret)
{
	if (options && (unsigned)options->stack > RT_STACK_LARGE)
		return -EINVAL;
	struct thread *t = door_enter();
	struct fiber *f = spawn_prepare(t, function, arg, options);

	if (f) {
		f->joinable = true;
		f->created_at = __builtin_return_address(0);
		*ret = (struct rt_fiber){ f, atomic_load_explicit(&f->id, memory_order_relaxed) };
		fiber_start(t, f);
	}
	door_leave();
	return f ? 0 : -ENOMEM;
}

/* Without the lock: who ended it has given it back, and touches it no more. */
static inline bool has_ended(struct fiber *f)
{
	return atomic_load_explicit(&f->ended, memory_order_acquire) &&
	       atomic_load_explicit(&f->lock.held, memory_order_acquire) == 0;
}

int rt_join(struct rt_fiber fiber, int *ret_result, int64_t deadline)
{
	struct thread *t = door_enter();
	struct fiber *f = fiber.fiber;
	struct waiter w;
	int r = 0;

	if (!f)
		misuse("rt_join: zeroed memory is no fiber");
	if (atomic_load_explicit(&f->id, memory_order_relaxed) != fiber.id)
		misuse("rt_join: fiber %llu has been joined already", (unsigned long long)fiber.id);
	if (!has_ended(f)) {
		inside_lock_take(&f->lock);
		if (f->joiner.first)
			misuse("rt_join: fiber %llu is being joined already", (unsigned long long)fiber.id);
		if (atomic_load_explicit(&f->ended, memory_order_relaxed))
			short_lock_give(&f->lock);
		else
			r = wait_here(t, &f->joiner, &f->lock, &w, FIBER_WAIT_JOIN, f, deadline);
	}
	if (r == 0) {
		if (ret_result)
			*ret_result = f->result;
		fiber_recycle(thread_self()->processor, f);
	}
	door_leave();
	return r;
}

void rt_block_begin(void)
{
	struct thread *t = door_enter();

	if (atomic_load_explicit(&t->blocked, memory_order_relaxed))
		misuse("rt_block_begin: within another, or one before it has no rt_block_end");
	PROBE1(block_begin, fiber_id(t->running));
	atomic_store_explicit(&t->blocked, 1, memory_order_relaxed);
	door_leave();
}

void rt_block_end(void)
{
	struct thread *t = thread_self();

	/* The door forgets it, if the processor was taken meanwhile. */
	if (t && !atomic_load_explicit(&t->blocked, memory_order_relaxed))
		misuse("rt_block_end: without rt_block_begin");
	t = door_enter();
	PROBE1(block_end, fiber_id(t->running));
	atomic_store_explicit(&t->blocked, 0, memory_order_relaxed);
	door_leave();
}

int rt_sleep_until(int64_t deadline)
{
	struct waiter w = { 0 };
	int r = wait_in(door_enter(), NULL, NULL, &w, FIBER_WAIT_SLEEP, NULL, deadline);

	door_leave();
	return r == -ETIMEDOUT ? 0 : r;
}

int rt_sleep(int64_t ns)
{
	int64_t now = rt_now();

	return rt_sleep_until(ns > INT64_MAX - now ? INT64_MAX : now + ns);
}

struct first {
	rt_function *function;
	void *arg;
	int result;
};

static int run_first(void *arg)
{
	struct first *first = arg;

	first->result = first->function(first->arg);
	return 0;
}

static _Atomic uint32_t running;

/* 0: it says nothing that makes sense. */
static uint32_t processors_of_environment(void)
{
	const char *text = getenv("RT_PROCESSORS");
	char *end = NULL;
	unsigned long n = text ? strtoul(text, &end, 10) : 0;

	return text && end != text && !*end && n <= UINT32_MAX ? (uint32_t)n : 0;
}

int rt_run(const struct rt_options *options, rt_function *first, void *arg)
{
	struct first of = { first, arg, 0 };

	if (thread_self())
		misuse("rt_run: called within a run");
	if (atomic_exchange(&running, 1))
		return -EBUSY;
	uint32_t n = options && options->processors ? options->processors : processors_of_environment();
	n = n < MOST_PROCESSORS ? n : MOST_PROCESSORS;
	int r = scheduler_start(n, options && options->threads ? options->threads : 10000);
	if (r == 0) {
		struct fiber *f = spawn_prepare(thread_self(), run_first, &of, NULL);
		r = f ? 0 : -ENOMEM;
		if (f) {
			f->created_at = __builtin_return_address(0);
			fiber_start(thread_self(), f);
		}
		scheduler_run();
	}
	atomic_store(&running, 0);
	return r < 0 ? r : of.result;
}
