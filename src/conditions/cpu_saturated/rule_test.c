#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

/* Two CPUs, busy for all of five seconds, `runnable` tasks in the queues. */
static void busy_host(struct window_build *b, double busy_share, uint64_t runnable)
{
	uint64_t all = 10 * NS_PER_S, busy = (uint64_t)((double)all * busy_share);

	window_build_init(b, 5, 2);
	window_build_grow(b, &b->ticks[0].cpu.total.user_ns, busy);
	window_build_grow(b, &b->ticks[0].cpu.total.idle_ns, all - busy);
	window_build_level(b, &b->ticks[0].cpu.running, runnable + 1);
	window_build_grow(b, &b->ticks[0].psi.cpu.some_ns, 5 * NS_PER_S);
	window_build_cgroup(b, 1, "/");
}

static struct task_span *worker(struct window_build *b, int32_t pid, const char *comm, uint64_t ran_ms,
				uint64_t waited_ms)
{
	struct task_span *t = window_build_task(b, pid, pid, comm);

	t->last.user_ns = ran_ms * NS_PER_MS;
	t->last.wait_ns = waited_ms * NS_PER_MS;
	return t;
}

static void spinners(struct window_build *b, int n)
{
	for (int i = 0; i < n; i++)
		worker(b, 100 + i, "spin", (uint64_t)(10000 / n), (uint64_t)(5000 - 10000 / n));
}

static void judge(struct window_build *b)
{
	window_build_judge(b, cpu_saturated_rule.rule);
}

static void test_named(void)
{
	struct window_build b;

	busy_host(&b, 1, 8);
	/* The kernel's own thread waits most, and nobody misses it. */
	worker(&b, 15, "rcu_preempt", 10, 900)->last.flags |= TASK_IS_KERNEL_THREAD;
	spinners(&b, 8);
	worker(&b, 300, "server", 20, 400);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.comm, "spin");
	CHECK_STR(b.findings.v[0].victim.comm, "server");
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 6.26, 0.001);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK(!b.findings.v[0].lost_estimated);
	window_build_deinit(&b);
}

/* One large process beside many of one name: the many are the culprit when they take more. */
static void test_group_before_process(void)
{
	struct window_build b;

	busy_host(&b, 1, 9);
	spinners(&b, 8);
	for (size_t i = 0; i < b.tasks.n; i++)
		b.tasks.v[i].last.user_ns = 1000 * NS_PER_MS;
	worker(&b, 300, "server", 2000, 3000);
	judge(&b);
	CHECK_STR(b.findings.v[0].culprit.comm, "spin");
	window_build_deinit(&b);
}

/* Those who hand a token around get much of the CPU and sleep at each turn; those who never
 * sleep are the queue. */
static void test_hungry_before_nimble(void)
{
	struct window_build b;

	busy_host(&b, 1, 10);
	for (int i = 0; i < 8; i++)
		worker(&b, 100 + i, "hog", 500, 4500);
	for (int i = 0; i < 20; i++) /* pushed off the CPU while they hand it over: always in the queue */
		worker(&b, 200 + i, "ping", 150, 4800)->last.voluntary_switches = 100000;
	judge(&b);
	CHECK_STR(b.findings.v[0].culprit.comm, "hog");
	window_build_deinit(&b);
}

static void expect_cleared(struct window_build *b)
{
	judge(b);
	CHECK_U64(b->verdict.outcome, OUTCOME_CLEARED);
	CHECK(b->verdict.reason[0] != '\0');
	window_build_deinit(b);
}

static void test_decoys(void)
{
	struct window_build b;

	/* load average of 30, all of it D state: nothing waits for a CPU */
	busy_host(&b, 0.05, 0);
	window_build_level(&b, &b.ticks[0].load.load1_milli, 30000);
	window_build_level(&b, &b.ticks[0].cpu.blocked, 30);
	for (int i = 0; i < 30; i++)
		window_build_task(&b, 100 + i, 100 + i, "nfs")->blocked = 6;
	expect_cleared(&b);

	/* waiting behind a quota while the CPUs are idle… */
	busy_host(&b, 0.1, 0);
	struct cgroup *c = window_build_cgroup(&b, 7, "/quota");
	c->cpu_quota_ns = 10 * NS_PER_MS;
	c->cpu_periods = c->cpu_throttled_periods = 50;
	for (int i = 0; i < 8; i++)
		worker(&b, 100 + i, "spin", 60, 4900)->last.cgroup[TASK_CGROUP_CPU] = 7;
	expect_cleared(&b);

	/* … and while others keep them busy, one task a CPU */
	busy_host(&b, 1, 2);
	c = window_build_cgroup(&b, 7, "/quota");
	c->cpu_quota_ns = 10 * NS_PER_MS;
	c->cpu_periods = c->cpu_throttled_periods = 50;
	for (int i = 0; i < 8; i++)
		worker(&b, 100 + i, "spin", 60, 4900)->last.cgroup[TASK_CGROUP_CPU] = 7;
	worker(&b, 300, "work", 4900, 100);
	worker(&b, 301, "work", 4900, 100);
	expect_cleared(&b);

	/* a build: busy CPUs, a queue now and then */
	busy_host(&b, 0.98, 3);
	for (int i = 0; i < 40; i++)
		worker(&b, 100 + i, "cc1", 240, 130)->born = true;
	expect_cleared(&b);

	/* two builds at once: as many wait as run */
	busy_host(&b, 1, 4);
	spinners(&b, 4);
	expect_cleared(&b);

	/* batch work at nice 19 */
	busy_host(&b, 1, 8);
	for (int i = 0; i < 8; i++)
		worker(&b, 100 + i, "batch", 1250, 3750)->last.nice = 19;
	expect_cleared(&b);

	/* bound to one CPU of two: delay, but half of the machine is free */
	busy_host(&b, 0.5, 8);
	spinners(&b, 8);
	expect_cleared(&b);
}

/* Kernels without schedstat: the queue's length stands in, and the price is an estimate. */
static void test_without_schedstat(void)
{
	struct window_build b;

	busy_host(&b, 1, 8);
	for (int i = 0; i < 8; i++)
		worker(&b, 100 + i, "spin", 1250, 0)->last.wait_ns = READING_ABSENT;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(b.findings.v[0].lost_estimated);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 6, 0.001);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	busy_host(&b, 1, 8);
	window_build_level(&b, &b.ticks[0].cpu.total.user_ns, READING_DENIED);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_named();
	test_group_before_process();
	test_hungry_before_nimble();
	test_decoys();
	test_without_schedstat();
	test_unmeasured();
	return check_exit();
}
