#include "source/process/proc_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/cleanup.h"

#define MAX_RECORD (1u << 20)
#define MAX_FILE (64u << 20)

int proc_dir_open(struct host *h, int pid, int tid, struct proc_dir *ret)
{
	struct proc_dir d = { .h = h, .fd = -1 };

	if (tid)
		snprintf(d.path, sizeof d.path, "/proc/%d/task/%d", pid, tid);
	else
		snprintf(d.path, sizeof d.path, "/proc/%d", pid);
	if (host_is_live(h)) {
		d.fd = openat(host_root_fd(h), d.path + 1, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (d.fd < 0)
			return -errno;
	}
	*ret = d;
	return 0;
}

void proc_dir_close(struct proc_dir *d)
{
	close_fd(&d->fd);
	d->fd = -1;
}

struct request {
	struct proc_dir *dir;
	const char *name;
	unsigned timeout_ms;
};

static int fetch(struct proc_dir *d, const char *prefix, const char *name, host_fetch_fn live,
		 unsigned timeout_ms, struct buf *ret)
{
	struct request request = { d, name, timeout_ms };
	char key[128];

	snprintf(key, sizeof key, "%s%s/%s", prefix, d->path, name);
	return host_fetch(d->h, key, live, &request, ret);
}

/* The kernel hands a record out whole when the buffer has room for it. */
static int read_record(int fd, struct buf *ret)
{
	for (;;) {
		int r = buf_reserve(ret, 4095);
		if (r < 0)
			return r;
		size_t room = ret->capacity - ret->n - 1;
		ssize_t got = read(fd, ret->data + ret->n, room);
		if (got < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		ret->n += (size_t)got;
		ret->data[ret->n] = '\0';
		if ((size_t)got < room)
			return 0;
		if (ret->n > MAX_RECORD)
			return -EFBIG;
	}
}

static int live_read(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct request *request = arg;
	cleanup(close_fd) int fd = openat(request->dir->fd, request->name, O_RDONLY | O_CLOEXEC);

	(void)h, (void)key;
	return fd < 0 ? -errno : read_record(fd, ret);
}

int proc_dir_read(struct proc_dir *d, const char *name, struct buf *ret)
{
	return fetch(d, "", name, live_read, 0, ret);
}

struct bounded_file {
	int dir; /* owned: ours may be closed when a late read ends */
	char name[64];
	struct buf text;
};

/* Opening can wait as well: for an execve of the process that does not come to its end. */
static int bounded_file_call(void *arg)
{
	struct bounded_file *b = arg;
	cleanup(close_fd) int fd = openat(b->dir, b->name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		int r = buf_reserve(&b->text, 65535);
		if (r < 0)
			return r;
		got = read(fd, b->text.data + b->text.n, b->text.capacity - b->text.n - 1);
		if (got < 0 && errno != EINTR)
			return -errno;
		b->text.n += got > 0 ? (size_t)got : 0;
		if (b->text.n > MAX_FILE)
			return -EFBIG;
	} while (got);
	return 0;
}

static void bounded_file_release(void *arg)
{
	struct bounded_file *b = arg;

	close_fd(&b->dir);
	buf_deinit(&b->text);
	free(b);
}

static int live_read_bounded(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct request *request = arg;
	struct bounded_file *b = calloc(1, sizeof *b);

	(void)h, (void)key;
	if (!b)
		return -ENOMEM;
	snprintf(b->name, sizeof b->name, "%s", request->name);
	b->dir = fcntl(request->dir->fd, F_DUPFD_CLOEXEC, 0);
	int r = b->dir < 0 ? -errno :
			     bounded_call(bounded_file_call, b, bounded_file_release, request->timeout_ms);
	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = buf_append(ret, buf_span(&b->text).p, b->text.n);
	bounded_file_release(b);
	return r;
}

int proc_dir_read_bounded(struct proc_dir *d, const char *name, unsigned timeout_ms, struct buf *ret)
{
	return fetch(d, "", name, live_read_bounded, timeout_ms, ret);
}

static int each_entry(struct request *request, int (*each)(const char *name, struct buf *ret),
		      struct buf *ret)
{
	int fd = openat(request->dir->fd, request->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int r = 0;

	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r >= 0 && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = each(entry->d_name, ret);
	if (r >= 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

static int append_name(const char *name, struct buf *ret)
{
	return buf_printf(ret, "%s\n", name);
}

static int live_list(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h, (void)key;
	return each_entry(arg, append_name, ret);
}

int proc_dir_list(struct proc_dir *d, const char *name, struct buf *ret)
{
	return fetch(d, "list:", name, live_list, 0, ret);
}

static int live_readlink(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct request *request = arg;
	int r = buf_reserve(ret, PATH_MAX);

	(void)h, (void)key;
	if (r < 0)
		return r;
	ssize_t n = readlinkat(request->dir->fd, request->name, ret->data, PATH_MAX);
	if (n < 0)
		return -errno;
	ret->n = (size_t)n;
	ret->data[n] = '\0';
	return 0;
}

int proc_dir_readlink(struct proc_dir *d, const char *name, struct buf *ret)
{
	return fetch(d, "link:", name, live_readlink, 0, ret);
}

/* One byte an entry, to be counted. */
static int append_mark(const char *name, struct buf *ret)
{
	(void)name;
	return buf_append(ret, "x", 1);
}

static int live_fd_count_slow(struct host *h, const char *key, void *arg, struct buf *ret)
{
	int r = each_entry(arg, append_mark, ret);
	size_t n = ret->n;

	(void)h, (void)key;
	buf_clear(ret);
	return r < 0 ? r : buf_printf(ret, "%zu", n);
}

static int live_fd_count(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct request *request = arg;
	struct stat st;

	(void)h, (void)key;
	if (fstatat(request->dir->fd, request->name, &st, 0) < 0)
		return -errno;
	return buf_printf(ret, "%lld", (long long)st.st_size);
}

int proc_dir_fd_count(struct proc_dir *d, int pid, bool fast, struct buf *ret)
{
	struct request request = { d, "fd", 0 };
	char key[32];

	snprintf(key, sizeof key, "fdcount:%d", pid);
	return host_fetch(d->h, key, fast ? live_fd_count : live_fd_count_slow, &request, ret);
}
