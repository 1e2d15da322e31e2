/* A pipeline with select: numbers go through a stage that squares them and are summed, until a time is over;
 * meanwhile a clock ticks.
 *
 *	cc -O2 -o pipeline pipeline.c $(pkg-config --cflags --libs osprey-rt)
 *	./pipeline
 *
 * Each stage is a fiber that owns its output channel and closes it when its input is closed: so the end of
 * the source reaches the sink, and nobody has to be told. */
#include <errno.h>
#include <stdio.h>

#include <osprey/rt.h>

#define MS INT64_C(1000000)

static struct rt_chan *numbers, *squares, *ticks, *enough;

static int source(void *arg)
{
	(void)arg;
	for (long i = 1;; i++) {
		/* Sends the next number, or hears that it is enough: whichever comes first. */
		struct rt_case cases[] = { { .chan = numbers, .send = &i }, { .chan = enough } };
		if (rt_select(cases, 2, RT_FOREVER) == 1)
			break;
	}
	rt_close(numbers);
	return 0;
}

static int stage(void *arg)
{
	long n;

	(void)arg;
	while (rt_receive(numbers, &n, RT_FOREVER) == 0) {
		n *= n;
		(void)rt_send(squares, &n, RT_FOREVER);
	}
	rt_close(squares);
	return 0;
}

static int clock_ticks(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		(void)rt_sleep(10 * MS);
		(void)rt_send(ticks, NULL, RT_FOREVER);
	}
	rt_close(ticks);
	return 0;
}

static int sink(void *arg)
{
	unsigned long count = 0, sum = 0;
	long square;
	struct rt_case cases[] = { { .chan = squares, .receive = &square }, { .chan = ticks } };

	(void)arg;
	for (;;) {
		int i = rt_select(cases, 2, RT_FOREVER);
		if (i == 0 && cases[0].result == -EPIPE)
			break;
		if (i == 0) {
			count++;
			sum += (unsigned long)square;
		} else if (cases[1].result == 0) {
			printf("%lu squares so far\n", count);
		} else {
			/* The clock has stopped. A case without a channel never comes: so this one is
			 * over. */
			cases[1].chan = NULL;
			rt_close(enough);
		}
	}
	printf("%lu squares, their sum modulo 2^64 is %lu\n", count, sum);
	return 0;
}

static int first(void *arg)
{
	struct rt_scope s;

	(void)arg;
	if (rt_chan_new(sizeof(long), 16, &numbers) < 0 || rt_chan_new(sizeof(long), 16, &squares) < 0 || rt_chan_new(0, 0, &ticks) < 0 ||
	    rt_chan_new(0, 0, &enough) < 0)
		return -ENOMEM;
	rt_scope_open(&s, RT_FOREVER);
	rt_function *const parts[] = { source, stage, clock_ticks, sink };
	int r = 0;
	for (int i = 0; i < 4 && r == 0; i++)
		r = rt_scope_go(&s, parts[i], NULL);
	if (r < 0)
		rt_scope_cancel(&s);
	int result = rt_scope_close(&s);
	rt_chan_free(numbers);
	rt_chan_free(squares);
	rt_chan_free(ticks);
	rt_chan_free(enough);
	return r < 0 ? r : result;
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
