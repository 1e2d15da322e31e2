#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define MIB (UINT64_C(1) << 20)

/* 5 s of a host with 1 GiB of swap, half of it used. */
static void init(struct window_build *b, uint64_t in, uint64_t out, uint64_t stalled_ns)
{
	window_build_init(b, 5, 2);
	window_build_level(b, &b->ticks[0].memory.swap_total_bytes, 1024 * MIB);
	window_build_level(b, &b->ticks[0].memory.swap_free_bytes, 512 * MIB);
	window_build_grow(b, &b->ticks[0].vmstat.swap_in, in);
	window_build_grow(b, &b->ticks[0].vmstat.swap_out, out);
	window_build_grow(b, &b->ticks[0].vmstat.refault_anon, in);
	window_build_level(b, &b->ticks[0].vmstat.refault_file, 0);
	window_build_grow(b, &b->ticks[0].psi.memory.some_ns, stalled_ns);
	window_build_grow(b, &b->ticks[0].psi.memory.full_ns, stalled_ns);
}

static void judge(struct window_build *b)
{
	window_build_judge(b, swap_thrash_rule.rule);
}

static void expect_cleared(uint64_t in, uint64_t out, uint64_t stalled_ns, const char *reason)
{
	struct window_build b;

	init(&b, in, out, stalled_ns);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	if (!strstr(b.verdict.reason, reason))
		fprintf(stderr, "%s\n", b.verdict.reason);
	CHECK(strstr(b.verdict.reason, reason) != NULL);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	expect_cleared(0, 0, 0, "512 MiB of swap are used, which by itself is no fault");
	expect_cleared(50000, 0, NS_PER_S, "10000 pages/s came in and 0 went out");
	expect_cleared(0, 50000, NS_PER_S, "0 pages/s came in and 10000 went out");
	expect_cleared(20, 20, NS_PER_S, "4 pages/s");		/* 5 a second are asked for */
	expect_cleared(500, 500, NS_PER_S / 50, "0.4 %"); /* and a price */
}

/* One burst in ten is a program that wakes up. */
static void test_burst(void)
{
	struct window_build b;

	init(&b, 0, 5000, NS_PER_S);
	for (unsigned i = 9; i < WINDOW_BUILD_TICKS; i++)
		b.ticks[i].vmstat.swap_in = 5000;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

static void test_host(void)
{
	struct window_build b;

	init(&b, 50000, 60000, 3 * NS_PER_S);
	struct task_span *t = window_build_task(&b, 70, 70, "victim");
	t->first.major_faults = 0;
	t->last.major_faults = 40000;
	t = window_build_task(&b, 71, 71, "hog");
	t->last.anon_bytes = 900 * MIB;
	t->last.file_bytes = t->last.shmem_bytes = t->last.swap_bytes = 0;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64((uint64_t)b.findings.v[0].culprit.pid, 71);
	CHECK_U64((uint64_t)b.findings.v[0].victim.pid, 70);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.6, 0.001);
	window_build_deinit(&b);
}

static struct cgroup *group(struct window_build *b, uint64_t id, const char *path, uint64_t refaults)
{
	struct cgroup *c = window_build_cgroup(b, id, path);
	struct cgroup *first = &b->first.cgroups.v[b->first.cgroups.n - 1];

	c->v2 = first->v2 = true;
	c->controllers = first->controllers = CGROUP_MEMORY;
	c->memory_limit_bytes = c->memory_bytes = 64 * MIB;
	c->memory_swap_bytes = 56 * MIB;
	first->memory_refault_anon = 0;
	c->memory_refault_anon = refaults;
	return c;
}

static void test_cgroup(void)
{
	struct window_build b;

	init(&b, 50000, 60000, NS_PER_S);
	group(&b, 6, "/small", 1000);
	group(&b, 7, "/guilty", 45000);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "/guilty");
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK(strstr(b.findings.v[0].mend[0], "134M") != NULL); /* the limit and what is in swap, and some */
	window_build_deinit(&b);
}

static void test_without_psi(void)
{
	struct window_build b;

	init(&b, 50000, 50000, 0);
	window_build_level(&b, &b.ticks[0].psi.memory.some_ns, READING_ABSENT);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(b.findings.v[0].lost_estimated);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.2, 0.001); /* 10000 a second of 20 us */
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_decoys();
	test_burst();
	test_host();
	test_cgroup();
	test_without_psi();
	test_unmeasured();
	return check_exit();
}
