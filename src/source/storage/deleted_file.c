#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "source/storage/filesystem.h"

#define WALK_NS (200 * NS_PER_MS)
#define MAX_FILES 8

static const char deleted[] = " (deleted)";

struct found {
	ino_t inode;
	struct deleted_file file;
};

struct walk {
	dev_t device;
	uint64_t end_ns;
	struct found top[MAX_FILES]; /* largest first */
	size_t n;
};

static void insert(struct walk *w, const struct found *f)
{
	size_t at;

	for (size_t i = 0; i < w->n; i++)
		if (w->top[i].inode == f->inode)
			return; /* open several times */
	for (at = w->n; at > 0 && w->top[at - 1].file.bytes < f->file.bytes; at--)
		if (at < MAX_FILES)
			w->top[at] = w->top[at - 1];
	if (at == MAX_FILES)
		return;
	w->top[at] = *f;
	if (w->n < MAX_FILES)
		w->n++;
}

static bool ends_deleted(const char *path, size_t n)
{
	size_t end = sizeof deleted - 1;

	return n > end && memcmp(path + n - end, deleted, end) == 0;
}

/* stat only of links that say "(deleted)": a stat of any other could hang. Of these, one on FUSE
 * could: the kernel is to tell what it knows, and ask nobody. */
static bool stat_without_asking(int fds, const char *name, struct statx *ret)
{
	return statx(fds, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, ret) == 0;
}

static void look_at(struct walk *w, int fds, const char *name, int pid)
{
	char path[4096];
	struct statx st;
	ssize_t n = readlinkat(fds, name, path, sizeof path);

	if (n < 0 || !ends_deleted(path, (size_t)n))
		return;
	if (!stat_without_asking(fds, name, &st) || makedev(st.stx_dev_major, st.stx_dev_minor) != w->device ||
	    st.stx_nlink != 0 || st.stx_blocks == 0)
		return;
	struct found f = { st.stx_ino, { .pid = pid, .bytes = st.stx_blocks * 512 } };
	span_copy((struct span){ path, (size_t)n - (sizeof deleted - 1) }, f.file.path, sizeof f.file.path);
	insert(w, &f);
}

static DIR *open_dir(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static void walk_process(struct walk *w, int proc, const char *name)
{
	char path[64];
	struct dirent *entry;

	snprintf(path, sizeof path, "%.32s/fd", name);
	DIR *fds = open_dir(proc, path);
	if (!fds)
		return;
	while (clock_mono_ns() < w->end_ns && (entry = readdir(fds)))
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at(w, dirfd(fds), entry->d_name, atoi(name));
	closedir(fds);
}

static void read_comm(int proc, struct deleted_file *f)
{
	char path[32], comm[32];

	snprintf(path, sizeof path, "%d/comm", f->pid);
	cleanup(close_fd) int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof comm);
	if (n > 0)
		span_copy(span_trim((struct span){ comm, (size_t)n }), f->comm, sizeof f->comm);
}

/* The names may hold any byte but NUL: lengths instead of separators. */
static int print(struct walk *w, int proc, struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n; i++) {
		struct deleted_file *f = &w->top[i].file;

		read_comm(proc, f);
		r = buf_printf(ret, "%d %llu %zu %zu %s%s\n", f->pid, (unsigned long long)f->bytes,
			       strlen(f->comm), strlen(f->path), f->comm, f->path);
	}
	return r;
}

static int live_walk(struct host *h, const char *key, void *device, struct buf *ret)
{
	struct walk w = { .device = *(dev_t *)device, .end_ns = clock_mono_ns() + WALK_NS };
	struct dirent *entry;
	DIR *proc = open_dir(host_root_fd(h), "proc");

	(void)key;
	if (!proc)
		return -errno;
	while (clock_mono_ns() < w.end_ns && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			walk_process(&w, dirfd(proc), entry->d_name);
	int r = print(&w, dirfd(proc), ret);
	closedir(proc);
	return r;
}

static bool parse_one(struct span *text, struct deleted_file *ret)
{
	uint64_t pid, bytes, comm, path;

	if (!span_next_u64(text, &pid) || !span_next_u64(text, &bytes) || !span_next_u64(text, &comm) ||
	    !span_next_u64(text, &path) || pid > INT32_MAX)
		return false;
	/* one blank, comm, path, newline */
	if (comm > text->n || path > text->n || 1 + comm + path + 1 > text->n)
		return false;
	ret->pid = (int32_t)pid;
	ret->bytes = bytes;
	span_copy((struct span){ text->p + 1, comm }, ret->comm, sizeof ret->comm);
	span_copy((struct span){ text->p + 1 + comm, path }, ret->path, sizeof ret->path);
	text->p += comm + path + 2;
	text->n -= comm + path + 2;
	return true;
}

int deleted_files_parse(struct span text, uint32_t major, uint32_t minor, deleted_file_vec *ret)
{
	struct deleted_file one;

	for (size_t i = 0; i < MAX_FILES; i++) {
		one = (struct deleted_file){ .major = major, .minor = minor };
		if (!parse_one(&text, &one))
			break;
		struct deleted_file *f = vec_push(ret);
		if (!f)
			return -ENOMEM;
		*f = one;
	}
	return 0;
}

int deleted_files_read(struct host *h, uint32_t major, uint32_t minor, deleted_file_vec *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	dev_t device = makedev(major, minor);
	char key[64];

	snprintf(key, sizeof key, "deleted:%u:%u", major, minor);
	int r = host_fetch(h, key, live_walk, &device, &text);
	if (r < 0) /* nothing can be seen */
		return r == -ENOMEM ? r : 0;
	return deleted_files_parse(buf_span(&text), major, minor, ret);
}
