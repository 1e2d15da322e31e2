/* Channels and select: every value arrives once, deadlines and closing are told. */
#include <errno.h>

#include "check.h"

static struct rt_chan *a, *b, *done;

static void channel(struct rt_chan **ret, size_t capacity)
{
	CHECK(rt_chan_new(sizeof(long), capacity, ret) == 0);
}

static int echo(void *arg)
{
	long v;

	(void)arg;
	while (rt_receive(a, &v, RT_FOREVER) == 0) {
		v++;
		CHECK(rt_send(b, &v, RT_FOREVER) == 0);
	}
	rt_close(b);
	return 0;
}

static int test_round_trips(void *arg)
{
	long v = 0, w;

	(void)arg;
	channel(&a, 0);
	channel(&b, 0);
	CHECK(rt_go(echo, NULL) == 0);
	for (int i = 0, n = (int)check_load(30000); i < n; i++) {
		CHECK(rt_send(a, &v, RT_FOREVER) == 0 && rt_receive(b, &w, RT_FOREVER) == 0);
		CHECK(w == v + 1);
		v = w;
	}
	rt_close(a);
	CHECK(rt_receive(b, &w, RT_FOREVER) == -EPIPE && w == 0);
	rt_chan_free(a);
	rt_chan_free(b);
	return 0;
}

#define PAIRS 8
#define EACH check_load(10000)

static int producer(void *arg)
{
	(void)arg;
	for (long i = 0; i < EACH; i++)
		CHECK(rt_send(a, &i, RT_FOREVER) == 0);
	return 0;
}

static int consumer(void *arg)
{
	long v, sum = 0;

	while (rt_receive(a, &v, RT_FOREVER) == 0) {
		sum += v;
		++*(int *)arg;
	}
	CHECK(rt_send(done, &sum, RT_FOREVER) == 0);
	return 0;
}

static void fan(size_t capacity)
{
	struct rt_fiber producers[PAIRS];
	int received[PAIRS] = { 0 }, n = 0;
	long total = 0, v;

	channel(&a, capacity);
	channel(&done, 0);
	for (int i = 0; i < PAIRS; i++) {
		CHECK(rt_spawn(producer, NULL, NULL, &producers[i]) == 0);
		CHECK(rt_go(consumer, &received[i]) == 0);
	}
	for (int i = 0; i < PAIRS; i++)
		CHECK(rt_join(producers[i], NULL, RT_FOREVER) == 0);
	rt_close(a);
	for (int i = 0; i < PAIRS; i++) {
		CHECK(rt_receive(done, &v, RT_FOREVER) == 0);
		total += v;
	}
	for (int i = 0; i < PAIRS; i++)
		n += received[i];
	CHECK(total == PAIRS * (EACH * (EACH - 1) / 2) && n == PAIRS * EACH);
	rt_chan_free(a);
	rt_chan_free(done);
}

static int test_fan(void *arg)
{
	(void)arg;
	fan(0);
	fan(1);
	fan(100);
	return 0;
}

/* Some send to a and receive from b, the others the other way round: each pairs with one of the others. */
static int selects(void *arg)
{
	for (long i = 0, n = check_load(8000); i < n; i++) {
		long v = i, w;
		struct rt_case k[3] = {
			{ .chan = arg ? a : b, .send = &v },
			{ .chan = arg ? b : a, .receive = &w },
			{ .chan = NULL },
		};
		int r = rt_select(k, 3, RT_FOREVER);
		CHECK(r == 0 || r == 1);
	}
	CHECK(rt_send(done, &(long){ 1 }, RT_FOREVER) == 0);
	return 0;
}

static int test_selects(void *arg)
{
	long v;

	channel(&a, 0);
	channel(&b, 0);
	channel(&done, 0);
	for (int i = 0; i < 4; i++)
		CHECK(rt_go(selects, &arg) == 0 && rt_go(selects, NULL) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(rt_receive(done, &v, RT_FOREVER) == 0);
	rt_chan_free(a);
	rt_chan_free(b);
	rt_chan_free(done);
	return 0;
}

static int test_deadlines_pass(void *arg)
{
	long v = 0;

	(void)arg;
	channel(&a, 0);
	channel(&b, 0);
	struct rt_case k[2] = { { .chan = a, .receive = &v }, { .chan = b, .receive = &v } };
	int64_t t = rt_now();
	CHECK(rt_select(k, 2, t + 3 * MS) == -ETIMEDOUT && rt_now() - t >= 3 * MS);
	CHECK(rt_select(k, 2, 0) == -ETIMEDOUT);
	t = rt_now();
	CHECK(rt_receive(a, &v, t + 2 * MS) == -ETIMEDOUT && rt_now() - t >= 2 * MS);
	CHECK(rt_send(a, &v, t + 4 * MS) == -ETIMEDOUT && rt_now() - t >= 4 * MS);
	CHECK(rt_receive(NULL, &v, t + 5 * MS) == -ETIMEDOUT && rt_now() - t >= 5 * MS);
	CHECK(rt_try_send(a, &v) == -EAGAIN && rt_try_receive(a, &v) == -EAGAIN);
	rt_close(b);
	CHECK(rt_select(k, 2, RT_FOREVER) == 1 && k[1].result == -EPIPE);
	rt_chan_free(a);
	rt_chan_free(b);
	return 0;
}

/* Nobody but the one select has to do with `a` and `b`; one of them ends its waiting, and is gone when it runs. */
static int selects_once(void *arg)
{
	long v = 42;
	struct rt_case k[] = { { .chan = a, .send = &v }, { .chan = b, .receive = &v } };

	(void)arg;
	return rt_select(k, 2, RT_FOREVER);
}

/* It would find this lock held for ever. */
static void spoil_memory(void)
{
	void *taken[64];

	for (size_t bytes = 32; bytes <= 512; bytes += 16) {
		for (size_t i = 0; i < 64; i++)
			if ((taken[i] = rt_malloc(bytes)))
				memset(taken[i], 0xff, bytes);
		for (size_t i = 0; i < 64; i++)
			rt_free(taken[i]);
	}
}

static int test_frees_what_was_selected(void *arg)
{
	struct rt_fiber f;
	long v = 0;

	(void)arg;
	for (int how = 0; how < 3; how++) {
		int which = -1;
		channel(&a, 0);
		channel(&b, 0);
		CHECK(rt_spawn(selects_once, NULL, NULL, &f) == 0 && rt_sleep(MS) == 0);
		if (how == 0)
			CHECK(rt_receive(a, &v, RT_FOREVER) == 0 && v == 42);
		else if (how == 1)
			CHECK(rt_send(b, &v, RT_FOREVER) == 0);
		else
			rt_close(b);
		rt_chan_free(how == 0 ? a : b);
		spoil_memory();
		CHECK(rt_join(f, &which, rt_now() + 20000 * MS) == 0 && which == (how > 0));
		rt_chan_free(how == 0 ? b : a);
	}
	return 0;
}

static int receives_nothing(void *arg)
{
	long v = 42;

	return rt_receive(arg, &v, RT_FOREVER) == -EPIPE && v == 0;
}

static int test_frees_what_was_closed(void *arg)
{
	struct rt_fiber f;
	int right = 0;

	(void)arg;
	channel(&a, 0);
	CHECK(rt_spawn(receives_nothing, a, NULL, &f) == 0 && rt_sleep(MS) == 0);
	rt_close(a);
	rt_chan_free(a);
	spoil_memory();
	CHECK(rt_join(f, &right, rt_now() + 20000 * MS) == 0 && right);
	return 0;
}

static int receives_for_a_while(void *arg)
{
	long v;
	int got = 0;

	for (long i = 0, n = check_load(300); i < n; i++)
		got += rt_receive(a, &v, rt_now() + 20000 + (i * 7919 + (long)arg * 31) % 100000) == 0;
	return got;
}

/* Deadlines and values compete: what was sent was received. */
static int test_deadlines_compete(void *arg)
{
	struct rt_fiber f[16];
	long sent = 0;
	int got = 0, r = 0;

	(void)arg;
	channel(&a, 0);
	for (long i = 0; i < 16; i++)
		CHECK(rt_spawn(receives_for_a_while, (void *)i, NULL, &f[i]) == 0);
	for (int i = 0, n = (int)check_load(2000); i < n; i++)
		sent += rt_send(a, &sent, rt_now() + 60000) == 0;
	for (int i = 0; i < 16; i++) {
		CHECK(rt_join(f[i], &r, RT_FOREVER) == 0);
		got += r;
	}
	CHECK(got == sent);
	rt_chan_free(a);
	return 0;
}

static const struct check_test tests[] = {
	{ "round trips", test_round_trips },
	{ "many to many", test_fan },
	{ "selects", test_selects },
	{ "frees what was selected", test_frees_what_was_selected },
	{ "frees what was closed", test_frees_what_was_closed },
	{ "deadlines pass", test_deadlines_pass },
	{ "deadlines compete", test_deadlines_compete },
};

int main(void)
{
	return check_all(tests, sizeof tests / sizeof *tests);
}
