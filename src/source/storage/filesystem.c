#include "source/storage/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "source/storage/mountinfo.h"

#define STATVFS_TIMEOUT_MS 200

static bool one_of(struct span s, const char *const *names)
{
	for (; *names; names++)
		if (span_is(s, *names))
			return true;
	return false;
}

/* Types whose statvfs says nothing of space that could run out. */
static bool has_no_space(struct span type)
{
	static const char *const types[] = {
		"proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "hugetlbfs", "debugfs",
		"tracefs", "securityfs", "pstore", "bpf", "configfs", "fusectl", "binfmt_misc", "autofs",
		"rpc_pipefs", "nsfs", "nfsd", "efivarfs", "selinuxfs", "smackfs", "ramfs", "rootfs", "resctrl",
		"functionfs", "fuse.lxcfs", "fuse.gvfsd-fuse", "fuse.portal", NULL
	};

	return one_of(type, types);
}

static bool is_image(struct span type)
{
	static const char *const types[] = { "squashfs", "iso9660", "erofs", "romfs", "cramfs", "fuse.squashfuse",
					     "fuse.snapfuse", NULL };

	return one_of(type, types);
}

static bool is_candidate(const struct mountinfo *m)
{
	if (has_no_space(m->type) || is_image(m->type))
		return false;
	/* A path that was cut would name another directory. Another mount of the device may do. */
	if (m->mount.n >= sizeof((struct filesystem *)0)->mount)
		return false;
	return !span_is(m->type, "overlay") || span_is(m->mount, "/");
}

static void from_mountinfo(const struct mountinfo *m, struct filesystem *ret)
{
	*ret = (struct filesystem){
		.major = m->major,
		.minor = m->minor,
		.read_only = mountinfo_option(m->options, "ro") || mountinfo_option(m->super_options, "ro"),
		.presence = UNREAD,
		.total_bytes = READING_ABSENT,
		.free_bytes = READING_ABSENT,
		.available_bytes = READING_ABSENT,
		.inodes = READING_ABSENT,
		.inodes_free = READING_ABSENT,
	};
	mountinfo_unescape(m->mount, ret->mount, sizeof ret->mount);
	mountinfo_unescape(m->source, ret->source, sizeof ret->source);
	span_copy(m->type, ret->type, sizeof ret->type);
}

int mountinfo_parse(struct span line, struct filesystem *ret)
{
	struct mountinfo m;
	int r = mountinfo_line_parse(line, &m);

	if (r == 0)
		from_mountinfo(&m, ret);
	return r;
}

/* Whether directory `above` is a proper ancestor of `below`. */
static bool is_above(struct span above, struct span below)
{
	if (span_is(above, "/"))
		return below.n > 1;
	return below.n > above.n && memcmp(above.p, below.p, above.n) == 0 && below.p[above.n] == '/';
}

/* All mounts, and which of them have another upon their root. */
struct mounts {
	VEC(struct mount {
		struct mountinfo info;
		uint32_t parent; /* position; MAP_NONE: outside what we see */
		bool root_covered;
	}) all;
	struct map by_id;
};

static void mounts_deinit(struct mounts *m)
{
	vec_free(&m->all);
	map_deinit(&m->by_id);
}

static int mounts_parse(struct span text, struct mounts *ret)
{
	struct mountinfo info;
	struct span line;

	ret->all.n = 0;
	map_clear(&ret->by_id);
	while (span_line(&text, &line)) {
		if (mountinfo_line_parse(line, &info) < 0 || info.id == 0)
			continue;
		struct mount *m = vec_push(&ret->all);
		if (!m)
			return -ENOMEM;
		m->info = info;
		int r = map_set(&ret->by_id, info.id, (uint32_t)ret->all.n - 1);
		if (r < 0)
			return r;
	}
	vec_each(m, &ret->all) {
		/* The first mount of all is its own parent. */
		m->parent = m->info.parent && m->info.parent != m->info.id ?
				    map_get(&ret->by_id, m->info.parent) : MAP_NONE;
		if (m->parent != MAP_NONE && span_equal(ret->all.v[m->parent].info.mount, m->info.mount))
			ret->all.v[m->parent].root_covered = true;
	}
	return 0;
}

/* Whether a mount that was made later in the same parent stands on a directory above. */
static bool is_covered_from_above(const struct mounts *mounts, const struct mount *m)
{
	for (const struct mount *other = m + 1; other < mounts->all.v + mounts->all.n; other++)
		if (other->parent == m->parent && is_above(other->info.mount, m->info.mount))
			return true;
	return false;
}

/* Covered itself, or below one that is. The bound is against loops in text that no kernel
 * wrote. */
static bool is_covered(const struct mounts *mounts, const struct mount *m)
{
	if (m->root_covered)
		return true;
	for (int depth = 0; depth < 32; depth++) {
		if (is_covered_from_above(mounts, m))
			return true;
		if (m->parent == MAP_NONE)
			return false;
		const struct mount *parent = &mounts->all.v[m->parent];
		/* What covers the parent's root may be the mount we come from. */
		if (parent->root_covered && !span_equal(parent->info.mount, m->info.mount))
			return true;
		m = parent;
	}
	return false;
}

/* Devices whose statvfs hangs at this moment; 0: free. Written by the call's own thread
 * when it ends at last. At most as many as base/bounded.h leaves behind. */
static _Atomic uint64_t hanging[8];

static uint64_t device_key(uint32_t major, uint32_t minor)
{
	return (uint64_t)major << 32 | minor | UINT64_C(1) << 63;
}

static bool is_hanging(uint64_t key)
{
	for (size_t i = 0; i < sizeof hanging / sizeof hanging[0]; i++)
		if (atomic_load(&hanging[i]) == key)
			return true;
	return false;
}

struct statvfs_call {
	int root_fd; /* its own: the host may be gone when the call ends */
	_Atomic uint64_t *slot;
	struct statvfs result;
	char path[sizeof((struct filesystem *)0)->mount];
};

/* Nothing but this may touch the mount: looking its path up can hang already. */
static int statvfs_call(void *arg)
{
	struct statvfs_call *c = arg;
	const char *path = c->path;

	while (*path == '/')
		path++;
	int fd = openat(c->root_fd, *path ? path : ".", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fstatvfs(fd, &c->result) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void statvfs_release(void *arg)
{
	struct statvfs_call *c = arg;

	if (c->slot)
		atomic_store(c->slot, 0);
	if (c->root_fd >= 0)
		close(c->root_fd);
	free(c);
}

static _Atomic uint64_t *take_slot(uint64_t key)
{
	for (size_t i = 0; i < sizeof hanging / sizeof hanging[0]; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&hanging[i], &none, key))
			return &hanging[i];
	}
	return NULL;
}

/* Answered by this kernel from memory: no server and no daemon can hold it. */
static bool is_local(const struct filesystem *fs)
{
	return strcmp(fs->type, "tmpfs") == 0 || (fs->major != 0 && strncmp(fs->type, "fuse", 4) != 0);
}

static int statvfs_bounded(struct host *h, const struct filesystem *fs, struct statvfs *ret)
{
	struct statvfs_call *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	memcpy(c->path, fs->mount, sizeof c->path);
	c->root_fd = fcntl(host_root_fd(h), F_DUPFD_CLOEXEC, 3);
	int r = c->root_fd < 0 ? -errno : 0;
	if (r == 0 && !(c->slot = take_slot(device_key(fs->major, fs->minor))))
		r = -EBUSY;
	if (r == 0)
		r = bounded_call(statvfs_call, c, statvfs_release, STATVFS_TIMEOUT_MS);
	if (r == -EAGAIN && is_local(fs))
		r = statvfs_call(c); /* no thread can be had */
	if (r == -ETIMEDOUT)
		return r; /* the call has `c` */
	*ret = c->result;
	statvfs_release(c);
	return r;
}

static int live_statvfs(struct host *h, const char *key, void *arg, struct buf *ret)
{
	const struct filesystem *fs = arg;
	struct statvfs st = { 0 };

	(void)key;
	if (is_hanging(device_key(fs->major, fs->minor)))
		return -ETIMEDOUT;
	int r = statvfs_bounded(h, fs, &st);
	if (r < 0)
		return r;
	return buf_printf(ret, "%lu %lu %lu %lu %lu %lu\n", (unsigned long)st.f_frsize,
			  (unsigned long)st.f_blocks, (unsigned long)st.f_bfree, (unsigned long)st.f_bavail,
			  (unsigned long)st.f_files, (unsigned long)st.f_ffree);
}

static reading blocks_to_bytes(uint64_t blocks, uint64_t size)
{
	uint64_t bytes;

	return __builtin_mul_overflow(blocks, size, &bytes) || !reading_ok(bytes) ? READING_MALFORMED : bytes;
}

/* "4096 64215 60000 56000 65536 65525": fragment size, blocks, free, available, inodes, free */
void filesystem_statvfs_parse(struct span text, struct filesystem *ret)
{
	uint64_t v[6];

	ret->presence = MALFORMED;
	ret->total_bytes = ret->free_bytes = ret->available_bytes = READING_MALFORMED;
	ret->inodes = ret->inodes_free = READING_MALFORMED;
	text = span_trim(text);
	for (size_t i = 0; i < 6; i++)
		if (!span_next_u64(&text, &v[i]) || !reading_ok(v[i]))
			return;
	ret->total_bytes = blocks_to_bytes(v[1], v[0]);
	ret->free_bytes = blocks_to_bytes(v[2], v[0]);
	ret->available_bytes = blocks_to_bytes(v[3], v[0]);
	ret->inodes = v[4];
	ret->inodes_free = v[5];
	ret->presence = reading_ok(ret->total_bytes) ? PRESENT : MALFORMED;
}

static void read_space(struct host *h, struct buf *scratch, struct filesystem *fs)
{
	char key[sizeof fs->mount + 16];

	snprintf(key, sizeof key, "statvfs:%s", fs->mount);
	int r = host_fetch(h, key, live_statvfs, fs, scratch);
	if (r == 0) {
		filesystem_statvfs_parse(buf_span(scratch), fs);
		return;
	}
	fs->presence = r == -ETIMEDOUT || r == -EBUSY ? UNREAD : presence_from_errno(r);
	fs->total_bytes = fs->free_bytes = fs->available_bytes = reading_from_errno(r);
	fs->inodes = fs->inodes_free = reading_from_errno(r);
}

static bool has_device(const filesystem_vec *all, const struct mountinfo *m)
{
	vec_each(fs, all)
		if (fs->major == m->major && fs->minor == m->minor)
			return true;
	return false;
}

static int select_mounts(struct span mountinfo, struct mounts *mounts, filesystem_vec *ret)
{
	int r = mounts_parse(mountinfo, mounts);

	ret->n = 0;
	if (r < 0)
		return r;
	vec_each(m, &mounts->all) {
		if (!is_candidate(&m->info) || has_device(ret, &m->info) || is_covered(mounts, m))
			continue;
		struct filesystem *fs = vec_push(ret);
		if (!fs)
			return -ENOMEM;
		from_mountinfo(&m->info, fs);
	}
	return 0;
}

int filesystems_parse(struct span mountinfo, filesystem_vec *ret)
{
	cleanup(mounts_deinit) struct mounts mounts = { 0 };

	return select_mounts(mountinfo, &mounts, ret);
}

struct filesystem_reader {
	struct host *host;
	struct buf text;
	struct mounts mounts; /* point into the text while it is sorted out */
};

int filesystem_reader_new(struct host *h, struct filesystem_reader **ret)
{
	struct filesystem_reader *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->host = h;
	*ret = r;
	return 0;
}

void filesystem_reader_free(struct filesystem_reader *r)
{
	if (!r)
		return;
	buf_deinit(&r->text);
	mounts_deinit(&r->mounts);
	free(r);
}

int filesystems_read(struct filesystem_reader *reader, filesystem_vec *ret)
{
	int r = host_read(reader->host, "/proc/self/mountinfo", &reader->text);

	ret->n = 0;
	if (r < 0)
		return r;
	r = select_mounts(buf_span(&reader->text), &reader->mounts, ret);
	if (r < 0)
		return r;
	size_t kept = 0;
	vec_each(fs, ret) {
		read_space(reader->host, &reader->text, fs);
		if (fs->total_bytes != 0)
			ret->v[kept++] = *fs;
	}
	ret->n = kept;
	return 0;
}

double filesystem_used_pct(const struct filesystem *fs)
{
	double used = reading_value(fs->total_bytes) - reading_value(fs->free_bytes);
	double usable = used + reading_value(fs->available_bytes);

	return usable > 0 ? used / usable * 100 : NAN;
}

double filesystem_inodes_used_pct(const struct filesystem *fs)
{
	double all = reading_value(fs->inodes), unused = reading_value(fs->inodes_free);

	return all > 0 ? (all - unused) / all * 100 : NAN;
}

bool filesystem_nearly_full(const struct filesystem *fs)
{
	return !fs->read_only && (filesystem_used_pct(fs) >= FILESYSTEM_FULL_PCT ||
				  filesystem_inodes_used_pct(fs) >= FILESYSTEM_FULL_PCT);
}
