#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

static struct task_span *process(struct window_build *b, int pid, const char *comm, uint64_t before, uint64_t now,
				 uint64_t limit)
{
	struct task_span *t = window_build_task(b, pid, pid, comm);

	t->first.fd_count = before;
	t->last.fd_count = now;
	t->first.fd_limit = t->last.fd_limit = limit;
	return t;
}

static void expect(struct window_build *b, enum outcome outcome)
{
	window_build_judge(b, fd_exhausted_rule.rule);
	CHECK_U64(b->verdict.outcome, outcome);
}

static void test_full(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	process(&b, 50, "calm", 20, 20, 1024);
	process(&b, 100, "server", 1024, 1024, 1024)->last.system_ns = 4 * NS_PER_S;
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = b.findings.v;
	CHECK_U64(f->severity, SEVERITY_CRITICAL);
	CHECK_U64((uint64_t)f->culprit.pid, 100);
	CHECK_NEAR(f->lost_task_s_per_s, 0.8, 0.001); /* it spins */
	CHECK(f->lost_estimated);
	CHECK_NEAR(f->exhausted_in_s, 0, 0);
	CHECK(strstr(f->mend[0], "prlimit --pid 100 --nofile=2048") != NULL);
	window_build_deinit(&b);
}

/* Its shell handed it a descriptor of a number beyond the limit. */
static void test_inherited(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	process(&b, 100, "server", 65, 65, 64);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK_NEAR(b.findings.v[0].exhausted_in_s, 0, 0);
	window_build_deinit(&b);
}

static void test_leak(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	process(&b, 100, "leaky", 930, 950, 1024);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_RISK);
	CHECK_NEAR(b.findings.v[0].exhausted_in_s, 18.5, 0.001); /* 74 left, 4 a second */
	CHECK(isnan(b.findings.v[0].lost_task_s_per_s));
	window_build_deinit(&b);
}

/* High, and steady: a risk without an end. */
static void test_steady(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	process(&b, 100, "pool", 990, 991, 1024);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_RISK);
	CHECK(isnan(b.findings.v[0].exhausted_in_s));
	window_build_deinit(&b);
}

/* Forty workers of one pool are one finding, of the fullest. */
static void test_pool(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	for (int i = 0; i < 40; i++)
		process(&b, 100 + i, "worker", 1000, i == 7 ? 1024 : 1000, 1024);
	process(&b, 200, "other", 1024, 1024, 1024);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 2);
	CHECK_U64((uint64_t)b.findings.v[0].culprit.pid, 107);
	CHECK(strstr(b.findings.v[0].summary, "39 more") != NULL);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	process(&b, 100, "sshd", 8, 8, 1);	/* a sandbox: nothing more may be opened */
	process(&b, 101, "sandbox", 9, 9, 9);
	process(&b, 102, "lowered", 200, 200, 128);
	process(&b, 103, "busy", 900, 900, 1024); /* 88 % */
	process(&b, 104, "growing", 10, 500, 1024);
	process(&b, 105, "ended", 1024, 1024, 1024)->gone = true;
	process(&b, 106, "kthread", 1024, 1024, 1024)->last.flags |= TASK_IS_KERNEL_THREAD;
	expect(&b, OUTCOME_CLEARED);
	CHECK(strstr(b.verdict.reason, "busy") != NULL);
	window_build_deinit(&b);
}

static void test_host(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	process(&b, 100, "hoarder", 5000, 5000, 1 << 20);
	b.last.file_nr = (struct file_nr){ PRESENT, 9500, 10000 };
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_RISK);
	CHECK_STR(b.findings.v[0].culprit.comm, "hoarder");
	b.last.file_nr.allocated = 10000;
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	b.last.file_nr = (struct file_nr){ PRESENT, 5000, INT64_MAX };
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	expect(&b, OUTCOME_UNMEASURED);
	process(&b, 100, "theirs", READING_DENIED, READING_DENIED, READING_DENIED);
	expect(&b, OUTCOME_UNMEASURED);
	process(&b, 101, "ours", 10, 10, 1024);
	expect(&b, OUTCOME_CLEARED);
	CHECK(strstr(b.verdict.reason, "1 more cannot be read") != NULL);
	window_build_deinit(&b);
}

int main(void)
{
	test_full();
	test_inherited();
	test_leak();
	test_steady();
	test_pool();
	test_decoys();
	test_host();
	test_unmeasured();
	return check_exit();
}
