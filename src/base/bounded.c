#include "base/bounded.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define MAX_LEFT_BEHIND 8
#define STACK_BYTES (128 * 1024)

struct bounded {
	int (*call)(void *);
	void *arg;
	void (*release)(void *);
	pthread_mutex_t lock;
	pthread_cond_t done_changed;
	bool done, abandoned;
	int result;
};

static atomic_int left_behind;

static void bounded_free(struct bounded *b)
{
	pthread_cond_destroy(&b->done_changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static void *run(void *p)
{
	struct bounded *b = p;
	int result = b->call(b->arg);

	pthread_mutex_lock(&b->lock);
	b->result = result;
	b->done = true;
	bool abandoned = b->abandoned;
	pthread_cond_signal(&b->done_changed);
	pthread_mutex_unlock(&b->lock);
	if (abandoned) {
		b->release(b->arg);
		bounded_free(b);
		atomic_fetch_sub(&left_behind, 1);
	}
	return NULL;
}

static struct bounded *bounded_new(int (*call)(void *), void *arg, void (*release)(void *))
{
	struct bounded *b = calloc(1, sizeof *b);
	pthread_condattr_t monotonic;

	if (!b)
		return NULL;
	b->call = call;
	b->arg = arg;
	b->release = release;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&b->done_changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return b;
}

/* SCHED_RESET_ON_FORK would make an ordinary thread of it, and that thread the one that we wait
 * for. */
static bool as_caller(pthread_attr_t *attr)
{
	int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	struct sched_param param;

	return (policy == SCHED_RR || policy == SCHED_FIFO) && sched_getparam(0, &param) == 0 &&
	       pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED) == 0 &&
	       pthread_attr_setschedpolicy(attr, policy) == 0 && pthread_attr_setschedparam(attr, &param) == 0;
}

static int start(struct bounded *b, pthread_t *ret)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	bool asked = as_caller(&attr);
	int r = pthread_create(ret, &attr, run, b);
	if (r == EPERM && asked) {
		pthread_attr_setinheritsched(&attr, PTHREAD_INHERIT_SCHED);
		r = pthread_create(ret, &attr, run, b);
	}
	pthread_attr_destroy(&attr);
	return -r;
}

static void leave_behind(pthread_t thread)
{
	struct sched_param ordinary = { 0 };

	(void)!pthread_setschedparam(thread, SCHED_OTHER, &ordinary);
	pthread_detach(thread);
}

static int wait_done(struct bounded *b, unsigned timeout_ms)
{
	struct timespec end;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&b->lock);
	while (!b->done && r == 0)
		r = pthread_cond_timedwait(&b->done_changed, &b->lock, &end);
	bool done = b->done;
	b->abandoned = !done;
	if (!done)
		atomic_fetch_add(&left_behind, 1);
	pthread_mutex_unlock(&b->lock);
	return done ? 0 : -ETIMEDOUT;
}

int bounded_call(int (*call)(void *arg), void *arg, void (*release)(void *arg), unsigned timeout_ms)
{
	pthread_t thread;

	if (atomic_load(&left_behind) >= MAX_LEFT_BEHIND)
		return -EBUSY;
	struct bounded *b = bounded_new(call, arg, release);
	if (!b)
		return -ENOMEM;
	int r = start(b, &thread);
	if (r < 0) {
		bounded_free(b);
		return r;
	}
	r = wait_done(b, timeout_ms);
	if (r < 0) {
		leave_behind(thread);
		return r;
	}
	pthread_join(thread, NULL);
	r = b->result;
	bounded_free(b);
	return r;
}
