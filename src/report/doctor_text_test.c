/* The doctor's text and JSON of hand-built reports, against src/report/golden/. After a
 * wanted change: BLESS=1 build/test/report/doctor_text_test, and read the difference. */
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "report/doctor.h"

static const struct condition throttled = {
	.id = "cpu_throttled", .title = "A cgroup is held back by its CPU quota", .resource = "cpu",
};
static const struct condition saturated = {
	.id = "cpu_saturated", .title = "More tasks want the CPUs than there are", .resource = "cpu",
};
static const struct condition full = {
	.id = "filesystem_full", .title = "A filesystem is full, or will be soon", .resource = "disk",
};
static const struct condition forks = { .id = "fork_storm", .title = "Processes are made at a rate that costs", .resource = "cpu" };
static const struct condition killed = { .id = "oom_kill", .title = "The kernel killed for memory", .resource = "memory" };

static struct finding *find(struct doctor_report *r, const struct condition *c, enum severity severity, double confidence)
{
	struct finding *f = vec_push(&r->diagnosis.findings);

	if (!f)
		abort();
	f->condition = c;
	f->severity = severity;
	f->confidence = confidence;
	f->absorbed_by = -1;
	f->lost_task_s_per_s = f->exhausted_in_s = f->since_s = f->named_after_s = NAN;
	return f;
}

static void add_remark(remark_vec *list, const struct condition *c, const char *text)
{
	struct remark *r = vec_push(list);

	if (!r)
		abort();
	r->condition = c;
	snprintf(r->text, sizeof r->text, "%s", text);
}

static void make_host(struct doctor_report *r)
{
	*r = (struct doctor_report){
		.topology = { .cpus = 2, .nodes = 1, .model = "A CPU", .kernel = "6.1.0-18-amd64", .hostname = "web-7" },
		.abilities = { .root = true, .bpf_tasks = true, .forks_exact = true },
		.from = { .real_ns = UINT64_C(1700000000) * 1000000000 },
		.seconds = 5.002,
		.cost = { .cpu_ms = 12.25, .peak_rss_kib = 9000 },
		.processes = 143,
		.tasks = 411,
	};
	r->counters.memory.total_bytes = UINT64_C(8) << 30;
	r->counters.memory.available_bytes = READING_DENIED;
	r->counters.load.load1_milli = 4250;
}

static void make_healthy(struct doctor_report *r)
{
	make_host(r);
	add_remark(&r->diagnosis.cleared, &saturated, "tasks waited 0.01 s each second for 2 CPUs");
	add_remark(&r->diagnosis.cleared, &forks, "31 forks a second; a storm starts at 500, and this goes on until it no longer fits");
}

static void make_ill(struct doctor_report *r)
{
	make_host(r);
	struct finding *f = find(r, &throttled, SEVERITY_CRITICAL, 0.97);
	finding_title(f, "/app/b\303\274hne\033[31m is stopped by its CPU quota in 100 %% of its periods");
	finding_summary(f, "The 4 tasks of /app may use 0.2 CPUs; they wanted more in 50 of 50 periods and then stood still, "
			   "together for 1.9 s each second.");
	finding_lost(f, 1.9, false);
	f->since_s = 1.25;
	f->named_after_s = 2;
	actor_named(&f->victim, ACTOR_CGROUP, "/app");
	actor_process(&f->culprit, 4711, "bad\nname\xff");
	snprintf(f->culprit.command, sizeof f->culprit.command, "stress --cpu 4 --timeout 60");
	finding_evidence(f, "nr_throttled", 50, "periods", "> 25 %", "/sys/fs/cgroup/cpu/app/cpu.stat");
	finding_evidence(f, "memory.current", 1536.0 * 1024 * 1024, "bytes", "", "/sys/fs/cgroup/memory/app/a-very-long-path-that-cannot-be-broken/and-goes-on");
	finding_evidence(f, "some total", NAN, "%", "> 5 %", "/proc/pressure/cpu");
	finding_proof(f, "thread 12 waits for 0x7f00 that thread 13 holds");
	finding_confirm(f, "cat /sys/fs/cgroup/cpu/app/cpu.stat   # nr_throttled grows");
	finding_mend(f, "echo 400000 > /sys/fs/cgroup/cpu/app/cpu.cfs_quota_us   # 4 CPUs: throttling should stop (now: 20000)");
	finding_mend(f, "run no more threads than the quota has CPUs (GOMAXPROCS, worker counts): the quota then lasts the whole period");

	f = find(r, &full, SEVERITY_RISK, 0.8);
	finding_title(f, "/var is 97 %% full");
	f->exhausted_in_s = 754;
	actor_named(&f->victim, ACTOR_MOUNT, "/var");

	f = find(r, &saturated, SEVERITY_WARNING, 0.9);
	finding_title(f, "2 CPUs, 6 tasks that want them");
	f->absorbed_by = 0;
	actor_host(&f->victim);
	r->diagnosis.nroots = 2;
	add_remark(&r->diagnosis.cleared, &forks, "31 forks a second; a storm starts at 500");
	add_remark(&r->diagnosis.unmeasured, &killed, "the kernel log: needs root or CAP_SYSLOG (kernel.dmesg_restrict is 1)");
}

static void read_file(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	if (!f)
		return;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		if (buf_append(ret, chunk, n) < 0)
			abort();
	fclose(f);
}

static void compare(const char *name, struct span got)
{
	cleanup(buf_deinit) struct buf wanted = { 0 };
	char path[128];

	snprintf(path, sizeof path, "src/report/golden/%s", name);
	if (getenv("BLESS")) {
		FILE *f = fopen(path, "we");
		if (!f || fwrite(got.p, 1, got.n, f) != got.n || fclose(f) != 0)
			abort();
		return;
	}
	read_file(path, &wanted);
	CHECK(wanted.n > 0);
	CHECK(span_equal(buf_span(&wanted), got));
	if (!span_equal(buf_span(&wanted), got))
		fprintf(stderr, "%s: differs; got:\n%.*s\n", path, (int)got.n, got.p);
}

static void check_text(const char *name, void (*make)(struct doctor_report *), struct page_style style,
		       struct doctor_view view)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = style };
	struct doctor_report report;

	make(&report);
	view.report = &report;
	doctor_text(&p, &view);
	CHECK(p.error == 0);
	compare(name, buf_span(&text));
	/* Whatever the host says, nothing but our own colours controls the terminal. */
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.data[i];
		CHECK(c >= 0x20 || c == '\n' || (c == '\033' && style.color));
		CHECK(style.unicode || c < 0x80);
	}
	doctor_report_deinit(&report);
}

static void check_json(const char *name, void (*make)(struct doctor_report *), struct doctor_view view)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct doctor_report report;

	make(&report);
	view.report = &report;
	CHECK(doctor_json(&text, &view) == 0);
	compare(name, buf_span(&text));
	doctor_report_deinit(&report);
}

static void check_progress(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = 60 } };
	struct doctor_report report;

	make_ill(&report);
	doctor_progress(&p, 3.2, &report.diagnosis);
	CHECK(p.column == 60);
	CHECK(strncmp(text.data, "osprey watches, 4 s to go; found so far: /app/b", 47) == 0);
	CHECK(!strchr(text.data, '\n') && !strchr(text.data, '\033'));
	doctor_report_deinit(&report);
}

static void check_verdicts(void)
{
	struct doctor_report report;

	make_ill(&report);
	CHECK(doctor_alarming(&report));
	CHECK(finding_root(&report.diagnosis, 2) == 0);
	report.diagnosis.findings.v[0].absorbed_by = 2; /* a circle ends */
	CHECK(finding_root(&report.diagnosis, 2) < 3);
	doctor_report_deinit(&report);
	make_healthy(&report);
	CHECK(!doctor_alarming(&report));
	doctor_report_deinit(&report);
}

int main(void)
{
	const struct doctor_view view = { .asked_s = 5 }, cut = { .asked_s = 60, .interrupted = true, .all = true };

	check_text("ill-80.txt", make_ill, (struct page_style){ 80, false, true }, view);
	check_text("ill-40.txt", make_ill, (struct page_style){ 40, false, true }, view);
	check_text("ill-200.txt", make_ill, (struct page_style){ 200, false, true }, view);
	check_text("ill-ascii.txt", make_ill, (struct page_style){ 80, false, false }, view);
	check_text("ill-color.txt", make_ill, (struct page_style){ 80, true, true }, view);
	check_text("ill-24-rows.txt", make_ill, (struct page_style){ 80, false, true, 24 }, view);
	check_text("ill-80.txt", make_ill, (struct page_style){ 80, false, true, 200 }, view);
	check_text("healthy-80.txt", make_healthy, (struct page_style){ 80, false, true }, view);
	check_text("interrupted-80.txt", make_healthy, (struct page_style){ 80, false, true }, cut);
	check_json("ill.json", make_ill, view);
	check_json("healthy.json", make_healthy, view);
	check_progress();
	check_verdicts();
	return check_exit();
}
