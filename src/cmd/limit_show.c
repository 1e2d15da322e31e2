#include "cmd/limit_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "act/cgroup_members.h"
#include "act/change_journal.h"
#include "act/words.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/output.h"
#include "cmd/processes.h"
#include "source/process/task.h"

struct used {
	reading value[RLIMIT_KINDS]; /* in the unit of the limit */
};

/* ---- what is used ---- */

/* "VmSize:     1234 kB" */
static bool status_number(struct span line, const char *key, uint64_t *ret)
{
	struct span name;

	return span_until(&line, ':', &name) && span_is(name, key) && span_next_u64(&line, ret);
}

static void take_status(struct span text, struct used *u, uint32_t *ret_uid)
{
	static const struct {
		const char *key;
		int resource;
	} sizes[] = { { "VmSize", RLIMIT_AS }, { "VmData", RLIMIT_DATA }, { "VmStk", RLIMIT_STACK },
		      { "VmLck", RLIMIT_MEMLOCK }, { "VmRSS", RLIMIT_RSS } };
	struct span line, key, used;
	uint64_t value;

	while (span_line(&text, &line)) {
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			if (status_number(line, sizes[i].key, &value))
				u->value[sizes[i].resource] = value * 1024;
		}
		if (status_number(line, "Uid", &value))
			*ret_uid = (uint32_t)value; /* the real one: tasks are counted by it */
		if (span_starts(line, "SigQ:") && span_until(&line, ':', &key) && span_until(&line, '/', &used) &&
		    span_u64(span_trim(used), &value))
			u->value[RLIMIT_SIGPENDING] = value;
	}
}

static int number_of_fds(struct host *h, int pid, reading *ret)
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
	*ret = r < 0 ? reading_from_errno(r) : n;
	return r;
}

/* All tasks of the user, which is what nproc is held against. */
static reading tasks_of(struct host *h, uint32_t uid)
{
	cleanup(buf_deinit) struct buf names = { 0 }, text = { 0 };
	struct span rest, pid, line;
	uint64_t total = 0;

	if (host_list(h, "/proc", &names) < 0)
		return READING_DENIED;
	rest = buf_span(&names);
	while (span_line(&rest, &pid)) {
		uint64_t number, owner = UINT64_MAX, threads = 0;
		struct span status;
		char path[32];

		if (!span_u64(pid, &number))
			continue;
		snprintf(path, sizeof path, "/proc/%" PRIu64 "/status", number);
		if (host_read(h, path, &text) < 0)
			continue;
		status = buf_span(&text);
		while (span_line(&status, &line)) {
			if (!status_number(line, "Uid", &owner))
				(void)status_number(line, "Threads", &threads);
		}
		total += owner == uid ? threads : 0;
	}
	return total;
}

static void look(struct host *h, int pid, struct used *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct task task;
	uint32_t uid = UINT32_MAX;
	char path[32];

	for (size_t i = 0; i < RLIMIT_KINDS; i++)
		ret->value[i] = READING_ABSENT;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	if (host_read(h, path, &text) == 0)
		take_status(buf_span(&text), ret, &uid);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	task_missing(READING_ABSENT, &task);
	if (host_read(h, path, &text) == 0 && task_stat_parse(buf_span(&text), &task) == 0) {
		reading ns = reading_sum(task.user_ns, task.system_ns);

		ret->value[RLIMIT_CPU] = reading_ok(ns) ? ns / NS_PER_S : ns;
		ret->value[RLIMIT_RTPRIO] = task.rt_priority;
		ret->value[RLIMIT_NICE] = (uint64_t)(20 - task.nice);
	}
	(void)number_of_fds(h, pid, &ret->value[RLIMIT_NOFILE]);
	if (uid != UINT32_MAX)
		ret->value[RLIMIT_NPROC] = tasks_of(h, uid);
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

static void limit_text(uint64_t value, const struct rlimit_kind *k, char *ret, size_t size)
{
	if (value == RLIM_INFINITY)
		snprintf(ret, size, "unlimited");
	else if (k->unit == RLIMIT_IN_BYTES)
		snprintf(ret, size, "%s", bytes_text((double)value).text);
	else if (k->unit == RLIMIT_IN_SECONDS)
		snprintf(ret, size, "%s", duration_text((double)value).text);
	else if (k->unit == RLIMIT_IN_US)
		snprintf(ret, size, "%s", duration_text((double)value / 1e6).text);
	else
		snprintf(ret, size, "%" PRIu64, value);
}

static int put_rlimits(const struct process *p, const struct used *u, struct cells *cells)
{
	for (size_t i = 0; i < RLIMIT_KINDS; i++) {
		const struct rlimit_kind *k = &rlimit_kinds[i];
		char text[40];
		struct rlimit now;

		if (prlimit(p->pid, (enum __rlimit_resource)k->resource, NULL, &now) < 0)
			return -errno;
		cells_put(cells, "%s", k->name);
		limit_text(now.rlim_cur, k, text, sizeof text);
		cells_put(cells, "%s", text);
		limit_text(now.rlim_max, k, text, sizeof text);
		cells_put(cells, "%s", text);
		snprintf(text, sizeof text, "-");
		if (reading_ok(u->value[i]))
			limit_text(u->value[i], k, text, sizeof text);
		cells_put(cells, "%s", text);
		cells_put(cells, "%s", k->what);
	}
	return 0;
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

static const char *refused(int r)
{
	return r == -EPERM ? "limits of another user's process: needs CAP_SYS_RESOURCE (root)" :
	       r == -ESRCH ? "it has ended" : strerror(-r);
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
	struct used u;
	int r;

	look(h, p->pid, &u);
	page_tone(page, TONE_STRONG);
	page_put(page, "%d (%s)", p->pid, p->comm);
	page_tone(page, TONE_PLAIN);
	page_newline(page);
	r = put_rlimits(p, &u, &limits);
	if (r == 0)
		cells_page(&limits, page);
	else
		say("limit: %d (%s): %s", p->pid, p->comm, refused(r));
	put_groups(h, p, &groups);
	if (groups.cell.n) {
		page_newline(page);
		cells_page(&groups, page);
	}
	return r;
}

/* ---- JSON ---- */

static void json_limit(struct json *j, const char *key, rlim_t value)
{
	if (value == RLIM_INFINITY)
		json_string(j, key, "unlimited");
	else
		json_u64(j, key, value);
}

static int show_json(struct host *h, const struct process *p, struct json *j)
{
	static const char *const units[] = { [RLIMIT_IN_BYTES] = "bytes", [RLIMIT_IN_COUNTS] = "count",
					     [RLIMIT_IN_SECONDS] = "seconds", [RLIMIT_IN_US] = "us" };
	struct used u;
	int r = 0;

	look(h, p->pid, &u);
	json_object(j, NULL);
	json_u64(j, "pid", (uint64_t)p->pid);
	json_u64(j, "start_ticks", p->start_ticks);
	json_string(j, "name", p->comm);
	json_array(j, "limits");
	for (size_t i = 0; i < RLIMIT_KINDS && r == 0; i++) {
		struct rlimit now;

		r = prlimit(p->pid, (enum __rlimit_resource)rlimit_kinds[i].resource, NULL, &now) < 0 ? -errno
												      : 0;
		if (r < 0)
			break;
		json_object(j, NULL);
		json_string(j, "limit", rlimit_kinds[i].name);
		json_string(j, "unit", units[rlimit_kinds[i].unit]);
		json_limit(j, "soft", now.rlim_cur);
		json_limit(j, "hard", now.rlim_max);
		json_reading(j, "used", u.value[i]);
		json_end(j);
	}
	json_end(j);
	json_string(j, "error", r < 0 ? refused(r) : NULL);
	json_array(j, "cgroups");
	for (size_t i = 0; i < sizeof group_files / sizeof group_files[0]; i++) {
		cleanup(group_row_deinit) struct group_row row = { 0 };

		if (!group_row(h, p->pid, &group_files[i], &row))
			continue;
		json_object(j, NULL);
		json_string(j, "cgroup", row.dir);
		json_string(j, "file", row.file);
		json_string(j, "limit", row.limit.n ? row.limit.data : "");
		json_string(j, "used", row.used.n ? row.used.data : NULL);
		json_end(j);
	}
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
