#include "act/run_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void tree_deinit(struct tree *t)
{
	vec_free(&t->member);
	vec_free(&t->scan);
	buf_deinit(&t->text);
	buf_deinit(&t->list);
}

/* ---- one process ---- */

/* "12 (a (b) c) S 1 12 12 …": the name ends at the last parenthesis. */
int tree_stat_parse(struct span text, struct tree_process *ret)
{
	struct tree_process p = { 0 };
	struct span rest, before = text, number, state;
	uint64_t pid, value[20];

	if (!span_until_last(&before, ')', &rest) || !span_until(&before, '(', &number) ||
	    !span_u64(span_trim(number), &pid) || pid > INT32_MAX || !span_word(&rest, &state) || state.n != 1)
		return -EBADMSG;
	span_copy(before, p.comm, sizeof p.comm);
	/* Fields 4 to 22; some may be negative, of those none is wanted. */
	for (size_t i = 4; i <= 22; i++) {
		struct span word;

		if (!span_word(&rest, &word))
			return -EBADMSG;
		value[i - 4] = 0;
		if (!span_u64(word, &value[i - 4]) && (i <= 6 || i >= 14) && i != 18 && i != 19)
			return -EBADMSG;
	}
	p.pid = (pid_t)pid;
	p.state = state.p[0];
	p.parent = (pid_t)value[0];
	p.group = (pid_t)value[1];
	p.session = (pid_t)value[2];
	p.own_ticks = value[10] + value[11];
	p.waited_ticks = value[12] + value[13];
	p.start_ticks = value[18];
	*ret = p;
	return 0;
}

static int read_file(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	buf_clear(ret);
	do {
		r = buf_reserve(ret, 4096);
		if (r < 0)
			break;
		n = read(fd, ret->data + ret->n, 4096);
		if (n > 0)
			ret->n += (size_t)n;
		else if (n < 0)
			r = -errno;
	} while (n > 0);
	close(fd);
	return r;
}

/* ---- I/O ---- */

void tree_io_parse(struct span text, struct tree_io *ret)
{
	struct tree_io io = { READING_ABSENT, READING_ABSENT, READING_ABSENT, READING_ABSENT };
	const struct {
		const char *name;
		reading *value;
	} names[] = {
		{ "rchar", &io.read_call_bytes },
		{ "wchar", &io.write_call_bytes },
		{ "read_bytes", &io.read_bytes },
		{ "write_bytes", &io.written_bytes },
	};
	struct span line, name;

	while (span_line(&text, &line)) {
		if (!span_until(&line, ':', &name))
			continue;
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (span_is(name, names[i].name) && (!span_u64(span_trim(line), names[i].value) ||
							    !reading_ok(*names[i].value)))
				*names[i].value = READING_MALFORMED;
	}
	*ret = io;
}

/* Bytes that were read of it, or -errno. */
static ssize_t io_read(const char *path, struct tree_io *ret)
{
	char text[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (n < 0)
		n = -errno;
	else
		tree_io_parse((struct span){ text, (size_t)n }, ret);
	if (fd >= 0)
		close(fd);
	return n;
}

void tree_io_of_children(struct tree_io *ret)
{
	struct tree_io all, own;
	ssize_t n = io_read("/proc/self/io", &all), m = n < 0 ? n : io_read("/proc/thread-self/io", &own);

	if (m < 0) {
		reading why = reading_from_errno((int)m);

		*ret = (struct tree_io){ why, why, why, why };
		return;
	}
	/* The first look has been counted by the second. */
	if (reading_ok(own.read_call_bytes) && own.read_call_bytes >= (uint64_t)n)
		own.read_call_bytes -= (uint64_t)n;
	*ret = (struct tree_io){
		reading_delta(own.read_bytes, all.read_bytes),
		reading_delta(own.written_bytes, all.written_bytes),
		reading_delta(own.read_call_bytes, all.read_call_bytes),
		reading_delta(own.write_call_bytes, all.write_call_bytes),
	};
}

static int read_process(struct tree *t, pid_t pid, struct tree_process *ret)
{
	char path[32];
	int r;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	r = read_file(path, &t->text);
	return r < 0 ? r : tree_stat_parse(buf_span(&t->text), ret);
}

/* ---- by the files of children ---- */

static bool excluded(const pid_t *not_below, pid_t pid)
{
	for (; not_below && *not_below; not_below++)
		if (*not_below == pid)
			return true;
	return false;
}

static int add_children_of_thread(struct tree *t, pid_t pid, const char *tid, bool direct, const pid_t *not_below)
{
	char path[64];
	struct span rest;
	uint64_t child;
	int r;

	snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", pid, tid);
	r = read_file(path, &t->list);
	if (r < 0)
		return r;
	rest = buf_span(&t->list);
	while (span_next_u64(&rest, &child)) {
		struct tree_process p, *m;

		if (excluded(not_below, (pid_t)child) || read_process(t, (pid_t)child, &p) < 0)
			continue;
		m = vec_push(&t->member);
		if (!m)
			return -ENOMEM;
		*m = p;
		m->direct = direct;
	}
	return 0;
}

/* -ENOENT: of a process that is there, the kernel has no such file. */
static int add_children(struct tree *t, pid_t pid, bool direct, const pid_t *not_below)
{
	char path[32];
	struct dirent *d;
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		r = add_children_of_thread(t, pid, d->d_name, direct, not_below);
		if (r == -ENOENT || r == -ESRCH) /* this thread has ended; or all have no such file */
			r = direct && access("/proc/thread-self/children", F_OK) < 0 ? -ENOENT : 0;
	}
	closedir(dir);
	return r;
}

static int read_by_children(struct tree *t, pid_t root, const pid_t *not_below)
{
	int r = add_children(t, root, true, not_below);

	for (size_t i = 0; r == 0 && i < t->member.n; i++) {
		r = add_children(t, t->member.v[i].pid, false, not_below);
		if (r == -ESRCH || r == -EACCES)
			r = 0;
	}
	return r;
}

/* ---- by all processes ---- */

static int scan_host(struct tree *t)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	int r = 0;

	if (!dir)
		return -errno;
	t->scan.n = 0;
	while (r == 0 && (d = readdir(dir))) {
		struct tree_process p, *s;
		uint64_t pid;

		if (!span_u64(span_from(d->d_name), &pid) || read_process(t, (pid_t)pid, &p) < 0)
			continue;
		s = vec_push(&t->scan);
		if (!s)
			r = -ENOMEM;
		else
			*s = p;
	}
	closedir(dir);
	return r;
}

static int by_parent(const void *a, const void *b)
{
	const struct tree_process *x = a, *y = b;

	return x->parent < y->parent ? -1 : x->parent > y->parent;
}

/* The first of those whose parent is `pid`, in the sorted scan. */
static size_t first_child(const struct tree *t, pid_t pid)
{
	size_t low = 0, high = t->scan.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->scan.v[middle].parent < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int take_children(struct tree *t, pid_t pid, bool direct, const pid_t *not_below)
{
	for (size_t i = first_child(t, pid); i < t->scan.n && t->scan.v[i].parent == pid; i++) {
		struct tree_process *m;

		if (excluded(not_below, t->scan.v[i].pid))
			continue;
		m = vec_push(&t->member);
		if (!m)
			return -ENOMEM;
		*m = t->scan.v[i];
		m->direct = direct;
	}
	return 0;
}

static int read_by_scan(struct tree *t, pid_t root, const pid_t *not_below)
{
	int r = scan_host(t);

	if (r < 0)
		return r;
	if (t->scan.n)
		qsort(t->scan.v, t->scan.n, sizeof *t->scan.v, by_parent);
	r = take_children(t, root, true, not_below);
	/* Parents that changed during the scan cannot make a circle that grows: no more members than
	 * processes were seen. */
	for (size_t i = 0; r == 0 && i < t->member.n && t->member.n <= t->scan.n; i++)
		r = take_children(t, t->member.v[i].pid, false, not_below);
	return r;
}

int tree_read(struct tree *t, pid_t root, const pid_t *not_below)
{
	int r = -ENOENT;

	t->member.n = 0;
	if (!t->whole_host)
		r = read_by_children(t, root, not_below);
	if (r == -ENOENT) {
		t->whole_host = true;
		t->member.n = 0;
		r = read_by_scan(t, root, not_below);
	}
	return r;
}

/* ---- signals ---- */

/* Whether the number still is its: a process that had it at the time of the reading and has the same
 * start cannot be another. */
static bool still_it(const struct tree_process *p)
{
	struct tree_process now;
	char path[32], text[1024];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", p->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text);
	close(fd);
	return n > 0 && tree_stat_parse((struct span){ text, (size_t)n }, &now) == 0 &&
	       now.start_ticks == p->start_ticks;
}

int tree_signal(const struct tree_process *p, bool own, int number)
{
	int fd, r = 0;

	if (own)
		return kill(p->pid, number) < 0 ? -errno : 0;
	fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd < 0 && errno == ESRCH)
		return -ESRCH;
	if (!still_it(p))
		r = -ESRCH;
	/* No descriptor to be had, or a kernel before 5.3: between look and signal lie microseconds. */
	else if (fd < 0 ? kill(p->pid, number) < 0 : syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

int tree_kill_children(const pid_t *keep)
{
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC), n = 0;
	char text[4096];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);
	struct span rest = { text, length > 0 ? (size_t)length : 0 };
	uint64_t pid;

	if (fd < 0)
		return -errno;
	close(fd);
	while (span_next_u64(&rest, &pid)) {
		siginfo_t info = { 0 };

		/* What is no child of ours, as the number at the end that may be cut, is not touched. */
		if (excluded(keep, (pid_t)pid) ||
		    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0)
			continue;
		n += kill((pid_t)pid, SIGKILL) == 0;
	}
	return n;
}

/* ---- CPU time ---- */

void tree_clock_deinit(struct tree_clock *c)
{
	vec_free(&c->before);
}

static uint64_t used_before(const struct tree_clock *c, const struct tree_process *p)
{
	vec_each(b, &c->before)
		if (b->pid == p->pid && b->start_ticks == p->start_ticks)
			return b->own_ticks;
	return 0;
}

uint64_t tree_clock_advance(struct tree_clock *c, const struct tree *now, uint64_t waited_ticks)
{
	uint64_t sum = waited_ticks;

	vec_each(p, &now->member) {
		uint64_t before = used_before(c, p);

		sum += p->own_ticks + p->waited_ticks;
		if (p->own_ticks > before)
			c->seen_ticks += p->own_ticks - before;
	}
	c->before.n = 0;
	if (vec_reserve(&c->before, now->member.n) == 0) {
		if (now->member.n)
			memcpy(c->before.v, now->member.v, now->member.n * sizeof *now->member.v);
		c->before.n = now->member.n;
	}
	/* Either may lag: the sum loses what ended unwaited, the growth what came and went between
	 * two looks. */
	if (sum > c->best_ticks)
		c->best_ticks = sum;
	if (c->seen_ticks > c->best_ticks)
		c->best_ticks = c->seen_ticks;
	return c->best_ticks;
}
