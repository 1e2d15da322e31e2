#include "act/cgroup_limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "act/words.h"
#include "base/cleanup.h"
#include "lab/file.h"

/* ---- io: one word of one device's line ---- */

static const struct {
	const char *word, *v1_file;
	size_t offset;
} io_words[] = {
	{ "rbps", "blkio.throttle.read_bps_device", offsetof(struct run_io_limit, read_bytes) },
	{ "wbps", "blkio.throttle.write_bps_device", offsetof(struct run_io_limit, write_bytes) },
	{ "riops", "blkio.throttle.read_iops_device", offsetof(struct run_io_limit, reads) },
	{ "wiops", "blkio.throttle.write_iops_device", offsetof(struct run_io_limit, writes) },
};

/* "io 8:0 rbps" */
static bool io_attribute(const char *attribute, struct span *ret_device, struct span *ret_word)
{
	struct span rest = span_from(attribute), io;

	return span_word(&rest, &io) && span_is(io, "io") && span_word(&rest, ret_device) &&
	       span_word(&rest, ret_word);
}

static bool is_v2_io(const char *path)
{
	size_t n = strlen(path);

	return n > 7 && strcmp(path + n - 7, "/io.max") == 0;
}

/* A device without a line, and a word that is not in it, have no limit. */
static struct span io_value(struct span text, struct span device, struct span word, bool v2)
{
	struct span line, name, pair, key;

	while (span_line(&text, &line)) {
		if (!span_word(&line, &name) || !span_equal(name, device))
			continue;
		if (!v2)
			return span_trim(line);
		while (span_word(&line, &pair)) {
			if (span_until(&pair, '=', &key) && span_equal(key, word))
				return pair;
		}
	}
	return SPAN("max");
}

static int io_read(const char *path, const char *attribute, struct buf *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span device, word, value;
	int r;

	if (!io_attribute(attribute, &device, &word))
		return note_set(note, -EBADMSG, "'%s' is no limit of I/O", attribute);
	r = change_file_read(path, &text, note);
	if (r < 0)
		return r;
	value = io_value(buf_span(&text), device, word, is_v2_io(path));
	return buf_append(ret, value.p, value.n);
}

static int io_write(const char *path, const char *attribute, const char *text, struct note *note)
{
	struct span device, word;
	char line[128];
	int r;

	if (!io_attribute(attribute, &device, &word))
		return note_set(note, -EBADMSG, "'%s' is no limit of I/O", attribute);
	if (is_v2_io(path))
		snprintf(line, sizeof line, "%.*s %.*s=%s", (int)device.n, device.p, (int)word.n, word.p, text);
	else
		snprintf(line, sizeof line, "%.*s %s", (int)device.n, device.p,
			 strcmp(text, "max") == 0 ? "0" : text);
	r = file_write(path, line);
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, line, strerror(-r)) : 0;
}

static int access_read(const struct change *c, const struct change_value *v, struct buf *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf whole = { 0 };
	int r = change_file_access.read(c, v, &whole, note); /* for its look at who the file is */

	return r < 0 ? r : io_read(c->path, c->attribute, ret, note);
}

static int access_write(const struct change *c, const struct change_value *v, const char *text, struct note *note)
{
	(void)v;
	return io_write(c->path, c->attribute, text, note);
}

static const struct change_access io_access = { .read = access_read, .write = access_write };

#define UNLIMITED_V1 (INT64_MAX / 65536 * 65536)

/* ---- v1: no limit is -1, and the largest number of whole pages ---- */

static bool is_v1_number(const char *path)
{
	return strstr(path, "limit_in_bytes") || strstr(path, "cpu.cfs_quota_us");
}

static int number_read(const char *path, struct buf *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	uint64_t value = 0;
	int r = change_file_read(path, &text, note);
	bool none;

	if (r < 0)
		return r;
	none = span_is(buf_span(&text), "-1") || (span_u64(buf_span(&text), &value) && value >= UNLIMITED_V1);
	return is_v1_number(path) && none ? buf_append(ret, "max", 3)
					  : buf_append(ret, text.data ? text.data : "", text.n);
}

static int number_write(const char *path, const char *text, struct note *note)
{
	int r = file_write(path, is_v1_number(path) && strcmp(text, "max") == 0 ? "-1" : text);

	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, text, strerror(-r)) : 0;
}

static int number_access_read(const struct change *c, const struct change_value *v, struct buf *ret,
			      struct note *note)
{
	cleanup(buf_deinit) struct buf whole = { 0 };
	int r = change_file_access.read(c, v, &whole, note); /* for its look at who the file is */

	return r < 0 ? r : number_read(c->path, ret, note);
}

static int number_access_write(const struct change *c, const struct change_value *v, const char *text,
			       struct note *note)
{
	(void)v;
	return number_write(c->path, text, note);
}

static const struct change_access number_access = { .read = number_access_read, .write = number_access_write };

const struct change_access *cgroup_limit_access(const struct change *c)
{
	if (c->kind != CHANGE_FILE)
		return NULL;
	return strncmp(c->attribute, "io ", 3) == 0 ? &io_access : &number_access;
}

/* ---- plans ---- */

struct plan {
	struct host *h;
	int pid;
	struct cgroup_write *write;
	size_t n;
	struct note *note;
};

static const char *controller_name(enum cgroup_controller c)
{
	return c == CGROUP_CPU ? "cpu" : c == CGROUP_MEMORY ? "memory" : c == CGROUP_IO ? "io" : "pids";
}

static int find_dir(struct plan *p, enum cgroup_controller controller, char *ret_dir, bool *ret_v2)
{
	char probe[CGROUP_DIR_MAX + 48];
	int r = cgroup_dir_of(p->h, p->pid, controller, ret_dir, ret_v2, NULL);

	if (r == -ESRCH)
		return note_set(p->note, r, "it has ended");
	if (r < 0)
		return note_set(p->note, r, "no cgroup hierarchy here has the controller %s",
				controller_name(controller));
	snprintf(probe, sizeof probe, "%s/cgroup.procs", ret_dir);
	if (access(probe, F_OK) < 0)
		return note_set(p->note, -ENOENT, "its cgroup %s is not to be seen from here", ret_dir);
	/* In v1 the root has the files, but takes no value. */
	snprintf(probe, sizeof probe, "%s/../cgroup.procs", ret_dir);
	if (access(probe, F_OK) < 0)
		return note_set(p->note, -EPERM,
				"it runs in the root cgroup of %s, which has no limits; osprey run starts "
				"programs in a cgroup of their own",
				ret_dir);
	return 0;
}

static struct cgroup_write *add(struct plan *p, const char *dir, const char *file, const char *attribute)
{
	struct cgroup_write *w = &p->write[p->n++];

	*w = (struct cgroup_write){ 0 };
	snprintf(w->dir, sizeof w->dir, "%s", dir);
	snprintf(w->path, sizeof w->path, "%s/%s", dir, file);
	snprintf(w->attribute, sizeof w->attribute, "%s", attribute);
	return w;
}

static int check_file(struct plan *p, const struct cgroup_write *w, const char *why)
{
	if (access(w->path, F_OK) == 0)
		return 0;
	return note_set(p->note, -ENOENT, "%s: %s", w->path, why);
}

static uint64_t file_number(const char *dir, const char *file, uint64_t otherwise)
{
	char path[CGROUP_DIR_MAX + 48], text[64];
	uint64_t value;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	n = file_read(path, text, sizeof text);
	return n > 0 && span_u64((struct span){ text, (size_t)n }, &value) ? value : otherwise;
}

static void number_put(struct cgroup_write *w, uint64_t value)
{
	if (value == SIZE_UNLIMITED)
		snprintf(w->text, sizeof w->text, "max");
	else
		snprintf(w->text, sizeof w->text, "%" PRIu64, value);
}

static uint64_t scaled_quota(uint64_t quota_us, uint64_t period_us)
{
	return quota_us == SIZE_UNLIMITED
		       ? quota_us
		       : (uint64_t)((double)quota_us * (double)period_us / RUN_CPU_PERIOD_US);
}

static int plan_cpu(struct plan *p, const struct run_group_wish *wish)
{
	char dir[CGROUP_DIR_MAX], text[64];
	struct cgroup_write *w;
	uint64_t period_us = RUN_CPU_PERIOD_US, quota_us;
	bool v2;
	int r = wish->cpu_quota_us ? find_dir(p, CGROUP_CPU, dir, &v2) : 0;

	if (r < 0 || !wish->cpu_quota_us)
		return r;
	w = add(p, dir, v2 ? "cpu.max" : "cpu.cfs_quota_us", "cpu");
	r = check_file(p, w,
		       "the controller cpu is not switched on there (cgroup.subtree_control of its parent)");
	if (r < 0)
		return r;
	if (!v2) {
		quota_us = scaled_quota(wish->cpu_quota_us,
					file_number(dir, "cpu.cfs_period_us", RUN_CPU_PERIOD_US));
		number_put(w, quota_us);
		return 0;
	}
	if (file_read(w->path, text, sizeof text) > 0) {
		struct span rest = span_from(text), word;

		if (!span_word(&rest, &word) || !span_next_u64(&rest, &period_us))
			period_us = RUN_CPU_PERIOD_US;
	}
	quota_us = scaled_quota(wish->cpu_quota_us, period_us);
	if (quota_us == SIZE_UNLIMITED)
		snprintf(w->text, sizeof w->text, "max %" PRIu64, period_us);
	else
		snprintf(w->text, sizeof w->text, "%" PRIu64 " %" PRIu64, quota_us, period_us);
	return 0;
}

static int plan_swap(struct plan *p, const struct run_group_wish *wish, const char *dir, bool v2)
{
	struct cgroup_write *w = add(p, dir, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", "swap");
	uint64_t value = wish->swap_bytes, memory_bytes = wish->memory_bytes;

	/* v1 limits the sum. */
	if (!v2 && value != SIZE_UNLIMITED) {
		if (!memory_bytes)
			memory_bytes = file_number(dir, "memory.limit_in_bytes", SIZE_UNLIMITED);
		if (memory_bytes >= UNLIMITED_V1)
			return note_set(p->note, -EINVAL, "on cgroup v1 a limit of swap needs one of memory too");
		if (__builtin_add_overflow(value, memory_bytes, &value))
			value = SIZE_UNLIMITED;
	}
	number_put(w, value);
	return check_file(p, w, "this kernel does not account swap to cgroups, so there is no limit of it");
}

static int plan_memory(struct plan *p, const struct run_group_wish *wish)
{
	char dir[CGROUP_DIR_MAX];
	struct cgroup_write *w;
	uint64_t in_use;
	bool v2;
	int r;

	if (!wish->memory_bytes && !wish->memory_high_bytes && !wish->has_swap)
		return 0;
	r = find_dir(p, CGROUP_MEMORY, dir, &v2);
	if (r < 0)
		return r;
	in_use = file_number(dir, v2 ? "memory.current" : "memory.usage_in_bytes", 0);
	if (wish->memory_high_bytes) {
		if (!v2)
			return note_set(p->note, -ENOENT,
					"memory.high is of cgroup v2; this host has memory in v1");
		w = add(p, dir, "memory.high", "memory-high");
		number_put(w, wish->memory_high_bytes);
		r = check_file(p, w, "the controller memory is not switched on there");
	}
	if (r == 0 && wish->memory_bytes) {
		w = add(p, dir, v2 ? "memory.max" : "memory.limit_in_bytes", "memory");
		number_put(w, wish->memory_bytes);
		w->in_use = wish->memory_bytes < in_use ? in_use : 0;
		r = check_file(p, w, "the controller memory is not switched on there");
	}
	return r < 0 || !wish->has_swap ? r : plan_swap(p, wish, dir, v2);
}

static int plan_pids(struct plan *p, const struct run_group_wish *wish)
{
	char dir[CGROUP_DIR_MAX];
	struct cgroup_write *w;
	uint64_t in_use;
	bool v2;
	int r = wish->pids ? find_dir(p, CGROUP_PIDS, dir, &v2) : 0;

	if (r < 0 || !wish->pids)
		return r;
	in_use = file_number(dir, "pids.current", 0);
	w = add(p, dir, "pids.max", "pids");
	number_put(w, wish->pids);
	w->in_use = wish->pids < in_use ? in_use : 0;
	return check_file(p, w, "the controller pids is not switched on there");
}

static int plan_io_device(struct plan *p, const struct run_io_limit *l, const char *dir, bool v2)
{
	int r = 0;

	for (size_t i = 0; i < sizeof io_words / sizeof io_words[0] && r == 0; i++) {
		uint64_t value = *(const uint64_t *)((const char *)l + io_words[i].offset);
		struct cgroup_write *w;
		char attribute[64];

		if (!value)
			continue;
		snprintf(attribute, sizeof attribute, "io %u:%u %s", l->major, l->minor, io_words[i].word);
		w = add(p, dir, v2 ? "io.max" : io_words[i].v1_file, attribute);
		number_put(w, value);
		r = check_file(p, w, "the controller io is not switched on there, or the kernel cannot throttle");
	}
	return r;
}

static int plan_io(struct plan *p, const struct run_group_wish *wish)
{
	char dir[CGROUP_DIR_MAX];
	bool v2;
	int r = wish->nio ? find_dir(p, CGROUP_IO, dir, &v2) : 0;

	for (size_t i = 0; i < wish->nio && r == 0; i++)
		r = plan_io_device(p, &wish->io[i], dir, v2);
	return r;
}

int cgroup_limit_plan(struct host *h, int pid, const struct run_group_wish *wish, struct cgroup_write *ret,
		      size_t *ret_n, struct note *note)
{
	struct plan p = { .h = h, .pid = pid, .write = ret, .note = note };
	int r = plan_cpu(&p, wish);

	if (r == 0)
		r = plan_memory(&p, wish);
	if (r == 0)
		r = plan_pids(&p, wish);
	if (r == 0)
		r = plan_io(&p, wish);
	if (r == 0)
		*ret_n = p.n;
	return r;
}

/* ---- setting ---- */

static bool is_io(const struct cgroup_write *w)
{
	return strncmp(w->attribute, "io ", 3) == 0;
}

int cgroup_limit_read(const struct cgroup_write *w, struct buf *ret, struct note *note)
{
	return is_io(w) ? io_read(w->path, w->attribute, ret, note) : number_read(w->path, ret, note);
}

static int apply(const struct cgroup_write *w, struct note *note)
{
	int r;

	if (is_io(w))
		return io_write(w->path, w->attribute, w->text, note);
	r = number_write(w->path, w->text, NULL);
	if (r == -EBUSY && strcmp(w->attribute, "memory") == 0)
		return note_set(note, r,
				"%s: the cgroup uses more than %s, and that much cannot be reclaimed",
				w->path, w->text);
	if (r == -EINVAL && strstr(w->path, "limit_in_bytes"))
		return note_set(
			note, r,
			"%s: \"%s\": %s: on v1 the limit of memory is not above that of memory and swap",
			w->path, w->text, strerror(-r));
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s%s", w->path, w->text, strerror(-r),
				r == -EACCES || r == -EPERM ? "; needs root, or to own the cgroup" : "") : 0;
}

int cgroup_limit_set(struct change_journal *j, const char *command, const struct cgroup_write *w,
		     uint64_t *ret_id, struct buf *ret_after, struct note *note)
{
	cleanup(buf_deinit) struct buf before = { 0 };
	struct change_value value = { .after = (char *)w->text };
	struct change c = { .command = (char *)command, .kind = CHANGE_FILE, .path = (char *)w->path,
			    .attribute = (char *)w->attribute, .value = { .v = &value, .n = 1 } };
	uint64_t id;
	int r = cgroup_limit_read(w, &before, note);

	if (r < 0)
		return r;
	value.before = before.data;
	if (strcmp(before.data, w->text) == 0)
		return -EALREADY;
	r = change_begin(j, &c, &id, note);
	if (r < 0)
		return r;
	r = apply(w, note);
	if (r < 0) {
		(void)!change_abort(j, id, NULL);
		return r;
	}
	*ret_id = id;
	if (cgroup_limit_read(w, ret_after, NULL) < 0)
		r = buf_append(ret_after, w->text, strlen(w->text));
	return r < 0 ? r : change_commit(j, id, ret_after->data, note);
}
