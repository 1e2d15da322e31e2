/* Processors are set aside and put back while fibers run: no fiber is lost or run twice, no call is left unanswered, and
 * nobody is alone beside another. What is done to one that is set aside goes through here, and takes longer. */
#include <stddef.h>
#include <unistd.h>

#include "check.h"
#include "delays.h"
#include "in_use.h"

#define CHANGES check_load(150)
#define CALLERS 8

static _Atomic bool stop;
static _Atomic long rounds;

void __real_processor_lay_down(struct processor *p);
void __wrap_processor_lay_down(struct processor *p);
void __real_poller_run(struct thread *t, struct poller *of);
void __wrap_poller_run(struct thread *t, struct poller *of);

static bool is_aside(struct processor *p)
{
	short_lock_take(&scheduler.lock);
	bool is = atomic_load(&p->is_aside);
	short_lock_give(&scheduler.lock);
	return is;
}

void __wrap_processor_lay_down(struct processor *p)
{
	usleep((useconds_t)(rounds % 4 * 50));
	__real_processor_lay_down(p);
	CHECK(is_aside(p));
}

/* Who holds no processor that it polls for is a guest there. */
void __wrap_poller_run(struct thread *t, struct poller *of)
{
	struct processor *p = (struct processor *)((char *)of - offsetof(struct processor, poller));
	bool guest = p != t->processor;

	if (guest && rounds % 8 == 0)
		usleep(100);
	__real_poller_run(t, of);
	CHECK(!guest || is_aside(p));
}

/* Who never runs again cannot be waited for. */
static void wait_for_rounds(long n)
{
	int64_t until = rt_now() + 20000 * MS;

	while (rounds < n) {
		if (rt_now() > until) {
			fprintf(stderr, "nothing runs any more: %u processors in use\n", rt_processors());
			_exit(EXIT_FAILURE);
		}
		usleep(20);
	}
}

/* There may be calls under way in both for now. */
static void wait_for_one(void)
{
	int64_t until = rt_now() + 2 * MS;

	while (rt_processors() > 1 && rt_now() < until)
		sched_yield();
}

/* From outside, as the watcher does it: more are to be in use as soon as one has been set aside, or once some went on with
 * fewer. */
static void *changes(void *arg)
{
	for (long i = 0; i < CHANGES; i++) {
		in_use_set(1);
		if (i % 3)
			wait_for_one();
		else
			wait_for_rounds(rounds + i % 7 * 8);
		if (i % 3 == 2)
			usleep((useconds_t)(i % 4 * 40));
		in_use_set(2);
		CHECK(!atomic_load(&alone.is));
		usleep((useconds_t)(i % 5 * 100));
		wait_for_rounds(rounds + i % 3);
	}
	stop = true;
	return arg;
}

static pthread_t begin(void)
{
	pthread_t thread;

	stop = false;
	if (pthread_create(&thread, NULL, changes, NULL) != 0)
		abort();
	return thread;
}

static struct rt_chan *there, *back, *aside;

static int asks(void *arg)
{
	(void)arg;
	for (long i = 0, v; !stop; i++) {
		CHECK(rt_send(there, &i, RT_FOREVER) == 0);
		CHECK(rt_receive(back, &v, RT_FOREVER) == 0 && v == i);
		if (i % 16 == 0)
			rt_try_send(aside, &i);
		rounds++;
	}
	rt_close(there);
	rt_close(aside);
	return 0;
}

static int answers(void *arg)
{
	long v;

	(void)arg;
	while (rt_receive(there, &v, RT_FOREVER) == 0)
		CHECK(rt_send(back, &v, RT_FOREVER) == 0);
	return 0;
}

static int computes(void *arg)
{
	long v;

	(void)arg;
	while (rt_receive(aside, &v, RT_FOREVER) == 0)
		for (volatile int i = 0; i < 5000; i++)
			;
	return 0;
}

/* Two hand over to each other, and to a third, which keeps the other processor: no timer, and nothing from outside, hides that
 * one of them is in no queue. */
static int hand_over(void *arg)
{
	rt_function *const functions[] = { asks, answers, computes };
	struct rt_fiber f[3];

	(void)arg;
	CHECK(rt_chan_new(sizeof(long), 0, &there) == 0 && rt_chan_new(sizeof(long), 0, &back) == 0);
	CHECK(rt_chan_new(sizeof(long), 1, &aside) == 0);
	pthread_t thread = begin();
	for (int i = 0; i < 3; i++)
		CHECK(rt_spawn(functions[i], NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	pthread_join(thread, NULL);
	rt_chan_free(there);
	rt_chan_free(back);
	rt_chan_free(aside);
	return 0;
}

static int file;

static int calls(void *arg)
{
	(void)arg;
	for (int i = 1; !stop; i++) {
		CHECK(rt_fsync(file, false) == 0);
		rounds++;
		if (i % 16 == 0)
			CHECK(rt_sleep(MS / 10) == 0);
	}
	return 0;
}

/* Each has calls in its ring most of the time, also while there are too many. */
static int call(void *arg)
{
	struct rt_fiber f[CALLERS];

	(void)arg;
	pthread_t thread = begin();
	for (int i = 0; i < CALLERS; i++)
		CHECK(rt_spawn(calls, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < CALLERS; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	pthread_join(thread, NULL);
	return 0;
}

int main(void)
{
	struct rt_options options = { .processors = 2 };
	char path[] = "/tmp/osprey-rt-in-use.XXXXXX";

	file = mkstemp(path);
	if (file < 0) {
		perror(path);
		return EXIT_FAILURE;
	}
	unlink(path);
	delays_begin(1, 100);
	delays_alone(4);
	CHECK(rt_run(&options, hand_over, NULL) == 0);
	CHECK(rt_run(&options, call, NULL) == 0);
	close(file);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
