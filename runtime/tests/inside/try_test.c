/* What does not wait fails only when it would have to. */
#include <errno.h>

#include "chan.h"
#include "check.h"
#include "delays.h"

#define ROUNDS 2000

static struct rt_chan *channel;
static struct rt_mutex mutex;
static _Atomic int ready;

static int sends(void *arg)
{
	CHECK(rt_send(channel, &arg, RT_FOREVER) == 0);
	return 0;
}

/* Both at the same time, if they can. */
static void meet(void)
{
	ready++;
	for (int i = 0; i < 1000 && ready < 2; i++)
		if (i % 10 == 9)
			rt_yield();
}

static int receives(void *arg)
{
	void *v;

	(void)arg;
	meet();
	CHECK(rt_receive(channel, &v, RT_FOREVER) == 0);
	return 0;
}

static int tries(void *arg)
{
	void *v;

	(void)arg;
	meet();
	return rt_try_receive(channel, &v);
}

static int waiting(struct rt_chan *c)
{
	int n = 0;

	short_lock_take(&c->lock);
	struct waiter *w = c->senders.first;
	if (w)
		do
			n++;
		while ((w = w->next) != c->senders.first);
	short_lock_give(&c->lock);
	return n;
}

/* One is inside, and one wants to send: neither of two receivers finds nothing. */
static int full_channel_gives(void *arg)
{
	int nothing = 0;

	(void)arg;
	CHECK(rt_chan_new(sizeof(void *), 1, &channel) == 0);
	for (int round = 0; round < ROUNDS; round++) {
		struct rt_fiber a, b, c;
		int r = 0;
		CHECK(rt_send(channel, &arg, RT_FOREVER) == 0);
		CHECK(rt_spawn(sends, NULL, NULL, &c) == 0);
		while (waiting(channel) < 1)
			rt_yield();
		ready = 0;
		CHECK(rt_spawn(receives, NULL, NULL, &a) == 0 && rt_spawn(tries, NULL, NULL, &b) == 0);
		CHECK(rt_join(a, NULL, RT_FOREVER) == 0 && rt_join(b, &r, RT_FOREVER) == 0);
		nothing += r != 0;
		if (r != 0)
			CHECK(rt_try_receive(channel, &arg) == 0);
		CHECK(rt_join(c, NULL, RT_FOREVER) == 0);
	}
	CHECK(nothing == 0);
	rt_chan_free(channel);
	return 0;
}

static int locks(void *arg)
{
	(void)arg;
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	rt_unlock(&mutex);
	return 0;
}

/* Those that wait have been told that it is free, and have not come yet. With one processor they cannot. */
static int free_mutex_is_taken(void *arg)
{
	struct rt_scope s;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(rt_scope_go(&s, locks, NULL) == 0);
	rt_sleep(MS / 10);
	rt_unlock(&mutex);
	CHECK(rt_try_lock(&mutex));
	rt_unlock(&mutex);
	CHECK(rt_scope_close(&s) == 0);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = { { "a full channel gives", full_channel_gives } };
	struct rt_options one = { .processors = 1 };

	delays_begin(2, 20);
	int r = check_all(tests, 1);
	CHECK(rt_run(&one, free_mutex_is_taken, NULL) == 0);
	return check_failed ? EXIT_FAILURE : r;
}
