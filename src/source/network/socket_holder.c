#include "source/network/socket_holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* ---- the walk ---- */

static bool is_number(const char *name)
{
	return name[0] >= '0' && name[0] <= '9';
}

/* The N of "PREFIX[N]". */
static bool link_inode(int dir, const char *name, struct span prefix, uint64_t *ret)
{
	char text[64];
	ssize_t n = readlinkat(dir, name, text, sizeof text);

	if (n <= (ssize_t)prefix.n + 1 || memcmp(text, prefix.p, prefix.n) != 0 || text[n - 1] != ']')
		return false;
	return span_u64((struct span){ text + prefix.n, (size_t)n - prefix.n - 1 }, ret);
}

static DIR *open_dir_at(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static int put_process(int proc, const char *pid, struct buf *ret)
{
	char path[32], comm[17];

	snprintf(path, sizeof path, "%.20s/comm", pid);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof comm - 1);
	close_fd(&fd);
	if (n > 0 && comm[n - 1] == '\n')
		n--;
	comm[n > 0 ? n : 0] = '\0';
	int r = buf_printf(ret, "p%s %s", pid, comm);
	return r < 0 ? r : buf_append(ret, "", 1);
}

/* The sockets among the descriptors of one process. -EACCES: they may not be looked at. */
static int walk_process(int proc, const char *pid, struct buf *ret)
{
	char path[32];
	struct dirent *entry;
	bool named = false;
	int r = 0;

	snprintf(path, sizeof path, "%.20s/fd", pid);
	DIR *dir = open_dir_at(proc, path);
	if (!dir)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	while (r == 0 && (entry = readdir(dir))) {
		uint64_t inode;

		if (!is_number(entry->d_name) || !link_inode(dirfd(dir), entry->d_name, SPAN("socket:["), &inode))
			continue;
		if (!named)
			r = put_process(proc, pid, ret);
		named = true;
		if (r == 0)
			r = buf_printf(ret, "%s %llu", entry->d_name, (unsigned long long)inode);
		if (r == 0)
			r = buf_append(ret, "", 1);
	}
	closedir(dir);
	return r;
}

static int live_holders(struct host *h, const char *key, void *arg, struct buf *ret)
{
	DIR *proc = open_dir_at(host_root_fd(h), "proc");
	struct dirent *entry;
	size_t denied = 0, seen = 0;
	int r = 0;

	(void)key, (void)arg;
	if (!proc)
		return -errno;
	while (r == 0 && (entry = readdir(proc))) {
		if (!is_number(entry->d_name))
			continue;
		seen++;
		r = walk_process(dirfd(proc), entry->d_name, ret);
		if (r == -EACCES) {
			denied++;
			r = 0;
		}
	}
	closedir(proc);
	if (r == 0 && seen == 0)
		return -ENOENT; /* not even ourselves: a directory on which nothing is mounted */
	return r < 0 ? r : buf_printf(ret, "denied %zu", denied);
}

/* ---- parsing ---- */

static bool parse_pid(struct span *record, int32_t *ret)
{
	struct span number;
	uint64_t pid;

	if (!span_until(record, ' ', &number) || !span_u64(number, &pid) || pid > INT32_MAX)
		return false;
	*ret = (int32_t)pid;
	return true;
}

static bool parse_process(struct span record, struct socket_holder *ret)
{
	record.p++, record.n--;
	if (!parse_pid(&record, &ret->pid))
		return false;
	memset(ret->comm, 0, sizeof ret->comm);
	span_copy(record, ret->comm, sizeof ret->comm);
	return true;
}

static bool parse_socket(struct span record, struct socket_holder *ret)
{
	uint64_t inode;

	if (!parse_pid(&record, &ret->fd) || !span_u64(record, &inode) || inode > UINT32_MAX)
		return false;
	ret->inode = (uint32_t)inode;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct socket_holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

int socket_holders_parse(struct span text, socket_holder_vec *ret, size_t *ret_denied)
{
	struct socket_holder holder = { 0 };
	uint64_t denied = 0;
	bool known = false;

	while (text.n) {
		struct span record = text;

		if (!span_until(&text, '\0', &record))
			text.n = 0;
		if (record.n && record.p[0] == 'p') {
			known = parse_process(record, &holder);
		} else if (span_starts(record, "denied ")) {
			span_u64((struct span){ record.p + 7, record.n - 7 }, &denied);
		} else if (known && parse_socket(record, &holder)) {
			struct socket_holder *new = vec_push(ret);
			if (!new)
				return -ENOMEM;
			*new = holder;
		}
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, compare);
	*ret_denied = denied;
	return 0;
}

int socket_holders_read(struct host *h, struct buf *scratch, socket_holder_vec *ret, size_t *ret_denied)
{
	ret->n = 0;
	int r = host_fetch(h, "socket_holders", live_holders, NULL, scratch);
	return r < 0 ? r : socket_holders_parse(buf_span(scratch), ret, ret_denied);
}

const struct socket_holder *socket_holders_find(const socket_holder_vec *holders, uint32_t inode, size_t *ret_n)
{
	size_t low = 0, high = holders->n, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holders->v[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	while (inode && low + n < holders->n && holders->v[low + n].inode == inode)
		n++;
	*ret_n = n;
	return n ? &holders->v[low] : NULL;
}

/* ---- namespaces ---- */

static struct net_namespace *find_namespace(const net_namespace_vec *found, uint64_t inode)
{
	vec_each(ns, found)
		if (ns->inode == inode)
			return ns;
	return NULL;
}

static int note_namespace(net_namespace_vec *found, uint64_t inode, int32_t pid)
{
	struct net_namespace *ns = find_namespace(found, inode);

	if (!ns) {
		ns = vec_push(found);
		if (!ns)
			return -ENOMEM;
		*ns = (struct net_namespace){ inode, pid };
	}
	if (pid < ns->pid)
		ns->pid = pid;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct net_namespace *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int walk_namespaces(DIR *proc, net_namespace_vec *found, size_t *denied)
{
	struct dirent *entry;
	uint64_t inode;
	int r = 0;

	if (link_inode(dirfd(proc), "self/ns/net", SPAN("net:["), &inode))
		r = note_namespace(found, inode, 0);
	while (r == 0 && (entry = readdir(proc))) {
		char path[40];

		if (!is_number(entry->d_name))
			continue;
		snprintf(path, sizeof path, "%.20s/ns/net", entry->d_name);
		errno = 0;
		if (link_inode(dirfd(proc), path, SPAN("net:["), &inode))
			r = note_namespace(found, inode, (int32_t)strtol(entry->d_name, NULL, 10));
		else if (errno == EACCES || errno == EPERM)
			++*denied;
	}
	if (r == 0 && found->n == 0)
		return -ENOENT;
	return r;
}

static int live_namespaces(struct host *h, const char *key, void *arg, struct buf *ret)
{
	DIR *proc = open_dir_at(host_root_fd(h), "proc");
	net_namespace_vec found = { 0 };
	size_t denied = 0;

	(void)key, (void)arg;
	if (!proc)
		return -errno;
	int r = walk_namespaces(proc, &found, &denied);
	closedir(proc);
	if (found.n)
		qsort(found.v, found.n, sizeof *found.v, by_pid);
	vec_each(ns, &found)
		if (r == 0)
			r = buf_printf(ret, "%llu %d\n", (unsigned long long)ns->inode, ns->pid);
	vec_free(&found);
	return r < 0 ? r : buf_printf(ret, "denied %zu\n", denied);
}

int net_namespaces_parse(struct span text, net_namespace_vec *ret, size_t *ret_denied)
{
	struct span line;
	uint64_t denied = 0;

	while (span_line(&text, &line)) {
		uint64_t inode, pid;

		if (span_starts(line, "denied "))
			span_u64((struct span){ line.p + 7, line.n - 7 }, &denied);

		if (!span_next_u64(&line, &inode) || !span_next_u64(&line, &pid) || pid > INT32_MAX)
			continue;
		struct net_namespace *ns = vec_push(ret);
		if (!ns)
			return -ENOMEM;
		*ns = (struct net_namespace){ inode, (int32_t)pid };
	}
	*ret_denied = denied;
	return 0;
}

int net_namespaces_read(struct host *h, struct buf *scratch, net_namespace_vec *ret, size_t *ret_denied)
{
	ret->n = 0;
	int r = host_fetch(h, "net_namespaces", live_namespaces, NULL, scratch);
	return r < 0 ? r : net_namespaces_parse(buf_span(scratch), ret, ret_denied);
}
