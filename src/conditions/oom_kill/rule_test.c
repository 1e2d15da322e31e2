#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define MIB (UINT64_C(1) << 20)

static void init(struct window_build *b, uint64_t before, uint64_t kills)
{
	window_build_init(b, 5, 2);
	window_build_level(b, &b->ticks[0].memory.total_bytes, 1024 * MIB);
	window_build_level(b, &b->ticks[0].memory.available_bytes, 512 * MIB);
	window_build_level(b, &b->ticks[0].vmstat.oom_kill, before);
	for (unsigned i = 5; i < WINDOW_BUILD_TICKS; i++)
		b->ticks[i].vmstat.oom_kill = before + kills;
	b->abilities.kernel_log = PRESENT;
}

static struct cgroup *group(struct window_build *b, uint64_t id, const char *path, uint64_t limit, uint64_t kills)
{
	struct cgroup *c = window_build_cgroup(b, id, path);
	struct cgroup *first = &b->first.cgroups.v[b->first.cgroups.n - 1];

	c->v2 = first->v2 = true;
	c->controllers = first->controllers = CGROUP_MEMORY;
	c->memory_limit_bytes = limit;
	c->memory_bytes = 10 * MIB; /* free again */
	first->memory_limit_hits = c->memory_limit_hits = 0;
	first->memory_oom_kills = 3;
	c->memory_oom_kills = 3 + kills;
	return c;
}

static struct kernel_event killed(int32_t pid, const char *cgroup)
{
	struct kernel_event e = { .kind = KERNEL_OOM_KILL, .pid = pid, .comm = "eater", .anon_bytes = 64 * MIB };

	snprintf(e.cgroup, sizeof e.cgroup, "%s", cgroup);
	snprintf(e.text, sizeof e.text, "%s: Killed process %d (eater)",
		 *cgroup ? "Memory cgroup out of memory" : "Out of memory", (int)pid);
	return e;
}

static void log_has(struct window_build *b, const struct kernel_event *events, size_t n)
{
	b->window.events = events;
	b->window.nevents = n;
}

static void judge(struct window_build *b)
{
	window_build_judge(b, oom_kill_rule.rule);
}

/* The group above counts the kill too; the log says whose limit it was. */
static void test_cgroup(void)
{
	struct kernel_event events[] = { killed(7, "/shop"), killed(9, "/shop") };
	struct window_build b;

	init(&b, 40, 2);
	group(&b, 5, "/shop", 64 * MIB, 2);
	group(&b, 6, "/shop/web", CGROUP_UNLIMITED, 2);
	log_has(&b, events, 2);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "/shop");
	CHECK_U64((uint64_t)b.findings.v[0].victim.pid, 9);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK_NEAR(b.findings.v[0].since_s, 2.5, 0.01);
	CHECK_NEAR(b.findings.v[0].evidence[0].value, 2, 0);
	CHECK(b.findings.v[0].nproof == 1);
	window_build_deinit(&b);
}

static void test_two_places(void)
{
	struct kernel_event events[] = { killed(7, "/a"), killed(9, "/b"), killed(11, "") };
	struct window_build b;

	init(&b, 0, 3);
	group(&b, 5, "/a", 64 * MIB, 1);
	group(&b, 6, "/b", 64 * MIB, 1);
	log_has(&b, events, 3);
	judge(&b);
	CHECK_U64(b.findings.n, 3);
	window_build_deinit(&b);
}

/* The victim's group counts a kill of the host's too, whatever its own limit. */
static void test_host_not_cgroup(void)
{
	struct kernel_event events[] = { killed(7, "") };
	struct window_build b;

	init(&b, 0, 1);
	group(&b, 5, "/web", 64 * MIB, 1);
	log_has(&b, events, 1);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.kind, "process");
	CHECK_U64((uint64_t)b.findings.v[0].culprit.pid, 7);
	window_build_deinit(&b);
}

/* No log: the counters name the group whose limit it was, and who vanished from it. */
static void test_without_log(void)
{
	struct window_build b;

	init(&b, 0, 2);
	b.abilities.kernel_log = DENIED;
	group(&b, 5, "/shop", 64 * MIB, 2)->memory_limit_hits = 50;
	group(&b, 6, "/shop/web", CGROUP_UNLIMITED, 2);
	struct task_span *t = window_build_task(&b, 70, 70, "eater");
	t->last.cgroup[TASK_CGROUP_MEMORY] = 6;
	t->last.anon_bytes = 60 * MIB;
	t->last.file_bytes = t->last.shmem_bytes = t->last.swap_bytes = 0;
	t->gone = true;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "/shop");
	CHECK_U64((uint64_t)b.findings.v[0].victim.pid, 70);
	CHECK(b.findings.v[0].confidence < 0.95);
	window_build_deinit(&b);
}

/* No log, no limit that was seen to be met: whether the host was short decides. */
static void test_without_log_by_what_was_free(void)
{
	struct window_build b;

	for (int is_short = 0; is_short < 2; is_short++) {
		init(&b, 0, 1);
		b.abilities.kernel_log = DENIED;
		if (is_short)
			b.ticks[4].memory.available_bytes = 10 * MIB;
		group(&b, 5, "/shop", 64 * MIB, 1);
		judge(&b);
		CHECK_U64(b.findings.n, 1);
		if (is_short)
			CHECK(strstr(b.findings.v[0].title, "the host is out of memory") != NULL);
		else
			CHECK_STR(b.findings.v[0].culprit.name, "/shop");
		window_build_deinit(&b);
	}
}

/* The log's constraint line was left out (the kernel limits them): the counters name the group. */
static void test_unnamed_in_log(void)
{
	struct kernel_event events[] = { killed(7, "/x") };
	struct window_build b;

	events[0].cgroup[0] = '\0';
	init(&b, 0, 1);
	group(&b, 5, "/shop", 64 * MIB, 1)->memory_limit_hits = 9;
	log_has(&b, events, 1);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "/shop");
	CHECK_U64((uint64_t)b.findings.v[0].victim.pid, 7);
	window_build_deinit(&b);
}

static void test_cgroup_is_gone(void)
{
	struct kernel_event events[] = { killed(7, "/job-7") };
	struct window_build b;

	init(&b, 0, 1);
	log_has(&b, events, 1);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "/job-7");
	window_build_deinit(&b);
	init(&b, 0, 1); /* nor is there a log */
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	window_build_deinit(&b);
}

static void test_history(void)
{
	struct kernel_event other = { .kind = KERNEL_HUNG_TASK, .pid = 3 };
	struct window_build b;

	init(&b, 40, 0);
	group(&b, 5, "/shop", 64 * MIB, 0);
	log_has(&b, &other, 1);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	CHECK(strstr(b.verdict.reason, "40 since boot") != NULL);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	init(&b, READING_ABSENT, 0);
	b.abilities.kernel_log = DENIED;
	for (unsigned i = 0; i < WINDOW_BUILD_TICKS; i++)
		b.ticks[i].vmstat.oom_kill = READING_ABSENT;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_cgroup();
	test_two_places();
	test_host_not_cgroup();
	test_without_log();
	test_without_log_by_what_was_free();
	test_unnamed_in_log();
	test_cgroup_is_gone();
	test_history();
	test_unmeasured();
	return check_exit();
}
