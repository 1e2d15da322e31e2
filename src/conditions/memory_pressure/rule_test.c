#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define MIB (UINT64_C(1) << 20)

/* 5 s of a host with 1 GiB, half of it available, whose vmstat stands still. */
static void init(struct window_build *b)
{
	window_build_init(b, 5, 2);
	window_build_level(b, &b->ticks[0].memory.total_bytes, 1024 * MIB);
	window_build_level(b, &b->ticks[0].memory.available_bytes, 512 * MIB);
	window_build_level(b, &b->ticks[0].vmstat.refault_anon, 0);
	window_build_level(b, &b->ticks[0].vmstat.refault_file, 0);
	window_build_level(b, &b->ticks[0].vmstat.steal_direct, 0);
	window_build_level(b, &b->ticks[0].psi.memory.some_ns, 0);
	window_build_level(b, &b->ticks[0].psi.memory.full_ns, 0);
}

static void make_memory(struct cgroup *c, bool v2)
{
	snprintf(c->mount, sizeof c->mount, "%s", v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
	c->v2 = v2;
	c->controllers = CGROUP_MEMORY;
	c->memory_limit_bytes = CGROUP_UNLIMITED;
	c->memory_limit_hits = c->memory_refault_anon = c->memory_refault_file = c->memory_major_faults = 0;
	if (v2)
		c->memory_stall.some_ns = c->memory_stall.full_ns = 0;
}

static struct cgroup *group(struct window_build *b, uint64_t id, const char *path, bool v2, uint64_t limit)
{
	struct cgroup *last = window_build_cgroup(b, id, path);

	make_memory(last, v2);
	make_memory(&b->first.cgroups.v[b->first.cgroups.n - 1], v2);
	last->memory_limit_bytes = limit;
	last->memory_bytes = limit < CGROUP_UNLIMITED ? limit : 100 * MIB;
	return last;
}

static void judge(struct window_build *b)
{
	window_build_judge(b, memory_pressure_rule.rule);
}

static void test_cgroup_v2(void)
{
	struct window_build b;

	init(&b);
	window_build_grow(&b, &b.ticks[0].psi.memory.some_ns, 2 * NS_PER_S);
	window_build_grow(&b, &b.ticks[0].vmstat.refault_file, 50000);
	struct cgroup *outer = group(&b, 5, "/shop", true, 512 * MIB);
	outer->memory_refault_file = 50000;
	outer->memory_stall.some_ns = 2 * NS_PER_S;
	struct cgroup *inner = group(&b, 6, "/shop/web", true, 64 * MIB);
	inner->memory_refault_file = 50000;
	inner->memory_stall.some_ns = 2 * NS_PER_S;
	struct task_span *t = window_build_task(&b, 100, 100, "web");
	t->last.major_faults = 900;
	t->first.major_faults = 0;
	t->last.cgroup[TASK_CGROUP_MEMORY] = 6;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 1); /* the outer group tells the same story */
	CHECK_STR(b.findings.v[0].culprit.name, "/shop/web");
	CHECK_U64((uint64_t)b.findings.v[0].victim.pid, 100);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.4, 0.001);
	CHECK(!b.findings.v[0].lost_estimated);
	CHECK(isnan(b.findings.v[0].since_s)); /* it was so from the start */
	window_build_deinit(&b);
}

/* v1 has no stalls for each group: the host's are shared out by what came back. */
static void test_cgroup_v1(void)
{
	struct window_build b;

	init(&b);
	window_build_grow(&b, &b.ticks[0].psi.memory.some_ns, 4 * NS_PER_S);
	window_build_grow(&b, &b.ticks[0].vmstat.refault_file, 10000);
	group(&b, 6, "/a", false, 64 * MIB)->memory_refault_file = 7500;
	group(&b, 7, "/b", false, 64 * MIB)->memory_refault_file = 2500;
	judge(&b);
	CHECK_U64(b.findings.n, 2);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s + b.findings.v[1].lost_task_s_per_s, 0.8, 0.001);
	CHECK(b.findings.v[0].lost_estimated);
	window_build_deinit(&b);
}

/* The decoy: a job that reads large files once has its cache trimmed all the time. */
static void test_limit_that_trims(void)
{
	struct window_build b;

	init(&b);
	window_build_grow(&b, &b.ticks[0].psi.memory.some_ns, NS_PER_S / 20);
	group(&b, 6, "/backup", false, 64 * MIB)->memory_limit_hits = 500000;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	CHECK(strstr(b.verdict.reason, "1.0 %") != NULL);
	window_build_deinit(&b);
}

/* Memory that is full of page cache, or as good as full, while nobody waits. */
static void test_full_is_not_short(void)
{
	struct window_build b;

	init(&b);
	window_build_level(&b, &b.ticks[0].memory.available_bytes, 20 * MIB);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

static void test_host(void)
{
	struct window_build b;

	init(&b);
	window_build_grow(&b, &b.ticks[0].psi.memory.some_ns, 3 * NS_PER_S);
	window_build_grow(&b, &b.ticks[0].psi.memory.full_ns, 2 * NS_PER_S);
	window_build_grow(&b, &b.ticks[0].vmstat.refault_file, 100000);
	window_build_grow(&b, &b.ticks[0].vmstat.steal_direct, 100000);
	struct task_span *t = window_build_task(&b, 50, 50, "hog");
	t->first.anon_bytes = 100 * MIB;
	t->last.anon_bytes = 700 * MIB;
	t->first.file_bytes = t->last.file_bytes = t->first.shmem_bytes = t->last.shmem_bytes = 0;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64((uint64_t)b.findings.v[0].culprit.pid, 50);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.6, 0.001);
	window_build_deinit(&b);
}

/* Waiting without any reclaim is somebody else's doing: memory.reclaim, say. */
static void test_waiting_without_reclaim(void)
{
	struct window_build b;

	init(&b);
	window_build_grow(&b, &b.ticks[0].psi.memory.some_ns, NS_PER_S);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

static void test_without_psi(void)
{
	struct window_build b;

	init(&b);
	window_build_level(&b, &b.ticks[0].psi.memory.some_ns, READING_ABSENT);
	window_build_level(&b, &b.ticks[0].psi.memory.full_ns, READING_ABSENT);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	window_build_level(&b, &b.ticks[0].vmstat.refault_file, READING_ABSENT);
	window_build_level(&b, &b.ticks[0].vmstat.refault_anon, READING_ABSENT);
	b.verdict.outcome = OUTCOME_NONE;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

/* Without PSI threads that were seen blocked price it. */
static void test_priced_without_psi(void)
{
	struct window_build b;

	init(&b);
	window_build_level(&b, &b.ticks[0].psi.memory.some_ns, READING_ABSENT);
	window_build_grow(&b, &b.ticks[0].vmstat.refault_file, 100000);
	struct cgroup *c = group(&b, 6, "/a", false, 64 * MIB);
	c->memory_refault_file = 100000;
	struct task_span *t = window_build_task(&b, 100, 100, "web");
	t->first.major_faults = 0;
	t->last.major_faults = 900;
	t->blocked = 3;
	t->last.cgroup[TASK_CGROUP_MEMORY] = 6;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.5, 0.001); /* at 3 of 6 looks */
	CHECK(b.findings.v[0].lost_estimated && b.findings.v[0].confidence < 0.8);
	window_build_deinit(&b);
}

int main(void)
{
	test_cgroup_v2();
	test_cgroup_v1();
	test_limit_that_trims();
	test_full_is_not_short();
	test_host();
	test_waiting_without_reclaim();
	test_without_psi();
	test_priced_without_psi();
	return check_exit();
}
