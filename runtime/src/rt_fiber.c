/* The functions of osprey/rt/fiber.h. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "door.h"
#include "misuse.h"
#include "scheduler.h"

int64_t rt_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct fiber *spawn(struct thread *t, rt_function *function, void *arg, const struct rt_spawn_options *options,
			   bool joinable)
{
	struct fiber *f = fiber_new(t->processor, options ? options->stack : RT_STACK_DEFAULT);

	if (!f)
		return NULL;
	f->function = function;
	f->arg = arg;
	f->joinable = joinable;
	f->name = options ? options->name : NULL;
	f->creator_id = t->running ? atomic_load_explicit(&t->running->id, memory_order_relaxed) : 0;
	atomic_store_explicit(&f->join, NULL, memory_order_relaxed);
	fiber_start(t, f);
	return f;
}

int rt_go(rt_function *function, void *arg)
{
	struct fiber *f = spawn(door_enter(), function, arg, NULL, false);

	door_leave();
	return f ? 0 : -ENOMEM;
}

int rt_spawn(rt_function *function, void *arg, const struct rt_spawn_options *options, struct rt_fiber *ret)
{
	struct fiber *f = spawn(door_enter(), function, arg, options, true);

	if (f)
		*ret = (struct rt_fiber){ f, atomic_load_explicit(&f->id, memory_order_relaxed) };
	door_leave();
	return f ? 0 : -ENOMEM;
}

/* Once the joining fiber's context is saved it shows itself; the other may have ended meanwhile. */
static void show_joiner(void *ended)
{
	struct fiber *f = ended, *nobody = NULL;
	struct thread *t = thread_self();
	struct fiber *joiner = t->left;

	if (!atomic_compare_exchange_strong_explicit(&f->join, &nobody, joiner, memory_order_acq_rel, memory_order_acquire))
		fiber_ready(t, joiner);
}

int rt_join(struct rt_fiber fiber, int *ret_result)
{
	struct thread *t = door_enter();
	struct fiber *f = fiber.fiber;

	if (!f || atomic_load_explicit(&f->id, memory_order_relaxed) != fiber.id)
		misuse("rt_join: fiber %llu has been joined already", (unsigned long long)fiber.id);
	struct fiber *join = atomic_load_explicit(&f->join, memory_order_acquire);
	if (join && join != FIBER_JOIN_ENDED)
		misuse("rt_join: fiber %llu is being joined already", (unsigned long long)fiber.id);
	if (!join)
		fiber_park(t, FIBER_WAIT_JOIN, f, show_joiner, f);
	if (ret_result)
		*ret_result = f->result;
	fiber_recycle(thread_self()->processor, f);
	door_leave();
	return 0;
}

void rt_yield(void)
{
	fiber_yield(door_enter(), LEAVE_READY);
	door_leave();
}

void rt_block_begin(void)
{
	atomic_store_explicit(&door_enter()->blocked, 1, memory_order_relaxed);
	door_leave();
}

void rt_block_end(void)
{
	atomic_store_explicit(&door_enter()->blocked, 0, memory_order_relaxed);
	door_leave();
}

struct sleeper {
	struct timer timer;
	struct fiber *fiber;
};

static void sleeper_wake(struct timer *t)
{
	struct sleeper *s = (struct sleeper *)t;

	fiber_ready(thread_self(), s->fiber);
}

static void sleeper_arm(void *arg)
{
	struct sleeper *s = arg;

	timer_arm(&thread_self()->processor->timers, &s->timer);
}

int rt_sleep_until(int64_t deadline)
{
	struct thread *t = door_enter();
	struct sleeper s = { .timer = { .deadline = deadline, .fire = sleeper_wake }, .fiber = t->running };

	fiber_park(t, FIBER_WAIT_SLEEP, NULL, sleeper_arm, &s);
	timer_settle(&s.timer);
	door_leave();
	return 0;
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

int rt_run(const struct rt_options *options, rt_function *first, void *arg)
{
	struct first of = { first, arg, 0 };
	cpu_set_t cpus;

	if (atomic_exchange(&running, 1))
		return -EBUSY;
	uint32_t n = options ? options->processors : 0;
	if (n == 0)
		n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;
	n = n < MOST_PROCESSORS ? n : MOST_PROCESSORS;
	int r = scheduler_start(n, options && options->threads ? options->threads : 10000);
	if (r == 0) {
		r = spawn(thread_self(), run_first, &of, NULL, false) ? 0 : -ENOMEM;
		scheduler_run();
	}
	atomic_store(&running, 0);
	return r < 0 ? r : of.result;
}
