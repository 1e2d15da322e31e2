/* Mutexes and the like (osprey/rt/sync.h). */
#include "osprey/rt/sync.h"

#include <errno.h>

#include "door.h"
#include "misuse.h"
#include "scheduler.h"
#include "wait.h"

/* The public queue, as what it is. */
struct queue {
	struct short_lock lock;
	struct wait_list list;
};
_Static_assert(sizeof(struct queue) == sizeof(struct rt_queue), "the public queue has room for the real one");

static inline struct queue *queue_of(struct rt_queue *q)
{
	return (struct queue *)(void *)q;
}

/* Gives the lock back and makes ready what a chain of fibers (by `next`) holds. */
static void give_and_wake(struct thread *t, struct queue *q, struct fiber *woken)
{
	short_lock_give(&q->lock);
	while (woken) {
		struct fiber *next = woken->next;
		fiber_ready(t, woken);
		woken = next;
	}
}

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

/* -- mutex: the owner's id, and whether others wait for it */

#define CONTENDED (UINT64_C(1) << 63)
/* So long others may come first; then it is handed over. */
#define PATIENCE_NS 1000000

static inline uint64_t my_id(const struct thread *t)
{
	return atomic_load_explicit(&t->running->id, memory_order_relaxed);
}

static inline bool mutex_try(struct rt_mutex *m, uint64_t me)
{
	uint64_t free = 0;

	return __atomic_compare_exchange_n(&m->owner, &free, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Under the queue's lock: it is taken, or says that somebody waits. */
static bool mutex_take_or_mark(struct rt_mutex *m, uint64_t me, bool others)
{
	uint64_t was = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);

	for (;;) {
		bool free = (was & ~CONTENDED) == 0;
		uint64_t to = free ? me | (others ? CONTENDED : 0) : was | CONTENDED;
		if (__atomic_compare_exchange_n(&m->owner, &was, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return free;
	}
}

/* A waiter's element tells what became of it: NULL, it is awake and competes; its fiber, the mutex is its own. */
static int mutex_wait(struct thread *t, struct rt_mutex *m, int64_t deadline)
{
	struct queue *q = queue_of(&m->waiters);
	struct fiber *f = t->running;
	uint64_t me = my_id(t);
	int64_t since = 0;

	for (;;) {
		struct waiter w = { .element = since && rt_now() - since > PATIENCE_NS ? f : NULL };
		short_lock_take(&q->lock);
		if (mutex_take_or_mark(m, me, q->list.first != NULL)) {
			short_lock_give(&q->lock);
			return 0;
		}
		if (!since)
			since = rt_now();
		int r = wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_MUTEX, m, deadline);
		t = thread_self();
		if (r < 0 || w.done)
			return r;
	}
}

int rt_lock(struct rt_mutex *m, int64_t deadline)
{
	struct thread *t = door_enter();
	int r = 0;

	if (!mutex_try(m, my_id(t))) {
		if ((__atomic_load_n(&m->owner, __ATOMIC_RELAXED) & ~CONTENDED) == my_id(t))
			misuse("rt_lock: this fiber holds the mutex already");
		r = mutex_wait(t, m, deadline);
	}
	door_leave();
	return r;
}

bool rt_try_lock(struct rt_mutex *m)
{
	bool taken = mutex_try(m, my_id(door_enter()));

	door_leave();
	return taken;
}

static void mutex_give(struct thread *t, struct rt_mutex *m)
{
	struct queue *q = queue_of(&m->waiters);
	uint64_t me = my_id(t), was = me;

	if (__atomic_compare_exchange_n(&m->owner, &was, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return;
	if ((was & ~CONTENDED) != me)
		misuse("rt_unlock: the mutex is not held by this fiber");
	short_lock_take(&q->lock);
	struct waiter *w = wait_list_claim(&q->list);
	uint64_t rest = q->list.first ? CONTENDED : 0;
	/* Who has lost for long owns it when it wakes. */
	w ? (void)(w->done = w->element != NULL) : (void)0;
	__atomic_store_n(&m->owner, (w && w->done ? atomic_load_explicit(&w->fiber->id, memory_order_relaxed) : 0) | rest,
			 __ATOMIC_RELEASE);
	struct fiber *woken = w ? w->fiber : NULL;
	short_lock_give(&q->lock);
	if (woken)
		fiber_ready(t, woken);
}

void rt_unlock(struct rt_mutex *m)
{
	mutex_give(door_enter(), m);
	door_leave();
}
