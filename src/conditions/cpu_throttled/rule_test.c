#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

static struct cgroup *limited(struct window_build *b, uint64_t id, const char *path, uint64_t quota_ms)
{
	struct cgroup *c = window_build_cgroup(b, id, path);

	c->cpu_quota_ns = quota_ms * NS_PER_MS;
	return c;
}

static void throttled(struct cgroup *c, uint64_t periods, uint64_t cut, uint64_t ns, uint64_t usage_ns)
{
	c->cpu_periods = periods;
	c->cpu_throttled_periods = cut;
	c->cpu_throttled_ns = ns;
	c->cpu_usage_ns = usage_ns;
}

static void judge(struct window_build *b)
{
	window_build_judge(b, cpu_throttled_rule.rule);
}

static void test_named(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	window_build_cgroup(&b, 1, "/");
	throttled(limited(&b, 7, "/shop", 20), 50, 50, 4 * NS_PER_S, NS_PER_S);
	window_build_cgroup(&b, 8, "/shop/web");
	struct task_span *t = window_build_task(&b, 100, 100, "web");
	t->last.wait_ns = 8 * NS_PER_S;
	t->last.cgroup[TASK_CGROUP_CPU] = 8;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.kind, "cgroup");
	CHECK_STR(b.findings.v[0].culprit.name, "/shop");
	CHECK_U64((uint64_t)b.findings.v[0].victim.pid, 100);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 1.6, 0.001); /* 8 s of waiting in 5 s */
	CHECK_STR(b.findings.v[0].evidence[0].source, "/sys/fs/cgroup/cpu/shop/cpu.stat");
	CHECK_NEAR(b.findings.v[0].evidence[0].value, 50, 0);
	CHECK(!b.findings.v[0].lost_estimated);
	window_build_deinit(&b);
}

/* The throttled time counts where no task of the group lives long enough to be seen. */
static void test_price_without_tasks(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	throttled(limited(&b, 7, "/jobs", 50), 50, 40, 2 * NS_PER_S, 3 * NS_PER_S);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.4, 0.001);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK_STR(b.findings.v[0].victim.kind, "cgroup");
	window_build_deinit(&b);
}

static void test_two_groups(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	throttled(limited(&b, 7, "/a", 20), 50, 50, 4 * NS_PER_S, NS_PER_S);
	throttled(limited(&b, 8, "/ab", 20), 50, 20, NS_PER_S, NS_PER_S);
	judge(&b);
	CHECK_U64(b.findings.n, 2);
	window_build_deinit(&b);
}

static void expect_cleared(uint64_t periods, uint64_t cut)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	throttled(limited(&b, 7, "/a", 20), periods, cut, cut * 80 * NS_PER_MS, NS_PER_S);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	CHECK_U64(b.findings.n, 0);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	expect_cleared(1, 1);	/* one burst: every period it had */
	expect_cleared(2, 2);
	expect_cleared(50, 12); /* 24 % */
	expect_cleared(50, 0);
	expect_cleared(0, 0);
}

static void test_history(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	throttled(limited(&b, 7, "/a", 20), 10000, 9000, 900 * NS_PER_S, NS_PER_S);
	throttled(&b.first.cgroups.v[0], 10000, 9000, 900 * NS_PER_S, NS_PER_S);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

/* A few throttled milliseconds are told, and alarm nobody. */
static void test_trifle(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	throttled(limited(&b, 7, "/a", 20), 10, 5, 50 * NS_PER_MS, NS_PER_S);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_cgroup(&b, 1, "/");
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	throttled(limited(&b, 7, "/a", 20), READING_ABSENT, READING_ABSENT, READING_ABSENT, NS_PER_S);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

/* A symptom is absorbed where its process lives in the cgroup, and nowhere else. */
static void test_absorbs(void)
{
	struct window_build b;
	struct finding symptom = { 0 };

	window_build_init(&b, 5, 2);
	window_build_cgroup(&b, 1, "/");
	throttled(limited(&b, 7, "/a", 20), 50, 50, 4 * NS_PER_S, NS_PER_S);
	window_build_task(&b, 100, 100, "inside")->last.cgroup[TASK_CGROUP_CPU] = 7;
	window_build_task(&b, 200, 200, "outside");
	judge(&b);
	actor_process(&symptom.culprit, 100, "inside");
	CHECK(cpu_throttled_rule.absorbs(&b.window, &b.findings.v[0], &symptom));
	actor_process(&symptom.culprit, 200, "outside");
	CHECK(!cpu_throttled_rule.absorbs(&b.window, &b.findings.v[0], &symptom));
	window_build_deinit(&b);
}

int main(void)
{
	test_named();
	test_price_without_tasks();
	test_two_groups();
	test_decoys();
	test_history();
	test_trifle();
	test_unmeasured();
	test_absorbs();
	return check_exit();
}
