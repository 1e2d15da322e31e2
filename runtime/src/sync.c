/* Readers and writers, semaphores, events, conditions and the like (osprey/rt/sync.h); mutexes are in
 * mutex.c. */
#include "osprey/rt/sync.h"

#include <errno.h>

#include "door.h"
#include "misuse.h"
#include "mutex.h"
#include "sync_queue.h"

static struct fiber *claim_all(struct queue *q)
{
	struct fiber *woken = NULL, **end = &woken;
	struct waiter *w;

	while ((w = wait_list_claim(&q->list))) {
		w->fiber->next = NULL;
		*end = w->fiber;
		end = &w->fiber->next;
	}
	return woken;
}

/* -- readers and writers: all under the queue's lock, in the order in which they came */

enum { WANTS_TO_READ = 1, WANTS_TO_WRITE };

static void *wants(int what)
{
	return (void *)(intptr_t)what;
}

/* As many from the front as may have it together. */
static struct fiber *rw_grant(struct rt_rwlock *l)
{
	struct queue *q = queue_of(&l->waiters);
	struct fiber *woken = NULL, **end = &woken;
	struct waiter *w;

	while (!l->writer && (w = q->list.first)) {
		bool writes = w->element == wants(WANTS_TO_WRITE);
		if (writes && l->readers)
			break;
		if (!wait_list_claim_first(&q->list))
			continue;
		if (writes)
			l->writer = atomic_load_explicit(&w->fiber->id, memory_order_relaxed);
		else
			l->readers++;
		w->fiber->next = NULL;
		*end = w->fiber;
		end = &w->fiber->next;
	}
	return woken;
}

static int rw_lock(struct rt_rwlock *l, int what, enum fiber_wait wait, int64_t deadline)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&l->waiters);
	struct waiter w = { .element = wants(what) };
	int r = 0;

	inside_lock_take(&q->lock);
	if (l->writer == my_id(t))
		misuse("%s: this fiber holds the lock as its writer already",
		       what == WANTS_TO_READ ? "rt_read_lock" : "rt_write_lock");
	if (l->writer || q->list.first || (what == WANTS_TO_WRITE && l->readers)) {
		r = wait_in(t, &q->list, &q->lock, &w, wait, l, deadline);
		if (r < 0) {
			/* It may have been what kept those behind it waiting. */
			inside_lock_take(&q->lock);
			give_and_wake(thread_self(), q, rw_grant(l));
		}
	} else {
		if (what == WANTS_TO_WRITE)
			l->writer = my_id(t);
		else
			l->readers++;
		short_lock_give(&q->lock);
	}
	door_leave();
	return r;
}

int rt_read_lock(struct rt_rwlock *l, int64_t deadline)
{
	return rw_lock(l, WANTS_TO_READ, FIBER_WAIT_READ_LOCK, deadline);
}

int rt_write_lock(struct rt_rwlock *l, int64_t deadline)
{
	return rw_lock(l, WANTS_TO_WRITE, FIBER_WAIT_WRITE_LOCK, deadline);
}

void rt_read_unlock(struct rt_rwlock *l)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&l->waiters);

	inside_lock_take(&q->lock);
	if (l->readers == 0)
		misuse("rt_read_unlock: nobody reads");
	l->readers--;
	give_and_wake(t, q, rw_grant(l));
	door_leave();
}

void rt_write_unlock(struct rt_rwlock *l)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&l->waiters);

	inside_lock_take(&q->lock);
	if (l->writer != my_id(t))
		misuse("rt_write_unlock: the lock is not held by this fiber");
	l->writer = 0;
	give_and_wake(t, q, rw_grant(l));
	door_leave();
}

/* -- semaphore: a waiter's element is how much it wants */

void rt_semaphore_init(struct rt_semaphore *s, uint64_t count)
{
	*s = (struct rt_semaphore){ .count = count };
}

static struct fiber *semaphore_grant(struct rt_semaphore *s)
{
	struct queue *q = queue_of(&s->waiters);
	struct fiber *woken = NULL, **end = &woken;
	struct waiter *w;

	while ((w = q->list.first) && (uintptr_t)w->element <= s->count) {
		uint64_t n = (uintptr_t)w->element;
		if (!wait_list_claim_first(&q->list))
			continue;
		s->count -= n;
		w->fiber->next = NULL;
		*end = w->fiber;
		end = &w->fiber->next;
	}
	return woken;
}

int rt_semaphore_wait(struct rt_semaphore *s, uint64_t n, int64_t deadline)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&s->waiters);
	struct waiter w = { .element = (void *)(uintptr_t)n };
	int r = 0;

	inside_lock_take(&q->lock);
	if (q->list.first || s->count < n) {
		r = wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_SEMAPHORE, s, deadline);
		if (r < 0) {
			/* Those behind it may want less. */
			inside_lock_take(&q->lock);
			give_and_wake(thread_self(), q, semaphore_grant(s));
		}
	} else {
		s->count -= n;
		short_lock_give(&q->lock);
	}
	door_leave();
	return r;
}

bool rt_semaphore_try(struct rt_semaphore *s, uint64_t n)
{
	struct queue *q = queue_of(&s->waiters);

	door_enter();
	inside_lock_take(&q->lock);
	bool taken = !q->list.first && s->count >= n;
	if (taken)
		s->count -= n;
	short_lock_give(&q->lock);
	door_leave();
	return taken;
}

void rt_semaphore_post(struct rt_semaphore *s, uint64_t n)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&s->waiters);

	inside_lock_take(&q->lock);
	if (__builtin_add_overflow(s->count, n, &s->count))
		misuse("rt_semaphore_post: the count overflows");
	give_and_wake(t, q, semaphore_grant(s));
	door_leave();
}

/* -- event */

bool rt_event_is_set(struct rt_event *e)
{
	return __atomic_load_n(&e->set, __ATOMIC_ACQUIRE) != 0;
}

int rt_event_wait(struct rt_event *e, int64_t deadline)
{
	struct queue *q = queue_of(&e->waiters);
	struct waiter w = { 0 };
	int r = 0;

	if (rt_event_is_set(e) && queue_is_left(&e->waiters))
		return 0;
	struct thread *t = door_enter();
	inside_lock_take(&q->lock);
	if (rt_event_is_set(e))
		short_lock_give(&q->lock);
	else
		r = wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_EVENT, e, deadline);
	door_leave();
	return r;
}

void rt_event_set(struct rt_event *e)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&e->waiters);

	inside_lock_take(&q->lock);
	__atomic_store_n(&e->set, 1, __ATOMIC_RELEASE);
	give_and_wake(t, q, claim_all(q));
	door_leave();
}

void rt_event_reset(struct rt_event *e)
{
	__atomic_store_n(&e->set, 0, __ATOMIC_RELEASE);
}

/* -- condition */

int rt_condition_wait(struct rt_condition *c, struct rt_mutex *m, int64_t deadline)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&c->waiters);
	struct waiter w = { 0 };

	/* Who signals after the mutex is free comes to the queue's lock, and finds this fiber in the list. */
	inside_lock_take(&q->lock);
	if (!mutex_is_held(m, my_id(t)))
		misuse("rt_condition_wait: the mutex is not held by this fiber");
	mutex_give(t, m);
	int r = wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_CONDITION, c, deadline);
	t = thread_self();
	/* It comes back with the mutex, whatever happened. */
	t->running->shields++;
	mutex_take(t, m, RT_FOREVER);
	thread_self()->running->shields--;
	door_leave();
	return r;
}

void rt_condition_signal(struct rt_condition *c)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&c->waiters);

	inside_lock_take(&q->lock);
	struct waiter *w = wait_list_claim(&q->list);
	struct fiber *woken = w ? w->fiber : NULL;
	short_lock_give(&q->lock);
	if (woken)
		fiber_ready(t, woken);
	door_leave();
}

void rt_condition_broadcast(struct rt_condition *c)
{
	struct thread *t = door_enter();
	struct queue *q = queue_of(&c->waiters);

	inside_lock_take(&q->lock);
	give_and_wake(t, q, claim_all(q));
	door_leave();
}

/* -- wait group */

void rt_wait_group_add(struct rt_wait_group *g, int64_t n)
{
	int64_t count = __atomic_load_n(&g->count, __ATOMIC_RELAXED), sum;

	/* To zero only under the lock: who finds it zero may free the group. */
	do {
		if (__builtin_add_overflow(count, n, &sum))
			misuse("rt_wait_group_add: the count overflows");
		if (sum <= 0 && n < 0)
			break;
		if (__atomic_compare_exchange_n(&g->count, &count, sum, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return;
	} while (true);
	struct thread *t = door_enter();
	struct queue *q = queue_of(&g->waiters);
	inside_lock_take(&q->lock);
	sum = __atomic_add_fetch(&g->count, n, __ATOMIC_ACQ_REL);
	if (sum < 0)
		misuse("rt_wait_group_add: the count is below zero");
	give_and_wake(t, q, sum == 0 ? claim_all(q) : NULL);
	door_leave();
}

void rt_wait_group_done(struct rt_wait_group *g)
{
	rt_wait_group_add(g, -1);
}

int rt_wait_group_wait(struct rt_wait_group *g, int64_t deadline)
{
	struct queue *q = queue_of(&g->waiters);
	struct waiter w = { 0 };
	int r = 0;

	struct thread *t = door_enter();
	inside_lock_take(&q->lock);
	if (__atomic_load_n(&g->count, __ATOMIC_ACQUIRE) == 0)
		short_lock_give(&q->lock);
	else
		r = wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_GROUP, g, deadline);
	door_leave();
	return r;
}

/* -- once */

enum { ONCE_NEVER, ONCE_RUNS, ONCE_RAN };

void rt_once_run(struct rt_once *o, void (*function)(void *), void *arg)
{
	struct queue *q = queue_of(&o->waiters);
	struct waiter w = { 0 };

	if (__builtin_expect(__atomic_load_n(&o->state, __ATOMIC_ACQUIRE) == ONCE_RAN && queue_is_left(&o->waiters), 1))
		return;
	struct thread *t = door_enter();
	inside_lock_take(&q->lock);
	if (o->state == ONCE_NEVER) {
		__atomic_store_n(&o->state, ONCE_RUNS, __ATOMIC_RELAXED);	/* others look without the lock */
		short_lock_give(&q->lock);
		door_leave();
		function(arg);
		t = door_enter();
		inside_lock_take(&q->lock);
		__atomic_store_n(&o->state, ONCE_RAN, __ATOMIC_RELEASE);
		give_and_wake(t, q, claim_all(q));
	} else if (o->state == ONCE_RAN) {
		short_lock_give(&q->lock);
	} else {
		t->running->shields++;
		wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_ONCE, o, RT_FOREVER);
		thread_self()->running->shields--;
	}
	door_leave();
}
