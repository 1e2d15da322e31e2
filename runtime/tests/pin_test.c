/* Fibers that are pinned run on one thread only, and still run. */
#include <errno.h>
#include <unistd.h>

#include "check.h"

#define PINNED 16
#define OTHERS 32
#define STEPS (int)check_load(200)

static struct rt_chan *in, *out;
static __thread long touched;

static int other(void *arg)
{
	(void)arg;
	for (int i = 0; i < STEPS; i++)
		rt_yield();
	return 0;
}

/* `touched` is of the thread: whoever is pinned sees what it left there, but for what others that are pinned
 * there added. */
static __attribute__((noinline)) void *thread_of(void)
{
	return &touched;
}

static int pinned(void *arg)
{
	long v;

	rt_pin();
	rt_pin();
	void *here = thread_of();
	pid_t tid = gettid();
	for (int i = 0; i < STEPS; i++) {
		if (i % 3 == 0)
			rt_yield();
		else if (i % 50 == 1)
			CHECK(rt_sleep(100000) == 0);
		else if (i % 50 == 2) {
			rt_block_begin();
			usleep(50);
			rt_block_end();
		} else
			CHECK(rt_send(out, arg, RT_FOREVER) == 0 && rt_receive(in, &v, RT_FOREVER) == 0);
		CHECK(thread_of() == here && gettid() == tid);
		if (i == STEPS / 2)
			rt_unpin();
	}
	rt_unpin();
	return 0;
}

static int echo(void *arg)
{
	long v;

	(void)arg;
	while (rt_receive(out, &v, RT_FOREVER) == 0)
		CHECK(rt_send(in, &v, RT_FOREVER) == 0);
	return 0;
}

static int test_pinned(void *arg)
{
	struct rt_fiber f[PINNED + OTHERS];
	long v = 1;

	(void)arg;
	CHECK(rt_chan_new(sizeof v, 0, &in) == 0 && rt_chan_new(sizeof v, 0, &out) == 0);
	CHECK(rt_go(echo, NULL) == 0);
	for (int i = 0; i < PINNED + OTHERS; i++)
		CHECK(rt_spawn(i < PINNED ? pinned : other, &v, NULL, &f[i]) == 0);
	for (int i = 0; i < PINNED + OTHERS; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	rt_close(out);
	rt_yield();
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

/* Its thread sleeps and every processor computes: it is given one all the same. */
static int test_beside_hogs(void *arg)
{
	(void)arg;
	stop = 0;
	rt_pin();
	pid_t tid = gettid();
	for (int i = 0; i < 4; i++)
		CHECK(rt_go(hog, NULL) == 0);
	for (int i = 0; i < 10; i++) {
		CHECK(rt_sleep(MS) == 0);
		CHECK(gettid() == tid);
	}
	stop = 1;
	rt_unpin();
	return 0;
}

static const struct check_test tests[] = {
	{ "pinned", test_pinned },
	{ "beside hogs", test_beside_hogs },
};

/* -- two threads: one is another's alone, one blocks, so nobody can run what is ready */

#define BLOCKS_US 300000

static int sleeps_pinned(void *arg)
{
	(void)arg;
	rt_pin();
	rt_sleep(2 * BLOCKS_US * INT64_C(1000));
	rt_unpin();
	return 0;
}

static int blocks(void *arg)
{
	(void)arg;
	rt_block_begin();
	usleep(BLOCKS_US);
	rt_block_end();
	return 0;
}

static int64_t used_before, used_then;

static int is_run_at_last(void *arg)
{
	(void)arg;
	used_then = check_cpu_ns();
	return 0;
}

static int waits_in_peace(void *arg)
{
	(void)arg;
	CHECK(rt_go(sleeps_pinned, NULL) == 0 && rt_sleep(10 * MS) == 0);
	CHECK(rt_go(blocks, NULL) == 0 && rt_sleep(10 * MS) == 0);
	CHECK(rt_go(is_run_at_last, NULL) == 0);
	used_before = check_cpu_ns();
	return 0;
}

/* Meanwhile the process sleeps, too. */
static void two_threads(void)
{
	struct rt_options options = { .processors = 2, .threads = 2 };

	used_then = -1;
	CHECK(rt_run(&options, waits_in_peace, NULL) == 0);
	CHECK(used_then >= 0);
	if (!SANITIZED && !ON_VALGRIND)
		CHECK(used_then - used_before < BLOCKS_US / 2 * INT64_C(1000));
}

int main(void)
{
	two_threads();
	return check_all(tests, sizeof tests / sizeof *tests);
}
