#include "source/process/process_map_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/cleanup.h"

#define TIMEOUT_MS 100

struct count {
	int dir; /* owned */
	uint64_t lines;
};

static int count_call(void *arg)
{
	struct count *c = arg;
	cleanup(close_fd) int fd = openat(c->dir, "maps", O_RDONLY | O_CLOEXEC);
	char text[16384];
	ssize_t got;

	if (fd < 0)
		return -errno;
	while ((got = read(fd, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < got; i++)
			c->lines += text[i] == '\n';
	return got < 0 ? -errno : 0;
}

static void count_release(void *arg)
{
	struct count *c = arg;

	close_fd(&c->dir);
	free(c);
}

static int live_count(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct proc_dir *d = arg;
	struct count *c = calloc(1, sizeof *c);

	(void)h, (void)key;
	if (!c)
		return -ENOMEM;
	c->dir = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
	int r = c->dir < 0 ? -errno : bounded_call(count_call, c, count_release, TIMEOUT_MS);
	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = buf_printf(ret, "%llu", (unsigned long long)c->lines);
	count_release(c);
	return r;
}

int process_map_count_read(struct proc_dir *d, int pid, struct buf *scratch, reading *ret)
{
	char key[32];
	uint64_t v;

	snprintf(key, sizeof key, "map_count:%d", pid);
	int r = host_fetch(d->h, key, live_count, d, scratch);
	if (r == -ETIMEDOUT || r == -ENOMEM)
		return r;
	*ret = r < 0 ? reading_from_errno(r) : span_u64(buf_span(scratch), &v) && reading_ok(v) ? v : READING_MALFORMED;
	return 0;
}
