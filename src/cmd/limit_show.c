#include "cmd/limit_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "act/cgroup_members.h"
#include "act/change_journal.h"
#include "act/words.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/output.h"
#include "cmd/processes.h"
#include "source/process/process_limits.h"
#include "source/process/process_status.h"
#include "source/process/task.h"
#include "source/process/user_threads.h"

/* ---- what is used ---- */

/* Both list the kernel's limits by number. */
_Static_assert((int)PROCESS_LIMIT_COUNT == RLIMIT_KINDS, "one row for each resource limit");

static reading number_of_fds(struct host *h, int pid)
{
	cleanup(buf_deinit) struct buf names = { 0 };
	struct span rest, line;
	char path[32];
	uint64_t n = 0;
	int r;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	r = host_list(h, path, &names);
	rest = buf_span(&names);
	while (span_line(&rest, &line))
		n++;
	return r < 0 ? reading_from_errno(r) : n;
}

static reading tasks_of(struct host *h, reading uid)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	user_threads_vec users = { 0 };
	int r = user_threads_read(h, &scratch, &users);
	reading n = r < 0 ? reading_from_errno(r) : READING_ABSENT;

	vec_each(u, &users)
		n = u->uid == uid ? u->threads : n;
	vec_free(&users);
	return n;
}

/* The limits, and what is used of them, in their units: bytes, ns, counts. Limits may be read of everybody. */
struct shown {
	struct process_limits limits;
	reading used[PROCESS_LIMIT_COUNT];
};

static void look_at_status(struct host *h, int pid, struct shown *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct process_status status;
	char path[32];
	int r;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	process_status_missing(READING_ABSENT, &status);
	r = host_read(h, path, &text);
	if (r < 0)
		return;
	process_status_parse(buf_span(&text), &status);
	ret->used[PROCESS_LIMIT_as] = status.virtual_bytes;
	ret->used[PROCESS_LIMIT_data] = status.data_bytes;
	ret->used[PROCESS_LIMIT_stack] = status.stack_bytes;
	ret->used[PROCESS_LIMIT_memlock] = status.locked_bytes;
	ret->used[PROCESS_LIMIT_rss] = status.resident_bytes;
	ret->used[PROCESS_LIMIT_sigpending] = status.signals_queued;
	ret->used[PROCESS_LIMIT_nproc] = tasks_of(h, status.uid[0]);
}

static void look_at_stat(struct host *h, int pid, struct shown *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct task task;
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	task_missing(READING_ABSENT, &task);
	if (host_read(h, path, &text) < 0 || task_stat_parse(buf_span(&text), &task) < 0)
		return;
	ret->used[PROCESS_LIMIT_cpu] = reading_sum(task.user_ns, task.system_ns);
	ret->used[PROCESS_LIMIT_rtprio] = task.rt_priority;
	ret->used[PROCESS_LIMIT_nice] = (uint64_t)(20 - task.nice);
}

static int look(struct host *h, int pid, struct shown *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[32];
	int r;

	for (size_t i = 0; i < PROCESS_LIMIT_COUNT; i++)
		ret->used[i] = READING_ABSENT;
	snprintf(path, sizeof path, "/proc/%d/limits", pid);
	r = host_read(h, path, &text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	process_limits_parse(buf_span(&text), &ret->limits);
	look_at_status(h, pid, ret);
	look_at_stat(h, pid, ret);
	ret->used[PROCESS_LIMIT_nofile] = number_of_fds(h, pid);
	return 0;
}

/* ---- cgroups ---- */

static const struct group_file {
	enum cgroup_controller controller;
	const char *v2, *v1;	     /* the limit */
	const char *v2_used, *v1_used; /* nullable */
	bool bytes;
} group_files[] = {
	{ CGROUP_CPU, "cpu.max", "cpu.cfs_quota_us", NULL, NULL, false },
	{ CGROUP_CPU, NULL, "cpu.cfs_period_us", NULL, NULL, false },
	{ CGROUP_MEMORY, "memory.max", "memory.limit_in_bytes", "memory.current", "memory.usage_in_bytes",
	  true },
	{ CGROUP_MEMORY, "memory.high", NULL, "memory.current", NULL, true },
	{ CGROUP_MEMORY, "memory.swap.max", "memory.memsw.limit_in_bytes", "memory.swap.current",
	  "memory.memsw.usage_in_bytes", true },
	{ CGROUP_PIDS, "pids.max", "pids.max", "pids.current", "pids.current", false },
	{ CGROUP_IO, "io.max", "blkio.throttle.read_bps_device", NULL, NULL, false },
	{ CGROUP_IO, NULL, "blkio.throttle.write_bps_device", NULL, NULL, false },
	{ CGROUP_IO, NULL, "blkio.throttle.read_iops_device", NULL, NULL, false },
	{ CGROUP_IO, NULL, "blkio.throttle.write_iops_device", NULL, NULL, false },
};

struct group_row {
	char dir[CGROUP_DIR_MAX];
	const char *file;
	struct buf limit, used;
	bool bytes;
};

/* False: there is no such limit here. */
static bool group_row(struct host *h, int pid, const struct group_file *f, struct group_row *ret)
{
	char path[CGROUP_DIR_MAX + 48];
	const char *used;
	bool v2;

	*ret = (struct group_row){ .bytes = f->bytes };
	if (cgroup_dir_of(h, pid, f->controller, ret->dir, &v2, NULL) < 0)
		return false;
	ret->file = v2 ? f->v2 : f->v1;
	used = v2 ? f->v2_used : f->v1_used;
	if (!ret->file)
		return false;
	snprintf(path, sizeof path, "%s/%s", ret->dir, ret->file);
	if (change_file_read(path, &ret->limit, NULL) < 0)
		return false;
	if (used) {
		snprintf(path, sizeof path, "%s/%s", ret->dir, used);
		if (change_file_read(path, &ret->used, NULL) < 0)
			buf_clear(&ret->used);
	}
	return true;
}

static void group_row_deinit(struct group_row *r)
{
	buf_deinit(&r->limit);
	buf_deinit(&r->used);
}

/* v1 calls no limit by the largest number of whole pages. */
static void group_value(const struct buf *text, bool bytes, char *ret, size_t size)
{
	uint64_t value;

	if (text->n == 0)
		snprintf(ret, size, "-");
	else if (bytes && span_u64(buf_span(text), &value) && value >= INT64_MAX / 65536 * 65536)
		snprintf(ret, size, "max");
	else if (bytes && span_u64(buf_span(text), &value))
		snprintf(ret, size, "%s", bytes_text((double)value).text);
	else
		snprintf(ret, size, "%s", text->data);
	for (char *c = ret; *c; c++)
		*c = *c == '\n' ? ',' : *c;
}

/* ---- text ---- */

static const char *limit_text(reading value, size_t i, struct units_text *ret)
{
	if (!reading_ok(value))
		snprintf(ret->text, sizeof ret->text, "-");
	else if (value >= PROCESS_UNLIMITED)
		snprintf(ret->text, sizeof ret->text, "unlimited");
	else if (process_limit_about[i].unit == UNIT_BYTES)
		*ret = bytes_text((double)value);
	else if (process_limit_about[i].unit == UNIT_NS)
		*ret = duration_text((double)value / (double)NS_PER_S);
	else
		snprintf(ret->text, sizeof ret->text, "%" PRIu64, value);
	return ret->text;
}

static void put_limits(const struct shown *s, struct cells *cells)
{
	for (size_t i = 0; i < PROCESS_LIMIT_COUNT; i++) {
		struct units_text text;

		cells_put(cells, "%s", process_limit_about[i].name);
		cells_put(cells, "%s", limit_text(s->limits.soft[i], i, &text));
		cells_put(cells, "%s", limit_text(s->limits.hard[i], i, &text));
		cells_put(cells, "%s", limit_text(s->used[i], i, &text));
		cells_put(cells, "%s", rlimit_kinds[i].what);
	}
}

static void put_groups(struct host *h, const struct process *p, struct cells *cells)
{
	for (size_t i = 0; i < sizeof group_files / sizeof group_files[0]; i++) {
		cleanup(group_row_deinit) struct group_row row = { 0 };
		char text[200];

		if (!group_row(h, p->pid, &group_files[i], &row))
			continue;
		cells_put(cells, "%s", row.file);
		group_value(&row.limit, row.bytes, text, sizeof text);
		cells_put(cells, "%s", row.limit.n ? text : "none");
		group_value(&row.used, row.bytes, text, sizeof text);
		cells_put(cells, "%s", text);
		cells_put(cells, "%s", row.dir);
	}
}

static int show_text(struct host *h, const struct process *p, struct page *page)
{
	cleanup(cells_deinit) struct cells limits = {
		.ncolumns = 5,
		.header = { "LIMIT", "SOFT", "HARD", "USED", "OF" },
		.right = { false, true, true, true },
	};
	cleanup(cells_deinit) struct cells groups = {
		.ncolumns = 4,
		.header = { "CGROUP FILE", "LIMIT", "USED", "CGROUP" },
		.right = { false, true, true },
	};
	struct shown s = { 0 };
	int r = look(h, p->pid, &s);

	if (r < 0) {
		say("limit: %d (%s): %s", p->pid, p->comm, r == -ESRCH ? "it has ended" : strerror(-r));
		return r;
	}
	page_tone(page, TONE_STRONG);
	page_put(page, "%d (%s)", p->pid, p->comm);
	page_tone(page, TONE_PLAIN);
	page_newline(page);
	put_limits(&s, &limits);
	cells_page(&limits, page);
	put_groups(h, p, &groups);
	if (groups.cell.n) {
		page_newline(page);
		cells_page(&groups, page);
	}
	return 0;
}

/* ---- JSON ---- */

static void json_limit(struct json *j, const char *key, reading value)
{
	if (reading_ok(value) && value >= PROCESS_UNLIMITED)
		json_string(j, key, "unlimited");
	else
		json_reading(j, key, value);
}

static void json_group(struct host *h, const struct process *p, const struct group_file *f, struct json *j)
{
	cleanup(group_row_deinit) struct group_row row = { 0 };

	if (!group_row(h, p->pid, f, &row))
		return;
	json_object(j, NULL);
	json_string(j, "cgroup", row.dir);
	json_string(j, "file", row.file);
	json_string(j, "limit", row.limit.n ? row.limit.data : "");
	json_string(j, "used", row.used.n ? row.used.data : NULL);
	json_end(j);
}

static int show_json(struct host *h, const struct process *p, struct json *j)
{
	struct shown s = { 0 };
	int r = look(h, p->pid, &s);

	json_object(j, NULL);
	json_u64(j, "pid", (uint64_t)p->pid);
	json_u64(j, "start_ticks", p->start_ticks);
	json_string(j, "name", p->comm);
	json_string(j, "error", r < 0 ? strerror(-r) : NULL);
	json_array(j, "limits");
	for (size_t i = 0; i < PROCESS_LIMIT_COUNT && r == 0; i++) {
		enum field_unit unit = process_limit_about[i].unit;

		json_object(j, NULL);
		json_string(j, "limit", process_limit_about[i].name);
		json_string(j, "unit", unit == UNIT_BYTES ? "bytes" : unit == UNIT_NS ? "ns" : "count");
		json_limit(j, "soft", s.limits.soft[i]);
		json_limit(j, "hard", s.limits.hard[i]);
		json_reading(j, "used", s.used[i]);
		json_end(j);
	}
	json_end(j);
	json_array(j, "cgroups");
	for (size_t i = 0; i < sizeof group_files / sizeof group_files[0]; i++)
		json_group(h, p, &group_files[i], j);
	json_end(j);
	json_end(j);
	return r;
}

int limit_show(struct host *h, const process_vec *v, bool json, bool no_color)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page page = { .out = &text, .style = output_table_style(no_color) };
	struct json j = { .out = &text };
	int code = EXIT_FINE, written;

	if (json) {
		json_object(&j, NULL);
		json_string(&j, "schema", "osprey.limit.show/1");
		json_array(&j, "processes");
	}
	vec_each(p, v) {
		if (!json && p != v->v)
			page_newline(&page);
		if ((json ? show_json(h, p, &j) : show_text(h, p, &page)) < 0)
			code = EXIT_UNABLE;
	}
	if (json) {
		json_end(&j);
		json_end(&j);
		page.error = json_finish(&j);
	}
	written = output_write(buf_span(&text), page.error);
	return code == EXIT_FINE ? written : code;
}
