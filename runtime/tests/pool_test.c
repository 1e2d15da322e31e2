/* The pool of threads, and workers: bounds, deadlines, what happens to arguments, nothing lost. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define FIBERS 200

static struct rt_pool *pool;
static struct rt_workers *workers;
static _Atomic int ran, at_once, most_at_once, released, dropped;

static void enter(void)
{
	int n = ++at_once, most = most_at_once;

	while (n > most && !atomic_compare_exchange_weak(&most_at_once, &most, n))
		;
}

static int blocks(void *arg)
{
	char big[256 << 10];	/* more than a fiber has */

	enter();
	memset(big, (int)(intptr_t)arg, sizeof big);
	usleep(200);
	at_once--;
	ran++;
	return (int)(intptr_t)arg + big[1000] - (char)(intptr_t)arg;
}

static int calls(void *arg)
{
	int result = -1;

	CHECK(rt_pool_run(pool, blocks, arg, &result, RT_FOREVER) == 0);
	CHECK(result == (int)(intptr_t)arg);
	return 0;
}

static int bounded(void *arg)
{
	struct rt_pool_options options = { .threads = 4, .idle_ns = 20 * MS };
	struct rt_pool_state state;
	struct rt_scope s;

	(void)arg;
	ran = most_at_once = 0;
	CHECK(rt_pool_new(&options, &pool) == 0);
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < FIBERS; i++)
		CHECK(rt_scope_go(&s, calls, (void *)i) == 0);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(ran == FIBERS && most_at_once <= 4);
	rt_pool_look(pool, &state);
	CHECK(state.threads <= 4 && state.queue == 0);
	/* Idle threads end. */
	for (int i = 0; i < 500 && state.threads; i++) {
		rt_sleep(10 * MS);
		rt_pool_look(pool, &state);
	}
	CHECK(state.threads == 0);
	rt_pool_free(pool);
	/* The process's own one, the last fiber to run waiting in it. */
	pool = NULL;
	return calls((void *)5);
}

/* A thread that may be idle for ever is still there. */
static int stays(void *arg)
{
	struct rt_pool_options options = { .threads = 1, .idle_ns = RT_FOREVER };
	struct rt_pool_state state;

	(void)arg;
	CHECK(rt_pool_new(&options, &pool) == 0);
	CHECK(calls((void *)7) == 0);
	for (int i = 0; i < 20; i++) {
		rt_sleep(MS);
		rt_pool_look(pool, &state);
		CHECK(state.threads == 1);
	}
	CHECK(calls((void *)8) == 0);
	rt_pool_free(pool);
	return 0;
}

static int waits_for_pipe(void *arg)
{
	char c;

	ran++;
	return read(((int *)arg)[0], &c, 1) == 1 ? c : -EIO;
}

static void write_pipe(void *arg)
{
	CHECK(write(((int *)arg)[1], "i", 1) == 1);
}

static void release(void *arg)
{
	close(((int *)arg)[0]);
	close(((int *)arg)[1]);
	free(arg);
	released++;
}

static int *new_pipe(void)
{
	int *p = malloc(2 * sizeof *p);

	CHECK(p && pipe(p) == 0);
	return p;
}

static void until(_Atomic int *count, int n)
{
	for (int i = 0; i < 5000 && *count != n; i++)
		rt_sleep(MS);
	CHECK(*count == n);
}

static int queued_in_vain(void *arg)
{
	struct rt_pool_call with_release = { .function = waits_for_pipe, .arg = new_pipe(), .release = release };

	(void)arg;
	/* The one thread is busy: these never begin. */
	CHECK(rt_pool_run(pool, waits_for_pipe, NULL, NULL, rt_now() + MS) == -ETIMEDOUT);
	CHECK(rt_pool_call(pool, &with_release, NULL, rt_now() + MS) == -ETIMEDOUT);
	return 0;
}

static int pipe_call(void *arg)
{
	return rt_pool_run(pool, waits_for_pipe, arg, NULL, RT_FOREVER);
}

struct cancelled {
	struct rt_pool_call call;
	int expected;
};

static int is_cancelled(void *arg)
{
	struct cancelled *c = arg;
	int result = 0;

	CHECK(rt_pool_call(pool, &c->call, &result, RT_FOREVER) == c->expected);
	CHECK(result == (c->expected ? 0 : 'i'));
	return 0;
}

static void cancel_once_begun(struct cancelled *c, int begun)
{
	struct rt_scope s;

	rt_scope_open(&s, RT_FOREVER);
	CHECK(rt_scope_go(&s, is_cancelled, c) == 0);
	until(&ran, begun);
	rt_scope_cancel(&s);
	CHECK(rt_scope_close(&s) == 0);
}

static int deadlines(void *arg)
{
	struct rt_pool_options options = { .threads = 1, .queue = 1 };
	struct cancelled c = { { .function = waits_for_pipe, .arg = new_pipe(), .interrupt = write_pipe }, 0 };
	struct rt_fiber waiting;
	int *kept;

	(void)arg;
	ran = released = 0;
	CHECK(rt_pool_new(&options, &pool) == 0);
	/* It has begun: the caller waits, and the call is asked to end. */
	cancel_once_begun(&c, 1);
	release(c.call.arg);
	/* It has begun, and the caller goes. */
	kept = new_pipe();
	int other_end = dup(kept[1]);
	c = (struct cancelled){ { .function = waits_for_pipe, .arg = kept, .release = release }, -ECANCELED };
	cancel_once_begun(&c, 2);
	CHECK(released == 1);
	CHECK(queued_in_vain(NULL) == 0);
	CHECK(released == 2 && ran == 2);
	/* The queue holds one. */
	int *second = new_pipe();
	CHECK(rt_spawn(pipe_call, second, NULL, &waiting) == 0);
	struct rt_pool_state state = { 0 };
	for (int i = 0; i < 5000 && state.queue == 0; i++) {
		rt_yield();
		rt_pool_look(pool, &state);
	}
	CHECK(rt_pool_run(pool, waits_for_pipe, NULL, NULL, RT_FOREVER) == -EAGAIN);
	CHECK(write(other_end, "x", 1) == 1);
	close(other_end);
	until(&released, 3);
	write_pipe(second);
	CHECK(rt_join(waiting, NULL, RT_FOREVER) == 0);
	release(second);
	CHECK(ran == 3);
	rt_pool_free(pool);
	return 0;
}

static int races_with_the_end(void *arg)
{
	int result = -1, r = rt_pool_run(pool, blocks, arg, &result, rt_now() + (intptr_t)arg * 3000);

	CHECK(r == -ETIMEDOUT || r == -ECANCELED || (r == 0 && result == (int)(intptr_t)arg));
	return 0;
}

static int deadlines_race(void *arg)
{
	struct rt_scope s;

	(void)arg;
	CHECK(rt_pool_new(&(struct rt_pool_options){ .threads = 2 }, &pool) == 0);
	for (int round = 0; round < 3; round++) {
		rt_scope_open(&s, rt_now() + round * 3 * MS);
		for (intptr_t i = 1; i < 100; i++)
			(void)rt_scope_go(&s, races_with_the_end, (void *)i);
		(void)rt_scope_close(&s);
	}
	rt_pool_free(pool);
	return 0;
}

static int adds(void *arg)
{
	enter();
	if ((intptr_t)arg % 7 == 0)
		rt_yield();
	at_once--;
	ran++;
	return (intptr_t)arg == 77 ? -EDOM : 0;
}

static int works(void *arg)
{
	int result = 0;

	(void)arg;
	ran = most_at_once = 0;
	CHECK(rt_workers_new(0, 1, &workers) == -EINVAL);
	CHECK(rt_workers_new(3, 4, &workers) == 0);
	for (intptr_t i = 0; i < 500; i++)
		CHECK(rt_workers_submit(workers, adds, (void *)i, RT_FOREVER) == 0);
	CHECK(rt_workers_drain(workers, &result, RT_FOREVER) == 0);
	CHECK(ran == 500 && most_at_once <= 3 && result == -EDOM);
	CHECK(rt_workers_submit(workers, adds, NULL, RT_FOREVER) == -EPIPE);
	rt_workers_stop(workers, NULL);
	rt_workers_free(workers);
	return 0;
}

static int sleeps(void *arg)
{
	(void)arg;
	ran++;
	return rt_sleep(3600 * 1000 * MS);
}

static void drop(rt_function *function, void *arg)
{
	CHECK(function == sleeps && arg == &dropped);
	dropped++;
	/* Those whose jobs were cancelled come for more meanwhile. */
	rt_sleep(MS);
}

static int submits_late(void *arg)
{
	(void)arg;
	return rt_workers_submit(workers, sleeps, NULL, RT_FOREVER) == -EPIPE ? 0 : 1;
}

static int stops(void *arg)
{
	struct rt_fiber late;
	int result = 0;

	(void)arg;
	ran = dropped = 0;
	CHECK(rt_workers_new(2, 3, &workers) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(rt_workers_submit(workers, sleeps, &dropped, RT_FOREVER) == 0);
	until(&ran, 2);
	for (int i = 0; i < 3; i++)
		CHECK(rt_workers_submit(workers, sleeps, &dropped, rt_now()) == 0);
	CHECK(rt_workers_submit(workers, sleeps, &dropped, rt_now() + MS) == -ETIMEDOUT);
	CHECK(rt_spawn(submits_late, NULL, NULL, &late) == 0);
	rt_sleep(MS);
	CHECK(rt_workers_drain(workers, &result, rt_now() + MS) == -ETIMEDOUT);
	rt_workers_stop(workers, drop);
	CHECK(rt_workers_drain(workers, &result, RT_FOREVER) == 0);
	CHECK(ran == 2 && dropped == 3 && result == -ECANCELED);
	CHECK(rt_join(late, &result, RT_FOREVER) == 0 && result == 0);
	rt_workers_free(workers);
	return 0;
}

static void *plain_thread(void *arg)
{
	int result;

	for (intptr_t i = 0; i < 20; i++) {
		CHECK(rt_pool_run(arg, blocks, (void *)i, &result, RT_FOREVER) == 0 && result == i);
		int r = rt_pool_run(arg, blocks, (void *)i, &result, rt_now() + i * 10000);
		CHECK(r == -ETIMEDOUT || (r == 0 && result == i));
	}
	return NULL;
}

/* No run of fibers at all. */
static void plain_threads(void)
{
	pthread_t t[4];
	struct rt_pool *of_two;

	CHECK(rt_pool_new(&(struct rt_pool_options){ .threads = 2 }, &of_two) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, plain_thread, of_two) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	rt_pool_free(of_two);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "threads are bounded, and end", bounded },
		{ "a thread that stays", stays },
		{ "deadlines of calls", deadlines },
		{ "deadlines race with ends", deadlines_race },
		{ "workers", works },
		{ "workers that are stopped", stops },
	};
	plain_threads();
	return check_all(tests, sizeof tests / sizeof *tests);
}
