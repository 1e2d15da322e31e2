/* Fibers that never call are left by a signal in the regions that they declare. There is one thread only, so
 * that nothing else than a switch lets others run. */
#include "check.h"

/* See src/sanitizer.h. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "signal:interrupted\n";
}

static _Atomic int stop;
static double sums[2];

/* What it holds in registers is to be what it was. */
static int computes(void *sum)
{
	CHECK(rt_preempt_begin() == 0);
	double a = 1, b = 0, c = 0.5;
	long rounds = 0;
	while (!stop || rounds < 1000) {
		a = a * 0.75 + c;
		b = b + a * 0.25;
		c = c * 0.5 + 0.25;
		if (++rounds % 1000 == 0) {
			*(double *)sum = b;
			a = 1, b = 0, c = 0.5;
		}
	}
	rt_preempt_end();
	return 0;
}

static int test_one_thread(void *arg)
{
	struct rt_fiber f[2];

	(void)arg;
	stop = 1;
	CHECK(computes(&sums[0]) == 0);
	double right = sums[0];
	stop = 0;
	for (int i = 0; i < 2; i++) {
		sums[i] = 0;
		CHECK(rt_spawn(computes, &sums[i], NULL, &f[i]) == 0);
	}
	for (int i = 0; i < 10; i++)
		CHECK(rt_sleep(MS) == 0);
	stop = 1;
	for (int i = 0; i < 2; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0 && sums[i] == right);
	return 0;
}

/* They move between threads. */
static int test_several(void *arg)
{
	struct rt_fiber f[6];
	double each[6] = { 0 };

	(void)arg;
	stop = 0;
	for (int i = 0; i < 6; i++)
		CHECK(rt_spawn(computes, &each[i], NULL, &f[i]) == 0);
	for (int i = 0; i < 20; i++)
		CHECK(rt_sleep(MS) == 0);
	stop = 1;
	for (int i = 0; i < 6; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0 && each[i] == sums[0]);
	return 0;
}

/* preempt_test [THREADS]: with 1 to so many (4). */
int main(int argc, char **argv)
{
	unsigned most = argc > 1 ? (unsigned)atoi(argv[1]) : 4;

	for (unsigned p = 1; p <= most; p++) {
		struct rt_options options = { .processors = p, .threads = p };
		if (p == 1)
			CHECK(rt_run(&options, test_one_thread, NULL) == 0);
		CHECK(rt_run(&options, test_several, NULL) == 0);
	}
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
