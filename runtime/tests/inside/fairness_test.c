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

/* Two of five cases can go on: each comes about half the time, wherever they stand. Of 4000, 1750 lie eight deviations below. */
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

static _Atomic int slept;
static int64_t busy_until;

static int sleeps(void *arg)
{
	rt_sleep_until((int64_t)(intptr_t)arg);
	slept++;
	return 0;
}

/* Everything sleeps for long enough that nobody watches; then one computes, and others are to wake meanwhile. */
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

int main(void)
{
	static const struct check_test tests[] = {
		{ "a select is even", select_is_even },
		{ "sleepers wake beside a hog", wakes_beside },
	};
	struct rt_options one = { .processors = 1 };

	CHECK(rt_run(&one, yield_lets_others, NULL) == 0);
	int r = check_all(tests, sizeof tests / sizeof *tests);
	return check_failed ? EXIT_FAILURE : r;
}
