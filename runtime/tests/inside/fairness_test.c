/* Whose turn it is. */
#include <errno.h>

#include "check.h"
#include "delays.h"

static int64_t plain;

static int counts(void *arg)
{
	(void)arg;
	plain++;
	return 0;
}

/* With one processor, who yields lets the others go first, always. */
static int yield_lets_others(void *arg)
{
	int not_yet = 0;

	(void)arg;
	for (int64_t i = 1; i <= 1000; i++) {
		CHECK(rt_go(counts, NULL) == 0);
		rt_yield();
		not_yet += plain != i;
		plain = i;
	}
	CHECK(not_yet == 0);
	return 0;
}

/* Two of five cases can go on: each comes about half the time, wherever they stand. Of 4000, 1750 lie eight
 * deviations below. */
static int select_is_even(void *arg)
{
	struct rt_chan *closed, *empty;
	int n[5] = { 0 };

	(void)arg;
	CHECK(rt_chan_new(1, 0, &closed) == 0 && rt_chan_new(1, 0, &empty) == 0);
	rt_close(closed);
	for (int waits = 0; waits < 2; waits++)
		for (int a = 0; a < 5; a++)
			for (int b = a + 1; b < 5; b++) {
				struct rt_case cases[5];
				for (int i = 0; i < 5; i++) {
					cases[i] = (struct rt_case){ .chan = i == a || i == b ? closed : empty };
					n[i] = 0;
				}
				for (int i = 0; i < 4000; i++)
					n[rt_select(cases, 5, waits ? RT_FOREVER : 0)]++;
				CHECK(n[a] + n[b] == 4000 && n[a] > 1750 && n[b] > 1750);
			}
	rt_chan_free(closed);
	rt_chan_free(empty);
	return 0;
}

/* With one processor each comes to its wait before the next is started; they are served in that order. */
enum { RECEIVES, SENDS, TAKES, WAITS, LOCKS, WRITES, KINDS };

static struct rt_chan *channel;
static struct rt_semaphore semaphore;
static struct rt_condition condition;
static struct rt_mutex mutex, of_condition;
static struct rt_rwlock rwlock;
static int64_t order;
#define WAITERS 20

static int waits_in_line(void *arg)
{
	int kind = (int)((intptr_t)arg / 100), r = 0;
	int64_t v = (intptr_t)arg % 100, mine = v;

	switch (kind) {
	case RECEIVES: r = rt_receive(channel, &v, RT_FOREVER); break;
	case SENDS: return rt_send(channel, &v, RT_FOREVER);
	case TAKES: r = rt_semaphore_wait(&semaphore, 1 + (uint64_t)v % 2, RT_FOREVER); break;
	case WAITS:
		rt_lock(&of_condition, RT_FOREVER);
		r = rt_condition_wait(&condition, &of_condition, RT_FOREVER);
		rt_unlock(&of_condition);
		break;
	case LOCKS: r = rt_lock(&mutex, RT_FOREVER); break;
	case WRITES: r = rt_write_lock(&rwlock, RT_FOREVER); break;
	}
	CHECK(r == 0 && v == mine && order++ == mine);
	if (kind == LOCKS)
		rt_unlock(&mutex);
	if (kind == WRITES)
		rt_write_unlock(&rwlock);
	return 0;
}

static void serve(int kind, int64_t i)
{
	int64_t v = i;

	switch (kind) {
	case RECEIVES: CHECK(rt_send(channel, &v, RT_FOREVER) == 0); break;
	case SENDS: CHECK(rt_receive(channel, &v, RT_FOREVER) == 0 && v == i); break;
	case TAKES: rt_semaphore_post(&semaphore, 1 + (uint64_t)i % 2); break;
	case WAITS: rt_condition_signal(&condition); break;
	case LOCKS: if (i == 0) rt_unlock(&mutex); break;
	case WRITES: if (i == 0) rt_read_unlock(&rwlock); break;
	}
	rt_yield();
}

static int waiters_in_order(void *arg)
{
	struct rt_scope s;

	(void)arg;
	for (intptr_t kind = 0; kind < KINDS; kind++)
		for (size_t capacity = 0; capacity < 3; capacity++) {
			CHECK(rt_chan_new(sizeof(int64_t), kind == SENDS ? 0 : capacity, &channel) == 0);
			CHECK(rt_lock(&mutex, RT_FOREVER) == 0 && rt_read_lock(&rwlock, RT_FOREVER) == 0);
			rt_semaphore_init(&semaphore, 0);
			order = 0;
			rt_scope_open(&s, RT_FOREVER);
			for (intptr_t i = 0; i < WAITERS; i++) {
				CHECK(rt_scope_go(&s, waits_in_line, (void *)(kind * 100 + i)) == 0);
				rt_yield();
			}
			for (int64_t i = 0; i < WAITERS; i++)
				serve((int)kind, i);
			CHECK(rt_scope_close(&s) == 0);
			CHECK(kind == SENDS || order == WAITERS);
			if (kind != LOCKS)
				rt_unlock(&mutex);
			if (kind != WRITES)
				rt_read_unlock(&rwlock);
			rt_chan_free(channel);
		}
	return 0;
}

static _Atomic int slept;
static int64_t busy_until;

static int sleeps(void *arg)
{
	rt_sleep_until((int64_t)(intptr_t)arg);
	slept++;
	return 0;
}

/* Everything sleeps for long enough that nobody watches; then one computes, and others are to wake
 * meanwhile. */
static int wakes_beside(void *arg)
{
	int64_t start = rt_now() + 30 * MS;

	(void)arg;
	slept = 0;
	for (int i = 0; i < 8; i++)
		CHECK(rt_go(sleeps, (void *)(intptr_t)(start + 10 * MS)) == 0);
	CHECK(rt_sleep_until(start) == 0);
	busy_until = start + 2000 * MS;
	while (slept < 8 && rt_now() < busy_until)
		;
	CHECK(slept == 8);
	return 0;
}

static struct rt_chan *there, *back;

static int answers(void *arg)
{
	long v;

	(void)arg;
	while (rt_receive(there, &v, RT_FOREVER) == 0)
		CHECK(rt_send(back, &v, RT_FOREVER) == 0);
	return 0;
}

static int runs_beside(void *arg)
{
	(void)arg;
	slept++;
	return 0;
}

/* Two that hand over to each other, so often that nobody is called for it any more; then one is made ready by a
 * fiber that computes on. With several processors it runs all the same. */
static int kept_beside(void *arg)
{
	int64_t until;
	long v = 0;

	(void)arg;
	slept = 0;
	CHECK(rt_chan_new(sizeof v, 0, &there) == 0 && rt_chan_new(sizeof v, 0, &back) == 0);
	CHECK(rt_go(answers, NULL) == 0);
	for (int i = 0; i < 3000; i++)
		CHECK(rt_send(there, &v, RT_FOREVER) == 0 && rt_receive(back, &v, RT_FOREVER) == 0);
	CHECK(rt_go(runs_beside, NULL) == 0);
	until = rt_now() + 2000 * MS;
	while (slept == 0 && rt_now() < until)
		;
	CHECK(slept == 1);
	rt_close(there);
	rt_sleep(MS);
	rt_chan_free(there);
	rt_chan_free(back);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "a select is even", select_is_even },
		{ "sleepers wake beside a hog", wakes_beside },
		{ "one made ready wakes beside a hog", kept_beside },
	};
	struct rt_options one = { .processors = 1 };

	CHECK(rt_run(&one, yield_lets_others, NULL) == 0);
	CHECK(rt_run(&one, waiters_in_order, NULL) == 0);
	int r = check_all(tests, sizeof tests / sizeof *tests);
	return check_failed ? EXIT_FAILURE : r;
}
