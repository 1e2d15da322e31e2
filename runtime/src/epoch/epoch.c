/* The functions of osprey/rt/epoch.h.
 *
 * A section counts itself in under the parity of the epoch at its beginning, and out under the same. Each
 * thread has counters of its own that only it writes, so they are plain stores; a section may end on another
 * thread than it began, only sums mean something.
 *
 * No section of a parity is under way if the sum of those that ended, and then the sum of those that began,
 * are found equal: an end that is seen brings its beginning with it. Between the two every thread passes a
 * barrier. A beginning that is not seen after it is behind it, and so are the loads of that section: it finds
 * nothing that was taken out before.
 *
 * The epoch moves from e to e + 1 when no section of the other parity, that of e - 1 and e + 1, is left. What
 * was retired in epoch r is freed in r + 3: moving from r + 1 and from r + 2 has found each parity empty
 * once, after it was retired. */
#include "osprey/rt/epoch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "door.h"

#define GENERATIONS 4
#define RETIRES_PER_ADVANCE 64
#define NAP_NS 50000

/* Of a thread; when it ends another one takes it over. Never freed. */
struct record {
	_Atomic uint64_t begun[2], ended[2];
	struct rt_retired *_Atomic retired[GENERATIONS];
	_Atomic uint64_t nretired;		/* ever */
	_Atomic bool in_use;
	bool shared;				/* several threads write it */
	struct record *next;
} __attribute__((aligned(128)));

/* For threads that get none of their own, having no memory. */
static struct record shared = { .shared = true, .in_use = true };

static struct record *_Atomic records = &shared;
static _Atomic uint64_t epoch;
static _Atomic uint64_t nfreed;
static _Atomic bool advancing;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;	/* for its destructor */

static __thread struct record *own __attribute__((tls_model("initial-exec")));

static void leave_record(void *arg)
{
	struct record *r = arg;

	own = NULL;
	atomic_store_explicit(&r->in_use, false, memory_order_release);
}

static void begin(void)
{
	door_init();
	if (pthread_key_create(&key, leave_record) != 0)
		abort();	/* a program of 1 024 keys */
}

static struct record *find_record(void)
{
	for (struct record *r = atomic_load(&records); r; r = r->next) {
		bool is = false;
		if (!atomic_load_explicit(&r->in_use, memory_order_relaxed) && atomic_compare_exchange_strong(&r->in_use, &is, true))
			return r;
	}
	struct record *r = aligned_alloc(_Alignof(struct record), sizeof *r);
	if (!r)
		return NULL;
	memset(r, 0, sizeof *r);
	atomic_store(&r->in_use, true);
	r->next = atomic_load(&records);
	while (!atomic_compare_exchange_weak(&records, &r->next, r))
		;
	return r;
}

static __attribute__((noinline)) struct record *new_record(void)
{
	pthread_once(&once, begin);
	struct record *r = find_record();
	if (!r || pthread_setspecific(key, r) != 0) {
		if (r)
			atomic_store(&r->in_use, false);
		return &shared;
	}
	own = r;
	return r;
}

/* Not inlined: a caller that keeps the address of `own` over a switch of fibers would have another
 * thread's. */
static __attribute__((noinline)) struct record *record_of_thread(void)
{
	struct record *r = own;

	return r ? r : new_record();
}

static inline void count(struct record *r, _Atomic uint64_t *n)
{
	if (__builtin_expect(r->shared, 0))
		atomic_fetch_add(n, 1);
	else
		atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_release);
}

__attribute__((noinline)) unsigned rt_epoch_enter(void)
{
	struct record *r = record_of_thread();
	unsigned parity = atomic_load_explicit(&epoch, memory_order_relaxed) % 2;

	count(r, &r->begun[parity]);
	door_settle();
	return parity;
}

__attribute__((noinline)) void rt_epoch_leave(unsigned section)
{
	struct record *r = record_of_thread();

	if (section > 1)
		misuse("rt_epoch_leave: %u is nothing that rt_epoch_enter has returned", section);
	count(r, &r->ended[section]);
}

static uint64_t sum_begun(unsigned parity)
{
	uint64_t sum = 0;

	for (struct record *r = atomic_load_explicit(&records, memory_order_acquire); r; r = r->next)
		sum += atomic_load_explicit(&r->begun[parity], memory_order_acquire);
	return sum;
}

static uint64_t sum_ended(unsigned parity)
{
	uint64_t sum = 0;

	for (struct record *r = atomic_load_explicit(&records, memory_order_acquire); r; r = r->next)
		sum += atomic_load_explicit(&r->ended[parity], memory_order_acquire);
	return sum;
}

static bool none_under_way(unsigned parity)
{
	uint64_t ended = sum_ended(parity);

	door_barrier();
	return sum_begun(parity) == ended;
}

/* By who has `advancing`. False: a section is in the way. */
static bool move_on(void)
{
	uint64_t e = atomic_load_explicit(&epoch, memory_order_relaxed);

	if (!none_under_way((e + 1) % 2))
		return false;
	atomic_store(&epoch, e + 1);
	return true;
}

static size_t free_list(struct rt_retired *list)
{
	size_t n = 0;

	for (struct rt_retired *next; list; list = next, n++) {
		next = list->next;
		list->function(list);
	}
	return n;
}

/* What was retired three epochs ago. */
static size_t free_generation(void)
{
	unsigned generation = (atomic_load(&epoch) - 3) % GENERATIONS;
	size_t n = 0;

	for (struct record *r = atomic_load(&records); r; r = r->next)
		if (atomic_load_explicit(&r->retired[generation], memory_order_relaxed))
			n += free_list(atomic_exchange(&r->retired[generation], NULL));
	atomic_fetch_add(&nfreed, n);
	return n;
}

/* Three times, if nothing is in the way: so what was retired just before is freed. */
static bool try_advance(int steps, size_t *ret_freed)
{
	*ret_freed = 0;
	if (atomic_exchange(&advancing, true))
		return false;
	for (int i = 0; i < steps && move_on(); i++)
		*ret_freed += free_generation();
	atomic_store(&advancing, false);
	return true;
}

size_t rt_epoch_advance(void)
{
	size_t freed;

	(void)record_of_thread();
	(void)try_advance(3, &freed);
	return freed;
}

void rt_epoch_retire(struct rt_retired *object, void (*function)(struct rt_retired *))
{
	struct record *r = record_of_thread();
	size_t freed;

	object->function = function;
	/* It was taken out before this, and only behind it is the epoch looked at. */
	uint64_t nth = atomic_fetch_add(&r->nretired, 1) + 1;
	struct rt_retired *_Atomic *list = &r->retired[atomic_load(&epoch) % GENERATIONS];
	object->next = atomic_load_explicit(list, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(list, &object->next, object, memory_order_release, memory_order_relaxed))
		;
	if (nth % RETIRES_PER_ADVANCE == 0)
		(void)try_advance(1, &freed);
}

static int nap(int64_t deadline)
{
	int64_t now = rt_now(), until = now + NAP_NS;
	struct timespec t = { .tv_nsec = NAP_NS };

	if (now >= deadline)
		return -ETIMEDOUT;
	if (thread_self())
		return rt_sleep_until(until < deadline ? until : deadline);
	nanosleep(&t, NULL);
	return 0;
}

int rt_epoch_barrier(int64_t deadline)
{
	size_t freed;
	int r = 0;

	(void)record_of_thread();
	/* All generations: an object may lie in an older one than it was retired in, if its retire was
	 * slow. */
	uint64_t until = atomic_load(&epoch) + GENERATIONS;
	/* Functions are called by who has `advancing`: once it was this caller's, those of earlier epochs
	 * have returned. */
	while (!try_advance(GENERATIONS, &freed) || atomic_load(&epoch) < until)
		if ((r = nap(deadline)) < 0)
			return r;
	return 0;
}

void rt_epoch_look(struct rt_epoch_state *ret)
{
	uint64_t retired = 0, sections = 0;

	for (struct record *r = atomic_load(&records); r; r = r->next)
		retired += atomic_load(&r->nretired);
	for (unsigned parity = 0; parity < 2; parity++) {
		uint64_t ended = sum_ended(parity);
		sections += sum_begun(parity) - ended;
	}
	uint64_t freed = atomic_load(&nfreed);
	*ret = (struct rt_epoch_state){ atomic_load(&epoch), retired > freed ? retired - freed : 0, sections };
}
