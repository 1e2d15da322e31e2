/* The cgroups of a lab, in v1, v2 and hybrid layouts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"
#include "lab/tree.h"

static const struct {
	enum cgroup_controller bit;
	const char *v2, *v1;
} names[] = {
	{ CGROUP_CPU, "cpu", "cpu" },
	{ CGROUP_MEMORY, "memory", "memory" },
	{ CGROUP_IO, "io", "blkio" },
	{ CGROUP_PIDS, "pids", "pids" },
};

enum { NNAMES = sizeof names / sizeof names[0] };

/* ---- where controllers live ---- */

static int mounts_now(struct cgroup_mounts *ret, struct note *note)
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

/* What the root of a v2 hierarchy could hand down, whether it does already or not. */
static unsigned v2_controllers(const char *mount)
{
	char path[128], text[256];

	snprintf(path, sizeof path, "%s/cgroup.controllers", mount);
	return file_read(path, text, sizeof text) < 0 ? 0 : cgroup_controllers_parse(span_from(text));
}

int groups_find(unsigned controllers, struct groups *ret, struct note *note)
{
	struct cgroup_mounts mounts;
	struct groups g = { 0 };
	int r = mounts_now(&mounts, note);

	if (r < 0)
		return r;
	for (size_t i = 0; i < mounts.n && g.n < LAB_MAX_GROUPS; i++) {
		const struct cgroup_mount *m = &mounts.v[i];
		unsigned here = controllers & (m->v2 ? v2_controllers(m->path) : m->controllers);

		if (!here)
			continue;
		g.v[g.n] = (struct group){ .v2 = m->v2, .controllers = here };
		memcpy(g.v[g.n].mount, m->path, sizeof g.v[g.n].mount);
		g.n++;
		controllers &= ~here;
	}
	for (size_t i = 0; i < NNAMES; i++)
		if (controllers & names[i].bit)
			return note_set(note, -EOPNOTSUPP, "no cgroup hierarchy has the %s controller", names[i].v2);
	*ret = g;
	return 0;
}

/* ---- making ---- */

static int controllers_missing(const char *control, unsigned wanted, unsigned *ret)
{
	char text[256];
	ssize_t n = file_read(control, text, sizeof text);

	if (n < 0)
		return (int)n;
	*ret = wanted & ~cgroup_controllers_parse(span_from(text));
	return 0;
}

/* Hands one controller down. When several labs need it the last one takes it back, so each
 * of them has it in its journal. */
static int controller_enable(const char *control, size_t i, bool missing, const char *id, int journal,
			     struct note *note)
{
	char text[16];
	int r = 0;

	if (id && (missing || journal_held_elsewhere(id, JOURNAL_CONTROLLER, control, names[i].v2)))
		r = journal_add(journal, JOURNAL_CONTROLLER, control, names[i].v2, note);
	if (r < 0 || !missing)
		return r;
	snprintf(text, sizeof text, "+%s", names[i].v2);
	r = file_write(control, text);
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", control, text, strerror(-r)) : 0;
}

/* `id` NULL: below our own group, where nothing needs undoing. */
static int controllers_enable(const char *dir, unsigned wanted, const char *id, int journal, struct note *note)
{
	/* Held to the end of this function. */
	cleanup(close_fd) int lock = id ? journal_lock() : -1;
	char control[128];
	unsigned missing = 0;
	int r;

	snprintf(control, sizeof control, "%s/cgroup.subtree_control", dir);
	r = controllers_missing(control, wanted, &missing);
	if (r < 0)
		return note_set(note, r, "%s: %s", control, strerror(-r));
	for (size_t i = 0; r == 0 && i < NNAMES; i++)
		if (wanted & names[i].bit)
			r = controller_enable(control, i, missing & names[i].bit, id, journal, note);
	return r;
}

static int make_dir(const char *path, struct note *note)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return note_set(note, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int group_make(const struct group *g, const char *id, const char *leaf, int journal, struct note *note)
{
	char top[128], path[160];
	int r = 0;

	snprintf(top, sizeof top, "%s/%s", g->mount, id);
	if (g->v2)
		r = controllers_enable(g->mount, g->controllers, id, journal, note);
	if (r == 0)
		r = journal_add(journal, JOURNAL_CGROUP, top, NULL, note);
	if (r == 0)
		r = make_dir(top, note);
	if (r == 0 && g->v2)
		r = controllers_enable(top, g->controllers, NULL, -1, note);
	if (r < 0)
		return r;
	if (!g->v2 && (g->controllers & CGROUP_MEMORY)) {
		/* Else a parent does not count its children's memory; always so since 5.11. */
		snprintf(path, sizeof path, "%s/memory.use_hierarchy", top);
		(void)!file_write(path, "1");
	}
	snprintf(path, sizeof path, "%s/%s", top, leaf);
	return make_dir(path, note);
}

int groups_make(const struct groups *g, const char *id, const char *leaf, int journal, struct note *note)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->n; i++)
		r = group_make(&g->v[i], id, leaf, journal, note);
	return r;
}

int groups_enter(const struct groups *g, const char *id, const char *leaf, struct note *note)
{
	for (size_t i = 0; i < g->n; i++) {
		char path[192];

		snprintf(path, sizeof path, "%s/%s/%s/cgroup.procs", g->v[i].mount, id, leaf);
		int r = file_write(path, "0");

		if (r < 0)
			return note_set(note, r, "%s: %s", path, strerror(-r));
	}
	return 0;
}

/* ---- for scenarios ---- */

int lab_cgroup(struct lab *lab, unsigned controllers, char *ret_path, size_t size, struct note *note)
{
	struct groups g;
	int r;

	if (lab->fault.n)
		return note_set(note, -EEXIST, "the scenario has a cgroup already");
	r = groups_find(controllers, &g, note);
	if (r == 0)
		r = groups_make(&g, lab->id, "fault", lab->journal, note);
	if (r < 0)
		return r;
	lab->fault = g;
	snprintf(ret_path, size, "/%s/fault", lab->id);
	return 0;
}

int lab_cgroup_enter(struct lab *lab, struct note *note)
{
	return groups_enter(&lab->fault, lab->id, "fault", note);
}

static const struct group *fault_group(const struct lab *lab, enum cgroup_controller c)
{
	for (size_t i = 0; i < lab->fault.n; i++)
		if (lab->fault.v[i].controllers & (unsigned)c)
			return &lab->fault.v[i];
	return NULL;
}

static int fault_write(const struct lab *lab, const struct group *g, const char *file, const char *text,
		       struct note *note)
{
	char path[192];
	int r;

	snprintf(path, sizeof path, "%s/%s/fault/%s", g->mount, lab->id, file);
	r = file_write(path, text);
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, text, strerror(-r)) : 0;
}

static int no_controller(struct note *note, const char *name)
{
	return note_set(note, -EINVAL, "lab_cgroup was not asked for the %s controller", name);
}

int lab_cgroup_cpu_quota(struct lab *lab, uint64_t quota_us, uint64_t period_us, struct note *note)
{
	const struct group *g = fault_group(lab, CGROUP_CPU);
	char text[64];
	int r;

	if (!g)
		return no_controller(note, "cpu");
	if (g->v2) {
		snprintf(text, sizeof text, "%llu %llu", (unsigned long long)quota_us,
			 (unsigned long long)period_us);
		return fault_write(lab, g, "cpu.max", text, note);
	}
	snprintf(text, sizeof text, "%llu", (unsigned long long)period_us);
	r = fault_write(lab, g, "cpu.cfs_period_us", text, note);
	snprintf(text, sizeof text, "%llu", (unsigned long long)quota_us);
	return r < 0 ? r : fault_write(lab, g, "cpu.cfs_quota_us", text, note);
}

/* v1 without swap accounting: at least anonymous memory stays where it is. */
static int limit_v1_swap(const struct lab *lab, const struct group *g, const char *text, struct note *note)
{
	int r = fault_write(lab, g, "memory.memsw.limit_in_bytes", text, NULL);

	return r == -ENOENT ? fault_write(lab, g, "memory.swappiness", "0", note) : r;
}

int lab_cgroup_memory_limit(struct lab *lab, uint64_t bytes, struct note *note)
{
	const struct group *g = fault_group(lab, CGROUP_MEMORY);
	char text[64];
	int r;

	if (!g)
		return no_controller(note, "memory");
	snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
	r = fault_write(lab, g, g->v2 ? "memory.max" : "memory.limit_in_bytes", text, note);
	if (r < 0 || lab->has_swap)
		return r;
	if (!g->v2)
		return limit_v1_swap(lab, g, text, note);
	/* Absent when the kernel has no swap: then nothing can escape. */
	r = fault_write(lab, g, "memory.swap.max", "0", note);
	return r == -ENOENT ? 0 : r;
}

int lab_cgroup_pids_limit(struct lab *lab, uint64_t pids, struct note *note)
{
	const struct group *g = fault_group(lab, CGROUP_PIDS);
	char text[64];

	if (!g)
		return no_controller(note, "pids");
	snprintf(text, sizeof text, "%llu", (unsigned long long)pids);
	return fault_write(lab, g, "pids.max", text, note);
}

static int io_limit_v2(struct lab *lab, const struct group *g, const char *device, uint64_t read_bytes_per_s,
		       uint64_t write_bytes_per_s, struct note *note)
{
	char text[128];
	int n = snprintf(text, sizeof text, "%s", device);

	if (read_bytes_per_s)
		n += snprintf(text + n, sizeof text - (size_t)n, " rbps=%llu",
			      (unsigned long long)read_bytes_per_s);
	if (write_bytes_per_s)
		snprintf(text + n, sizeof text - (size_t)n, " wbps=%llu",
			 (unsigned long long)write_bytes_per_s);
	return fault_write(lab, g, "io.max", text, note);
}

int lab_cgroup_io_limit(struct lab *lab, uint32_t major, uint32_t minor, uint64_t read_bytes_per_s,
			uint64_t write_bytes_per_s, struct note *note)
{
	const struct group *g = fault_group(lab, CGROUP_IO);
	char device[32], text[64];
	int r = 0;

	if (!g)
		return no_controller(note, "io");
	snprintf(device, sizeof device, "%u:%u", major, minor);
	if (g->v2)
		return io_limit_v2(lab, g, device, read_bytes_per_s, write_bytes_per_s, note);
	if (read_bytes_per_s) {
		snprintf(text, sizeof text, "%s %llu", device, (unsigned long long)read_bytes_per_s);
		r = fault_write(lab, g, "blkio.throttle.read_bps_device", text, note);
	}
	if (r == 0 && write_bytes_per_s) {
		snprintf(text, sizeof text, "%s %llu", device, (unsigned long long)write_bytes_per_s);
		r = fault_write(lab, g, "blkio.throttle.write_bps_device", text, note);
	}
	return r;
}
