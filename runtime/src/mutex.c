/* Mutexes (osprey/rt/sync.h). The owner's word: who holds it, whether others wait, and whether any ever
 * did.
 *
 * An atomic instruction costs more than all else that a free mutex needs, so there is one to take it and,
 * while nobody has ever waited, none to give it back. Who gives says which mutex it is about to give back
 * (`giving` of its thread), sees that nobody has marked it, and stores. Who is the first to wait marks it,
 * makes every CPU pass a barrier (door.h), and looks at `giving` of all threads: who began before is waited
 * for, and may have overwritten the mark; who begins later sees it. From then on the mutex is SHARED, and
 * given back by an atomic instruction: a barrier costs some microseconds, once for a mutex. */
#include "mutex.h"

#include <errno.h>

#include "door.h"
#include "futex.h"
#include "misuse.h"
#include "sync_queue.h"

#define CONTENDED (UINT64_C(1) << 63)	/* some wait, or one of them was woken and has not come yet */
#define SHARED (UINT64_C(1) << 62)	/* some have waited */
/* So long others may come first; then it is handed over. */
#define PATIENCE_NS 1000000
/* Who is about to give it back is through in some instructions, if it has a CPU. */
#define NAP_NS 20000

static inline uint64_t owner_of(uint64_t word)
{
	return word & MUTEX_OWNER;
}

static inline uint64_t word_of(const struct rt_mutex *m)
{
	return __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
}

bool mutex_is_held(const struct rt_mutex *m, uint64_t by)
{
	return owner_of(word_of(m)) == by;
}

static inline bool swap(struct rt_mutex *m, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(&m->owner, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The same by who is outside: without an atomic instruction where nobody else can be inside, and then never
 * beside one. */
static inline bool change(struct rt_mutex *m, uint64_t from, uint64_t to)
{
	if (!is_alone())
		return swap(m, from, to);
	door_enter();
	bool plain = is_alone();
	bool is = plain ? __atomic_load_n(&m->owner, __ATOMIC_ACQUIRE) == from : swap(m, from, to);
	perturb_alone();
	if (plain && is)
		__atomic_store_n(&m->owner, to, __ATOMIC_RELEASE);
	door_leave();
	return is;
}

/* The fast ways need no door: they touch nothing of the thread but which fiber runs, and `giving`. */
static inline struct thread *caller(void)
{
	struct thread *t = thread_self();

	if (__builtin_expect(!t, 0))
		misuse(MISUSE_OUTSIDE);
	return t;
}

/* -- taking it */

static bool is_being_given(struct rt_mutex *m)
{
	bool is = false;

	short_lock_take(&scheduler.lock);
	for (struct thread *t = scheduler.threads; t && !is; t = t->next)
		is = atomic_load_explicit(&t->giving, memory_order_acquire) == m;
	short_lock_give(&scheduler.lock);
	return is;
}

/* Who saw it without a mark has stored what it meant to. */
static void await_givers(struct rt_mutex *m)
{
	perturb();
	door_barrier();
	while (is_being_given(m))
		futex_nap(NAP_NS);
}

/* Under the queue's lock: it is taken, or says that somebody waits. */
static bool take_or_mark(struct rt_mutex *m, uint64_t me, bool others)
{
	uint64_t was = word_of(m), to;

	for (;;) {
		bool free = owner_of(was) == 0;
		to = free ? me | (was & SHARED) | (others ? CONTENDED : 0) : was | CONTENDED | SHARED;
		if (!__atomic_compare_exchange_n(&m->owner, &was, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		if (free || (was & SHARED))
			return free;
		await_givers(m);
		was = word_of(m);
		if (was & SHARED)
			return false;
	}
}

/* A waiter's element is its fiber when it has waited long enough to be given the mutex; `done`, when it
 * was. */
static int mutex_wait(struct thread *t, struct rt_mutex *m, int64_t deadline)
{
	struct queue *q = queue_of(&m->waiters);
	struct fiber *f = t->running;
	uint64_t me = my_id(t);
	int64_t since = 0;

	for (;;) {
		struct waiter w = { .element = since && rt_now() - since > PATIENCE_NS ? f : NULL };
		inside_lock_take(&q->lock);
		if (take_or_mark(m, me, q->list.first != NULL)) {
			short_lock_give(&q->lock);
			return 0;
		}
		if (!since)
			since = rt_now();
		int r = wait_in(t, &q->list, &q->lock, &w, FIBER_WAIT_MUTEX, m, deadline);
		if (r < 0 || w.done)
			return r;
		t = thread_self();
	}
}

/* It is free, and no others wait; else it is left as it is. */
static inline bool take_free(struct rt_mutex *m, uint64_t me)
{
	uint64_t free = word_of(m) & SHARED;

	return change(m, free, free | me);
}

int mutex_take(struct thread *t, struct rt_mutex *m, int64_t deadline)
{
	uint64_t free = word_of(m) & SHARED;

	return swap(m, free, free | my_id(t)) ? 0 : mutex_wait(t, m, deadline);
}

/* Called last, so people see this name where they would see rt_lock. */
static int lock_slow(struct rt_mutex *m, int64_t deadline) __asm__("rt_lock.slow");

static __attribute__((noinline)) int lock_slow(struct rt_mutex *m, int64_t deadline)
{
	struct thread *t = door_enter();

	if (mutex_is_held(m, my_id(t)))
		misuse("rt_lock: this fiber holds the mutex already");
	int r = mutex_wait(t, m, deadline);
	door_leave();
	return r;
}

int rt_lock(struct rt_mutex *m, int64_t deadline)
{
	return __builtin_expect(take_free(m, my_id(caller())), 1) ? 0 : lock_slow(m, deadline);
}

bool rt_try_lock(struct rt_mutex *m)
{
	uint64_t me = my_id(caller()), was = word_of(m);

	/* Free, though others wait: they have not come yet. */
	for (; owner_of(was) == 0; was = word_of(m))
		if (change(m, was, was | me))
			return true;
	return false;
}

/* -- giving it back */

/* A waiter is woken and competes with those that come, or owns the mutex when it wakes, if it has lost for
 * long. */
static void pass_on(struct thread *t, struct rt_mutex *m)
{
	struct queue *q = queue_of(&m->waiters);

	for (;;) {
		inside_lock_take(&q->lock);
		struct waiter *w = wait_list_claim(&q->list);
		uint64_t owner = SHARED | (q->list.first ? CONTENDED : 0), me = my_id(t) | SHARED;
		if (w) {
			if (w->element) {
				w->done = true;
				owner |= atomic_load_explicit(&w->fiber->id, memory_order_relaxed);
			}
			__atomic_store_n(&m->owner, owner, __ATOMIC_RELEASE);
			short_lock_give(&q->lock);
			fiber_ready(t, w->fiber);
			return;
		}
		/* All have given up. The next owner may free the mutex: so nothing of it is touched once it
		 * is free. */
		__atomic_store_n(&m->owner, me, __ATOMIC_RELAXED);
		short_lock_give(&q->lock);
		if (swap(m, me, SHARED))
			return;
	}
}

/* While nobody has ever waited. False: somebody has. */
static inline bool give_unshared(struct thread *t, struct rt_mutex *m)
{
	uint64_t me = my_id(t);

	atomic_store_explicit(&t->giving, m, memory_order_relaxed);
	door_settle();
	bool is = word_of(m) == me;
	perturb();
	if (is)
		__atomic_store_n(&m->owner, 0, __ATOMIC_RELEASE);
	atomic_store_explicit(&t->giving, NULL, memory_order_release);
	return is;
}

void mutex_give(struct thread *t, struct rt_mutex *m)
{
	uint64_t me = my_id(t) | SHARED;

	if (!give_unshared(t, m) && !swap(m, me, SHARED))
		pass_on(t, m);
}

_Noreturn static __attribute__((cold)) void unlocks_anothers(const struct rt_mutex *m)
{
	unsigned long long owner = owner_of(word_of(m));

	if (owner)
		misuse("rt_unlock: the mutex is not held by this fiber, but by fiber %llu", owner);
	misuse("rt_unlock: the mutex is not held by this fiber, nor by another");
}

static __attribute__((noinline)) void unlock_shared(struct rt_mutex *m)
{
	uint64_t me = my_id(caller()) | SHARED;

	if (change(m, me, SHARED))
		return;
	struct thread *t = door_enter();
	if (!mutex_is_held(m, my_id(t)))
		unlocks_anothers(m);
	pass_on(t, m);
	door_leave();
}

void rt_unlock(struct rt_mutex *m)
{
	if (!give_unshared(caller(), m))
		unlock_shared(m);
}
