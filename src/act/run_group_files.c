#include "act/run_group_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct {
	enum cgroup_controller bit;
	const char *name;
} controllers[] = {
	{ CGROUP_CPU, "cpu" }, { CGROUP_MEMORY, "memory" }, { CGROUP_IO, "io" }, { CGROUP_PIDS, "pids" },
};

/* ---- places ---- */

/* "0::/a/b" */
static bool own_v2_path(struct span text, char *ret, size_t size)
{
	struct span line;

	while (span_line(&text, &line))
		if (span_starts(line, "0::/")) {
			span_copy((struct span){ line.p + 3, line.n - 3 }, ret, size);
			return true;
		}
	return false;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* MOUNT/OWN; the mount itself where the caller's path is not visible, as in some containers. */
static void set_parent(struct run_group_part *p, const char *mount, const char *own)
{
	if (own[0] != '/' || strstr(own, "/../") || strcmp(own, "/") == 0 ||
	    (size_t)snprintf(p->parent, sizeof p->parent, "%s%s", mount, own) >= sizeof p->parent ||
	    !is_directory(p->parent))
		snprintf(p->parent, sizeof p->parent, "%s", mount);
}

static void place_v1(const struct cgroup_mount *m, unsigned here, struct span own, struct run_group_place *place)
{
	struct run_group_part *p = &place->v[place->n++];
	char path[192] = "/";

	*p = (struct run_group_part){ .controllers = here };
	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		if ((here & controllers[i].bit) &&
		    cgroup_of_task_parse(own, controllers[i].bit, path, sizeof path) < 0)
			snprintf(path, sizeof path, "/");
	set_parent(p, m->path, path);
}

static unsigned controllers_in(const char *directory, const char *file)
{
	char path[320], text[256];

	snprintf(path, sizeof path, "%s/%s", directory, file);
	return file_read(path, text, sizeof text) < 0 ? 0 : cgroup_controllers_parse(span_from(text));
}

static unsigned v2_gives(const char *directory, unsigned useful, unsigned needed)
{
	return (needed & controllers_in(directory, "cgroup.controllers")) |
	       (useful & controllers_in(directory, "cgroup.subtree_control"));
}

/* Below the caller's group when that gives nothing; beside it otherwise. */
static void place_v2(const struct cgroup_mount *m, unsigned useful, unsigned needed, struct span own,
		     struct run_group_place *place)
{
	struct run_group_part *p = &place->v[place->n++];
	char path[192] = "/";

	*p = (struct run_group_part){ .v2 = true };
	(void)own_v2_path(own, path, sizeof path);
	set_parent(p, m->path, path);
	if (strcmp(p->parent, m->path) != 0) {
		struct run_group_part beside = *p;

		*strrchr(beside.parent, '/') = '\0';
		beside.controllers = v2_gives(beside.parent, useful, needed);
		if (beside.controllers)
			*p = beside;
	} else {
		p->controllers = v2_gives(p->parent, useful, needed);
	}
}

static int mounts_read(struct cgroup_mounts *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct host *h;
	int r = host_open_live("/", &h, note);

	if (r < 0)
		return r;
	r = cgroup_mounts_read(h, &scratch, ret);
	host_free(h);
	return r < 0 ? note_set(note, r, "cgroup mounts: %s", strerror(-r)) : 0;
}

/* v1 first: a controller that is mounted there is not in v2. */
int run_group_places(unsigned useful, unsigned needed, struct run_group_place *ret, struct note *note)
{
	struct run_group_place place = { 0 };
	struct cgroup_mounts mounts;
	char own[4096];
	int r = mounts_read(&mounts, note);

	if (r < 0)
		return r;
	if (file_read("/proc/self/cgroup", own, sizeof own) < 0)
		own[0] = '\0';
	for (int v2 = 0; v2 < 2; v2++)
		for (size_t i = 0; i < mounts.n && place.n < RUN_GROUP_MAX; i++) {
			const struct cgroup_mount *m = &mounts.v[i];

			if (m->v2 != (v2 == 1) || (!v2 && !(m->controllers & useful)))
				continue;
			if (v2)
				place_v2(m, useful, needed, span_from(own), &place);
			else
				place_v1(m, m->controllers & useful, span_from(own), &place);
			needed &= ~place.v[place.n - 1].controllers;
			useful &= ~place.v[place.n - 1].controllers;
		}
	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		if (needed & controllers[i].bit)
			return note_set(note, -EOPNOTSUPP, "this host offers no cgroup controller '%s' here",
					controllers[i].name);
	*ret = place;
	return 0;
}

/* ---- limits ---- */

unsigned run_group_needs(const struct run_group_wish *w)
{
	unsigned needs = 0;

	if (w->cpu_quota_us)
		needs |= CGROUP_CPU;
	if (w->memory_bytes || w->memory_high_bytes || w->has_swap)
		needs |= CGROUP_MEMORY;
	if (w->nio)
		needs |= CGROUP_IO;
	if (w->pids)
		needs |= CGROUP_PIDS;
	return needs;
}

static const struct run_group_part *part_of(const struct run_group *g, enum cgroup_controller c)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->part[i].controllers & (unsigned)c)
			return &g->part[i];
	return NULL;
}

static int set(const struct run_group_part *p, const char *file, const char *text, struct note *note)
{
	char path[320];
	int r;

	snprintf(path, sizeof path, "%s/%s", p->path, file);
	r = file_write(path, text);
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, text, strerror(-r)) : 0;
}

static int set_number(const struct run_group_part *p, const char *file, uint64_t value, struct note *note)
{
	char text[32];

	if (value == SIZE_UNLIMITED)
		return set(p, file, p->v2 || strcmp(file, "pids.max") == 0 ? "max" : "-1", note);
	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return set(p, file, text, note);
}

static int limit_cpu(const struct run_group_part *p, uint64_t quota_us, struct note *note)
{
	char text[64];
	int r;

	if (p->v2) {
		snprintf(text, sizeof text, "%llu %d", (unsigned long long)quota_us, RUN_CPU_PERIOD_US);
		return set(p, "cpu.max", text, note);
	}
	r = set_number(p, "cpu.cfs_period_us", RUN_CPU_PERIOD_US, note);
	if (r == 0)
		r = set_number(p, "cpu.cfs_quota_us", quota_us, note);
	return r != -EINVAL ? r : note_set(note, r, "the CPU limit is refused: the cgroup %s, or one above it, has a lower one",
					     p->parent);
}

static int no_swap_limit(int r, struct note *note)
{
	if (r != -ENOENT)
		return r;
	return note_set(note, -EOPNOTSUPP, "this kernel does not account swap to cgroups: there is no swap limit");
}

/* In v1 the limit is that of memory and swap together. */
static int limit_swap_v1(const struct run_group_part *p, const struct run_group_wish *w, struct note *note)
{
	uint64_t both;

	if (!w->memory_bytes || w->memory_bytes == SIZE_UNLIMITED)
		return note_set(note, -EINVAL, "on cgroup v1 a swap limit needs a memory limit too");
	if (w->swap_bytes == SIZE_UNLIMITED || __builtin_add_overflow(w->memory_bytes, w->swap_bytes, &both))
		both = SIZE_UNLIMITED;
	return no_swap_limit(set_number(p, "memory.memsw.limit_in_bytes", both, note), note);
}

static int limit_memory(const struct run_group_part *p, const struct run_group_wish *w, struct note *note)
{
	int r = 0;

	if (w->memory_high_bytes && !p->v2)
		return note_set(note, -EOPNOTSUPP, "memory.high is of cgroup v2; this host has memory in v1");
	if (w->memory_high_bytes)
		r = set_number(p, "memory.high", w->memory_high_bytes, note);
	if (r == 0 && w->memory_bytes)
		r = set_number(p, p->v2 ? "memory.max" : "memory.limit_in_bytes", w->memory_bytes, note);
	if (r < 0 || !w->has_swap)
		return r;
	return p->v2 ? no_swap_limit(set_number(p, "memory.swap.max", w->swap_bytes, note), note) :
		       limit_swap_v1(p, w, note);
}

static const struct {
	const char *v2, *v1;
	size_t offset;
} io_limits[] = {
	{ "rbps", "blkio.throttle.read_bps_device", offsetof(struct run_io_limit, read_bytes) },
	{ "wbps", "blkio.throttle.write_bps_device", offsetof(struct run_io_limit, write_bytes) },
	{ "riops", "blkio.throttle.read_iops_device", offsetof(struct run_io_limit, reads) },
	{ "wiops", "blkio.throttle.write_iops_device", offsetof(struct run_io_limit, writes) },
};

static int limit_io_v1(const struct run_group_part *p, const struct run_io_limit *l, struct note *note)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT_OF(io_limits); i++) {
		uint64_t value = *(const uint64_t *)((const char *)l + io_limits[i].offset);
		char text[64];

		if (!value)
			continue;
		/* 0: none */
		snprintf(text, sizeof text, "%u:%u %llu", l->major, l->minor,
			 value == SIZE_UNLIMITED ? 0ULL : (unsigned long long)value);
		r = set(p, io_limits[i].v1, text, note);
	}
	return r;
}

static int limit_io(const struct run_group_part *p, const struct run_io_limit *l, struct note *note)
{
	char text[192];
	size_t n = (size_t)snprintf(text, sizeof text, "%u:%u", l->major, l->minor);

	if (!p->v2)
		return limit_io_v1(p, l, note);
	for (size_t i = 0; i < COUNT_OF(io_limits); i++) {
		uint64_t value = *(const uint64_t *)((const char *)l + io_limits[i].offset);

		if (value == SIZE_UNLIMITED)
			n += (size_t)snprintf(text + n, sizeof text - n, " %s=max", io_limits[i].v2);
		else if (value)
			n += (size_t)snprintf(text + n, sizeof text - n, " %s=%llu", io_limits[i].v2,
					      (unsigned long long)value);
	}
	return set(p, "io.max", text, note);
}

int run_group_limit(const struct run_group *g, const struct run_group_wish *w, struct note *note)
{
	const struct run_group_part *io = part_of(g, CGROUP_IO);
	int r = 0;

	if (w->cpu_quota_us)
		r = limit_cpu(part_of(g, CGROUP_CPU), w->cpu_quota_us, note);
	if (r == 0 && (w->memory_bytes || w->memory_high_bytes || w->has_swap))
		r = limit_memory(part_of(g, CGROUP_MEMORY), w, note);
	if (r == 0 && w->pids)
		r = set_number(part_of(g, CGROUP_PIDS), "pids.max", w->pids, note);
	for (size_t i = 0; r == 0 && i < w->nio; i++)
		r = limit_io(io, &w->io[i], note);
	return r;
}

/* ---- figures ---- */

struct reader {
	const struct run_group_part *part;
	char text[8192];
};

/* Empty when it cannot be read. */
static struct span file_of(struct reader *r, const char *name, reading *ret_why)
{
	char path[320];
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", r->part->path, name);
	n = file_read(path, r->text, sizeof r->text);
	*ret_why = n < 0 ? reading_from_errno((int)n) : 0;
	return (struct span){ r->text, n < 0 ? 0 : (size_t)n };
}

static reading number_of(struct reader *r, const char *name)
{
	reading why;
	struct span text = file_of(r, name, &why);
	uint64_t v;

	if (why)
		return why;
	return span_u64(span_trim(text), &v) && reading_ok(v) ? v : READING_MALFORMED;
}

static void stall_of(struct reader *r, const char *name, struct psi_line *ret)
{
	reading why;
	struct span text = file_of(r, name, &why);

	if (why)
		*ret = (struct psi_line){ why, why };
	else
		psi_line_parse(text, ret);
}

/* "max 3" */
static reading pids_hits(struct reader *r)
{
	reading why;
	struct span text = file_of(r, "pids.events", &why), line, word;
	uint64_t v;

	while (!why && span_line(&text, &line))
		if (span_word(&line, &word) && span_is(word, "max") && span_next_u64(&line, &v) && reading_ok(v))
			return v;
	return why ? why : READING_MALFORMED;
}

static void read_memory(struct reader *r, struct run_result *ret)
{
	bool v2 = r->part->v2;
	reading why;
	struct span text = file_of(r, v2 ? "memory.events" : "memory.oom_control", &why);

	if (!why)
		cgroup_memory_events_parse(text, &ret->group);
	if (!v2)
		ret->group.memory_limit_hits = number_of(r, "memory.failcnt");
	ret->memory_peak_bytes = number_of(r, v2 ? "memory.peak" : "memory.max_usage_in_bytes");
}

static void read_part(const struct run_group_part *p, struct run_result *ret)
{
	struct reader r = { .part = p };
	reading why;

	if (p->v2 || (p->controllers & CGROUP_CPU)) {
		struct span text = file_of(&r, "cpu.stat", &why);

		if (!why)
			cgroup_cpu_stat_parse(text, p->v2, &ret->group);
	}
	if (p->controllers & CGROUP_MEMORY)
		read_memory(&r, ret);
	if (p->controllers & CGROUP_PIDS)
		ret->group.pids_limit_hits = pids_hits(&r);
	if (p->v2) {
		stall_of(&r, "cpu.pressure", &ret->group.cpu_stall);
		stall_of(&r, "memory.pressure", &ret->group.memory_stall);
		stall_of(&r, "io.pressure", &ret->group.io_stall);
	}
}

void run_group_read(const struct run_group *g, struct run_result *ret)
{
	cgroup_missing(READING_ABSENT, &ret->group);
	ret->memory_peak_bytes = READING_ABSENT;
	ret->group.controllers = 0;
	for (size_t i = 0; i < g->n; i++) {
		ret->group.controllers |= g->part[i].controllers;
		read_part(&g->part[i], ret);
	}
	if (g->n)
		snprintf(ret->group_path, sizeof ret->group_path, "%.191s", g->part[0].path);
}

reading run_group_cpu_ns(const struct run_group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct reader r = { .part = &g->part[i] };
		struct cgroup c;
		reading why;

		if (!r.part->v2)
			continue;
		cgroup_missing(READING_ABSENT, &c);
		struct span text = file_of(&r, "cpu.stat", &why);
		if (!why)
			cgroup_cpu_stat_parse(text, true, &c);
		if (reading_ok(c.cpu_usage_ns))
			return c.cpu_usage_ns;
	}
	return READING_ABSENT;
}
