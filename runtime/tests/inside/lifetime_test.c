/* Memory may go as soon as who waited knows that it is over: what others still do there would write into what
 * is another's by then. */
#include <malloc.h>
#include <string.h>

#include "check.h"
#include "delays.h"

#define ROUNDS 400
#define FILL 0xa5

/* What lies there is another's now. */
static void leave(void *object, size_t size)
{
	memset(object, FILL, size);
}

static bool untouched(const void *object, size_t size)
{
	const unsigned char *at = object;

	for (size_t i = 0; i < size; i++)
		if (at[i] != FILL)
			return false;
	return true;
}

static int sets(void *event)
{
	rt_event_set(event);
	return 0;
}

static int event_goes(void *arg)
{
	int touched = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct rt_event event = { 0 };
		struct rt_fiber setter;
		CHECK(rt_spawn(sets, &event, NULL, &setter) == 0);
		while (!rt_event_is_set(&event))
			rt_yield();
		CHECK(rt_event_wait(&event, RT_FOREVER) == 0);
		leave(&event, sizeof event);
		CHECK(rt_join(setter, NULL, RT_FOREVER) == 0);
		touched += !untouched(&event, sizeof event);
	}
	CHECK(touched == 0);
	return 0;
}

static int is_done(void *group)
{
	rt_wait_group_done(group);
	return 0;
}

static int group_goes(void *arg)
{
	int touched = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct rt_wait_group group = { 0 };
		struct rt_fiber worker;
		rt_wait_group_add(&group, 1);
		CHECK(rt_spawn(is_done, &group, NULL, &worker) == 0);
		while (__atomic_load_n(&group.count, __ATOMIC_RELAXED))
			rt_yield();
		CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
		leave(&group, sizeof group);
		CHECK(rt_join(worker, NULL, RT_FOREVER) == 0);
		touched += !untouched(&group, sizeof group);
	}
	CHECK(touched == 0);
	return 0;
}

/* Of a counted object that holds its own mutex, who drops the last reference frees it. */
struct counted {
	struct rt_mutex mutex;
	int references;
	_Atomic int held;
};

static int drops(void *arg)
{
	struct counted *c = arg;

	CHECK(rt_lock(&c->mutex, RT_FOREVER) == 0);
	c->references--;
	c->held = 1;
	/* Somebody tries for a while, and gives up: that the mutex is contended outlives who made it so. */
	rt_sleep(MS / 5);
	rt_unlock(&c->mutex);
	return 0;
}

static int mutex_goes(void *arg)
{
	int touched = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS / 4; i++) {
		struct counted c = { .references = 2 };
		struct rt_fiber other;
		CHECK(rt_spawn(drops, &c, NULL, &other) == 0);
		while (!c.held)
			rt_yield();
		if (rt_lock(&c.mutex, rt_now() + MS / 20) < 0)
			while (rt_try_lock(&c.mutex) == false)
				rt_yield();
		CHECK(--c.references == 0);
		rt_unlock(&c.mutex);
		leave(&c, sizeof c);
		CHECK(rt_join(other, NULL, RT_FOREVER) == 0);
		touched += !untouched(&c, sizeof c);
	}
	CHECK(touched == 0);
	return 0;
}

static int waits(void *event)
{
	return rt_event_wait(event, rt_now() + 10000 * MS);
}

static int blocks(void *arg)
{
	(void)arg;
	rt_block_begin();
	rt_block_end();
	return rt_sleep(MS / 20);
}

/* Several threads sleep, one of them until a time that nobody needs any more. */
static int keeps_time(void *arg)
{
	struct rt_event event = { 0 };
	struct rt_fiber waiter, others[8];

	(void)arg;
	CHECK(rt_spawn(waits, &event, NULL, &waiter) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(rt_spawn(blocks, NULL, NULL, &others[i]) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(rt_join(others[i], NULL, RT_FOREVER) == 0);
	rt_sleep(MS / 10);
	rt_event_set(&event);
	CHECK(rt_join(waiter, NULL, RT_FOREVER) == 0);
	return 0;
}

/* Threads end one after the other: those that do so late must not look at those that are gone. */
static void run_goes(void)
{
	struct rt_options options = { .processors = 4 };

	for (int i = 0; i < ROUNDS / 4; i++)
		CHECK(rt_run(&options, keeps_time, NULL) == 0);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "an event goes", event_goes },
		{ "a wait group goes", group_goes },
		{ "a mutex goes", mutex_goes },
	};
	delays_begin(1, 4);
	/* What is freed is overwritten. */
	mallopt(M_PERTURB, FILL);
	run_goes();
	return check_all(tests, sizeof tests / sizeof *tests);
}
