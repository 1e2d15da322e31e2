/* Lists of waiters beside an array; claims by several threads; the short lock. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "delays.h"
#include "wait.h"

#define WAITERS 12
#define THREADS 4
#define CLAIMS 20000

static struct fiber fibers[WAITERS];

static void same(const struct wait_list *l, struct waiter *const *order, int n)
{
	const struct waiter *w = l->first;

	CHECK((n == 0) == (w == NULL));
	for (int i = 0; i < n && w; i++, w = w->next)
		CHECK(w == order[i] && w->prev == order[(i + n - 1) % n]);
	CHECK(w == l->first);
}

static void drop(struct waiter **order, int *n, int at)
{
	memmove(order + at, order + at + 1, (size_t)(*n - at - 1) * sizeof *order);
	--*n;
}

/* Uncontested ones, open ones, and those whose waiting is over already. */
static void list_beside_an_array(void)
{
	struct waiter waiters[WAITERS] = { 0 }, *order[WAITERS];
	struct wait_list list = { 0 };
	uint32_t luck = 1;
	int n = 0;

	for (int step = 0; step < 100000; step++) {
		luck = luck * 1664525 + 1013904223;
		uint32_t i = (luck >> 16) % WAITERS;
		struct waiter *w = &waiters[i];
		if (luck >> 30 < 2) {
			if (w->next)
				continue;
			*w = (struct waiter){ .fiber = &fibers[i], .contested = luck >> 8 & 1 };
			uint32_t number = fibers[i].claim - fibers[i].claim % CLAIM_STATES + CLAIM_STATES;
			fibers[i].claim = number + (luck >> 9 & 1 ? CLAIM_OPEN : CLAIM_OVER);
			wait_list_append(&list, w);
			order[n++] = w;
		} else if (luck >> 30 == 2) {
			int at = 0;
			while (at < n && order[at] != w)
				at++;
			wait_list_remove(&list, w);
			if (at < n)
				drop(order, &n, at);
			CHECK(!w->next && !w->prev);
		} else {
			struct waiter *claimed = wait_list_claim(&list);
			while (n > 0 && order[0] != claimed) {
				CHECK(order[0]->contested && order[0]->fiber->claim % CLAIM_STATES == CLAIM_OVER);
				drop(order, &n, 0);
			}
			CHECK((claimed == NULL) == (n == 0));
			if (claimed) {
				CHECK(claimed->fiber->woken_by == claimed && !claimed->next);
				CHECK(!claimed->contested || claimed->fiber->claim % CLAIM_STATES == CLAIM_OVER);
				drop(order, &n, 0);
			}
		}
		same(&list, order, n);
	}
}

static struct fiber contested;
static pthread_barrier_t barrier;
static _Atomic int won;
static struct short_lock lock;
static uint64_t plain;

/* One of all wins each time, also when the numbers pass zero; and the lock lets one in at a time. */
static void *competes(void *arg)
{
	(void)arg;
	for (int i = 0; i < CLAIMS / 100; i++) {
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
			CHECK(i == 0 || atomic_exchange(&won, 0) == 1);
			CHECK(contested.claim % CLAIM_STATES == CLAIM_OVER);
			contested.claim += CLAIM_STATES + CLAIM_OPEN;
		}
		pthread_barrier_wait(&barrier);
		won += fiber_claim(&contested);
		for (int j = 0; j < 100; j++) {
			short_lock_take(&lock);
			plain++;
			short_lock_give(&lock);
		}
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	list_beside_an_array();
	contested.claim = UINT32_MAX - UINT32_MAX % CLAIM_STATES - CLAIM_STATES * (CLAIMS / 200);
	pthread_barrier_init(&barrier, NULL, THREADS);
	delays_begin(4, 100);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, competes, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(plain == (uint64_t)CLAIMS * THREADS && won == 1);
	CHECK(!lock.held && short_lock_try(&lock) && !short_lock_try(&lock));
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
