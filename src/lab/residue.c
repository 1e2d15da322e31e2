/* What a lab could leave behind, written down before and after and compared. Labs that live
 * are left out: theirs is no residue. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"
#include "base/vec.h"
#include "lab/file.h"
#include "lab/tree.h"

enum kind { TUNABLE, MOUNT, SWAP, DEVICE, CGROUP, PROCESS, FILE_LEFT, NKINDS };

static const struct {
	const char *one, *many;
} kind_names[NKINDS] = {
	[TUNABLE] = { "tunable", "tunables" },
	[MOUNT] = { "mount", "mounts" },
	[SWAP] = { "swap area", "swap areas" },
	[DEVICE] = { "loop or zram device", "loop and zram devices" },
	[CGROUP] = { "cgroup of a lab", "cgroups of labs" },
	[PROCESS] = { "process of a lab", "processes of labs" },
	[FILE_LEFT] = { "file of a lab", "files of labs" },
};

struct item {
	enum kind kind;
	size_t key, value; /* where they stand in the text, each with its NUL */
};

struct residue {
	VEC(struct item) items; /* sorted by kind, key */
	struct buf text;
	int error;
};

static size_t keep_text(struct residue *r, const char *s)
{
	size_t at = r->text.n;

	if (buf_append(&r->text, s, strlen(s) + 1) < 0)
		r->error = -ENOMEM;
	return at;
}

static void add(struct residue *r, enum kind kind, const char *key, const char *value)
{
	struct item *i = vec_push(&r->items);

	if (!i) {
		r->error = -ENOMEM;
		return;
	}
	*i = (struct item){ kind, keep_text(r, key), keep_text(r, value) };
}

static void add_tunable_file(struct residue *r, const char *path)
{
	static char text[16384];

	if (!journal_held_elsewhere("", JOURNAL_FILE, path, NULL) &&
	    !journal_held_elsewhere("", JOURNAL_CONTROLLER, path, NULL) &&
	    file_read(path, text, sizeof text) >= 0)
		add(r, TUNABLE, path, text);
}

static void each_entry(struct residue *r, const char *path,
		       void (*fn)(struct residue *r, const char *path, const char *name, bool is_dir))
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			fn(r, path, d->d_name, d->d_type == DT_DIR);
	if (dir)
		closedir(dir);
}

/* ---- tunables ---- */

/* Counters and clocks among the tunables; what changes without anybody's doing. */
static bool changes_by_itself(const char *path)
{
	static const char *const such[] = {
		"/proc/sys/kernel/random/", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/pty/nr",
		"/proc/sys/fs/file-nr", "/proc/sys/fs/inode-nr", "/proc/sys/fs/inode-state",
		"/proc/sys/fs/dentry-state", "/proc/sys/fs/aio-nr", "/proc/sys/fs/quota/",
		"/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/vm/stat_refresh",
		"/proc/sys/kernel/tainted", "/proc/sys/fs/binfmt_misc/",
		"/proc/sys/kernel/sched_domain/", /* before 5.13: the balancer measures itself there */
	};

	for (size_t i = 0; i < sizeof such / sizeof such[0]; i++)
		if (strncmp(path, such[i], strlen(such[i])) == 0)
			return true;
	return false;
}

static void add_tunable(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (is_dir)
		each_entry(r, path, add_tunable);
	else if (!changes_by_itself(path))
		add_tunable_file(r, path);
}

static void add_block_tunables(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	static const char *const files[] = { "scheduler", "nr_requests", "read_ahead_kb", "wbt_lat_usec",
					     "rq_affinity", "nomerges" };

	(void)is_dir;
	/* zram comes and goes as a device; a loop's follow from the file behind it. */
	if (strncmp(name, "zram", 4) == 0 || strncmp(name, "loop", 4) == 0)
		return;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char path[512];

		snprintf(path, sizeof path, "%s/%s/queue/%s", dir, name, files[i]);
		add_tunable_file(r, path);
	}
}

static void add_bdi_tunables(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	/* Not max_bytes: it follows the memory that is free. */
	static const char *const files[] = { "strict_limit", "max_ratio", "min_ratio" };

	(void)is_dir;
	/* 0:N is a filesystem without a device: it comes and goes with its mounts. */
	if (strncmp(name, "0:", 2) == 0 || strncmp(name, "253:", 4) == 0)
		return;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char path[512];

		snprintf(path, sizeof path, "%s/%s/%s", dir, name, files[i]);
		add_tunable_file(r, path);
	}
}

/* ---- mounts, swap, devices ---- */

static bool of_living_lab(const char *text)
{
	const char *at = strstr(text, "osprey-lab-");
	char id[32];

	if (!at)
		return false;
	size_t n = strlen("osprey-lab-") + strspn(at + strlen("osprey-lab-"), "0123456789");

	if (n >= sizeof id)
		return false;
	memcpy(id, at, n);
	id[n] = '\0';
	return journal_id_lives(id);
}

/* Key: where. Value: what. */
static void add_mount(struct residue *r, struct span line)
{
	char where[512] = "", what[512] = "";
	struct span word;

	for (int i = 0; i < 5 && span_word(&line, &word); i++)
		if (i == 4)
			span_copy(word, where, sizeof where);
	while (span_word(&line, &word) && !span_is(word, "-"))
		;
	span_copy(span_trim(line), what, sizeof what);
	if (!of_living_lab(where))
		add(r, MOUNT, where, what);
}

static void add_mounts(struct residue *r)
{
	static char text[1 << 20];
	struct span rest, line;

	if (file_read("/proc/self/mountinfo", text, sizeof text) < 0)
		return;
	rest = span_from(text);
	while (span_line(&rest, &line))
		add_mount(r, line);
}

static void add_device(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	char path[512], text[512];

	(void)is_dir;
	/* A zram device does not show whose it is; the journal of a living lab does. */
	if (strncmp(name, "zram", 4) == 0 && !journal_held_elsewhere("", JOURNAL_ZRAM, name + 4, NULL))
		snprintf(path, sizeof path, "%s/%s/disksize", dir, name);
	else if (strncmp(name, "loop", 4) == 0)
		snprintf(path, sizeof path, "%s/%s/loop/backing_file", dir, name);
	else
		return;
	if (file_read(path, text, sizeof text) >= 0 && !of_living_lab(text))
		add(r, DEVICE, name, text);
}

static void add_swaps(struct residue *r)
{
	char text[8192], name[256], size[64];
	struct span rest, line, word;

	if (file_read("/proc/swaps", text, sizeof text) < 0)
		return;
	rest = span_from(text);
	for (bool header = true; span_line(&rest, &line); header = false) {
		if (header || !span_word(&line, &word))
			continue;
		span_copy(word, name, sizeof name);
		if (!span_word(&line, &word) || !span_word(&line, &word))
			continue;
		span_copy(word, size, sizeof size);
		if (!journal_held_elsewhere("", JOURNAL_SWAP, name, NULL))
			add(r, SWAP, name, size);
	}
}

/* ---- cgroups, processes, files ---- */

static void add_cgroup(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	char path[600];

	if (!is_dir || strncmp(name, "osprey-lab-", 11) != 0 || of_living_lab(name))
		return;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	add(r, CGROUP, path, "");
}

static void add_hierarchy(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	char path[300], control[400];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (!is_dir)
		return;
	snprintf(control, sizeof control, "%s/cgroup.subtree_control", path);
	add_tunable_file(r, control);
	each_entry(r, path, add_cgroup);
}

static void add_cgroups(struct residue *r)
{
	add_tunable_file(r, "/sys/fs/cgroup/cgroup.subtree_control");
	each_entry(r, "/sys/fs/cgroup", add_cgroup);
	each_entry(r, "/sys/fs/cgroup", add_hierarchy);
}

static bool is_zombie(const char *dir, const char *pid)
{
	char path[96], text[1024];

	snprintf(path, sizeof path, "%s/%.16s/stat", dir, pid);
	if (file_read(path, text, sizeof text) < 0)
		return true; /* gone meanwhile */
	const char *after_comm = strrchr(text, ')');

	return after_comm && strncmp(after_comm, ") Z", 3) == 0;
}

static void add_process(struct residue *r, const char *dir, const char *pid, bool is_dir)
{
	char path[96], comm[32] = "", cgroups[4096] = "";

	(void)is_dir;
	if (pid[0] < '0' || pid[0] > '9')
		return;
	snprintf(path, sizeof path, "%s/%.16s/cgroup", dir, pid);
	(void)!file_read(path, cgroups, sizeof cgroups);
	snprintf(path, sizeof path, "%s/%.16s/comm", dir, pid);
	(void)!file_read(path, comm, sizeof comm);
	/* A zombie is its parent's to wait for, and holds nothing. */
	if (is_zombie(dir, pid) || of_living_lab(cgroups) || (strcmp(comm, "osprey-guard") == 0 && journal_pid_lives(atoi(pid))))
		return;
	if (strstr(cgroups, "/osprey-lab-") || strcmp(comm, "osprey-guard") == 0 ||
	    strcmp(comm, "osprey-lab") == 0)
		add(r, PROCESS, pid, comm);
}

static void add_left_file(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	char path[512];

	(void)is_dir;
	if (strncmp(name, "osprey-lab-", 11) != 0 || of_living_lab(name))
		return;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	add(r, FILE_LEFT, path, "");
}

static void add_journal(struct residue *r, const char *dir, const char *name, bool is_dir)
{
	char path[512], id[64];

	(void)is_dir;
	if (!strstr(name, ".journal"))
		return;
	snprintf(id, sizeof id, "osprey-lab-%.*s", (int)strcspn(name, "."), name);
	if (journal_id_lives(id))
		return;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	add(r, FILE_LEFT, path, "");
}

/* ---- the whole ---- */

static int item_compare(const void *a, const void *b, void *text)
{
	const struct item *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp((const char *)text + x->key, (const char *)text + y->key);
}

/* Several mounts share a point. */
static void sort_unique(struct residue *r)
{
	size_t kept = 0;

	if (r->items.n == 0)
		return;
	qsort_r(r->items.v, r->items.n, sizeof *r->items.v, item_compare, r->text.data);
	for (size_t i = 1; i < r->items.n; i++)
		if (item_compare(&r->items.v[kept], &r->items.v[i], r->text.data) != 0)
			r->items.v[++kept] = r->items.v[i];
	r->items.n = kept + 1;
}

int residue_take(struct residue **ret)
{
	struct residue *r = calloc(1, sizeof *r);
	int error;

	if (!r)
		return -ENOMEM;
	each_entry(r, "/proc/sys", add_tunable);
	each_entry(r, "/sys/block", add_block_tunables);
	each_entry(r, "/sys/class/bdi", add_bdi_tunables);
	add_mounts(r);
	add_swaps(r);
	each_entry(r, "/sys/block", add_device);
	add_cgroups(r);
	each_entry(r, "/proc", add_process);
	for (size_t i = 0; scratch_bases[i]; i++)
		each_entry(r, scratch_bases[i], add_left_file);
	each_entry(r, "/run/osprey/lab", add_journal);
	each_entry(r, "/tmp/osprey-lab", add_journal);
	sort_unique(r);
	error = r->error;
	if (error < 0) {
		residue_free(r);
		return error;
	}
	*ret = r;
	return 0;
}

void residue_free(struct residue *r)
{
	if (!r)
		return;
	vec_free(&r->items);
	buf_deinit(&r->text);
	free(r);
}

int residue_summary(const struct residue *r, struct buf *ret_line)
{
	size_t count[NKINDS] = { 0 };
	int e = 0;

	vec_each(i, &r->items)
		count[i->kind]++;
	for (int k = 0; e == 0 && k < NKINDS; k++)
		e = buf_printf(ret_line, "%s%zu %s", k ? ", " : "", count[k],
			       count[k] == 1 ? kind_names[k].one : kind_names[k].many);
	return e;
}

static const char *text_of(const struct residue *r, size_t at)
{
	return r->text.data + at;
}

static int order(const struct residue *a, size_t i, const struct residue *b, size_t k)
{
	if (i == a->items.n)
		return k == b->items.n ? 0 : 1;
	if (k == b->items.n)
		return -1;
	const struct item *x = &a->items.v[i], *y = &b->items.v[k];

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(text_of(a, x->key), text_of(b, y->key));
}

static int say_one(struct buf *out, const struct residue *r, size_t i, const char *what)
{
	const struct item *x = &r->items.v[i];

	return buf_printf(out, "%s %s %s%s%s\n", kind_names[x->kind].one, text_of(r, x->key), what,
			  *text_of(r, x->value) ? ": " : "", text_of(r, x->value));
}

/* Tunables come and go with interfaces, and while a living lab holds them. */
static bool is_residue(const struct residue *r, size_t i)
{
	return r->items.v[i].kind != TUNABLE;
}

int residue_compare(const struct residue *before, const struct residue *after, struct buf *ret_lines)
{
	size_t i = 0, k = 0;
	int n = 0, e = 0;

	while (e == 0 && (i < before->items.n || k < after->items.n)) {
		int o = order(before, i, after, k);

		if (o < 0) {
			n += is_residue(before, i);
			e = is_residue(before, i) ? say_one(ret_lines, before, i, "is gone") : 0;
			i++;
		} else if (o > 0) {
			n += is_residue(after, k);
			e = is_residue(after, k) ? say_one(ret_lines, after, k, "is new") : 0;
			k++;
		} else {
			const char *was = text_of(before, before->items.v[i].value);
			const char *is = text_of(after, after->items.v[k].value);

			if (strcmp(was, is) != 0) {
				e = buf_printf(ret_lines, "%s %s was \"%s\", is \"%s\"\n",
					       kind_names[before->items.v[i].kind].one,
					       text_of(before, before->items.v[i].key), was, is);
				n++;
			}
			i++;
			k++;
		}
	}
	return e < 0 ? e : n;
}
