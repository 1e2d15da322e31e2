/* Epochs: nothing is freed while it is looked at, everything is in the end; by fibers that park within
 * sections, and plain threads. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

#define ALIVE 0x600d600du
#define DEAD 0xdeaddeadu
#define FIBERS 16
#define ROUNDS 3000
#define BUCKETS 64
#define KEYS 256

struct node {
	struct node *_Atomic next;
	struct rt_retired retired;
	_Atomic uint32_t state;
	uint32_t key;
};

static struct node *_Atomic top;
static struct node *_Atomic buckets[BUCKETS];
static atomic_flag writers[BUCKETS];
static _Atomic int64_t made, freed, dead_seen;

static struct node *node_new(uint32_t key)
{
	struct node *n = calloc(1, sizeof *n);

	if (!n)
		abort();
	atomic_store_explicit(&n->state, ALIVE, memory_order_relaxed);
	n->key = key;
	made++;
	return n;
}

static void node_free(struct rt_retired *r)
{
	struct node *n = (struct node *)(void *)((char *)r - offsetof(struct node, retired));

	atomic_store_explicit(&n->state, DEAD, memory_order_relaxed);
	freed++;
	free(n);
}

static void look(struct node *n)
{
	if (atomic_load_explicit(&n->state, memory_order_relaxed) != ALIVE)
		dead_seen++;
}

/* -- a stack. Without epochs, a node that is freed and comes again as another would be mistaken for
 * itself. */

static void push(struct node *n)
{
	struct node *t = atomic_load_explicit(&top, memory_order_relaxed);

	do
		atomic_store_explicit(&n->next, t, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&top, &t, n, memory_order_release, memory_order_relaxed));
}

static struct node *pop(bool park)
{
	unsigned section = rt_epoch_enter();
	struct node *t = atomic_load_explicit(&top, memory_order_acquire);

	while (t) {
		look(t);
		if (park)
			rt_yield();
		struct node *next = atomic_load_explicit(&t->next, memory_order_relaxed);
		look(t);
		if (atomic_compare_exchange_weak_explicit(&top, &t, next, memory_order_acquire, memory_order_acquire))
			break;
	}
	rt_epoch_leave(section);
	return t;
}

/* -- a hash: who reads takes no lock, who writes one for each bucket */

static void lock(uint32_t bucket, bool fiber)
{
	while (atomic_flag_test_and_set_explicit(&writers[bucket], memory_order_acquire))
		if (fiber)
			rt_yield();
}

static bool hash_has(uint32_t key, bool park)
{
	unsigned section = rt_epoch_enter(), inner;
	bool found = false;

	for (struct node *n = atomic_load_explicit(&buckets[key % BUCKETS], memory_order_acquire); n;
	     n = atomic_load_explicit(&n->next, memory_order_acquire)) {
		look(n);
		found |= n->key == key;
		if (park) {
			inner = rt_epoch_enter();
			rt_sleep(1000);
			rt_epoch_leave(inner);
			look(n);
		}
	}
	rt_epoch_leave(section);
	return found;
}

/* In if it was out, out if it was in. */
static void hash_toggle(uint32_t key, bool fiber)
{
	uint32_t bucket = key % BUCKETS;
	struct node *_Atomic *at = &buckets[bucket], *n;

	lock(bucket, fiber);
	while ((n = atomic_load_explicit(at, memory_order_relaxed)) && n->key != key)
		at = &n->next;
	if (n) {
		atomic_store_explicit(at, atomic_load_explicit(&n->next, memory_order_relaxed), memory_order_release);
	} else {
		struct node *more = node_new(key);
		more->next = atomic_load_explicit(&buckets[bucket], memory_order_relaxed);
		atomic_store_explicit(&buckets[bucket], more, memory_order_release);
	}
	atomic_flag_clear_explicit(&writers[bucket], memory_order_release);
	if (n)
		rt_epoch_retire(&n->retired, node_free);
}

static void works(uint32_t seed, bool fiber)
{
	struct node *n;

	for (int i = 0; i < ROUNDS; i++) {
		seed = seed * 1664525 + 1013904223;
		push(node_new(seed >> 8));
		if ((n = pop(fiber && i % 64 == 0)))
			rt_epoch_retire(&n->retired, node_free);
		(void)hash_has(seed >> 16 & (KEYS - 1), fiber && i % 1024 == 0);
		if (i % 4 == 0)
			hash_toggle(seed >> 20 & (KEYS - 1), fiber);
	}
}

static int fiber_works(void *arg)
{
	works((uint32_t)(uintptr_t)arg, true);
	return 0;
}

static void *thread_works(void *arg)
{
	works((uint32_t)(uintptr_t)arg, false);
	return NULL;
}

static void empty_all(void)
{
	struct node *n;

	while ((n = pop(false)))
		rt_epoch_retire(&n->retired, node_free);
	for (uint32_t key = 0; key < KEYS; key++)
		if (hash_has(key, false))
			hash_toggle(key, false);
}

static void nothing_is_left(void)
{
	struct rt_epoch_state state;

	empty_all();
	CHECK(rt_epoch_barrier(RT_FOREVER) == 0);
	rt_epoch_look(&state);
	CHECK(made == freed && dead_seen == 0 && state.retired == 0 && state.sections == 0);
}

static int under_load(void *arg)
{
	struct rt_scope s;
	pthread_t thread;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (uintptr_t i = 0; i < FIBERS; i++)
		CHECK(rt_scope_go(&s, fiber_works, (void *)(i + 1)) == 0);
	CHECK(pthread_create(&thread, NULL, thread_works, (void *)99) == 0);
	CHECK(rt_scope_close(&s) == 0);
	rt_block_begin();
	pthread_join(thread, NULL);
	rt_block_end();
	nothing_is_left();
	return 0;
}

static int stays_in_section(void *arg)
{
	unsigned section = rt_epoch_enter();

	rt_event_set(arg);
	rt_event_wait((struct rt_event *)arg + 1, RT_FOREVER);
	rt_epoch_leave(section);
	return 0;
}

static int keeps_back(void *arg)
{
	struct rt_event events[2] = { 0 };
	struct rt_fiber reader;
	int64_t before = freed;

	(void)arg;
	CHECK(rt_spawn(stays_in_section, events, NULL, &reader) == 0);
	CHECK(rt_event_wait(&events[0], RT_FOREVER) == 0);
	for (int i = 0; i < 1000; i++)
		rt_epoch_retire(&node_new(0)->retired, node_free);
	for (int i = 0; i < 10; i++)
		CHECK(rt_epoch_advance() == 0);
	CHECK(rt_epoch_barrier(rt_now() + MS) == -ETIMEDOUT);
	CHECK(freed == before);
	rt_event_set(&events[1]);
	CHECK(rt_join(reader, NULL, RT_FOREVER) == 0);
	nothing_is_left();
	CHECK(freed == before + 1000);
	return 0;
}

static void plain_threads(void)
{
	pthread_t t[4];

	for (uintptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, thread_works, (void *)(i + 5)) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	nothing_is_left();
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "a stack and a hash under load", under_load },
		{ "a section keeps back what was retired", keeps_back },
	};
	plain_threads();
	return check_all(tests, sizeof tests / sizeof *tests);
}
