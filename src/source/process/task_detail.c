/* What is read of few tasks only, when a finding names them. */
#include <errno.h>
#include <stdio.h>

#include "source/process/task.h"

#define TIMEOUT_MS 200

/* Arguments are separated by NUL; a program may have written anything over them. */
static void printable(struct span raw, char *ret, size_t size)
{
	size_t n = 0;

	while (raw.n && raw.p[raw.n - 1] == '\0')
		raw.n--;
	for (size_t i = 0; i < raw.n && n + 5 < size; i++) {
		unsigned char c = (unsigned char)raw.p[i];

		if (c == '\0')
			ret[n++] = ' ';
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(ret + n, size - n, "\\x%02x", c);
		else
			ret[n++] = (char)c;
	}
	ret[n] = '\0';
}

/* Kernel threads, zombies and programs that cleared their arguments have a name only. */
static int bracketed_name(struct host *h, int pid, struct buf *scratch, char *ret, size_t size)
{
	char path[40], name[64];

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	int r = host_read(h, path, scratch);
	if (r < 0)
		return r;
	printable(span_trim(buf_span(scratch)), name, sizeof name);
	snprintf(ret, size, "[%s]", name);
	return 0;
}

int task_command_line(struct host *h, int pid, char *ret, size_t size)
{
	struct buf text = { 0 };
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	int r = host_read_bounded(h, path, TIMEOUT_MS, &text);
	/* Without a thread to wait in (the pid table is full) or an answer in time, the name will do. */
	if (r == 0 && text.n)
		printable(buf_span(&text), ret, size);
	else if (r == 0 || r == -ETIMEDOUT || r == -EAGAIN || r == -EBUSY)
		r = bracketed_name(h, pid, &text, ret, size);
	buf_deinit(&text);
	return r;
}

int task_kernel_stack(struct host *h, int pid, int tid, struct buf *ret)
{
	struct buf text = { 0 };
	struct span lines, line, address;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stack", pid, tid);
	int r = host_read(h, path, &text);
	lines = buf_span(&text);
	buf_clear(ret);
	while (r == 0 && span_line(&lines, &line)) /* "[<0>] futex_wait+0x71/0x120" */
		if (span_until(&line, ']', &address) && (line = span_trim(line)).n)
			r = buf_printf(ret, "%.*s\n", (int)line.n, line.p);
	buf_deinit(&text);
	return r;
}

int task_wchan(struct host *h, int pid, int tid, char *ret, size_t size)
{
	struct buf text = { 0 };
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/wchan", pid, tid);
	int r = host_read(h, path, &text);
	if (r == 0) /* "0": it runs, or we may not know */
		span_copy(text.n == 1 && text.data[0] == '0' ? SPAN("") : buf_span(&text), ret, size);
	buf_deinit(&text);
	return r;
}
