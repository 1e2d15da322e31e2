/* A library that is built on the runtime, for a program that may not be. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <osprey/rt.h>

#include "plugin.h"

struct sum {
	struct rt_chan *numbers;
	int n;
	long sum;
};

static int counts(void *arg)
{
	struct sum *s = arg;

	for (int i = 1; i <= s->n; i++) {
		if (rt_send(s->numbers, &i, RT_FOREVER) != 0)
			return -EPIPE;
		if (i % 16 == 0)
			rt_sleep(1000);
	}
	rt_close(s->numbers);
	return 0;
}

static int sums(void *arg)
{
	struct sum *s = arg;
	struct rt_fiber counter;
	int i, r;

	if ((r = rt_chan_new(sizeof i, 0, &s->numbers)) < 0)
		return r;
	if ((r = rt_spawn(counts, s, NULL, &counter)) < 0)
		return r;
	while (rt_receive(s->numbers, &i, RT_FOREVER) == 0) {
		/* Memory of the runtime's heap: a thread that had some has to give it back when it ends. */
		void *block = rt_malloc((size_t)i);
		s->sum += i;
		rt_free(block);
	}
	if (rt_join(counter, &r, RT_FOREVER) != 0)
		return -EINVAL;
	rt_chan_free(s->numbers);
	return r;
}

long carrier_run(unsigned processors, int n)
{
	struct rt_options options = { .processors = processors };
	struct sum s = { .n = n };
	int r = rt_run(&options, sums, &s);

	return r < 0 ? r : s.sum;
}

static int sleeps(void *arg)
{
	while (rt_sleep(50000) == 0)
		;
	return arg != NULL;
}

static void naps(void)
{
	rt_sleep(100000);
	if (write(STDOUT_FILENO, "napped ", 7) < 0)
		_exit(1);
}

static int exits(void *arg)
{
	int *code = arg;

	/* Called by exit, on this fiber's stack: it may park as any function that a fiber calls. */
	if (atexit(naps) != 0)
		return -ENOMEM;
	for (int i = 0; i < 4; i++)
		if (rt_go(sleeps, NULL) < 0)
			return -ENOMEM;
	for (int i = 0; i < 20; i++) {
		rt_sleep(20000);
		rt_yield();
	}
	exit(*code);
}

void carrier_exit(unsigned processors, int code)
{
	struct rt_options options = { .processors = processors };

	rt_run(&options, exits, &code);
}
