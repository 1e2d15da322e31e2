/* Producers and consumers, twice: with a ring, a mutex and two conditions, as in the books; and with a
 * channel, which is all that.
 *
 *	cc -O2 -o course_producer_consumer course_producer_consumer.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_producer_consumer */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <osprey/rt.h>

#define ROOM 8
#define PRODUCERS 3
#define CONSUMERS 2
#define EACH 1000

/* -- a bounded buffer */

static long ring[ROOM];
static size_t length, at;
static bool closed;
static struct rt_mutex mutex;
static struct rt_condition not_full, not_empty;

static void put(long value)
{
	(void)rt_lock(&mutex, RT_FOREVER);
	while (length == ROOM)
		(void)rt_condition_wait(&not_full, &mutex, RT_FOREVER);
	ring[(at + length++) % ROOM] = value;
	rt_condition_signal(&not_empty);
	rt_unlock(&mutex);
}

/* False: nothing will come any more. */
static bool get(long *ret)
{
	(void)rt_lock(&mutex, RT_FOREVER);
	while (length == 0 && !closed)
		(void)rt_condition_wait(&not_empty, &mutex, RT_FOREVER);
	bool some = length > 0;
	if (some) {
		*ret = ring[at];
		at = (at + 1) % ROOM;
		length--;
		rt_condition_signal(&not_full);
	}
	rt_unlock(&mutex);
	return some;
}

static void close_ring(void)
{
	(void)rt_lock(&mutex, RT_FOREVER);
	closed = true;
	rt_condition_broadcast(&not_empty);
	rt_unlock(&mutex);
}

static _Atomic long sum;

static int produces_into_ring(void *arg)
{
	for (long i = 0; i < EACH; i++)
		put((long)(intptr_t)arg * EACH + i);
	return 0;
}

static int consumes_from_ring(void *arg)
{
	long value;

	(void)arg;
	while (get(&value))
		sum += value;
	return 0;
}

/* -- the same with a channel */

static struct rt_chan *channel;

static int produces_into_channel(void *arg)
{
	for (long i = 0; i < EACH; i++) {
		long value = (long)(intptr_t)arg * EACH + i;
		(void)rt_send(channel, &value, RT_FOREVER);
	}
	return 0;
}

static int consumes_from_channel(void *arg)
{
	long value;

	(void)arg;
	while (rt_receive(channel, &value, RT_FOREVER) == 0)
		sum += value;
	return 0;
}

static void close_channel(void)
{
	rt_close(channel);
}

static int run_with(rt_function *produces, rt_function *consumes, void (*close)(void), const char *how)
{
	struct rt_scope producers, consumers;
	int r = 0;

	sum = 0;
	rt_scope_open(&consumers, RT_FOREVER);
	rt_scope_open(&producers, RT_FOREVER);
	for (int i = 0; i < CONSUMERS && r == 0; i++)
		r = rt_scope_go(&consumers, consumes, NULL);
	for (intptr_t i = 0; i < PRODUCERS && r == 0; i++)
		r = rt_scope_go(&producers, produces, (void *)i);
	(void)rt_scope_close(&producers);
	/* All is in; what is still on its way is taken out before the consumers end. */
	close();
	(void)rt_scope_close(&consumers);
	long all = PRODUCERS * EACH;
	printf("%s: the sum is %ld, and should be %ld\n", how, sum, all * (all - 1) / 2);
	return r;
}

static int first(void *arg)
{
	(void)arg;
	int r = run_with(produces_into_ring, consumes_from_ring, close_ring, "ring");
	if (r == 0)
		r = rt_chan_new(sizeof(long), ROOM, &channel);
	if (r < 0)
		return r;
	r = run_with(produces_into_channel, consumes_from_channel, close_channel, "channel");
	rt_chan_free(channel);
	return r;
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
