#include "dig/lock/lock_snapshot.h"

#include "base/check.h"

#define NONE SIZE_MAX
#define N(a) (sizeof(a) / sizeof *(a))

static void test_no_circle(void)
{
	size_t chain[1000], first[500];

	for (size_t i = 0; i < N(chain); i++)
		chain[i] = i + 1 < N(chain) ? i + 1 : NONE;
	CHECK_U64(lock_cycles_find(chain, N(chain), first), 0);
	CHECK_U64(lock_cycles_find(chain, 0, first), 0);
	const size_t alone[] = { NONE };
	CHECK_U64(lock_cycles_find(alone, 1, first), 0);
}

/* A thread that takes its own mutex again. */
static void test_self(void)
{
	const size_t next[] = { NONE, 1, NONE };
	size_t first[3] = { 9, 9, 9 };

	CHECK_U64(lock_cycles_find(next, N(next), first), 1);
	CHECK_U64(first[0], 1);
	CHECK_U64(first[1], 9);
}

static void test_two(void)
{
	const size_t next[] = { NONE, 3, NONE, 1 };
	size_t first[2];

	CHECK_U64(lock_cycles_find(next, N(next), first), 1);
	CHECK_U64(first[0], 1);
}

/* A ring of all, closed behind a long way. */
static void test_long_ring(void)
{
	size_t ring[1000], first[500];

	for (size_t i = 0; i < N(ring); i++)
		ring[i] = (i + 1) % N(ring);
	CHECK_U64(lock_cycles_find(ring, N(ring), first), 1);
	CHECK_U64(first[0], 0);
	/* The other way round. */
	for (size_t i = 0; i < N(ring); i++)
		ring[i] = (i + N(ring) - 1) % N(ring);
	CHECK_U64(lock_cycles_find(ring, N(ring), first), 1);
	CHECK_U64(first[0], 0);
}

/* Those that wait for a member of a circle are no part of it, whichever side their numbers are on. */
static void test_two_circles_with_tails(void)
{
	const size_t next[] = {
		4, /* into the first circle from below */
		0, /* into that */
		5, /* the first: 2 5 4 */
		6, /* the second: 3 6 */
		2, 4, 3,
		3, /* into the second from above */
		7, NONE,
	};
	size_t first[5] = { 9, 9, 9, 9, 9 };

	CHECK_U64(lock_cycles_find(next, N(next), first), 2);
	CHECK_U64(first[0], 2);
	CHECK_U64(first[1], 3);
	CHECK_U64(first[2], 9);
}

static enum lock_kind kind_of_path(const char *const *functions, size_t n)
{
	enum lock_kind kind = LOCK_FUTEX;

	for (size_t i = 0; i < n; i++)
		kind = lock_kind_of_function(functions[i], kind);
	return kind;
}
#define KIND(...) kind_of_path((const char *const[]){ __VA_ARGS__ }, N(((const char *const[]){ __VA_ARGS__ })))

static void test_kinds(void)
{
	CHECK(KIND("__lll_lock_wait", "pthread_mutex_lock", "take", "main") == LOCK_MUTEX);
	CHECK(KIND("___pthread_mutex_lock") == LOCK_MUTEX);
	CHECK(KIND("std::sys::sync::mutex::futex::Mutex::lock_contended") == LOCK_MUTEX);
	CHECK(KIND("__futex_abstimed_wait64", "__pthread_rwlock_wrlock_full64", "___pthread_rwlock_wrlock") == LOCK_RWLOCK);
	CHECK(KIND("__futex_abstimed_wait_common", "___pthread_cond_wait", "main") == LOCK_CONDITION);
	CHECK(KIND("__pthread_clockjoin_ex", "main") == LOCK_JOIN);
	CHECK(KIND("__new_sem_wait_slow64") == LOCK_SEMAPHORE);
	CHECK(KIND("___pthread_barrier_wait") == LOCK_BARRIER);
	CHECK(KIND("__pthread_once_slow") == LOCK_ONCE);
	CHECK(KIND("syscall", "my_lock", "main") == LOCK_FUTEX);
	CHECK(KIND("") == LOCK_FUTEX);
	/* The mutex that a condition takes again is waited for as a mutex. */
	CHECK(KIND("__lll_lock_wait", "__pthread_mutex_cond_lock", "___pthread_cond_wait") == LOCK_MUTEX);
	/* What called it does not change it. */
	CHECK(KIND("___pthread_cond_wait", "pthread_mutex_user") == LOCK_CONDITION);
	for (unsigned i = 0; i < LOCK_KIND_COUNT; i++)
		CHECK(lock_kind_word(i)[0]);
	CHECK(lock_kind_contends(LOCK_MUTEX) && !lock_kind_contends(LOCK_CONDITION) && !lock_kind_contends(LOCK_FUTEX));
}

int main(void)
{
	test_no_circle();
	test_self();
	test_two();
	test_long_ring();
	test_two_circles_with_tails();
	test_kinds();
	return check_exit();
}
