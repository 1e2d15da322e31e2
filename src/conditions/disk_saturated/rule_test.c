#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define SECONDS 5

/* What the disk did within the window, as iostat would show it. */
struct did {
	double reads, read_ms, writes, write_ms; /* a second; each */
	double busy;
};

static struct disk *disk(struct window_build *b, const char *name, uint32_t minor, struct did did)
{
	struct disk *before = vec_push(&b->first.disks), *now = vec_push(&b->last.disks);

	if (!before || !now)
		abort();
	snprintf(now->name, sizeof now->name, "%s", name);
	now->major = 254;
	now->minor = minor;
	*before = *now;
	now->reads = (uint64_t)(did.reads * SECONDS);
	now->writes = (uint64_t)(did.writes * SECONDS);
	now->read_ns = (uint64_t)(did.reads * did.read_ms * SECONDS * 1e6);
	now->write_ns = (uint64_t)(did.writes * did.write_ms * SECONDS * 1e6);
	now->queue_ns = now->read_ns + now->write_ns;
	now->busy_ns = (uint64_t)(did.busy * SECONDS * 1e9);
	now->read_bytes = now->reads * 262144;
	now->write_bytes = now->writes * 262144;
	return now;
}

/* Tasks that were found waiting for a disk at `of6` of six looks. */
static void waiters(struct window_build *b, int first_pid, int n, const char *comm, uint32_t of6, uint64_t bytes)
{
	for (int i = 0; i < n; i++) {
		struct task_span *t = window_build_task(b, first_pid + i, first_pid + i, comm);

		t->blocked = t->iowait = of6;
		t->first.read_bytes = t->first.write_bytes = 0;
		t->last.read_bytes = bytes;
		t->last.write_bytes = 0;
	}
}

static void begin(struct window_build *b, double pressure)
{
	window_build_init(b, SECONDS, 2);
	b->last.disks_presence = PRESENT;
	window_build_grow(b, &b->ticks[0].psi.io.some_ns, (uint64_t)(pressure * SECONDS * 1e9));
}

static void expect(struct window_build *b, enum outcome outcome)
{
	window_build_judge(b, disk_saturated_rule.rule);
	CHECK_U64(b->verdict.outcome, outcome);
}

/* Eight readers and a writer past the page cache, as measured. */
static const struct did contended = { 3000, 2.56, 270, 3.86, 0.998 };

static void test_named(void)
{
	struct window_build b;

	begin(&b, 0.9);
	disk(&b, "vda", 0, contended);
	waiters(&b, 100, 8, "reader", 6, 1000ULL << 20);
	waiters(&b, 200, 1, "writer", 6, 1 << 20);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = b.findings.v;
	CHECK_U64(f->severity, SEVERITY_CRITICAL);
	CHECK_STR(f->culprit.kind, "process");
	CHECK_STR(f->culprit.comm, "reader");
	CHECK_STR(f->victim.comm, "writer");
	/* 8.7 in the queue, 0.305 ms of 2.67 ms are work */
	CHECK_NEAR(f->lost_task_s_per_s, 8.7 * (1 - 0.305 / 2.667), 0.1);
	CHECK(f->lost_estimated);
	CHECK(strstr(f->title, "vda") != NULL);
	window_build_deinit(&b);
}

static void test_single_streams(void)
{
	static const struct {
		struct did did;
		uint32_t waits; /* looks of six */
	} streams[] = {
		{ { 910, 1.34, 0, 0, 0.86 }, 6 },   /* reader, direct, 1 MiB */
		{ { 0, 0, 1572, 0.54, 0.76 }, 5 },  /* writer, direct, 1 MiB */
		{ { 485, 5.4, 0, 0, 0.99 }, 6 },    /* reader through the page cache, read-ahead */
		{ { 0, 0, 2193, 3.3, 0.99 }, 6 },   /* writer, direct, 8 MiB: 7 in the queue */
		{ { 0, 0, 1500, 40, 1.0 }, 6 },	    /* writeback of a buffered writer: 60 in the queue */
	};

	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		struct window_build b;

		begin(&b, 0.9);
		disk(&b, "vda", 0, streams[i].did);
		waiters(&b, 100, 1, "dd", streams[i].waits, 4000ULL << 20);
		expect(&b, OUTCOME_CLEARED);
		window_build_deinit(&b);
	}
}

/* One program keeps 57 requests in flight without waiting for any; a small reader stands behind
 * them. As measured: io_uring writes of 128 KiB. */
static void test_bystander(void)
{
	static const struct did deep = { 295, 3.3, 14880, 3.77, 0.999 };
	struct window_build b;

	begin(&b, 0.4);
	disk(&b, "vda", 0, deep);
	waiters(&b, 100, 1, "uring", 0, 10000ULL << 20);
	waiters(&b, 200, 1, "small", 6, 6 << 20);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_WARNING);
	CHECK_STR(b.findings.v[0].culprit.comm, "uring");
	CHECK_STR(b.findings.v[0].victim.comm, "small");
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.98, 0.01);
	b.tasks.v[1].blocked = b.tasks.v[1].iowait = 3; /* it comes to its turn */
	expect(&b, OUTCOME_CLEARED);
	b.tasks.v[1].blocked = b.tasks.v[1].iowait = 6;
	b.tasks.v[1].last.read_bytes = 5000ULL << 20; /* no bystander: it does as much */
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);

	begin(&b, 0.4); /* a copy alone: writeback behind it */
	disk(&b, "vda", 0, deep);
	waiters(&b, 100, 1, "cp", 6, 10000ULL << 20);
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

/* A fast disk that many use at once: always busy, and each request is done in no time. */
static void test_fast_disk(void)
{
	struct window_build b;

	begin(&b, 0.5);
	disk(&b, "nvme0n1", 0, (struct did){ 34000, 0.25, 0, 0, 1.0 });
	waiters(&b, 100, 8, "reader", 4, 1000ULL << 20);
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

/* Tasks in D state while no disk queues: a frozen filesystem, a dead server, an idle io_uring. */
static void test_idle_disk(void)
{
	struct window_build b;

	begin(&b, 1.0);
	disk(&b, "vda", 0, (struct did){ 10, 0.5, 5, 0.5, 0.01 });
	waiters(&b, 100, 20, "stuck", 6, 0);
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

/* The long queue is of one cgroup's tasks at its limit; the disk's own waiters are few. */
static void test_throttled_do_not_count(void)
{
	struct window_build b;

	begin(&b, 1.0);
	disk(&b, "vda", 0, contended);
	struct cgroup *c = window_build_cgroup(&b, 77, "/slow");
	c->controllers = CGROUP_IO;
	c->nio = 1;
	c->io[0] = (struct cgroup_io){ 254, 0, 20 << 20, 0, 320, 0, 4 << 20, CGROUP_UNLIMITED, CGROUP_UNLIMITED,
				       CGROUP_UNLIMITED };
	b.first.cgroups.v[0] = *c;
	b.first.cgroups.v[0].io[0].read_bytes = 0;
	waiters(&b, 100, 8, "limited", 6, 2 << 20);
	vec_each(t, &b.tasks)
		t->last.cgroup[TASK_CGROUP_IO] = 77;
	waiters(&b, 200, 1, "dd", 6, 1000ULL << 20);
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

/* Without BPF, D state counts: PSI is what then contradicts. */
static void test_without_bpf(void)
{
	struct window_build b;

	begin(&b, 0.9);
	disk(&b, "vda", 0, contended);
	waiters(&b, 100, 9, "reader", 6, 1000ULL << 20);
	vec_each(t, &b.tasks)
		t->iowait = 0;
	expect(&b, OUTCOME_CLEARED);
	b.abilities.bpf_tasks = false;
	expect(&b, OUTCOME_FOUND);
	window_build_grow(&b, &b.ticks[0].psi.io.some_ns, NS_PER_S / 10);
	expect(&b, OUTCOME_CLEARED);
	window_build_level(&b, &b.ticks[0].psi.io.some_ns, READING_ABSENT);
	expect(&b, OUTCOME_FOUND);
	window_build_deinit(&b);
}

/* Not root: who does the I/O is denied; the disk is named. */
static void test_not_root(void)
{
	struct window_build b;

	begin(&b, 0.9);
	disk(&b, "vda", 0, contended);
	waiters(&b, 100, 9, "reader", 6, 0);
	vec_each(t, &b.tasks)
		t->last.read_bytes = t->last.write_bytes = READING_DENIED;
	expect(&b, OUTCOME_FOUND);
	CHECK_STR(b.findings.v[0].culprit.kind, "disk");
	CHECK_STR(b.findings.v[0].culprit.name, "vda");
	window_build_deinit(&b);
}

static void test_other_disks(void)
{
	struct window_build b;

	begin(&b, 0.9);
	disk(&b, "dm-0", 1, contended)->stacked = true;
	disk(&b, "zram0", 2, contended);
	waiters(&b, 100, 9, "reader", 6, 1000ULL << 20);
	expect(&b, OUTCOME_CLEARED);
	disk(&b, "sda", 3, contended);
	expect(&b, OUTCOME_FOUND);
	CHECK_U64(b.findings.n, 1);
	window_build_deinit(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;

	begin(&b, 0.9);
	b.last.disks_presence = ABSENT;
	expect(&b, OUTCOME_UNMEASURED);
	b.last.disks_presence = PRESENT;
	expect(&b, OUTCOME_CLEARED);
	disk(&b, "vda", 0, contended);
	b.abilities.tasks = DENIED;
	expect(&b, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_named();
	test_single_streams();
	test_bystander();
	test_fast_disk();
	test_idle_disk();
	test_throttled_do_not_count();
	test_without_bpf();
	test_not_root();
	test_other_disks();
	test_unmeasured();
	return check_exit();
}
