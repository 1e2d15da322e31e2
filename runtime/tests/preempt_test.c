/* Fibers that never call are left by a signal in the regions that they declare; and handed off where it does not come. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#if defined __x86_64__
#include <xmmintrin.h>
#endif

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

/* Nothing else than a switch lets others run. */
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

/* -- the signal does not come */

static _Atomic bool others_ran;

/* Who computes ends at last also when nobody else comes to run. */
static void *stops(void *arg)
{
	for (int i = 0; i < 10000 && !others_ran; i++)
		usleep(1000);
	stop = 1;
	return arg;
}

static int test_handed_off(void *arg)
{
	struct rt_fiber f;
	pthread_t thread;

	(void)arg;
	stop = 0;
	others_ran = false;
	CHECK(pthread_create(&thread, NULL, stops, NULL) == 0);
	CHECK(rt_spawn(computes, &sums[1], NULL, &f) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(rt_sleep(MS) == 0);
	CHECK(!stop);
	others_ran = true;
	CHECK(rt_join(f, NULL, RT_FOREVER) == 0);
	pthread_join(thread, NULL);
	return 0;
}

/* A program that takes its signals elsewhere blocks them all. */
static void check_blocked(void)
{
	struct rt_options options = { .processors = 1 };
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	CHECK(rt_run(&options, test_handed_off, NULL) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The user may have no more of them under way. */
static void check_refused(void)
{
	struct rt_options options = { .processors = 1 };
	struct rlimit before, none;

	CHECK(getrlimit(RLIMIT_SIGPENDING, &before) == 0);
	none = (struct rlimit){ 0, before.rlim_max };
	CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
	CHECK(rt_run(&options, test_handed_off, NULL) == 0);
	CHECK(setrlimit(RLIMIT_SIGPENDING, &before) == 0);
}

/* -- what the kernel begins a handler with */

#if defined __x86_64__
#define FLUSHES_TO_ZERO 0x8000
#define ROUNDS_TO_DOUBLE 0x27f
#define EXCEPTIONS 0x3f

static uint16_t x87_control(void)
{
	uint16_t is;

	__asm__ volatile("fnstcw %0" : "=m"(is));
	return is;
}

static void x87_control_set(uint16_t to)
{
	__asm__ volatile("fldcw %0" : : "m"(to));
}

static int test_floating_point(void *arg)
{
	struct rt_fiber f;

	(void)arg;
	stop = 0;
	CHECK(rt_spawn(computes, &sums[1], NULL, &f) == 0);
	for (int i = 0; i < 5; i++) {
		CHECK(rt_sleep(MS) == 0);
		CHECK((_mm_getcsr() & ~EXCEPTIONS) == ((_MM_MASK_MASK | FLUSHES_TO_ZERO)));
		CHECK(x87_control() == ROUNDS_TO_DOUBLE);
	}
	stop = 1;
	CHECK(rt_join(f, NULL, RT_FOREVER) == 0);
	return 0;
}

/* Whoever runs after one that was left so has what the program has set. */
static void check_floating_point(void)
{
	struct rt_options options = { .processors = 1, .threads = 1 };
	unsigned sse = _mm_getcsr();
	uint16_t x87 = x87_control();

	_mm_setcsr(_MM_MASK_MASK | FLUSHES_TO_ZERO);
	x87_control_set(ROUNDS_TO_DOUBLE);
	CHECK(rt_run(&options, test_floating_point, NULL) == 0);
	_mm_setcsr(sse);
	x87_control_set(x87);
}
#else
static void check_floating_point(void)
{
}
#endif

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
	check_blocked();
	if (BEARS_LIMITS)
		check_refused();
	/* It knows neither mode. */
	if (!ON_VALGRIND)
		check_floating_point();
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
