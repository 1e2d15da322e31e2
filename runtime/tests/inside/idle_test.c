/* A thread that sleeps, or runs a fiber, does not count as one that looks for work: while one does, nobody else is called. */
#include "check.h"
#include "delays.h"
#include "scheduler.h"

static struct rt_chan *anywhere, *here;

static int takes(void *from)
{
	long v;

	if (from == here)
		rt_pin();
	while (rt_receive(from, &v, RT_FOREVER) == 0)
		CHECK(!thread_self()->spinning);
	if (from == here)
		rt_unpin();
	return 0;
}

static int sleep_and_count(void)
{
	int n = 0;

	short_lock_take(&scheduler.lock);
	for (struct thread *t = scheduler.threads; t; t = t->next)
		n += atomic_load(&t->parked) && t->spinning;
	short_lock_give(&scheduler.lock);
	return n;
}

/* Who is called for the first ones finds that a thread is wanted, and gives it the processor. */
static int wakes_both_kinds(long i)
{
	int64_t until;

	for (int k = 0; k < 3; k++)
		CHECK(rt_send(anywhere, &i, RT_FOREVER) == 0);
	CHECK(rt_send(here, &i, RT_FOREVER) == 0);
	until = rt_now() + i % 3 * MS / 10;
	while (rt_now() < until)
		;
	int n = sleep_and_count();
	CHECK(rt_sleep(MS / 5) == 0);
	return n + sleep_and_count();
}

static int helps_who_is_pinned(void *arg)
{
	struct rt_fiber f[4];
	int n = 0;

	(void)arg;
	CHECK(rt_chan_new(sizeof(long), 0, &anywhere) == 0 && rt_chan_new(sizeof(long), 0, &here) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(rt_spawn(takes, i == 0 ? here : anywhere, NULL, &f[i]) == 0);
	for (long i = 0; i < check_load(300); i++)
		n += wakes_both_kinds(i);
	CHECK(n == 0);
	rt_close(anywhere);
	rt_close(here);
	for (int i = 0; i < 4; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	rt_chan_free(anywhere);
	rt_chan_free(here);
	return 0;
}

int main(void)
{
	/* There is nobody else to call than who has fibers pinned to it. */
	struct rt_options few = { .processors = 2, .threads = 2 };

	delays_begin(1, 100);
	CHECK(rt_run(&few, helps_who_is_pinned, NULL) == 0);
	int r = check_all(&(struct check_test){ "helps who is pinned", helps_who_is_pinned }, 1);
	return check_failed ? EXIT_FAILURE : r;
}
