#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define MB 1000000

static const struct cgroup_io no_limits = { 254, 0, 0, 0, 0, 0, CGROUP_UNLIMITED, CGROUP_UNLIMITED, CGROUP_UNLIMITED,
					    CGROUP_UNLIMITED };

static struct cgroup *group(struct window_build *b, uint64_t id, const char *path, bool v2)
{
	struct cgroup *c = window_build_cgroup(b, id, path);

	c->controllers = CGROUP_IO;
	c->v2 = v2;
	snprintf(c->mount, sizeof c->mount, v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/blkio");
	c->nio = 1;
	c->io[0] = no_limits;
	b->first.cgroups.v[b->last.cgroups.n - 1] = *c;
	return c;
}

static void waiter(struct window_build *b, int pid, uint64_t cgroup, uint32_t looks)
{
	struct task_span *t = window_build_task(b, pid, pid, "reader");

	t->blocked = t->iowait = looks;
	t->last.cgroup[TASK_CGROUP_IO] = cgroup;
}

static void expect(struct window_build *b, enum outcome outcome)
{
	window_build_judge(b, io_throttled_rule.rule);
	CHECK_U64(b->verdict.outcome, outcome);
}

static void test_v1(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	struct cgroup *c = group(&b, 7, "/backup", false);
	c->io[0].read_bytes_limit = 4 * MB;
	c->io[0].read_bytes = 19 * MB; /* 3.8 a second */
	waiter(&b, 100, 7, 6);
	waiter(&b, 101, 7, 3);
	waiter(&b, 102, 1, 6); /* waits for something else */
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = b.findings.v;
	CHECK_STR(f->culprit.kind, "cgroup");
	CHECK_STR(f->culprit.name, "/backup");
	CHECK_U64((uint64_t)f->victim.pid, 100);
	CHECK_NEAR(f->lost_task_s_per_s, 1.5, 0.001);
	CHECK_STR(f->evidence[0].source, "/sys/fs/cgroup/blkio/backup/blkio.throttle.io_service_bytes");
	CHECK_NEAR(f->evidence[0].value, 3.8 * MB, 1);
	CHECK_STR(f->evidence[1].source, "/sys/fs/cgroup/blkio/backup/blkio.throttle.read_bps_device");
	CHECK(strstr(f->mend[0], "echo '254:0 8000000' >") != NULL);
	window_build_deinit(&b);
}

/* The limit stands above the group that the tasks are in: it holds in v2, and not in v1. */
static void test_limit_above(bool v2)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	struct cgroup *c = group(&b, 7, "/pod", v2);
	c->io[0].writes_limit = 100;
	c->io[0].writes = 480;
	group(&b, 8, "/pod/app", v2);
	waiter(&b, 100, 8, 6);
	expect(&b, v2 ? OUTCOME_FOUND : OUTCOME_CLEARED);
	if (v2) {
		CHECK_STR(b.findings.v[0].culprit.name, "/pod");
		CHECK_STR(b.findings.v[0].evidence[1].source, "/sys/fs/cgroup/pod/io.max");
		CHECK(strstr(b.findings.v[0].mend[0], "wiops=200") != NULL);
	}
	window_build_deinit(&b);
}

/* PSI of the group tells what looks at few moments cannot. */
static void test_pressure_of_the_group(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	struct cgroup *c = group(&b, 7, "/db", true);
	c->io[0].read_bytes_limit = 10 * MB;
	c->io[0].read_bytes = 50 * MB;
	c->io_stall.some_ns = 4 * NS_PER_S;
	b.first.cgroups.v[0].io_stall.some_ns = 0;
	waiter(&b, 100, 7, 0);
	expect(&b, OUTCOME_FOUND);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.8, 0.001);
	window_build_deinit(&b);
}

/* A disk that is busy as well: less sure. */
static void test_busy_disk(void)
{
	struct window_build b;
	struct disk d = { .major = 254, .name = "vda" };

	window_build_init(&b, 5, 2);
	struct cgroup *c = group(&b, 7, "/a", false);
	c->io[0].read_bytes_limit = 4 * MB;
	c->io[0].read_bytes = 20 * MB;
	waiter(&b, 100, 7, 6);
	*vec_push(&b.first.disks) = d;
	d.busy_ns = 49 * NS_PER_S / 10;
	*vec_push(&b.last.disks) = d;
	window_build_grow(&b, &b.ticks[0].psi.io.some_ns, 5 * NS_PER_S);
	expect(&b, OUTCOME_FOUND);
	CHECK(b.findings.v[0].confidence < 0.8);
	b.last.disks.v[0].busy_ns = NS_PER_S / 10;
	expect(&b, OUTCOME_FOUND);
	CHECK(b.findings.v[0].confidence > 0.9);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	expect(&b, OUTCOME_UNMEASURED);
	struct cgroup *c = group(&b, 7, "/a", false);
	waiter(&b, 100, 7, 6);
	c->io[0].read_bytes = 500 * MB; /* much I/O, no limit */
	expect(&b, OUTCOME_CLEARED);
	c->io[0].read_bytes_limit = 200 * MB; /* a limit, far away */
	expect(&b, OUTCOME_CLEARED);
	c->io[0].read_bytes_limit = 101 * MB;
	expect(&b, OUTCOME_FOUND);
	b.tasks.v[0].iowait = 0; /* at the limit, and nobody waits */
	expect(&b, OUTCOME_CLEARED);
	b.tasks.v[0].iowait = 1; /* hardly anybody: told, no alarm */
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	window_build_deinit(&b);
}

/* What passed before the window is no rate. */
static void test_history(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	struct cgroup *c = group(&b, 7, "/a", false);
	c->io[0].read_bytes_limit = 4 * MB;
	c->io[0].read_bytes = 1000 * MB;
	b.first.cgroups.v[0].io[0] = c->io[0];
	waiter(&b, 100, 7, 6);
	expect(&b, OUTCOME_CLEARED);
	/* The device's first I/O came within the window: it was not in the list before. */
	b.first.cgroups.v[0].nio = 0;
	c->io[0].read_bytes = 20 * MB;
	expect(&b, OUTCOME_FOUND);
	window_build_deinit(&b);
}

static void test_absorbs(void)
{
	struct window_build b;
	struct finding symptom = { 0 };

	window_build_init(&b, 5, 2);
	struct cgroup *c = group(&b, 7, "/a", false);
	c->io[0].read_bytes_limit = 4 * MB;
	c->io[0].read_bytes = 20 * MB;
	waiter(&b, 100, 7, 6);
	waiter(&b, 200, 1, 6);
	expect(&b, OUTCOME_FOUND);
	actor_process(&symptom.culprit, 100, "reader");
	CHECK(io_throttled_rule.absorbs(&b.window, &b.findings.v[0], &symptom));
	actor_process(&symptom.culprit, 200, "reader");
	CHECK(!io_throttled_rule.absorbs(&b.window, &b.findings.v[0], &symptom));
	window_build_deinit(&b);
}

int main(void)
{
	test_v1();
	test_limit_above(true);
	test_limit_above(false);
	test_pressure_of_the_group();
	test_busy_disk();
	test_decoys();
	test_history();
	test_absorbs();
	return check_exit();
}
