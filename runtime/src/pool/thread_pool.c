/* The functions of osprey/rt/pool.h. */
#include "osprey/rt/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "futex.h"
#include "misuse.h"
#include "pool/completion.h"
#include "trace/halt.h"

#define DEFAULT_THREADS 64
#define DEFAULT_QUEUE 4096
#define DEFAULT_STACK ((size_t)8 << 20)
#define DEFAULT_IDLE_NS INT64_C(10000000000)

enum call_state {
	CALL_WAITS,	/* in the queue, or handed to an idle thread that has not woken */
	CALL_RUNS,
	CALL_OVER,	/* the function has returned, and the caller will be told */
	CALL_GIVEN_UP,	/* it runs, and nobody waits for it */
};

/* On the caller's stack, or from malloc when the caller may leave before the end. */
struct call {
	struct call *next, *prev;	/* in the queue */
	struct rt_pool_call of;
	enum call_state state;		/* under the pool's lock */
	int result;
	struct completion ended;
};

/* On its own stack. */
struct pool_thread {
	struct pool_thread *next, *prev;	/* of the idle, who came last first: so others grow old */
	bool idle;
	_Atomic uint32_t wake;
};

struct rt_pool {
	struct short_lock lock;
	struct rt_pool_options limits;
	struct call *queue, *last;
	struct pool_thread *idle;
	unsigned nqueue, nthreads, nidle;
	bool stopping;
	struct completion stopped;
};

static struct rt_pool of_process = {
	.limits = { DEFAULT_THREADS, DEFAULT_QUEUE, DEFAULT_STACK, DEFAULT_IDLE_NS },
};

int rt_pool_new(const struct rt_pool_options *options, struct rt_pool **ret)
{
	struct rt_pool *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->limits = of_process.limits;
	if (options && options->threads)
		p->limits.threads = options->threads;
	if (options && options->queue)
		p->limits.queue = options->queue;
	if (options && options->stack_bytes)
		p->limits.stack_bytes = options->stack_bytes;
	if (options && options->idle_ns)
		p->limits.idle_ns = options->idle_ns;
	*ret = p;
	return 0;
}

/* -- the queue and the idle threads, under the lock */

static void enqueue(struct rt_pool *p, struct call *c)
{
	c->next = NULL;
	c->prev = p->last;
	*(p->last ? &p->last->next : &p->queue) = c;
	p->last = c;
	p->nqueue++;
}

static void unqueue(struct rt_pool *p, struct call *c)
{
	*(c->prev ? &c->prev->next : &p->queue) = c->next;
	*(c->next ? &c->next->prev : &p->last) = c->prev;
	p->nqueue--;
}

static void idle_put(struct rt_pool *p, struct pool_thread *t)
{
	atomic_store_explicit(&t->wake, 0, memory_order_relaxed);
	t->idle = true;
	t->prev = NULL;
	t->next = p->idle;
	if (p->idle)
		p->idle->prev = t;
	p->idle = t;
	p->nidle++;
}

static void idle_remove(struct rt_pool *p, struct pool_thread *t)
{
	*(t->prev ? &t->prev->next : &p->idle) = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->idle = false;
	p->nidle--;
}

/* -- a thread of the pool */

/* True: there may be a call. False: nothing came for long. */
static bool await_call(struct rt_pool *p, struct pool_thread *t)
{
	int64_t now = rt_now(), until = p->limits.idle_ns < INT64_MAX - now ? now + p->limits.idle_ns : RT_FOREVER;

	while (atomic_load_explicit(&t->wake, memory_order_acquire) == 0 && rt_now() < until)
		futex_wait(&t->wake, 0, until);
	short_lock_take(&p->lock);
	bool nobody_came = t->idle;
	if (nobody_came)
		idle_remove(p, t);
	short_lock_give(&p->lock);
	return !nobody_came;
}

/* The next call, which runs from now on; NULL: the thread is to end, and is not counted any more. */
static struct call *next_call(struct rt_pool *p, struct pool_thread *t)
{
	bool patient = true;

	for (;;) {
		short_lock_take(&p->lock);
		struct call *c = p->queue;
		if (c) {
			unqueue(p, c);
			c->state = CALL_RUNS;
			short_lock_give(&p->lock);
			return c;
		}
		if (p->stopping || !patient) {
			bool last = --p->nthreads == 0 && p->stopping;
			short_lock_give(&p->lock);
			if (last)
				completion_done(&p->stopped);
			return NULL;
		}
		idle_put(p, t);
		short_lock_give(&p->lock);
		patient = await_call(p, t);
	}
}

static void call_end(struct rt_pool *p, struct call *c)
{
	short_lock_take(&p->lock);
	bool given_up = c->state == CALL_GIVEN_UP;
	if (!given_up)
		c->state = CALL_OVER;
	short_lock_give(&p->lock);
	if (given_up) {
		c->of.release(c->of.arg);
		free(c);
	} else {
		completion_done(&c->ended);
	}
}

static void *thread_main(void *arg)
{
	struct rt_pool *p = arg;
	struct pool_thread self = { 0 };
	struct call *c;

	while ((c = next_call(p, &self))) {
		c->result = c->of.function(c->of.arg);
		call_end(p, c);
	}
	return NULL;
}

/* Signals of the process are for the threads that the program has made itself. */
static int start_thread(struct rt_pool *p)
{
	pthread_attr_t attr;
	pthread_t handle;
	sigset_t all, before;

	sigfillset(&all);
	sigdelset(&all, HALT_SIGNAL);
	pthread_attr_init(&attr);
	int r = pthread_attr_setstacksize(&attr, p->limits.stack_bytes);
	if (r == 0)
		r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (r == 0)
		r = pthread_create(&handle, &attr, thread_main, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* -- calls */

/* A thread was counted, but could not be made: the others will come to the call, if there are any. */
static int do_without_thread(struct rt_pool *p, struct call *c)
{
	short_lock_take(&p->lock);
	bool nobody = --p->nthreads == 0 && c->state == CALL_WAITS;
	if (nobody)
		unqueue(p, c);
	short_lock_give(&p->lock);
	return nobody ? -EAGAIN : 0;
}

static int submit(struct rt_pool *p, struct call *c)
{
	bool more = false;

	short_lock_take(&p->lock);
	struct pool_thread *t = p->idle;
	if (t) {
		idle_remove(p, t);
		atomic_store_explicit(&t->wake, 1, memory_order_release);
	} else {
		more = p->nthreads < p->limits.threads;
		if (!more && p->nqueue >= p->limits.queue) {
			short_lock_give(&p->lock);
			return -EAGAIN;
		}
		p->nthreads += more;
	}
	enqueue(p, c);
	short_lock_give(&p->lock);
	if (t)	/* If it has seen the word by itself it may have ended: then this wakes nobody. */
		futex_wake(&t->wake, 1);
	return more && start_thread(p) < 0 ? do_without_thread(p, c) : 0;
}

/* The caller does not want to wait on. True: the call is not its any more. */
static bool withdraw(struct rt_pool *p, struct call *c)
{
	short_lock_take(&p->lock);
	enum call_state was = c->state;
	if (was == CALL_WAITS)
		unqueue(p, c);
	else if (was == CALL_RUNS && c->of.release)
		c->state = CALL_GIVEN_UP;
	/* Given up, and the lock given back, the call may be gone: what is needed of it is taken before. */
	struct rt_pool_call of = c->of;
	short_lock_give(&p->lock);
	if (was == CALL_RUNS && of.interrupt && !of.release)
		of.interrupt(of.arg);
	if (was == CALL_WAITS && of.release) {
		of.release(of.arg);
		free(c);
	}
	return was == CALL_WAITS || (was == CALL_RUNS && of.release);
}

static int await_end(struct rt_pool *p, struct call *c, int *ret_result, int64_t deadline)
{
	int r = completion_wait(&c->ended, (void *)(uintptr_t)c->of.function, deadline);

	if (r < 0 && withdraw(p, c))
		return r;
	if (r < 0)
		completion_settle(&c->ended, (void *)(uintptr_t)c->of.function);
	if (ret_result)
		*ret_result = c->result;
	if (c->of.release)
		free(c);
	return 0;
}

int rt_pool_call(struct rt_pool *p, const struct rt_pool_call *call, int *ret_result, int64_t deadline)
{
	struct call here, *c = call->release ? malloc(sizeof *c) : &here;

	if (!c)
		return -ENOMEM;
	*c = (struct call){ .of = *call };
	if (!p)
		p = &of_process;
	int r = submit(p, c);
	if (r == 0)
		return await_end(p, c, ret_result, deadline);
	if (call->release)
		free(c);
	return r;
}

int rt_pool_run(struct rt_pool *p, rt_function *function, void *arg, int *ret_result, int64_t deadline)
{
	return rt_pool_call(p, &(struct rt_pool_call){ .function = function, .arg = arg }, ret_result, deadline);
}

void rt_pool_look(struct rt_pool *p, struct rt_pool_state *ret)
{
	if (!p)
		p = &of_process;
	short_lock_take(&p->lock);
	*ret = (struct rt_pool_state){ p->nthreads, p->nidle, p->nqueue };
	short_lock_give(&p->lock);
}

void rt_pool_free(struct rt_pool *p)
{
	if (!p)
		return;
	short_lock_take(&p->lock);
	if (p->queue)
		misuse("rt_pool_free: calls wait in the pool");
	p->stopping = true;
	bool none = p->nthreads == 0;
	struct pool_thread *t;
	while ((t = p->idle)) {
		idle_remove(p, t);
		atomic_store_explicit(&t->wake, 1, memory_order_release);
		futex_wake(&t->wake, 1);
	}
	short_lock_give(&p->lock);
	if (!none)
		completion_settle(&p->stopped, p);
	free(p);
}
