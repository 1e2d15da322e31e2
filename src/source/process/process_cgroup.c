#include "source/process/process_cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static const struct cgroup_mount *mount_of(const struct cgroup_mounts *mounts, enum cgroup_controller controller)
{
	const struct cgroup_mount *v2 = NULL;

	for (size_t i = 0; i < mounts->n; i++) {
		if (mounts->v[i].v2)
			v2 = &mounts->v[i];
		else if (mounts->v[i].controllers & controller)
			return &mounts->v[i];
	}
	return v2;
}

static int read_file(struct host *h, const struct cgroup *g, const char *file, struct buf *ret)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s%s/%s", g->mount, strcmp(g->path, "/") == 0 ? "" : g->path, file);
	return host_read(h, path, ret);
}

static reading read_number(struct host *h, const struct cgroup *g, const char *file, struct buf *scratch)
{
	int r = read_file(h, g, file, scratch);

	return r < 0 ? reading_from_errno(r) : cgroup_limit_parse(buf_span(scratch));
}

static void read_cpu(struct host *h, struct buf *scratch, struct cgroup *g)
{
	if (g->v2) {
		if (read_file(h, g, "cpu.max", scratch) == 0)
			cgroup_cpu_max_parse(buf_span(scratch), g);
	} else {
		struct span quota;
		uint64_t us;

		if (read_file(h, g, "cpu.cfs_quota_us", scratch) == 0) {
			quota = span_trim(buf_span(scratch)); /* -1: none */
			g->cpu_quota_ns = span_u64(quota, &us) && us < UINT64_MAX / 4000 ? us * 1000 : CGROUP_UNLIMITED;
		}
		reading period_us = read_number(h, g, "cpu.cfs_period_us", scratch);
		g->cpu_period_ns = reading_ok(period_us) && period_us < UINT64_MAX / 4000 ? period_us * 1000 : period_us;
	}
	if (read_file(h, g, "cpu.stat", scratch) == 0)
		cgroup_cpu_stat_parse(buf_span(scratch), g->v2, g);
}

static void read_memory(struct host *h, struct buf *scratch, struct cgroup *g)
{
	g->memory_bytes = read_number(h, g, g->v2 ? "memory.current" : "memory.usage_in_bytes", scratch);
	g->memory_limit_bytes = read_number(h, g, g->v2 ? "memory.max" : "memory.limit_in_bytes", scratch);
	/* v1 says the largest multiple of a page for none. */
	if (!g->v2 && reading_ok(g->memory_limit_bytes) && g->memory_limit_bytes > (uint64_t)INT64_MAX / 2)
		g->memory_limit_bytes = CGROUP_UNLIMITED;
	if (g->v2) {
		g->memory_high_bytes = read_number(h, g, "memory.high", scratch);
		g->memory_swap_bytes = read_number(h, g, "memory.swap.current", scratch);
	}
	if (read_file(h, g, g->v2 ? "memory.events" : "memory.oom_control", scratch) == 0)
		cgroup_memory_events_parse(buf_span(scratch), g);
	if (!g->v2)
		g->memory_limit_hits = read_number(h, g, "memory.failcnt", scratch);
}

static void read_pids(struct host *h, struct buf *scratch, struct cgroup *g)
{
	g->pids = read_number(h, g, "pids.current", scratch);
	g->pids_limit = read_number(h, g, "pids.max", scratch);
}

static void read_group(struct host *h, enum cgroup_controller controller, struct buf *scratch, struct cgroup *g)
{
	if (controller == CGROUP_CPU)
		read_cpu(h, scratch, g);
	else if (controller == CGROUP_MEMORY)
		read_memory(h, scratch, g);
	else
		read_pids(h, scratch, g);
}

static int add_group(struct host *h, const struct cgroup_mount *mount, const char *path, bool own,
		     enum cgroup_controller controller, struct buf *scratch, process_cgroup_vec *ret)
{
	struct process_cgroup *p = vec_push(ret);

	if (!p)
		return -ENOMEM;
	cgroup_missing(READING_ABSENT, &p->group);
	p->controller = controller;
	p->own = own;
	p->group.v2 = mount->v2;
	p->group.controllers = controller;
	snprintf(p->group.mount, sizeof p->group.mount, "%s", mount->path);
	snprintf(p->group.path, sizeof p->group.path, "%s", path);
	read_group(h, controller, scratch, &p->group);
	return 0;
}

/* The root itself has no limit. */
static int add_line(struct host *h, const struct cgroup_mount *mount, char *path,
		    enum cgroup_controller controller, struct buf *scratch, process_cgroup_vec *ret)
{
	int r = add_group(h, mount, path, true, controller, scratch, ret);
	char *slash;

	while (r == 0 && (slash = strrchr(path, '/')) && slash != path) {
		*slash = '\0';
		r = add_group(h, mount, path, false, controller, scratch, ret);
	}
	return r;
}

int process_cgroups_read(struct host *h, struct span memberships, struct buf *scratch, process_cgroup_vec *ret)
{
	static const enum cgroup_controller controllers[] = { CGROUP_CPU, CGROUP_MEMORY, CGROUP_PIDS };
	struct cgroup_mounts mounts;
	char path[256];
	int r = cgroup_mounts_read(h, scratch, &mounts);

	ret->n = 0;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < sizeof controllers / sizeof controllers[0]; i++) {
		const struct cgroup_mount *mount = mount_of(&mounts, controllers[i]);

		if (mount && cgroup_of_task_parse(memberships, controllers[i], path, sizeof path) == 0)
			r = add_line(h, mount, path, controllers[i], scratch, ret);
	}
	return r;
}
