#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define LOCK(n) (0x7f0000001000 + 64 * (uint64_t)(n))

static struct task_span *thread(struct window_build *b, int32_t pid, int32_t tid, const char *comm)
{
	struct task_span *t = window_build_task(b, pid, tid, comm);

	t->last.flags |= TASK_HAS_SYSCALL;
	return t;
}

/* A thread that stands in front of a lock for the last `looks` of six looks. */
static void waits(struct window_build *b, int32_t pid, int32_t tid, int lock, int32_t owner, uint32_t looks)
{
	struct task_span *t = thread(b, pid, tid, "worker");

	t->mutex = (struct mutex_wait){ .pid = pid, .tid = tid, .owner_tid = owner, .address = LOCK(lock) };
	t->mutex_looks = t->lock_looks = t->stuck_looks = looks;
}

static void judge(struct window_build *b)
{
	window_build_judge(b, deadlock_rule.rule);
}

static void expect_cleared(struct window_build *b)
{
	judge(b);
	CHECK_U64(b->verdict.outcome, OUTCOME_CLEARED);
	CHECK_U64(b->findings.n, 0);
	window_build_deinit(b);
}

static void test_two(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	thread(&b, 100, 100, "server");
	waits(&b, 100, 101, 2, 102, 6);
	waits(&b, 100, 102, 1, 101, 6);
	waits(&b, 100, 103, 1, 101, 6); /* behind */
	waits(&b, 100, 104, 9, 103, 3); /* behind the one behind, for half of the window */
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_U64((uint64_t)f->culprit.pid, 100);
	CHECK_STR(f->culprit.comm, "server");
	CHECK_U64(f->nproof, 2);
	CHECK_STR(f->proof[0], "thread 101 (worker) waits for lock 0x7f0000001080, held by thread 102 (worker)");
	CHECK_STR(f->proof[1], "thread 102 (worker) waits for lock 0x7f0000001040, held by thread 101 (worker)");
	CHECK_NEAR(f->lost_task_s_per_s, 3.5, 0.001);
	CHECK_U64(f->severity, SEVERITY_CRITICAL);
	CHECK(strstr(f->summary, "2 more threads") != NULL);
	window_build_deinit(&b);
}

static void test_ring_and_pair(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	for (int i = 0; i < 5; i++)
		waits(&b, 100, 100 + i, i, 100 + (i + 1) % 5, 6);
	waits(&b, 200, 200, 1, 201, 6);
	waits(&b, 200, 201, 2, 200, 6);
	judge(&b);
	CHECK_U64(b.findings.n, 2);
	CHECK_U64(b.findings.v[0].nproof, 5);
	CHECK_U64(b.findings.v[1].nproof, 2);
	CHECK_U64((uint64_t)b.findings.v[1].culprit.pid, 200);
	window_build_deinit(&b);
}

static void test_itself(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	waits(&b, 100, 100, 1, 100, 2);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(strstr(b.findings.v[0].title, "holds itself") != NULL);
	CHECK(strstr(b.findings.v[0].proof[0], ": itself") != NULL);
	window_build_deinit(&b);
}

static void test_owner_has_ended(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	waits(&b, 100, 100, 1, 999, 6);
	waits(&b, 100, 101, 1, 999, 6);
	waits(&b, 100, 102, 2, 998, 6);
	waits(&b, 100, 103, 3, 997, 6); /* this one was never seen: perhaps no mutex at all */
	thread(&b, 100, 998, "ended")->gone = true;
	thread(&b, 100, 999, "ended")->gone = true;
	judge(&b);
	CHECK_U64(b.findings.n, 2);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 2, 0.001);
	CHECK_NEAR(b.findings.v[1].lost_task_s_per_s, 1, 0.001);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	struct window_build b;

	/* a long wait for an owner that sleeps, holding it */
	window_build_init(&b, 5, 2);
	thread(&b, 100, 100, "holder");
	for (int i = 1; i < 6; i++)
		waits(&b, 100, 100 + i, 1, 100, 6);
	expect_cleared(&b);

	/* a circle seen in one look may be an accident of reading one thread after the other */
	window_build_init(&b, 5, 2);
	waits(&b, 100, 100, 1, 101, 1);
	waits(&b, 100, 101, 2, 100, 1);
	expect_cleared(&b);

	/* the same circle at two looks, but one of them moved in between */
	window_build_init(&b, 5, 2);
	waits(&b, 100, 100, 1, 101, 6);
	waits(&b, 100, 101, 2, 100, 6);
	b.tasks.v[1].stuck_looks = 1;
	expect_cleared(&b);

	/* nobody could be named as the owner */
	window_build_init(&b, 5, 2);
	waits(&b, 100, 100, 1, 0, 6);
	waits(&b, 100, 101, 2, 0, 6);
	expect_cleared(&b);

	/* the threads have ended */
	window_build_init(&b, 5, 2);
	waits(&b, 100, 100, 1, 101, 6);
	waits(&b, 100, 101, 2, 100, 6);
	b.tasks.v[0].gone = b.tasks.v[1].gone = true;
	expect_cleared(&b);

	window_build_init(&b, 5, 2);
	thread(&b, 100, 100, "idle");
	expect_cleared(&b);
}

/* Longer than the longest circle that is looked for: an end all the same. */
static void test_long_ring(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	for (int i = 0; i < 1000; i++)
		waits(&b, 100, 100 + i, i, 100 + (i + 1) % 1000, 6);
	expect_cleared(&b);
	window_build_init(&b, 5, 2);
	for (int i = 0; i < 64; i++)
		waits(&b, 100, 100 + i, i, 100 + (i + 1) % 64, 6);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].nproof, FINDING_MAX_PROOF);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	b.abilities.root = false;
	thread(&b, 100, 100, "idle");
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	CHECK(strstr(b.verdict.reason, "CAP_SYS_PTRACE") != NULL);
	/* one's own processes are found without privilege */
	waits(&b, 100, 101, 2, 102, 6);
	waits(&b, 100, 102, 1, 101, 6);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_FOUND);
	window_build_deinit(&b);
}

int main(void)
{
	test_two();
	test_ring_and_pair();
	test_itself();
	test_owner_has_ended();
	test_decoys();
	test_long_ring();
	test_unmeasured();
	return check_exit();
}
