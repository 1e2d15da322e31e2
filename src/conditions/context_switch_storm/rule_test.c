#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

static void host(struct window_build *b, uint64_t switches)
{
	window_build_init(b, 5, 2);
	window_build_grow(b, &b->ticks[0].cpu.context_switches, switches);
}

static struct task_span *task(struct window_build *b, int32_t pid, const char *comm, uint64_t voluntary,
			      uint64_t cpu_ms)
{
	struct task_span *t = window_build_task(b, pid, pid, comm);

	t->last.voluntary_switches = voluntary;
	t->last.system_ns = cpu_ms * NS_PER_MS;
	return t;
}

static void judge(struct window_build *b)
{
	window_build_judge(b, context_switch_storm_rule.rule);
}

static void expect_cleared(struct window_build *b)
{
	judge(b);
	CHECK_U64(b->verdict.outcome, OUTCOME_CLEARED);
	CHECK_U64(b->findings.n, 0);
	window_build_deinit(b);
}

static void test_ping_pong(void)
{
	struct window_build b;

	host(&b, 2000000);
	task(&b, 100, "ping", 980000, 2450);
	task(&b, 101, "ping", 980000, 2450);
	task(&b, 200, "work", 500, 5000);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_STR(f->culprit.comm, "ping");
	CHECK_NEAR(f->evidence[2].value, 2.5, 0.001);
	CHECK_NEAR(f->lost_task_s_per_s, 1960000 / 5.0 * 1.5e-6, 0.001);
	CHECK(f->lost_estimated);
	CHECK_U64(f->severity, SEVERITY_WARNING);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	struct window_build b;

	/* a busy server: as many switches, and work between them */
	host(&b, 500000);
	task(&b, 100, "server", 480000, 9000);
	expect_cleared(&b);

	/* forks: the tasks that switched are gone */
	host(&b, 500000);
	task(&b, 100, "loop", 100000, 700);
	expect_cleared(&b);

	/* few switches, hardly any work: an idle host */
	host(&b, 5000);
	task(&b, 100, "timer", 4000, 5);
	expect_cleared(&b);

	/* the tasks' counters alone, which the host's does not confirm */
	host(&b, 5000);
	task(&b, 100, "ping", 2000000, 2450);
	expect_cleared(&b);
}

/* One process that does nothing but hand items between its threads. */
static void test_threads(void)
{
	struct window_build b;

	host(&b, 1000000);
	for (int i = 0; i < 4; i++) {
		struct task_span *t = window_build_task(&b, 100, 100 + i, "queue");
		t->last.voluntary_switches = 240000;
		t->last.user_ns = 500 * NS_PER_MS;
	}
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64((uint64_t)b.findings.v[0].culprit.pid, 100);
	CHECK(strstr(b.findings.v[0].summary, "4 threads") != NULL);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	host(&b, 0);
	window_build_level(&b, &b.ticks[0].cpu.context_switches, READING_MALFORMED);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
	host(&b, 2000000);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_ping_pong();
	test_decoys();
	test_threads();
	test_unmeasured();
	return check_exit();
}
