/* Walking the trees, and not reading what cannot have changed.
 *
 * A directory's list is kept while its inode and link count stay: in kernfs the link count is
 * the number of subdirectories + 2 (measured on 6.18; mtime does not move). One child that
 * goes while another comes leaves the count alone, but then the reading of the one that is
 * gone fails, and the parent is listed again.
 *
 * Files are left unread when a cheaper reading proves that nothing happened:
 * - limits: fifteen times of sixteen;
 * - v1 cpu.stat without a quota: its counters stand still;
 * - memory, pids, cpu and memory stalls of a v2 group whose tasks used no CPU;
 * - v1 memory.stat when neither usage nor failcnt moved;
 * - v1 blkio counters of a group that has no limit and did no I/O so far.
 * While a host is captured everything is read, so that a capture is whole at every tick. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/cgroup/cgroup.h"

#define MAX_CGROUPS 4096
#define MAX_DEPTH 32
#define LIMITS_EVERY 16 /* reads */
#define NONE UINT32_MAX

struct node {
	struct cgroup row; /* kept from read to read */
	char *name;
	uint64_t links; /* 0: list again */
	uint32_t first_child, next;
	bool read_once;
};

struct cgroup_reader {
	struct host *host;
	struct cgroup_mounts mounts;
	uint32_t roots[sizeof((struct cgroup_mounts *)0)->v / sizeof((struct cgroup_mounts *)0)->v[0]];
	VEC(struct node) nodes; /* moves when it grows: hold indexes, not pointers */
	uint32_t unused;	/* list through `next` */
	uint64_t round;
	struct buf text, list;
	char path[PATH_MAX], other_path[PATH_MAX];
	size_t path_n;
};

/* ---- what the host says of directories ---- */

static const char *below_root(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

static int stat_below(struct host *h, const char *path, struct stat *ret)
{
	return fstatat(host_root_fd(h), below_root(path), ret, 0) < 0 ? -errno : 0;
}

static int live_inode(struct host *h, const char *key, void *path, struct buf *ret)
{
	struct stat st;
	int r = stat_below(h, path, &st);

	(void)key;
	return r < 0 ? r : buf_printf(ret, "%llu\n", (unsigned long long)st.st_ino);
}

int host_inode(struct host *h, const char *path, uint64_t *ret)
{
	struct buf text = { 0 };
	char key[PATH_MAX + 16];

	snprintf(key, sizeof key, "inode:%s", path);
	int r = host_fetch(h, key, live_inode, (void *)(uintptr_t)path, &text);
	if (r == 0 && !span_u64(span_trim(buf_span(&text)), ret))
		r = -EBADMSG;
	buf_deinit(&text);
	return r;
}

static int live_directory(struct host *h, const char *key, void *path, struct buf *ret)
{
	struct stat st;
	int r = stat_below(h, path, &st);

	(void)key;
	return r < 0 ? r : buf_printf(ret, "%llu %llu\n", (unsigned long long)st.st_ino,
				      (unsigned long long)st.st_nlink);
}

/* Inode and link count of the directory in r->path, in one call. */
static int read_directory(struct cgroup_reader *r, uint64_t *ret_inode, uint64_t *ret_links)
{
	char key[PATH_MAX + 16];

	snprintf(key, sizeof key, "directory:%s", r->path);
	int result = host_fetch(r->host, key, live_directory, r->path, &r->text);
	if (result < 0)
		return result;
	struct span text = span_trim(buf_span(&r->text));
	return span_next_u64(&text, ret_inode) && span_next_u64(&text, ret_links) ? 0 : -EBADMSG;
}

/* "inode name" a line, directories alone. kernfs tells type and inode in the listing, and
 * allows no newline in a name. */
static int live_dirs(struct host *h, const char *key, void *path, struct buf *ret)
{
	int fd = openat(host_root_fd(h), below_root(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = dir ? 0 : -errno;

	(void)key;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			r = buf_printf(ret, "%llu %s\n", (unsigned long long)entry->d_ino, entry->d_name);
	if (r == 0)
		r = -errno;
	closedir(dir);
	return r;
}

static int read_dirs(struct cgroup_reader *r)
{
	char key[PATH_MAX + 16];

	snprintf(key, sizeof key, "dirs:%s", r->path);
	return host_fetch(r->host, key, live_dirs, r->path, &r->list);
}

/* ---- mounts ---- */

int cgroup_mounts_read(struct host *h, struct buf *scratch, struct cgroup_mounts *ret)
{
	char path[96];
	int r = host_read(h, "/proc/self/mountinfo", scratch);

	if (r < 0)
		return r;
	cgroup_mounts_parse(buf_span(scratch), ret);
	for (size_t i = 0; i < ret->n; i++) {
		if (!ret->v[i].v2)
			continue;
		snprintf(path, sizeof path, "%s/cgroup.controllers", ret->v[i].path);
		if (host_read(h, path, scratch) == 0)
			ret->v[i].controllers = cgroup_controllers_parse(buf_span(scratch));
	}
	return 0;
}

/* ---- nodes ---- */

static int node_new(struct cgroup_reader *r, struct span name, uint64_t id, uint32_t *ret)
{
	char *copy = strndup(name.p, name.n);
	uint32_t at = r->unused;

	if (!copy)
		return -ENOMEM;
	if (at != NONE) {
		r->unused = r->nodes.v[at].next;
	} else if (vec_push(&r->nodes)) {
		at = (uint32_t)r->nodes.n - 1;
	} else {
		free(copy);
		return -ENOMEM;
	}
	struct node *node = &r->nodes.v[at];
	*node = (struct node){ .name = copy, .first_child = NONE, .next = NONE };
	node->row.id = id;
	*ret = at;
	return 0;
}

static void nodes_free(struct cgroup_reader *r, uint32_t first)
{
	while (first != NONE) {
		struct node *node = &r->nodes.v[first];
		uint32_t next = node->next;

		nodes_free(r, node->first_child);
		free(node->name);
		node->name = NULL;
		node->first_child = NONE;
		node->next = r->unused;
		r->unused = first;
		first = next;
	}
}

/* The child, taken out of the list at *link. */
static uint32_t unlink_child(struct cgroup_reader *r, uint32_t *first, uint64_t id, struct span name)
{
	for (uint32_t before = NONE, at = *first; at != NONE; before = at, at = r->nodes.v[at].next) {
		struct node *node = &r->nodes.v[at];

		if (node->row.id != id || !span_is(name, node->name))
			continue;
		if (before == NONE)
			*first = node->next;
		else
			r->nodes.v[before].next = node->next;
		node->next = NONE;
		return at;
	}
	return NONE;
}

/* Lists the directory in r->path anew. Children that stay keep their node; the kernel lists
 * in a steady order, so those are found at the front of the old list. */
static int relist(struct cgroup_reader *r, uint32_t parent)
{
	uint32_t old = r->nodes.v[parent].first_child, first = NONE, last = NONE, at;
	struct span text, line;
	uint64_t id;
	int result = read_dirs(r);

	if (result < 0)
		return result;
	text = buf_span(&r->list);
	while (result == 0 && span_line(&text, &line)) {
		if (!span_next_u64(&line, &id) || line.n < 2)
			continue;
		struct span name = { line.p + 1, line.n - 1 };
		at = unlink_child(r, &old, id, name);
		if (at == NONE)
			result = node_new(r, name, id, &at);
		if (result < 0)
			break;
		if (last == NONE)
			first = at;
		else
			r->nodes.v[last].next = at;
		last = at;
	}
	nodes_free(r, old);
	r->nodes.v[parent].first_child = first;
	return result;
}

/* ---- files ---- */

static int read_file(struct cgroup_reader *r, const char *file)
{
	size_t n = strlen(file);

	if (r->path_n + 1 + n >= sizeof r->path)
		return -ENAMETOOLONG;
	r->path[r->path_n] = '/';
	memcpy(r->path + r->path_n + 1, file, n + 1);
	int result = host_read(r->host, r->path, &r->text);
	r->path[r->path_n] = '\0';
	return result;
}

static reading read_number(struct cgroup_reader *r, const char *file, reading (*parse)(struct span text))
{
	int result = read_file(r, file);

	return result < 0 ? reading_from_errno(result) : parse(buf_span(&r->text));
}

static reading parse_count(struct span text)
{
	uint64_t v;

	return span_u64(span_trim(text), &v) && reading_ok(v) ? v : READING_MALFORMED;
}

static reading parse_limit_us(struct span text)
{
	reading us = cgroup_limit_parse(text);

	if (!reading_ok(us) || us == CGROUP_UNLIMITED)
		return us;
	return __builtin_mul_overflow(us, UINT64_C(1000), &us) ? READING_MALFORMED : us;
}

static void read_stall(struct cgroup_reader *r, const char *file, bool again, struct psi_line *ret)
{
	if (again || reading_ok(ret->some_ns)) {
		int result = read_file(r, file);

		*ret = (struct psi_line){ reading_from_errno(result), reading_from_errno(result) };
		if (result == 0)
			psi_line_parse(buf_span(&r->text), ret);
	}
}

static void read_pids(struct cgroup_reader *r, bool again, bool active, struct cgroup *row)
{
	struct span line, name;
	uint64_t v;

	if (again)
		row->pids_limit = read_number(r, "pids.max", cgroup_limit_parse);
	if (!again && (!active || row->pids_limit == CGROUP_UNLIMITED))
		return; /* without a limit none is hit */
	row->pids = read_number(r, "pids.current", parse_count);
	if (read_file(r, "pids.events") < 0)
		return;
	struct span text = buf_span(&r->text);
	while (span_line(&text, &line))
		if (span_word(&line, &name) && span_is(name, "max"))
			row->pids_limit_hits = span_next_u64(&line, &v) && reading_ok(v) ? v : READING_MALFORMED;
}

/* ---- v2 ---- */

static void read_v2_memory(struct cgroup_reader *r, bool again, bool active, struct cgroup *row)
{
	if (again) {
		row->memory_limit_bytes = read_number(r, "memory.max", cgroup_limit_parse);
		row->memory_high_bytes = read_number(r, "memory.high", cgroup_limit_parse);
	}
	if (again || (active && reading_or(row->memory_swap_bytes, 0)))
		row->memory_swap_bytes = read_number(r, "memory.swap.current", parse_count);
	if (!active)
		return;
	row->memory_bytes = read_number(r, "memory.current", parse_count);
	if (read_file(r, "memory.events") == 0)
		cgroup_memory_events_parse(buf_span(&r->text), row);
	if (read_file(r, "memory.stat") == 0)
		cgroup_memory_stat_parse(buf_span(&r->text), true, row);
}

static void read_v2(struct cgroup_reader *r, bool again, struct cgroup *row)
{
	reading used = row->cpu_usage_ns;

	if (again && read_file(r, "cgroup.controllers") == 0)
		row->controllers = cgroup_controllers_parse(buf_span(&r->text));
	if (read_file(r, "cpu.stat") == 0)
		cgroup_cpu_stat_parse(buf_span(&r->text), true, row);
	bool active = again || row->cpu_usage_ns != used;
	if (again && (row->controllers & CGROUP_CPU) && read_file(r, "cpu.max") == 0)
		cgroup_cpu_max_parse(buf_span(&r->text), row);
	if (row->controllers & CGROUP_MEMORY)
		read_v2_memory(r, again, active, row);
	if (row->controllers & CGROUP_PIDS)
		read_pids(r, again, active, row);
	if (row->controllers & CGROUP_IO) {
		if (again && read_file(r, "io.max") == 0)
			cgroup_io_max_parse(buf_span(&r->text), row);
		if (read_file(r, "io.stat") == 0)
			cgroup_io_stat_parse(buf_span(&r->text), row);
	}
	/* Tasks that wait for a disk all the time use no CPU. */
	read_stall(r, "io.pressure", again, &row->io_stall);
	if (active) {
		read_stall(r, "cpu.pressure", again, &row->cpu_stall);
		read_stall(r, "memory.pressure", again, &row->memory_stall);
	}
}

/* ---- v1 ---- */

static void read_v1_cpu(struct cgroup_reader *r, bool again, struct cgroup *row)
{
	if (again) {
		row->cpu_quota_ns = read_number(r, "cpu.cfs_quota_us", parse_limit_us);
		row->cpu_period_ns = read_number(r, "cpu.cfs_period_us", parse_limit_us);
	}
	if ((again || row->cpu_quota_ns != CGROUP_UNLIMITED) && read_file(r, "cpu.stat") == 0)
		cgroup_cpu_stat_parse(buf_span(&r->text), false, row);
	if (!r->mounts.cpuacct[0])
		return;
	int n = snprintf(r->other_path, sizeof r->other_path, "%s%s/cpuacct.usage", r->mounts.cpuacct,
			 r->path + strlen(row->mount));
	if (n < 0 || (size_t)n >= sizeof r->other_path)
		return;
	int result = host_read(r->host, r->other_path, &r->text);
	row->cpu_usage_ns = result < 0 ? reading_from_errno(result) : parse_count(buf_span(&r->text));
}

/* A group whose limit on memory and swap equals that on memory counts its hits in the first's
 * counter alone. That file is there only with swap accounting. */
static reading v1_limit_hits(struct cgroup_reader *r)
{
	reading hits = read_number(r, "memory.failcnt", parse_count);

	if (!reading_ok(hits))
		return hits;
	return hits + reading_or(read_number(r, "memory.memsw.failcnt", parse_count), 0);
}

static void read_v1_memory(struct cgroup_reader *r, bool again, struct cgroup *row)
{
	reading used = row->memory_bytes, hits = row->memory_limit_hits;

	if (again)
		row->memory_limit_bytes = read_number(r, "memory.limit_in_bytes", cgroup_limit_parse);
	row->memory_bytes = read_number(r, "memory.usage_in_bytes", parse_count);
	if (again || row->memory_limit_bytes != CGROUP_UNLIMITED)
		row->memory_limit_hits = v1_limit_hits(r);
	if (!again && row->memory_bytes == used && row->memory_limit_hits == hits)
		return;
	if (read_file(r, "memory.oom_control") == 0)
		cgroup_memory_events_parse(buf_span(&r->text), row);
	if (read_file(r, "memory.stat") == 0)
		cgroup_memory_stat_parse(buf_span(&r->text), false, row);
}

static void read_v1_io(struct cgroup_reader *r, bool again, struct cgroup *row)
{
	static const char *const limits[] = { "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
					      "blkio.throttle.read_iops_device",
					      "blkio.throttle.write_iops_device" };
	static const char *const passed[] = { "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced" };

	for (size_t i = 0; again && i < sizeof limits / sizeof limits[0]; i++)
		if (read_file(r, limits[i]) == 0)
			cgroup_blkio_parse(buf_span(&r->text), limits[i], row);
	for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
		if ((row->nio || (again && i == 0)) && read_file(r, passed[i]) == 0)
			cgroup_blkio_parse(buf_span(&r->text), passed[i], row);
}

static void read_v1(struct cgroup_reader *r, bool again, struct cgroup *row)
{
	if (row->controllers & CGROUP_CPU)
		read_v1_cpu(r, again, row);
	if (row->controllers & CGROUP_MEMORY)
		read_v1_memory(r, again, row);
	if (row->controllers & CGROUP_IO)
		read_v1_io(r, again, row);
	if (row->controllers & CGROUP_PIDS)
		read_pids(r, again, true, row);
}

/* ---- the walk ---- */

static void begin_row(struct cgroup_reader *r, const struct cgroup_mount *mount, struct node *node)
{
	struct cgroup *row = &node->row;
	size_t prefix = strlen(mount->path);

	cgroup_missing(READING_ABSENT, row);
	row->v2 = mount->v2;
	row->controllers = mount->controllers;
	memcpy(row->mount, mount->path, sizeof row->mount);
	struct span below = { r->path + prefix, r->path_n - prefix };
	span_copy(below.n ? below : SPAN("/"), row->path, sizeof row->path);
	node->links = 0;
	node->read_once = true;
}

static void read_row(struct cgroup_reader *r, const struct cgroup_mount *mount, uint32_t at)
{
	struct node *node = &r->nodes.v[at];
	/* Spread over the rounds by position, so that no round pays for all limits. */
	bool again = !node->read_once || host_is_textual(r->host) || (r->round + at) % LIMITS_EVERY == 0;

	if (!node->read_once)
		begin_row(r, mount, node);
	if (mount->v2)
		read_v2(r, again, &node->row);
	else
		read_v1(r, again, &node->row);
}

/* The inode tells a directory from another that was made later under its name. */
static int check_directory(struct cgroup_reader *r, uint32_t at, bool *ret_list, uint64_t *ret_links)
{
	struct node *node = &r->nodes.v[at];
	uint64_t id;
	int result = read_directory(r, &id, ret_links);

	if (result < 0)
		return result;
	if (node->row.id != id)
		node->read_once = false;
	node->row.id = id;
	*ret_list = !node->read_once || *ret_links != node->links || host_is_textual(r->host);
	return 0;
}

struct walk {
	struct cgroup_reader *r;
	const struct cgroup_mount *mount;
	cgroup_vec *rows;
	size_t most; /* rows, with those of the hierarchies before */
	bool truncated;
};

static int walk(struct walk *w, uint32_t at, unsigned depth);

/* A child that has gone makes its parent be listed again, next time. */
static int walk_children(struct walk *w, uint32_t parent, unsigned depth)
{
	struct cgroup_reader *r = w->r;
	size_t n = r->path_n;
	bool lost = false;

	for (uint32_t at = r->nodes.v[parent].first_child, next; at != NONE; at = next) {
		const char *name = r->nodes.v[at].name;
		size_t length = strlen(name);

		next = r->nodes.v[at].next;
		if (n + 1 + length >= sizeof r->path || depth == MAX_DEPTH) {
			w->truncated = true;
			continue;
		}
		r->path[n] = '/';
		memcpy(r->path + n + 1, name, length + 1);
		r->path_n = n + 1 + length;
		int result = walk(w, at, depth + 1);
		r->path_n = n;
		r->path[n] = '\0';
		if (result == -ENOMEM)
			return result;
		lost |= result < 0;
	}
	if (lost)
		r->nodes.v[parent].links = 0;
	return 0;
}

static int walk(struct walk *w, uint32_t at, unsigned depth)
{
	struct cgroup_reader *r = w->r;
	uint64_t links; /* from before the listing: what comes in between changes it again */
	bool list;

	if (w->rows->n >= w->most) {
		w->truncated = true;
		return 0;
	}
	int result = check_directory(r, at, &list, &links);
	if (result < 0)
		return result;
	read_row(r, w->mount, at);
	struct cgroup *row = vec_push(w->rows);
	if (!row)
		return -ENOMEM;
	*row = r->nodes.v[at].row;
	if (list) {
		result = relist(r, at);
		if (result < 0)
			return result;
		r->nodes.v[at].links = links;
	}
	return walk_children(w, at, depth);
}

/* Every hierarchy has its share of the places that are left: or the first of v1 might take all, and
 * the groups of the others would not be seen at all. */
static int read_mount(struct cgroup_reader *r, size_t i, cgroup_vec *ret, bool *truncated)
{
	size_t most = ret->n + (MAX_CGROUPS - ret->n) / (r->mounts.n - i);
	struct walk w = { r, &r->mounts.v[i], ret, most, false };
	int result = 0;

	span_copy(span_from(w.mount->path), r->path, sizeof r->path);
	r->path_n = strlen(r->path);
	if (r->roots[i] == NONE)
		result = node_new(r, SPAN(""), 0, &r->roots[i]);
	if (result == 0)
		result = walk(&w, r->roots[i], 0);
	*truncated |= w.truncated;
	return result == -ENOMEM ? result : 0; /* a mount that has gone has no groups */
}

int cgroups_read(struct cgroup_reader *r, cgroup_vec *ret, bool *ret_truncated)
{
	bool truncated = false;
	int result = 0;

	ret->n = 0;
	for (size_t i = 0; result == 0 && i < r->mounts.n; i++)
		result = read_mount(r, i, ret, &truncated);
	r->round++;
	if (result == 0)
		*ret_truncated = truncated;
	return result;
}

int cgroup_reader_new(struct host *h, struct cgroup_reader **ret)
{
	struct cgroup_reader *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->host = h;
	r->unused = NONE;
	for (size_t i = 0; i < sizeof r->roots / sizeof r->roots[0]; i++)
		r->roots[i] = NONE;
	if (cgroup_mounts_read(h, &r->text, &r->mounts) < 0)
		r->mounts.n = 0; /* no mounts are no cgroups */
	*ret = r;
	return 0;
}

void cgroup_reader_free(struct cgroup_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->mounts.n; i++)
		nodes_free(r, r->roots[i]);
	vec_free(&r->nodes);
	buf_deinit(&r->text);
	buf_deinit(&r->list);
	free(r);
}
