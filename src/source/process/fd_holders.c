#include "source/process/fd_holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define SEARCH_NS (200 * NS_PER_MS)
#define MAX_EACH 8

int fd_holders_parse(struct span text, fd_holder_vec *ret, bool *ret_complete)
{
	struct span line, access;
	uint64_t complete, inode, pid, fd;

	if (!span_line(&text, &line) || !span_u64(line, &complete))
		return -EBADMSG;
	while (span_line(&text, &line)) {
		if (!span_next_u64(&line, &inode) || !span_next_u64(&line, &pid) || !span_next_u64(&line, &fd) ||
		    !span_word(&line, &access) || access.n != 1 || pid > INT32_MAX || fd > INT32_MAX)
			return -EBADMSG;
		struct fd_holder *f = vec_push(ret);
		if (!f)
			return -ENOMEM;
		*f = (struct fd_holder){ inode, (int32_t)pid, (int32_t)fd, access.p[0], "" };
		span_copy(span_trim(line), f->comm, sizeof f->comm);
	}
	*ret_complete = complete == 1;
	return 0;
}

struct search {
	int pid;
	const uint64_t *inodes;
	unsigned char *found; /* times, of each */
	size_t n;
	bool complete;
	uint64_t deadline_ns;
	struct buf *answer;
	char entries[16384] __attribute__((aligned(16)));
};

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool link_inode(struct span link, uint64_t *ret)
{
	if (!span_starts(link, "pipe:[") && !span_starts(link, "socket:["))
		return false;
	const char *bracket = memchr(link.p, '[', link.n);
	struct span number = { bracket + 1, (size_t)(link.p + link.n - bracket) - 2 };
	return span_u64(number, ret);
}

static void read_comm(int proc, int pid, char *ret, size_t size)
{
	char path[32];

	snprintf(path, sizeof path, "%d/comm", pid);
	cleanup(close_fd) int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	for (char *p = ret; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
}

static int look_at(struct search *s, int proc, int fds, int pid, const char *name)
{
	static const char letters[] = { '-', 'w', 'r', 'u' };
	char link[64], comm[32];
	struct stat st;
	uint64_t inode;
	ssize_t n = readlinkat(fds, name, link, sizeof link);

	if (n < 0 && (errno == EACCES || errno == EPERM))
		return -EACCES;
	if (n <= 0 || !link_inode((struct span){ link, (size_t)n }, &inode))
		return 0;
	const uint64_t *at = bsearch(&inode, s->inodes, s->n, sizeof inode, compare_u64);
	if (!at || s->found[at - s->inodes] >= MAX_EACH)
		return 0;
	s->found[at - s->inodes]++;
	if (fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	read_comm(proc, pid, comm, sizeof comm);
	return buf_printf(s->answer, "%llu %d %s %c %s\n", (unsigned long long)inode, pid, name,
			  letters[st.st_mode >> 7 & 3], comm);
}

/* The directory is read without the C library's stream, whose opening costs as much as all of this. A
 * process that has ended, or will not be looked into, is passed over. */
static int look_into(struct search *s, int proc, int pid)
{
	struct dirent64 *entry;
	char path[32];
	ssize_t got;
	int r = 0;

	snprintf(path, sizeof path, "%d/fd", pid);
	cleanup(close_fd) int fds = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		r = errno == EACCES || errno == EPERM ? -EACCES : 0;
	/* A short answer is the last one: the kernel fills the room there is. */
	for (bool last = fds < 0; r == 0 && !last && (got = getdents64(fds, s->entries, sizeof s->entries)) > 0;) {
		last = (size_t)got + sizeof *entry < sizeof s->entries;
		for (char *at = s->entries; r == 0 && at < s->entries + got; at += entry->d_reclen) {
			entry = (struct dirent64 *)(void *)at;
			if (entry->d_name[0] != '.')
				r = look_at(s, proc, fds, pid, entry->d_name);
		}
	}
	if (r == -EACCES) {
		s->complete = false;
		r = 0;
	}
	return r;
}

struct candidate {
	int pid, distance;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->distance != y->distance ? (x->distance < y->distance ? -1 : 1) : (x->pid > y->pid) - (x->pid < y->pid);
}

typedef VEC(struct candidate) candidate_vec;

static int list_candidates(const struct search *s, int proc, candidate_vec *ret)
{
	int copy = fcntl(proc, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int self = getpid(); /* we are gone when this is read */
	uint64_t pid;

	if (!dir) {
		close_fd(&copy);
		return -errno;
	}
	while ((entry = readdir(dir))) {
		if (!span_u64(span_from(entry->d_name), &pid) || pid > INT32_MAX || (int)pid == s->pid ||
		    (int)pid == self)
			continue;
		struct candidate *c = vec_push(ret);
		if (!c) {
			closedir(dir);
			return -ENOMEM;
		}
		*c = (struct candidate){ (int)pid, abs((int)pid - s->pid) };
	}
	closedir(dir);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, compare_candidates);
	return 0;
}

static int search_all(struct search *s, int proc, const candidate_vec *candidates)
{
	int r = 0;

	vec_each(c, candidates) {
		if (clock_mono_ns() > s->deadline_ns) {
			s->complete = false;
			break;
		}
		r = look_into(s, proc, c->pid);
		if (r < 0)
			break;
	}
	return r;
}

static int live_search(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct search *s = arg;
	candidate_vec candidates = { 0 };
	cleanup(close_fd) int proc = openat(host_root_fd(h), "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)key;
	if (proc < 0)
		return -errno;
	s->answer = ret;
	s->complete = true;
	s->deadline_ns = clock_mono_ns() + SEARCH_NS;
	int r = buf_append(ret, "1\n", 2);
	if (r == 0)
		r = list_candidates(s, proc, &candidates);
	if (r == 0)
		r = search_all(s, proc, &candidates);
	if (r == 0 && !s->complete)
		ret->data[0] = '0';
	vec_free(&candidates);
	return r;
}

int fd_holders_find(struct host *h, int pid, const uint64_t *inodes, size_t n, struct buf *scratch,
		    fd_holder_vec *ret, bool *ret_complete)
{
	struct search s = { .pid = pid, .inodes = inodes, .n = n };
	char key[32];

	s.found = calloc(n + 1, 1);
	if (!s.found)
		return -ENOMEM;
	snprintf(key, sizeof key, "holders:%d", pid);
	int r = host_fetch(h, key, live_search, &s, scratch);
	free(s.found);
	return r < 0 ? r : fd_holders_parse(buf_span(scratch), ret, ret_complete);
}
