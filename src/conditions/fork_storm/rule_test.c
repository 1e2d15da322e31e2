#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

static void parent(struct window_build *b, int32_t pid, const char *comm, uint64_t forks)
{
	struct fork_count *c = vec_push(&b->forks);

	*c = (struct fork_count){ .pid = pid, .forks = forks };
	snprintf(c->comm, sizeof c->comm, "%s", comm);
}

static void host(struct window_build *b, uint64_t forks)
{
	window_build_init(b, 5, 2);
	window_build_grow(b, &b->ticks[0].cpu.forks, forks);
}

static void judge(struct window_build *b)
{
	window_build_judge(b, fork_storm_rule.rule);
}

static void test_loop(void)
{
	struct window_build b;

	host(&b, 5000);
	parent(&b, 100, "bash", 4900);
	parent(&b, 200, "cron", 100);
	struct task_span *t = window_build_task(&b, 100, 100, "bash");
	t->last.system_ns = NS_PER_S;
	t->first.children_user_ns = t->first.children_system_ns = 7 * NS_PER_S;
	t->last.children_user_ns = 8 * NS_PER_S;
	t->last.children_system_ns = 9 * NS_PER_S;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_U64((uint64_t)f->culprit.pid, 100);
	CHECK_U64(f->severity, SEVERITY_WARNING);
	CHECK_NEAR(f->lost_task_s_per_s, 0.8, 0.001); /* 1 s of its own, 3 s of children */
	CHECK(f->lost_estimated);
	CHECK_NEAR(f->evidence[0].value, 1000, 0.5);
	CHECK(isnan(f->since_s));
	window_build_deinit(&b);
}

/* Many loops together: few parents are enough where no build would keep up. */
static void test_several_loops(void)
{
	struct window_build b;

	host(&b, 50000);
	for (int i = 0; i < 4; i++)
		parent(&b, 100 + i, "loop", 12000);
	parent(&b, 300, "sh", 2000);
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	window_build_deinit(&b);
}

static void test_build(void)
{
	struct window_build b;

	host(&b, 4000);
	parent(&b, 100, "make", 1600);
	for (int i = 0; i < 60; i++)
		parent(&b, 200 + i, "gcc", 40);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	window_build_deinit(&b);
	host(&b, 300);
	parent(&b, 100, "make", 290);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

/* A bomb, or shells that fork for each substitution: no parent stands out, their name does. */
static void test_many_of_one_name(void)
{
	struct window_build b;

	host(&b, 15000);
	parent(&b, 90, "cron", 60);
	for (int i = 0; i < 500; i++) {
		parent(&b, 100 + 2 * i, "sh", 26);
		parent(&b, 101 + 2 * i, "sed", 3);
	}
	window_build_grow(&b, &b.ticks[0].cpu.total.system_ns, 6 * NS_PER_S);
	window_build_task(&b, 1098, 1098, "sh")->born = true;
	window_build_task(&b, 2000, 2000, "sh");
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_U64(f->severity, SEVERITY_CRITICAL);
	CHECK_U64((uint64_t)f->culprit.pid, 100);
	CHECK_STR(f->culprit.comm, "sh");
	CHECK_NEAR(f->lost_task_s_per_s, 1.2, 0.001);
	struct finding symptom = { 0 };
	actor_process(&symptom.culprit, 1098, "sh");
	CHECK(fork_storm_rule.absorbs(&b.window, f, &symptom));
	actor_process(&symptom.culprit, 2000, "sh"); /* older than the window: no child of the storm */
	CHECK(!fork_storm_rule.absorbs(&b.window, f, &symptom));
	/* sixteen CPUs have room for as many scripts */
	b.topology.cpus = 16;
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	window_build_deinit(&b);
}

/* Each makes the next and ends: slower than a build, and nobody to stop. */
static void test_chain(void)
{
	struct window_build b;

	host(&b, 4000);
	parent(&b, 90, "cron", 6);
	for (int i = 0; i < 3900; i++)
		parent(&b, 1000 + i, "comet", 1);
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK_STR(b.findings.v[0].culprit.comm, "comet");
	window_build_deinit(&b);
}

/* A server that starts a thread for each request works; one that does little else does not. */
static void test_threads(void)
{
	struct window_build b;

	host(&b, 6000);
	parent(&b, 100, "httpd", 5900);
	window_build_task(&b, 100, 100, "httpd")->last.user_ns = 6 * NS_PER_S;
	for (int i = 1; i < 5; i++)
		window_build_task(&b, 100, 100 + i, "httpd")->born = true;
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 1200 * 30e-6, 0.001);
	window_build_grow(&b, &b.ticks[0].cpu.forks, 30000);
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 6000 * 30e-6, 0.001);
	CHECK(strstr(b.findings.v[0].title, "threads a second"));
	/* children among the births: it forks */
	window_build_grow(&b, &b.ticks[0].cpu.forks, 6000);
	struct task_span *child = window_build_task(&b, 200, 200, "httpd");
	child->born = true;
	child->first.ppid = child->last.ppid = 100;
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	window_build_deinit(&b);
}

/* Ten times its own pace, though below 500/s, and since when. */
static void test_rise(void)
{
	struct window_build b;

	host(&b, 0);
	for (int i = 0; i < WINDOW_BUILD_TICKS; i++)
		b.ticks[i].cpu.forks = i < 5 ? (uint64_t)i : (uint64_t)(i - 4) * 200 + 4;
	parent(&b, 100, "loop", 1200);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK_NEAR(b.findings.v[0].since_s, 2.5, 0.001);
	window_build_deinit(&b);
}

static void test_nobody_named(void)
{
	struct window_build b;

	host(&b, 50000);
	b.abilities.forks_exact = false;
	window_build_grow(&b, &b.ticks[0].cpu.total.system_ns, 5 * NS_PER_S);
	judge(&b);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK(b.findings.v[0].culprit.kind == NULL);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 1, 0.001);
	window_build_deinit(&b);
}

/* In a container: the host forks, and the one process that forked here is not to blame. */
static void test_elsewhere(void)
{
	struct window_build b;

	host(&b, 50000);
	b.abilities.forks_exact = false;
	window_build_grow(&b, &b.ticks[0].load.last_pid, 9);
	parent(&b, 11, "init", 1);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	CHECK(b.findings.v[0].culprit.kind == NULL);
	window_build_deinit(&b);

	/* pids begin anew at the largest one */
	host(&b, 50000);
	b.abilities.forks_exact = false;
	for (int i = 0; i < WINDOW_BUILD_TICKS; i++)
		b.ticks[i].load.last_pid = (20000 + (uint64_t)i * 5000) % 32768;
	parent(&b, 100, "loop", 10);
	judge(&b);
	CHECK_U64((uint64_t)b.findings.v[0].culprit.pid, 100);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	host(&b, 0);
	window_build_level(&b, &b.ticks[0].cpu.forks, READING_ABSENT);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

static void test_absorbs(void)
{
	struct window_build b;
	struct finding symptom = { 0 };

	host(&b, 50000);
	parent(&b, 100, "loop", 50000);
	window_build_task(&b, 100, 100, "loop");
	window_build_task(&b, 101, 101, "child")->last.ppid = 100;
	window_build_task(&b, 300, 300, "spin");
	judge(&b);
	const struct finding *cause = &b.findings.v[0];
	actor_process(&symptom.culprit, 101, "child");
	CHECK(fork_storm_rule.absorbs(&b.window, cause, &symptom));
	actor_process(&symptom.culprit, 100, "loop");
	CHECK(fork_storm_rule.absorbs(&b.window, cause, &symptom));
	actor_process(&symptom.culprit, 300, "spin");
	CHECK(!fork_storm_rule.absorbs(&b.window, cause, &symptom));
	window_build_deinit(&b);
}

int main(void)
{
	test_loop();
	test_several_loops();
	test_many_of_one_name();
	test_chain();
	test_threads();
	test_build();
	test_rise();
	test_nobody_named();
	test_elsewhere();
	test_unmeasured();
	test_absorbs();
	return check_exit();
}
