/* Few threads, or the system gives none: everybody runs all the same. Calls of pthread_create go through
 * here. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "delays.h"

#define FIBERS 12
#define ROUNDS 15

static _Atomic int refuse_one_in, calls;

int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*function)(void *), void *arg);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*function)(void *), void *arg);

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*function)(void *), void *arg)
{
	int one_in = refuse_one_in, call = calls++;

	/* The first is the watcher's. */
	if (one_in && call && call % one_in == 0)
		return EAGAIN;
	return __real_pthread_create(ret, attr, function, arg);
}

static struct rt_chan *channel;
static struct rt_wait_group group;

/* Blocks for long enough, now and then, that its processor is taken; and wakes others in between. */
static int blocks(void *arg)
{
	int i = (int)(intptr_t)arg;
	long v = i;

	for (int round = 0; round < ROUNDS; round++) {
		rt_block_begin();
		usleep((useconds_t)(i * 37 + round * 11) % 150);
		rt_block_end();
		if (i % 2)
			CHECK(rt_send(channel, &v, RT_FOREVER) == 0);
		else
			CHECK(rt_receive(channel, &v, RT_FOREVER) == 0);
		if (round % 4 == 0)
			rt_yield();
	}
	rt_wait_group_done(&group);
	return 0;
}

static int all_block(void *arg)
{
	(void)arg;
	CHECK(rt_chan_new(sizeof(long), 1, &channel) == 0);
	rt_wait_group_add(&group, FIBERS);
	for (intptr_t i = 0; i < FIBERS; i++)
		CHECK(rt_go(blocks, (void *)i) == 0);
	rt_sleep(MS / 10);
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	rt_chan_free(channel);
	return 0;
}

int main(void)
{
	alarm(100);
	for (unsigned round = 0; round < 40; round++) {
		struct rt_options options = { .processors = 1 + round % 4, .threads = 1 + round / 4 % 3 };
		delays_begin(round, 10);
		refuse_one_in = 0;
		if (round >= 24) {
			options.threads = 0;
			refuse_one_in = 1 + round / 4 % 2;
			calls = 0;
		}
		CHECK(rt_run(&options, all_block, NULL) == 0);
	}
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
