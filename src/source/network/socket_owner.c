/* Who holds a socket: the links /proc/PID/fd/N read "socket:[inode]". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/network/socket.h"

#define WALK_NS (200 * NS_PER_MS)

struct walk {
	struct host *host;
	struct socket *const *sockets;
	size_t n;
	bool walked; /* one walk serves all sockets of a call */
	uint64_t deadline_ns;
	struct buf pids, fds, link;
};

static bool wanted(const struct socket *s)
{
	return s->inode != 0 && s->owner_pid == 0 && !s->owner_sought;
}

static bool all_named(const struct walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (wanted(w->sockets[i]))
			return false;
	return true;
}

static bool out_of_time(const struct walk *w)
{
	return clock_mono_ns() > w->deadline_ns;
}

static int read_link(struct walk *w, const char *path)
{
	buf_clear(&w->link);
	int r = buf_reserve(&w->link, 63);
	if (r < 0)
		return r;
	ssize_t n = readlinkat(host_root_fd(w->host), path, w->link.data, 63);
	if (n < 0)
		return -errno;
	w->link.n = (size_t)n;
	w->link.data[n] = '\0';
	return 0;
}

/* "net:[4026531840]", "socket:[123]" */
static bool link_inode(const struct walk *w, const char *type, uint64_t *ret)
{
	struct span text = buf_span(&w->link), before, inode;

	return span_until(&text, ':', &before) && span_is(before, type) && span_until(&text, '[', &before) &&
	       span_until(&text, ']', &inode) && span_u64(inode, ret);
}

static int list(struct walk *w, const char *path, struct buf *ret)
{
	int fd = openat(host_root_fd(w->host), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int r = 0;

	buf_clear(ret);
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = buf_printf(ret, "%s\n", entry->d_name);
	closedir(dir);
	return r;
}

static bool of_our_namespaces(struct walk *w, uint64_t pid)
{
	char path[48];
	uint64_t inode;

	snprintf(path, sizeof path, "proc/%llu/ns/net", (unsigned long long)pid);
	if (read_link(w, path) < 0 || !link_inode(w, "net", &inode))
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (wanted(w->sockets[i]) && w->sockets[i]->net_ns == inode)
			return true;
	return false;
}

static void read_comm(struct walk *w, uint64_t pid, char *ret, size_t size)
{
	char path[48];

	snprintf(path, sizeof path, "proc/%llu/comm", (unsigned long long)pid);
	int fd = openat(host_root_fd(w->host), path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

static void name_owner(struct walk *w, uint64_t inode, uint64_t pid)
{
	for (size_t i = 0; i < w->n; i++) {
		struct socket *s = w->sockets[i];

		if (!wanted(s) || s->inode != inode)
			continue;
		s->owner_pid = (int32_t)pid;
		read_comm(w, pid, s->owner_comm, sizeof s->owner_comm);
	}
}

static int walk_process(struct walk *w, uint64_t pid)
{
	struct span fds, fd;
	char path[64];
	uint64_t inode;

	snprintf(path, sizeof path, "proc/%llu/fd", (unsigned long long)pid);
	int r = list(w, path, &w->fds);
	if (r < 0)
		return r == -ENOMEM ? r : 0; /* gone, or another user's */
	for (fds = buf_span(&w->fds); span_line(&fds, &fd) && !out_of_time(w);) {
		snprintf(path, sizeof path, "proc/%llu/fd/%.*s", (unsigned long long)pid, (int)fd.n, fd.p);
		if (read_link(w, path) == 0 && link_inode(w, "socket", &inode))
			name_owner(w, inode, pid);
	}
	return 0;
}

enum pass { NEAR, FAR, INIT, PASSES };

static bool in_pass(struct walk *w, enum pass pass, uint64_t pid)
{
	if (pid == 1 || pass == INIT)
		return pid == 1 && pass == INIT;
	return of_our_namespaces(w, pid) == (pass == NEAR);
}

static int walk(struct walk *w)
{
	int r = list(w, "proc", &w->pids);

	w->walked = true;
	w->deadline_ns = clock_mono_ns() + WALK_NS;
	for (enum pass pass = NEAR; r == 0 && pass < PASSES; pass++) {
		struct span names = buf_span(&w->pids), name;
		uint64_t pid;

		while (r == 0 && !all_named(w) && !out_of_time(w) && span_line(&names, &name))
			if (span_u64(name, &pid) && in_pass(w, pass, pid))
				r = walk_process(w, pid);
	}
	return r;
}

/* "1234 comm" of one socket; -ESRCH: nobody was found. */
static int live_owner(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct walk *w = arg;
	struct span number = span_from(key), before;
	uint64_t inode;

	(void)h;
	if (!w->walked) {
		int r = walk(w);
		if (r < 0)
			return r;
	}
	if (!span_until(&number, ':', &before) || !span_u64(number, &inode))
		return -EINVAL;
	for (size_t i = 0; i < w->n; i++)
		if (w->sockets[i]->inode == inode && w->sockets[i]->owner_pid)
			return buf_printf(ret, "%d %s", w->sockets[i]->owner_pid, w->sockets[i]->owner_comm);
	return -ESRCH;
}

static void parse_owner(struct span text, struct socket *ret)
{
	struct span pid_text;
	uint64_t pid;

	if (!span_until(&text, ' ', &pid_text) || !span_u64(pid_text, &pid) || pid > INT32_MAX)
		return;
	ret->owner_pid = (int32_t)pid;
	span_copy(text, ret->owner_comm, sizeof ret->owner_comm);
}

int socket_owners(struct host *h, struct socket *const *sockets, size_t n)
{
	struct walk w = { .host = h, .sockets = sockets, .n = n };
	struct buf answer = { 0 };
	int r = 0;

	for (size_t i = 0; r != -ENOMEM && i < n; i++) {
		char key[48];

		/* A socket that the walk for another one has named is asked for all the same: each
		 * answer is to be found again under its own key. */
		if (sockets[i]->inode == 0 || sockets[i]->owner_sought)
			continue;
		snprintf(key, sizeof key, "socket_owner:%u", sockets[i]->inode);
		r = host_fetch(h, key, live_owner, &w, &answer);
		if (r == 0)
			parse_owner(buf_span(&answer), sockets[i]);
	}
	for (size_t i = 0; i < n; i++)
		sockets[i]->owner_sought = true;
	buf_deinit(&answer);
	buf_deinit(&w.pids);
	buf_deinit(&w.fds);
	buf_deinit(&w.link);
	return r == -ENOMEM ? r : 0;
}
