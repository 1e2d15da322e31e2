/* The functions of osprey/rt/workers.h. */
#include "osprey/rt/workers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "osprey/rt/scope.h"
#include "osprey/rt/sync.h"

struct job {
	rt_function *function;
	void *arg;
};

struct rt_workers {
	struct rt_mutex mutex;		/* all below */
	struct rt_condition more, room, quiet;
	bool closed, cancelled;
	/* The first negative one of the jobs. */
	int result;
	unsigned nfibers, running;
	size_t capacity, length, at;
	struct rt_fiber keeper;		/* opens the scope of the workers, and closes it */
	struct rt_scope *scope;		/* NULL: all of it has ended */
	struct rt_event started;
	int start_result;
	struct job jobs[];
};

/* What is done under the mutex is short, and has to be done in a cancelled scope too. */
static void hold(struct rt_workers *w)
{
	rt_shield_begin();
	(void)rt_lock(&w->mutex, RT_FOREVER);
	rt_shield_end();
}

static bool take(struct rt_workers *w, struct job *ret)
{
	hold(w);
	while (w->length == 0 && !w->closed) {
		rt_shield_begin();
		(void)rt_condition_wait(&w->more, &w->mutex, RT_FOREVER);
		rt_shield_end();
	}
	/* What waits when they are stopped is dropped, though that takes a while. */
	bool some = w->length > 0 && !w->cancelled;
	if (some) {
		*ret = w->jobs[w->at];
		w->at = (w->at + 1) % w->capacity;
		w->length--;
		w->running++;
		rt_condition_signal(&w->room);
	}
	rt_unlock(&w->mutex);
	return some;
}

/* Under the mutex. */
static bool is_quiet(const struct rt_workers *w)
{
	return w->closed && w->length == 0 && w->running == 0;
}

static void done(struct rt_workers *w, int result)
{
	hold(w);
	if (result < 0 && w->result == 0)
		w->result = result;
	w->running--;
	if (is_quiet(w))
		rt_condition_broadcast(&w->quiet);
	rt_unlock(&w->mutex);
}

static int work(void *arg)
{
	struct rt_workers *w = arg;
	struct job job;

	while (take(w, &job))
		done(w, job.function(job.arg));
	return 0;
}

/* A scope is closed by the fiber that opened it, and the workers outlive who made them. */
static int keep(void *arg)
{
	struct rt_workers *w = arg;
	struct rt_scope scope;
	int r = 0;

	rt_scope_open(&scope, RT_FOREVER);
	for (unsigned i = 0; i < w->nfibers && r == 0; i++)
		r = rt_scope_go(&scope, work, w);
	hold(w);
	w->scope = &scope;
	w->start_result = r;
	w->closed |= r < 0;
	rt_condition_broadcast(&w->more);
	rt_event_set(&w->started);
	while (!is_quiet(w))
		(void)rt_condition_wait(&w->quiet, &w->mutex, RT_FOREVER);
	w->scope = NULL;
	rt_unlock(&w->mutex);
	(void)rt_scope_close(&scope);
	return 0;
}

int rt_workers_new(unsigned fibers, unsigned queue, struct rt_workers **ret)
{
	if (fibers == 0 || queue == 0)
		return -EINVAL;
	struct rt_workers *w = calloc(1, sizeof *w + queue * sizeof w->jobs[0]);
	if (!w)
		return -ENOMEM;
	w->nfibers = fibers;
	w->capacity = queue;
	int r = rt_spawn(keep, w, &(struct rt_spawn_options){ .name = "keeper of workers" }, &w->keeper);
	if (r < 0) {
		free(w);
		return r;
	}
	rt_shield_begin();
	(void)rt_event_wait(&w->started, RT_FOREVER);
	rt_shield_end();
	r = w->start_result;
	if (r < 0)
		rt_workers_free(w);
	else
		*ret = w;
	return r;
}

int rt_workers_submit(struct rt_workers *w, rt_function *function, void *arg, int64_t deadline)
{
	int r = 0;

	hold(w);
	while (r == 0 && !w->closed && w->length == w->capacity)
		r = rt_condition_wait(&w->room, &w->mutex, deadline);
	if (w->closed)
		r = -EPIPE;
	else if (r < 0 && w->length < w->capacity)
		rt_condition_signal(&w->room);	/* it was perhaps this fiber that had been told */
	if (r == 0) {
		w->jobs[(w->at + w->length++) % w->capacity] = (struct job){ function, arg };
		rt_condition_signal(&w->more);
	}
	rt_unlock(&w->mutex);
	return r;
}

static void close_locked(struct rt_workers *w)
{
	w->closed = true;
	rt_condition_broadcast(&w->more);
	rt_condition_broadcast(&w->room);
	if (is_quiet(w))
		rt_condition_broadcast(&w->quiet);
}

int rt_workers_drain(struct rt_workers *w, int *ret_result, int64_t deadline)
{
	int r = 0;

	hold(w);
	close_locked(w);
	while (r == 0 && !is_quiet(w))
		r = rt_condition_wait(&w->quiet, &w->mutex, deadline);
	if (r == 0 && ret_result)
		*ret_result = w->result;
	rt_unlock(&w->mutex);
	return r;
}

void rt_workers_stop(struct rt_workers *w, void (*dropped)(rt_function *, void *))
{
	hold(w);
	close_locked(w);
	if (w->scope && !w->cancelled)
		rt_scope_cancel(w->scope);
	w->cancelled = true;
	while (w->length > 0) {
		struct job job = w->jobs[w->at];
		w->at = (w->at + 1) % w->capacity;
		w->length--;
		rt_unlock(&w->mutex);
		if (dropped)
			dropped(job.function, job.arg);
		hold(w);
	}
	close_locked(w);
	rt_unlock(&w->mutex);
}

void rt_workers_free(struct rt_workers *w)
{
	if (!w)
		return;
	rt_shield_begin();
	(void)rt_workers_drain(w, NULL, RT_FOREVER);
	(void)rt_join(w->keeper, NULL, RT_FOREVER);
	rt_shield_end();
	free(w);
}
