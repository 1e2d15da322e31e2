#include "dig/core/core_process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define KERNEL_THREAD 0x00200000u /* PF_KTHREAD */

void core_process_deinit(struct core_process *p)
{
	buf_deinit(&p->auxv);
}

/* Up to `size` bytes; n or -errno. */
static ssize_t read_some(int pid, const char *file, char *to, size_t size)
{
	char path[64];
	ssize_t n = 0, got;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((size_t)n < size && (got = read(fd, to + n, size - (size_t)n)) != 0) {
		if (got < 0)
			return -errno;
		n += got;
	}
	return n;
}

static bool status_number(struct span text, const char *key, uint64_t *ret)
{
	struct span line;

	while (span_line(&text, &line)) {
		if (span_take(&line, key))
			return span_next_u64(&line, ret);
	}
	return false;
}

static int read_status(int pid, struct core_process *p)
{
	char text[8192];
	ssize_t n = read_some(pid, "status", text, sizeof text);
	struct span s = { text, n > 0 ? (size_t)n : 0 };
	uint64_t tgid = 0, threads = 1, tracer = 0, uid = 0, gid = 0, seccomp = 0;

	if (n < 0)
		return (int)n;
	if (!status_number(s, "Tgid:", &tgid) || !tgid)
		return -ESRCH;
	status_number(s, "Threads:", &threads);
	status_number(s, "TracerPid:", &tracer);
	status_number(s, "Uid:", &uid);
	status_number(s, "Gid:", &gid);
	status_number(s, "Seccomp:", &seccomp);
	p->pid = (int)tgid;
	p->threads = (uint32_t)threads;
	p->tracer = (int)tracer;
	p->uid = (uid_t)uid;
	p->gid = (gid_t)gid;
	p->seccomp = (int)seccomp;
	return 0;
}

/* "pid (name) state ppid pgrp session …": the name may hold anything. */
static int read_stat(int pid, struct core_process *p)
{
	char text[1024];
	ssize_t n = read_some(pid, "stat", text, sizeof text);

	if (n < 0)
		return (int)n;
	struct span s = { text, (size_t)n }, tail, head, word;
	int64_t field[20];

	if (!span_until_last(&s, ')', &tail) || !span_until(&s, '(', &head) || !span_word(&tail, &word) || !word.n)
		return -ESRCH;
	span_copy(s, p->name, sizeof p->name);
	p->state = word.p[0];
	for (size_t i = 4; i < 20; i++) {
		if (!span_next_i64(&tail, &field[i]))
			return -ESRCH;
	}
	p->parent = (int)field[4];
	p->group = (int)field[5];
	p->session = (int)field[6];
	p->flags = (uint64_t)field[9];
	p->nice = (int)field[19];
	uint64_t skipped;

	if (!span_next_u64(&tail, &skipped) || !span_word(&tail, &word) || !span_next_u64(&tail, &p->start_ticks))
		return -ESRCH;
	p->kernel_thread = p->flags & KERNEL_THREAD;
	return 0;
}

static void read_arguments(int pid, struct core_process *p)
{
	ssize_t n = read_some(pid, "cmdline", p->arguments, sizeof p->arguments - 1);

	n = n < 0 ? 0 : n;
	while (n > 0 && p->arguments[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		p->arguments[i] = p->arguments[i] ? p->arguments[i] : ' ';
	p->arguments[n] = '\0';
}

static void read_machine(int pid, struct core_process *p)
{
	unsigned char e[20];

	if (read_some(pid, "exe", (char *)e, sizeof e) < (ssize_t)sizeof e || memcmp(e, ELFMAG, SELFMAG) != 0)
		return;
	p->is_32_bit = e[EI_CLASS] == ELFCLASS32;
	p->machine = (uint16_t)(e[18] | e[19] << 8);
}

static int read_auxv(int pid, struct buf *ret)
{
	if (buf_reserve(ret, 4096) < 0)
		return -ENOMEM;
	ssize_t n = read_some(pid, "auxv", ret->data, 4096);

	if (n < 0)
		return (int)n;
	ret->n = (size_t)n;
	return 0;
}

int core_process_read(int pid, struct core_process *ret, struct note *note)
{
	struct core_process p = { 0 };
	char text[64];
	int r = read_status(pid, &p);

	if (r == 0)
		r = read_stat(p.pid, &p);
	if (r < 0)
		return note_set(note, r, "there is no process %d", pid);
	if (p.tracer) {
		struct core_process tracer = { 0 };

		if (read_stat(p.tracer, &tracer) == 0)
			memcpy(p.tracer_name, tracer.name, sizeof p.tracer_name);
	}
	read_arguments(p.pid, &p);
	read_machine(p.pid, &p);
	p.filter = 0x33;
	ssize_t n = read_some(p.pid, "coredump_filter", text, sizeof text);
	uint64_t filter;

	if (n > 0 && span_hex(span_trim((struct span){ text, (size_t)n }), &filter))
		p.filter = (uint32_t)filter;
	r = p.kernel_thread || p.state == 'Z' ? 0 : read_auxv(p.pid, &p.auxv);
	if (r < 0) {
		core_process_deinit(&p);
		return note_set(note, r, "%d (%s): not permitted: it belongs to another user, or guards itself; needs "
				"CAP_SYS_PTRACE (root)", p.pid, p.name);
	}
	*ret = p;
	return 0;
}

int core_process_same(const struct core_process *p)
{
	cleanup(buf_deinit) struct buf auxv = { 0 };
	struct core_process now = { 0 };
	int r = read_stat(p->pid, &now);

	if (r == 0)
		r = read_auxv(p->pid, &auxv);
	if (r < 0)
		return r;
	if (now.start_ticks != p->start_ticks || now.state == 'Z')
		return -ESRCH;
	/* Addresses of its stack, its vDSO and its program: another program has others. */
	return span_equal(buf_span(&auxv), buf_span(&p->auxv)) ? 0 : -ESTALE;
}
