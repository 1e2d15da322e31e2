#include "kernel/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/urgent.h"
#include "kernel/capture.h"

#define MAX_FILE_BYTES (64u << 20)
#define MAX_KEPT 24 /* few: the fd table may be what is short */

struct kept_file {
	const char *path;
	int fd;
};

struct host {
	int root_fd;			/* -1: captured */
	struct capture_reader *captured; /* the machine, when it is a capture */
	struct capture_writer *writer;	/* non-NULL while capturing */
	struct host_time at;
	struct kept_file kept[MAX_KEPT];
	size_t nkept;
	bool keep_none; /* descriptors are short: keep none */
	struct urgent *urgent;
	unsigned answers;
};

static struct host_time live_time(void)
{
	return (struct host_time){ clock_mono_ns(), clock_boot_ns(), clock_real_ns() };
}

int host_open_live(const char *root, struct host **ret, struct note *note)
{
	struct host *h = calloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->root_fd < 0) {
		int error = errno;
		free(h);
		return note_set(note, -error, "cannot open %s: %s", root, strerror(error));
	}
	h->at = live_time();
	*ret = h;
	return 0;
}

/* Takes the reader over. */
static int host_of_capture(struct capture_reader *captured, struct host **ret)
{
	struct host *h = calloc(1, sizeof *h);

	if (!h) {
		capture_reader_free(captured);
		return -ENOMEM;
	}
	h->root_fd = -1;
	h->captured = captured;
	h->at = capture_time(captured);
	*ret = h;
	return 0;
}

int host_open_capture(const char *path, struct host **ret, struct note *note)
{
	struct capture_reader *captured;
	int r = capture_reader_new(path, &captured, note);

	return r < 0 ? r : host_of_capture(captured, ret);
}

int host_open_capture_text(struct buf *text, struct host **ret, struct note *note)
{
	struct capture_reader *captured;
	int r = capture_reader_from_text(text, &captured, note);

	return r < 0 ? r : host_of_capture(captured, ret);
}

static void close_kept(struct host *h)
{
	for (size_t i = 0; i < h->nkept; i++)
		close(h->kept[i].fd);
	h->nkept = 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	if (h->writer)
		(void)!host_capture_end(h);
	close_kept(h);
	close_fd(&h->root_fd);
	capture_reader_free(h->captured);
	free(h);
}

int host_capture_to(struct host *h, const char *path, struct note *note)
{
	if (!host_is_live(h))
		return note_set(note, -EINVAL, "this host is itself a capture");
	int r = capture_writer_new(path, &h->writer, note);
	if (r == 0)
		capture_write_tick(h->writer, h->at);
	return r;
}

int host_capture_end(struct host *h)
{
	struct capture_writer *w = h->writer;

	h->writer = NULL;
	return w ? capture_writer_end(w) : 0;
}

bool host_is_live(const struct host *h)
{
	return h->root_fd >= 0;
}

bool host_is_textual(const struct host *h)
{
	return !host_is_live(h) || h->writer;
}

int host_root_fd(const struct host *h)
{
	return h->root_fd;
}

struct host_time host_time(const struct host *h)
{
	return h->at;
}

int host_tick(struct host *h, uint64_t mono_ns)
{
	if (!host_is_live(h)) {
		int r = capture_next(h->captured);
		if (r == 0)
			h->at = capture_time(h->captured);
		return r;
	}
	int r = clock_sleep_until(mono_ns);
	h->at = live_time();
	if (h->writer)
		capture_write_tick(h->writer, h->at);
	return r;
}

bool host_at_end(const struct host *h)
{
	return !host_is_live(h) && capture_at_end(h->captured);
}

void host_check_urgent(struct host *h, struct urgent *u)
{
	h->urgent = u;
}

/* Some ms of work apart at most, but for the few answers that take longer themselves. */
#define ANSWERS_BETWEEN_CHECKS 64

int host_fetch(struct host *h, const char *key, host_fetch_fn live, void *arg, struct buf *ret)
{
	buf_clear(ret);
	if (!host_is_live(h)) {
		struct span bytes;
		int r = capture_get(h->captured, key, &bytes);
		return r < 0 ? r : buf_append(ret, bytes.p, bytes.n);
	}
	if (h->urgent && ++h->answers % ANSWERS_BETWEEN_CHECKS == 0)
		urgent_check(h->urgent);
	int r = live(h, key, arg, ret);
	if (r < 0)
		buf_clear(ret);
	if (h->writer)
		capture_write(h->writer, key, r, buf_span(ret));
	return r;
}

/* Paths are absolute in keys and relative to the root fd for the kernel. */
static const char *below_root(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

static int read_all(int fd, struct buf *ret)
{
	for (;;) {
		int r = buf_reserve(ret, 4095);
		if (r < 0)
			return r;
		size_t room = ret->capacity - ret->n - 1;
		ssize_t got = pread(fd, ret->data + ret->n, room, (off_t)ret->n);
		if (got < 0 && errno == ESPIPE)
			got = read(fd, ret->data + ret->n, room);
		if (got < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		ret->n += (size_t)got;
		ret->data[ret->n] = '\0';
		if (got == 0)
			return 0;
		if (ret->n > MAX_FILE_BYTES)
			return -EFBIG;
	}
}

/* A process that was started with few descriptors left (EMFILE), or a host whose file table is
 * full (ENFILE): comfort goes first. */
static bool make_room(struct host *h)
{
	if ((errno != EMFILE && errno != ENFILE) || h->keep_none)
		return false;
	close_kept(h);
	h->keep_none = true;
	return true;
}

static int open_below(struct host *h, const char *path, int flags)
{
	int fd;

	do
		fd = openat(h->root_fd, below_root(path), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && make_room(h));
	return fd < 0 ? -errno : fd;
}

static int live_read(struct host *h, const char *path, void *unused, struct buf *ret)
{
	(void)unused;
	cleanup(close_fd) int fd = open_below(h, path, O_RDONLY);

	return fd < 0 ? fd : read_all(fd, ret);
}

int host_read(struct host *h, const char *path, struct buf *ret)
{
	return host_fetch(h, path, live_read, NULL, ret);
}

static int live_read_kept(struct host *h, const char *path, void *unused, struct buf *ret)
{
	for (size_t i = 0; i < h->nkept; i++)
		if (h->kept[i].path == path)
			return read_all(h->kept[i].fd, ret);
	if (h->nkept == MAX_KEPT || h->keep_none)
		return live_read(h, path, unused, ret);
	int fd = open_below(h, path, O_RDONLY);
	if (fd < 0)
		return fd;
	if (h->keep_none) { /* only just found out */
		int r = read_all(fd, ret);
		close(fd);
		return r;
	}
	h->kept[h->nkept++] = (struct kept_file){ path, fd };
	return read_all(fd, ret);
}

int host_read_kept(struct host *h, const char *path, struct buf *ret)
{
	return host_fetch(h, path, live_read_kept, NULL, ret);
}

struct bounded_read {
	int fd; /* owned: the host may be gone when a late read ends */
	struct buf text;
};

static int bounded_read_call(void *arg)
{
	struct bounded_read *b = arg;
	return read_all(b->fd, &b->text);
}

static void bounded_read_release(void *arg)
{
	struct bounded_read *b = arg;

	close(b->fd);
	buf_deinit(&b->text);
	free(b);
}

static int live_read_bounded(struct host *h, const char *path, void *timeout_ms, struct buf *ret)
{
	int fd = open_below(h, path, O_RDONLY);
	struct bounded_read *b;

	if (fd < 0)
		return fd;
	b = malloc(sizeof *b);
	if (!b) {
		close(fd);
		return -ENOMEM;
	}
	*b = (struct bounded_read){ .fd = fd };
	int r = bounded_call(bounded_read_call, b, bounded_read_release, *(unsigned *)timeout_ms);
	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = buf_append(ret, buf_span(&b->text).p, b->text.n);
	bounded_read_release(b);
	return r;
}

int host_read_bounded(struct host *h, const char *path, unsigned timeout_ms, struct buf *ret)
{
	return host_fetch(h, path, live_read_bounded, &timeout_ms, ret);
}

static int live_list(struct host *h, const char *key, void *path, struct buf *ret)
{
	int fd = open_below(h, path, O_RDONLY | O_DIRECTORY);
	struct dirent *entry;
	int r = 0;

	(void)key;
	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = buf_printf(ret, "%s\n", entry->d_name);
	if (r == 0)
		r = -errno;
	closedir(dir);
	return r;
}

int host_list(struct host *h, const char *path, struct buf *ret)
{
	char key[PATH_MAX + 8];

	snprintf(key, sizeof key, "list:%s", path);
	return host_fetch(h, key, live_list, (void *)(uintptr_t)path, ret);
}

static int live_readlink(struct host *h, const char *key, void *path, struct buf *ret)
{
	(void)key;
	int r = buf_reserve(ret, PATH_MAX);
	if (r < 0)
		return r;
	ssize_t n = readlinkat(h->root_fd, below_root(path), ret->data, PATH_MAX);
	if (n < 0)
		return -errno;
	ret->n = (size_t)n;
	ret->data[n] = '\0';
	return 0;
}

int host_readlink(struct host *h, const char *path, struct buf *ret)
{
	char key[PATH_MAX + 8];

	snprintf(key, sizeof key, "link:%s", path);
	return host_fetch(h, key, live_readlink, (void *)(uintptr_t)path, ret);
}
