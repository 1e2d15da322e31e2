#include "base/bounded.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/urgent.h"

/* A call that answers when it is allowed to. */
struct slow {
	atomic_bool go;
	int result;
};

static atomic_int released;

static int wait_for_go(void *arg)
{
	struct slow *s = arg;

	while (!atomic_load(&s->go))
		usleep(1000);
	return s->result;
}

static void release(void *arg)
{
	(void)arg;
	atomic_fetch_add(&released, 1);
}

static void test_answers(void)
{
	struct slow s = { .go = true, .result = -EIO };

	CHECK(bounded_call(wait_for_go, &s, release, 5000) == -EIO);
	CHECK(atomic_load(&released) == 0); /* the caller keeps arg */
}

static void test_times_out(void)
{
	struct slow s = { .go = false };
	uint64_t start = clock_mono_ns();

	CHECK(bounded_call(wait_for_go, &s, release, 50) == -ETIMEDOUT);
	uint64_t took = clock_mono_ns() - start;
	CHECK(took >= 50 * NS_PER_MS && took < 5 * NS_PER_S);
	CHECK(atomic_load(&released) == 0);
	atomic_store(&s.go, true);
	for (int i = 0; i < 5000 && !atomic_load(&released); i++)
		usleep(1000);
	CHECK(atomic_load(&released) == 1);
}

/* Eight may hang; a ninth is refused at once, and is let in when one has ended. */
static void test_at_most_eight(void)
{
	static struct slow hung[8];
	struct slow quick = { .go = true, .result = 3 };

	atomic_store(&released, 0);
	for (int i = 0; i < 8; i++)
		CHECK(bounded_call(wait_for_go, &hung[i], release, 1) == -ETIMEDOUT);
	CHECK(bounded_call(wait_for_go, &quick, release, 1000) == -EBUSY);
	for (int i = 0; i < 8; i++)
		atomic_store(&hung[i].go, true);
	for (int i = 0; i < 5000 && atomic_load(&released) < 8; i++)
		usleep(1000);
	usleep(10000);
	CHECK(bounded_call(wait_for_go, &quick, release, 1000) == 3);
}

static int policy_of_thread(void *arg)
{
	(void)arg;
	return sched_getscheduler(0);
}

struct watched {
	struct slow slow;
	atomic_int tid;
};

static int tell_tid_and_wait(void *arg)
{
	struct watched *w = arg;

	atomic_store(&w->tid, gettid());
	return wait_for_go(&w->slow);
}

/* An urgent caller does not wait for a thread that is not; what is left behind is ordinary. */
static void test_as_urgent_as_its_caller(void)
{
	static struct watched hung;
	struct urgent u;
	int none = 0;

	CHECK(bounded_call(policy_of_thread, &none, release, 5000) == SCHED_OTHER);
	urgent_begin(&u);
	if (u.changed) {
		CHECK(bounded_call(policy_of_thread, &none, release, 5000) == SCHED_RR);
		CHECK(bounded_call(tell_tid_and_wait, &hung, release, 50) == -ETIMEDOUT);
		CHECK(sched_getscheduler(atomic_load(&hung.tid)) == SCHED_OTHER);
		atomic_store(&hung.slow.go, true);
		for (int i = 0; i < 5000 && !atomic_load(&released); i++)
			usleep(1000);
		CHECK(atomic_load(&released) == 1);
		atomic_store(&released, 0);
	}
	urgent_end(&u);
}

int main(void)
{
	test_as_urgent_as_its_caller();
	test_answers();
	test_times_out();
	test_at_most_eight();
	return check_exit();
}
