#include <sys/syscall.h>

#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define LOCK(n) (0x7f0000001000 + 64 * (uint64_t)(n))

static struct task_span *thread_of(struct window_build *b, int32_t pid, int32_t tid)
{
	struct task_span *t = window_build_task(b, pid, tid, "server");

	t->last.flags |= TASK_HAS_SYSCALL;
	return t;
}

static struct task_span *thread(struct window_build *b, int32_t tid)
{
	return thread_of(b, 100, tid);
}

/* Found waiting at `looks` of six looks, the last among them; it moves in between. */
static struct task_span *made_wait(struct task_span *t, int lock, int32_t owner, uint32_t looks)
{
	t->mutex = (struct mutex_wait){ .pid = t->last.pid, .tid = t->last.tid, .owner_tid = owner, .address = LOCK(lock) };
	t->mutex_looks = 1;
	t->lock_looks = looks;
	t->lock_address = LOCK(lock);
	t->stuck_looks = 1;
	t->last.voluntary_switches = 5000;
	return t;
}

static struct task_span *waits(struct window_build *b, int32_t tid, int lock, int32_t owner, uint32_t looks)
{
	return made_wait(thread(b, tid), lock, owner, looks);
}

static void judge(struct window_build *b)
{
	window_build_judge(b, lock_contention_rule.rule);
}

static void expect_cleared(struct window_build *b)
{
	judge(b);
	CHECK_U64(b->verdict.outcome, OUTCOME_CLEARED);
	CHECK_U64(b->findings.n, 0);
	window_build_deinit(b);
}

static void test_named(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	thread(&b, 100)->last.user_ns = 5 * NS_PER_S;
	for (int i = 1; i < 8; i++)
		waits(&b, 100 + i, 1, 100, 6);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_U64((uint64_t)f->culprit.pid, 100);
	CHECK_STR(f->culprit.name, "lock 0x7f0000001040");
	CHECK_NEAR(f->lost_task_s_per_s, 7, 0.001);
	CHECK(f->lost_estimated);
	CHECK_U64(f->severity, SEVERITY_CRITICAL);
	CHECK_STR(f->proof[0], "lock 0x7f0000001040 is held by thread 100 (server), state S");
	CHECK(strstr(f->summary, "changes hands") != NULL);
	window_build_deinit(&b);
}

/* Two locks: the one with more waiters is named. Threads that wait elsewhere count in the price. */
static void test_worst_lock(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	thread(&b, 100);
	waits(&b, 101, 1, 100, 3);
	waits(&b, 102, 2, 100, 3);
	waits(&b, 103, 2, 100, 3);
	waits(&b, 104, 2, 0, 3);
	waits(&b, 105, 1, 100, 3);
	struct task_span *t = waits(&b, 106, 2, 0, 3); /* not at the last look */
	t->mutex = (struct mutex_wait){ 0 };
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "lock 0x7f0000001080");
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 3, 0.001);
	CHECK_U64(b.findings.v[0].evidence[5].value == 2, true);
	window_build_deinit(&b);
}

static void test_held_long(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	thread(&b, 100)->last.state = 'D';
	for (int i = 1; i < 4; i++) {
		struct task_span *t = waits(&b, 100 + i, 1, 100, 6);
		t->mutex_looks = t->stuck_looks = 6;
	}
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(strstr(b.findings.v[0].summary, "held without a pause by thread 100") != NULL);
	window_build_deinit(&b);
}

/* Processes of one thread each, as a server forks them, over a mutex that they share. */
static void test_shared_between_processes(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	window_build_task(&b, 90, 90, "shell")->last.flags |= TASK_HAS_SYSCALL;
	thread_of(&b, 100, 100)->last.user_ns = NS_PER_S;
	for (int i = 1; i < 6; i++)
		made_wait(thread_of(&b, 100 + i, 100 + i), 1, 100, 6);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_U64((uint64_t)f->culprit.pid, 101);
	CHECK_STR(f->culprit.name, "lock 0x7f0000001040");
	CHECK_STR(f->title, "5.0 of 6 processes named server wait for a lock that they share");
	CHECK_NEAR(f->lost_task_s_per_s, 5, 0.001);
	CHECK_STR(f->proof[0], "lock 0x7f0000001040 is held by thread 100 (server), state S");
	CHECK_NEAR(f->evidence[4].value, 0.2, 0.001);
	window_build_deinit(&b);
}

/* One sleeps in accept under the lock, and who waits behind it has nothing to do: threads, and
 * processes; also those who were served at the last look. */
static void test_followers(void)
{
	for (int processes = 0; processes < 2; processes++) {
		struct window_build b;

		window_build_init(&b, 5, 2);
		struct task_span *leader = thread(&b, 100);
		leader->last.syscall = SYS_accept4;
		for (int i = 1; i < 6; i++)
			made_wait(thread_of(&b, processes ? 100 + i : 100, 100 + i), 1, 100, 6);
		b.tasks.v[5].mutex = (struct mutex_wait){ 0 };
		judge(&b);
		CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
		b.tasks.v[0].last.syscall = SYS_fdatasync;
		judge(&b);
		CHECK_U64(b.verdict.outcome, OUTCOME_FOUND);
		window_build_deinit(&b);
	}
}

static void test_decoys(void)
{
	struct window_build b;

	/* a pool that waits on a condition variable: in futex, but for no mutex */
	window_build_init(&b, 5, 2);
	for (int i = 0; i < 64; i++)
		thread(&b, 100 + i)->last.syscall = 202;
	expect_cleared(&b);

	/* a busy lock: at each look somebody waits, never for long */
	window_build_init(&b, 5, 2);
	for (int i = 0; i < 4; i++)
		waits(&b, 100 + i, 1, 110, 1);
	thread(&b, 110);
	expect_cleared(&b);

	/* one thread that another one keeps waiting */
	window_build_init(&b, 5, 2);
	thread(&b, 100);
	waits(&b, 101, 1, 100, 6);
	expect_cleared(&b);

	/* a deadlock, and who waits behind it */
	window_build_init(&b, 5, 2);
	for (int i = 0; i < 6; i++) {
		struct task_span *t = waits(&b, 100 + i, i == 0 ? 1 : 0, i == 0 ? 101 : 100, 6);
		t->mutex_looks = t->stuck_looks = 6;
	}
	expect_cleared(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	window_build_task(&b, 100, 100, "server");
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED); /* one thread waits for no other */
	window_build_task(&b, 100, 101, "server");
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	b.tasks.v[0].last.flags |= TASK_HAS_SYSCALL;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	b.abilities.root = false;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	CHECK(strstr(b.verdict.reason, "CAP_SYS_PTRACE") != NULL);
	window_build_deinit(&b);
}

int main(void)
{
	test_named();
	test_worst_lock();
	test_held_long();
	test_shared_between_processes();
	test_followers();
	test_decoys();
	test_unmeasured();
	return check_exit();
}
