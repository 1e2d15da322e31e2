/* Fibers: start, join, yield, sleep, blocking calls; and that one which never calls keeps nobody from
 * running. */
#include <unistd.h>

#include "check.h"

static _Atomic int count;

static int add(void *arg)
{
	count += (int)(long)arg;
	return (int)(long)arg * 2;
}

static int test_many(void *arg)
{
	static struct rt_fiber f[10000];
	int n = (int)check_load(sizeof f / sizeof *f), r = 0;
	long sum = 0;

	(void)arg;
	count = 0;
	for (int i = 0; i < n; i++)
		CHECK(rt_spawn(add, (void *)1L, NULL, &f[i]) == 0);
	for (int i = 0; i < n; i++) {
		CHECK(rt_join(f[i], &r, RT_FOREVER) == 0);
		sum += r;
	}
	CHECK(sum == 2L * n && count == n);
	return 0;
}

/* One by one: each is joined before it has run. */
static int test_one_by_one(void *arg)
{
	struct rt_fiber f;
	int r = 0;

	(void)arg;
	for (int i = 0, n = (int)check_load(50000); i < n; i++) {
		struct rt_spawn_options options = { .stack = i % 7 ? RT_STACK_DEFAULT : RT_STACK_LARGE };
		CHECK(rt_spawn(add, (void *)(long)i, &options, &f) == 0);
		CHECK(rt_join(f, &r, RT_FOREVER) == 0 && r == 2 * i);
	}
	return 0;
}

static int test_result(void *arg)
{
	(void)arg;
	return count;
}

#define YIELDERS 300

static int yields(void *arg)
{
	(void)arg;
	for (long n = check_load(1000); n > 0; n--) {
		rt_yield();
		count++;
	}
	return 0;
}

static int test_yields(void *arg)
{
	struct rt_fiber f[YIELDERS];

	(void)arg;
	count = 0;
	for (int i = 0; i < YIELDERS; i++)
		CHECK(rt_spawn(yields, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < YIELDERS; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	CHECK(count == YIELDERS * check_load(1000));
	count = 0;
	return 0;
}

static _Atomic int stop;

static int hog(void *arg)
{
	(void)arg;
	while (!stop)
		;
	return 0;
}

/* It would never end if hogs kept their processors. */
static int test_beside_hogs(void *arg)
{
	(void)arg;
	stop = 0;
	CHECK(rt_go(hog, NULL) == 0 && rt_go(hog, NULL) == 0);
	for (int i = 0; i < 10; i++) {
		int64_t before = rt_now();
		CHECK(rt_sleep(MS) == 0);
		CHECK(rt_now() - before >= MS);
	}
	stop = 1;
	return 0;
}

#define BLOCKERS 20

static _Atomic int inside;

static int blocks(void *arg)
{
	(void)arg;
	rt_block_begin();
	inside++;
	while (inside < BLOCKERS)
		usleep(1000);
	rt_block_end();
	count++;
	return 0;
}

/* All of them are in their calls at once, with whatever number of processors: else it does not end. */
static int test_blocking(void *arg)
{
	struct rt_fiber f[BLOCKERS];

	(void)arg;
	count = inside = 0;
	for (int i = 0; i < BLOCKERS; i++)
		CHECK(rt_spawn(blocks, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < BLOCKERS; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	CHECK(count == BLOCKERS);
	count = 0;
	return 0;
}

static int naps(void *arg)
{
	CHECK(rt_sleep((long)arg) == 0);
	count++;
	return 0;
}

/* Nobody joins them: the run ends when they have. */
static int test_naps(void *arg)
{
	(void)arg;
	count = 0;
	for (long i = 0, n = check_load(20000); i < n; i++)
		CHECK(rt_go(naps, (void *)(MS + i * 7919 % (50 * MS))) == 0);
	return 0;
}

static int test_naps_ended(void *arg)
{
	(void)arg;
	CHECK(count == check_load(20000));
	count = 0;
	return 0;
}

/* A handle of an earlier run never names a fiber of a later one, with however many processors. */
#define NUMBERED 20
#define NUMBERED_RUNS 8

static uint64_t numbers[NUMBERED * NUMBERED_RUNS];
static int numbered;

static bool is_new(uint64_t number)
{
	for (int i = 0; i < numbered; i++)
		if (numbers[i] == number)
			return false;
	return true;
}

static int test_numbers(void *arg)
{
	struct rt_fiber f;

	(void)arg;
	for (int i = 0; i < NUMBERED; i++) {
		CHECK(rt_spawn(add, NULL, NULL, &f) == 0);
		CHECK(is_new(f.id));
		numbers[numbered++] = f.id;
		CHECK(rt_join(f, NULL, RT_FOREVER) == 0);
	}
	return 0;
}

static const struct check_test tests[] = {
	{ "many", test_many },
	{ "one by one", test_one_by_one },
	{ "yields", test_yields },
	{ "result", test_result },
	{ "beside hogs", test_beside_hogs },
	{ "blocking calls", test_blocking },
	{ "naps", test_naps },
	{ "naps have ended", test_naps_ended },
	{ "numbers", test_numbers },
	{ "numbers of another run", test_numbers },
};

int main(void)
{
	return check_all(tests, sizeof tests / sizeof *tests);
}
