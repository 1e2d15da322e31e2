/* Cold fibers, frozen when the test wants it: each kind of wait, ended in each way, and woken at any moment
 * of the freezing. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "cold/cold.h"
#include "delays.h"
#include "fiber.h"

#define WORDS 24

/* As if the tenth of a second were over for all that wait. */
static void freeze_all(void)
{
	while (freeze_some(rt_now() + 2 * COLD_AFTER_NS))
		;
}

/* Not while some are under way, which may fail. */
static uint64_t frozen(void)
{
	short_lock_take(&cold_stacks);
	uint64_t n = atomic_load(&cold_sums.fibers);
	short_lock_give(&cold_stacks);
	return n;
}

static void until_parked(struct rt_fiber f)
{
	struct fiber *is = f.fiber;

	while (atomic_load(&is->state) != FIBER_PARKED)
		rt_sleep(MS / 4);
}

static bool freeze_until(uint64_t n)
{
	int64_t until = rt_now() + 20000 * MS;

	do {
		rt_sleep(MS / 4);
		freeze_all();
	} while (frozen() != n && rt_now() < until);
	return frozen() == n;
}

/* -- kinds */

static struct rt_event event, once_runs;
static struct rt_semaphore semaphore;
static struct rt_mutex mutex, guard;
static struct rt_rwlock rwlock;
static struct rt_condition condition;
static struct rt_wait_group group;
static struct rt_once once;
static struct rt_chan *in, *out, *nothing;
static struct rt_fd readable, dead, closed, hears;
static int peer;
static struct rt_fiber joined;
static bool signalled;

struct element {
	uint64_t a, b, c;
};

static int by_event(void)
{
	return rt_event_wait(&event, RT_FOREVER);
}

static int by_semaphore(void)
{
	return rt_semaphore_wait(&semaphore, 2, RT_FOREVER);
}

static int by_mutex(void)
{
	int r = rt_lock(&mutex, RT_FOREVER);

	if (r == 0)
		rt_unlock(&mutex);
	return r;
}

static int by_reader_lock(void)
{
	int r = rt_read_lock(&rwlock, RT_FOREVER);

	if (r == 0)
		rt_read_unlock(&rwlock);
	return r;
}

static int by_condition(void)
{
	int r = rt_lock(&guard, RT_FOREVER);

	while (r == 0 && !signalled)
		r = rt_condition_wait(&condition, &guard, RT_FOREVER);
	rt_unlock(&guard);
	return r;
}

static int by_group(void)
{
	return rt_wait_group_wait(&group, RT_FOREVER);
}

static int by_join(void)
{
	int result = 0, r = rt_join(joined, &result, RT_FOREVER);

	return r == 0 && result != 77 ? -EPROTO : r;
}

static void none(void *arg)
{
	(void)arg;
}

static int by_once(void)
{
	rt_once_run(&once, none, NULL);
	return 0;
}

/* Both sides' elements lie on their stacks. */
static int by_receive(void)
{
	struct element e = { 0 };
	int r = rt_receive(in, &e, RT_FOREVER);

	return r == 0 && (e.a != 1 || e.b != 2 || e.c != 3) ? -EPROTO : r;
}

static int by_send(void)
{
	struct element e = { 4, 5, 6 };

	return rt_send(out, &e, RT_FOREVER);
}

static int by_data(void)
{
	char c = 0;
	ssize_t r = rt_read(readable, &c, 1, RT_FOREVER);

	return r == 1 && c == 'x' ? 0 : r < 0 ? (int)r : -EPROTO;
}

static int by_close(void)
{
	char c;

	return rt_read(closed, &c, 1, RT_FOREVER) == -EBADF ? 0 : -EPROTO;
}

/* Again and again, so that all are frozen at some moment. */
static _Atomic bool seen;

static int by_deadline_of_read(void)
{
	char c;
	ssize_t r;

	do
		r = rt_read(dead, &c, 1, rt_now() + 50 * MS);
	while (r == -ETIMEDOUT && !atomic_load(&seen));
	return r == -ETIMEDOUT ? 0 : -EPROTO;
}

static int by_deadline_of_event(void)
{
	static struct rt_event never;
	int r;

	do
		r = rt_event_wait(&never, rt_now() + 50 * MS);
	while (r == -ETIMEDOUT && !atomic_load(&seen));
	return r == -ETIMEDOUT ? 0 : -EPROTO;
}

static int by_sleep(void)
{
	int r;

	do
		r = rt_sleep(50 * MS);
	while (r == 0 && !atomic_load(&seen));
	return r;
}

static int by_cancel_of_read(void)
{
	char c;

	return rt_read(hears, &c, 1, RT_FOREVER) == -ECANCELED ? 0 : -EPROTO;
}

static int by_cancel_of_receive(void)
{
	return rt_receive(nothing, NULL, RT_FOREVER) == -ECANCELED ? 0 : -EPROTO;
}

/* What lies on its stack is there as it was, at its place. */
static int waits(void *arg)
{
	int (*wait)(void) = (int (*)(void))arg;
	volatile uintptr_t words[WORDS];

	for (uintptr_t i = 0; i < WORDS; i++)
		words[i] = (uintptr_t)&words[i] * (i + 3);
	CHECK(rt_cold_begin() == 0 && rt_cold_begin() == 0);
	int r = wait();
	rt_cold_end();
	rt_cold_end();
	bool right = true;
	for (uintptr_t i = 0; i < WORDS; i++)
		right &= words[i] == (uintptr_t)&words[i] * (i + 3);
	CHECK(right);
	rt_yield();
	return r;
}

static int returns_77(void *arg)
{
	rt_event_wait(arg, RT_FOREVER);
	return 77;
}

static void waits_for_once(void *arg)
{
	rt_event_set(&once_runs);
	rt_event_wait(arg, RT_FOREVER);
}

static int runs_once(void *arg)
{
	rt_once_run(&once, waits_for_once, arg);
	return 0;
}

static void pair(struct rt_fd *ret, int *ret_peer)
{
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && rt_fd_adopt(fds[0], 0, ret) == 0);
	*ret_peer = fds[1];
}

static void set_up(struct rt_scope *s, struct rt_event *go, int *peers)
{
	memset(&event, 0, sizeof event);
	memset(&once, 0, sizeof once);
	memset(&once_runs, 0, sizeof once_runs);
	memset(&group, 0, sizeof group);
	rt_semaphore_init(&semaphore, 1);
	signalled = false;
	atomic_store(&seen, false);
	CHECK(rt_chan_new(sizeof(struct element), 0, &in) == 0);
	CHECK(rt_chan_new(sizeof(struct element), 0, &out) == 0);
	CHECK(rt_chan_new(1, 0, &nothing) == 0);
	pair(&readable, &peer);
	pair(&closed, &peers[0]);
	pair(&dead, &peers[1]);
	pair(&hears, &peers[2]);
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0 && rt_write_lock(&rwlock, RT_FOREVER) == 0);
	rt_wait_group_add(&group, 1);
	CHECK(rt_spawn(returns_77, go, NULL, &joined) == 0);
	CHECK(rt_scope_go(s, runs_once, go) == 0);
	CHECK(rt_event_wait(&once_runs, RT_FOREVER) == 0);
}

static int kinds(void *arg)
{
	static int (*const of[])(void) = {
		by_event, by_semaphore, by_mutex, by_reader_lock, by_condition, by_group, by_join, by_once,
		by_receive, by_send, by_data, by_close, by_deadline_of_read, by_deadline_of_event, by_sleep,
	};
	static int (*const cancelled[])(void) = { by_cancel_of_read, by_cancel_of_receive };
	size_t n = sizeof of / sizeof *of, ncancelled = sizeof cancelled / sizeof *cancelled;
	struct rt_scope s, c;
	struct rt_event go = { 0 };
	struct element e = { 1, 2, 3 };
	int peers[3];

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	set_up(&s, &go, peers);
	rt_scope_open(&c, RT_FOREVER);
	for (size_t i = 0; i < n; i++)
		CHECK(rt_scope_go(&s, waits, (void *)of[i]) == 0);
	for (size_t i = 0; i < ncancelled; i++)
		CHECK(rt_scope_go(&c, waits, (void *)cancelled[i]) == 0);
	CHECK(freeze_until(n + ncancelled));
	atomic_store(&seen, true);
	rt_event_set(&event);
	rt_semaphore_post(&semaphore, 1);
	rt_unlock(&mutex);
	rt_write_unlock(&rwlock);
	CHECK(rt_lock(&guard, RT_FOREVER) == 0);
	signalled = true;
	rt_condition_signal(&condition);
	rt_unlock(&guard);
	rt_wait_group_done(&group);
	CHECK(rt_send(in, &e, RT_FOREVER) == 0 && rt_receive(out, &e, RT_FOREVER) == 0);
	CHECK(e.a == 4 && e.b == 5 && e.c == 6);
	CHECK(write(peer, "x", 1) == 1);
	CHECK(rt_fd_close(closed) == 0);
	rt_event_set(&go);
	rt_scope_cancel(&c);
	CHECK(rt_scope_close(&c) == 0);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(frozen() == 0 && atomic_load(&cold_sums.bytes) == 0);
	rt_fd_close(readable);
	rt_fd_close(dead);
	rt_fd_close(hears);
	close(peer);
	for (int i = 0; i < 3; i++)
		close(peers[i]);
	rt_chan_free(in);
	rt_chan_free(out);
	rt_chan_free(nothing);
	return 0;
}

/* -- waits that keep the stack */

static int on_own_stack(void)
{
	struct rt_event own = { 0 };

	return rt_event_wait(&own, rt_now() + 20 * MS) == -ETIMEDOUT ? 0 : -EPROTO;
}

static int in_own_scope(void)
{
	struct rt_scope s;

	rt_scope_open(&s, RT_FOREVER);
	int r = rt_sleep(20 * MS);
	return rt_scope_close(&s) ? -EPROTO : r;
}

static int large_element(void)
{
	struct rt_chan *c;
	char element[COLD_ELEMENT + 1];

	CHECK(rt_chan_new(sizeof element, 0, &c) == 0);
	int r = rt_receive(c, element, rt_now() + 20 * MS);
	rt_chan_free(c);
	return r == -ETIMEDOUT ? 0 : -EPROTO;
}

static int pinned(void)
{
	rt_pin();
	int r = rt_sleep(20 * MS);
	rt_unpin();
	return r;
}

static int keeps(void *arg)
{
	static int (*const of[])(void) = { on_own_stack, in_own_scope, large_element, pinned };
	struct rt_fiber f;

	(void)arg;
	for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
		uint64_t times = atomic_load(&cold_sums.times);
		CHECK(rt_spawn(waits, (void *)of[i], NULL, &f) == 0);
		for (int turn = 0; turn < 8; turn++) {
			rt_sleep(MS);
			freeze_all();
		}
		int r = -1;
		CHECK(rt_join(f, &r, RT_FOREVER) == 0 && r == 0);
		CHECK(atomic_load(&cold_sums.times) == times);
	}
	return 0;
}

/* -- how much of the stack */

static struct rt_event deep_go;
static uintptr_t deep_low;

/* Pages of its stack that it once used lie below. */
static __attribute__((noinline)) void uses_deep(void)
{
	volatile char below[16384];

	memset((char *)below, 1, sizeof below);
	deep_low = (uintptr_t)below;
}

static int waits_deep(void *arg)
{
	volatile char live[4096];

	(void)arg;
	memset((char *)live, 7, sizeof live);
	uses_deep();
	CHECK(rt_cold_begin() == 0);
	CHECK(rt_event_wait(&deep_go, RT_FOREVER) == 0);
	size_t right = 0;
	for (size_t i = 0; i < sizeof live; i++)
		right += live[i] == 7;
	CHECK(right == sizeof live);
	/* It ends within. */
	return 0;
}

/* The pages below what is in use are given back, if what is in use is much. */
static int much(void *arg)
{
	unsigned char is[16];
	struct rt_fiber f;

	(void)arg;
	memset(&deep_go, 0, sizeof deep_go);
	CHECK(rt_spawn(waits_deep, NULL, NULL, &f) == 0);
	until_parked(f);
	for (int i = 0; i < 10; i++) {
		rt_sleep(MS);
		freeze_all();
	}
	CHECK(frozen() == 0);
	void *low = (void *)((deep_low + 4095) & ~(uintptr_t)4095);
	/* Not what an emulator says of its own. */
	if (mincore(low, 2 * 4096, is) == 0)
		CHECK((is[0] & 1) == 0 && (is[1] & 1) == 0);
	rt_event_set(&deep_go);
	return rt_join(f, NULL, RT_FOREVER);
}

/* -- locked pages */

static int locked(void *arg)
{
	struct rt_fiber f;
	int r = -1;

	(void)arg;
	memset(&event, 0, sizeof event);
	CHECK(rt_spawn(waits, (void *)by_event, NULL, &f) == 0);
	until_parked(f);
	char *stack = fiber_stack_low(f.fiber);
	size_t bytes = fiber_stack_bytes(RT_STACK_DEFAULT);
	/* AddressSanitizer's mlock does nothing. */
	if (syscall(SYS_mlock, stack + bytes - 4096, 4096) == 0) {
		/* Tools are so slow that it may be cold already. */
		bool early = frozen() != 0;
		for (int i = 0; i < 5; i++) {
			freeze_all();
			rt_sleep(MS);
		}
		CHECK(frozen() == 0 || early);
		syscall(SYS_munlock, stack + bytes - 4096, 4096);
	}
	rt_event_set(&event);
	CHECK(rt_join(f, &r, RT_FOREVER) == 0 && r == 0);
	return 0;
}

/* -- without guards: the word below a stack lies on another one, which may be cold */

static int unguarded(void *arg)
{
	enum { N = 64 };
	struct rt_scope s;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (int round = 0; round < 3; round++) {
		memset(&event, 0, sizeof event);
		memset(&group, 0, sizeof group);
		rt_wait_group_add(&group, 1);
		for (int i = 0; i < N; i++)
			CHECK(rt_scope_go(&s, waits, (void *)(i % 2 ? by_event : by_group)) == 0);
		CHECK(freeze_until(N));
		/* Each that goes on has a cold one below, and parks where that is looked at. */
		rt_event_set(&event);
		while (frozen() > N / 2)
			rt_sleep(MS / 4);
		rt_sleep(MS);
		rt_wait_group_done(&group);
		while (frozen())
			rt_sleep(MS / 4);
	}
	return rt_scope_close(&s);
}

/* -- woken while it is frozen */

#define PAIRS 8

static _Atomic bool stop;

static void *freezes(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		freeze_all();
	return NULL;
}

static int echoes(void *arg)
{
	struct rt_chan **c = arg;
	struct element e;

	CHECK(rt_cold_begin() == 0);
	while (rt_receive(c[0], &e, RT_FOREVER) == 0) {
		e.b++;
		CHECK(rt_send(c[1], &e, RT_FOREVER) == 0);
	}
	rt_cold_end();
	return 0;
}

static int asks(void *arg)
{
	struct rt_chan **c = arg;
	long n = check_load(300);
	struct element e = { 1, 0, 3 };

	CHECK(rt_cold_begin() == 0);
	for (long i = 0; i < n; i++) {
		CHECK(rt_send(c[0], &e, RT_FOREVER) == 0 && rt_receive(c[1], &e, RT_FOREVER) == 0);
		CHECK(e.a == 1 && e.b == (uint64_t)i + 1 && e.c == 3);
		if (i % 16 == 0)
			CHECK(rt_sleep(MS / 20) == 0);
	}
	rt_close(c[0]);
	/* It ends within. */
	return 0;
}

static int races(void *arg)
{
	struct rt_chan *c[PAIRS][2];
	pthread_t thread;
	struct rt_scope s;

	(void)arg;
	atomic_store(&stop, false);
	CHECK(pthread_create(&thread, NULL, freezes, NULL) == 0);
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < PAIRS; i++) {
		CHECK(rt_chan_new(sizeof(struct element), 0, &c[i][0]) == 0);
		CHECK(rt_chan_new(sizeof(struct element), 0, &c[i][1]) == 0);
		CHECK(rt_scope_go(&s, echoes, c[i]) == 0 && rt_scope_go(&s, asks, c[i]) == 0);
	}
	CHECK(rt_scope_close(&s) == 0);
	atomic_store(&stop, true);
	rt_block_begin();
	pthread_join(thread, NULL);
	rt_block_end();
	for (int i = 0; i < PAIRS; i++) {
		rt_chan_free(c[i][0]);
		rt_chan_free(c[i][1]);
	}
	CHECK(frozen() == 0 && freeze_due() == INT64_MAX);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "kinds", kinds }, { "waits that keep the stack", keeps }, { "much of a stack", much },
		{ "locked pages", locked }, { "races", races },
	};
	static const struct check_test without[] = { { "without guards", unguarded } };

	int r = check_all(tests, sizeof tests / sizeof *tests);
	fiber_table_without_guards();
	return check_all(without, 1) | r;
}
