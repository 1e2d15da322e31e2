#include "dig/trace/trace_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "dig/trace/trace_capture.h"

int trace_source_take(struct trace_source *s, uint64_t until_ns, trace_sink sink, void *arg)
{
	return s->take(s, until_ns, sink, arg);
}

int trace_source_end(struct trace_source *s, trace_sink sink, void *arg)
{
	return s->end(s, sink, arg);
}

uint64_t trace_source_lost(const struct trace_source *s)
{
	return s->lost(s);
}

int trace_source_status(const struct trace_source *s)
{
	return s->status;
}

void trace_source_free(struct trace_source *s)
{
	if (s)
		s->free(s);
}

/* ---- paths of descriptors ---- */

static bool fd_at_path(const struct trace_filter *f, int32_t tid, int32_t fd)
{
	char link[40], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/%d/fd/%d", tid, fd);
	ssize_t n = fd < 0 ? -1 : readlink(link, path, sizeof path);
	return n > 0 && trace_filter_path_fits(f, (struct span){ path, (size_t)n });
}

void trace_note_paths(const struct trace_filter *f, struct trace_record *r, bool at_exit)
{
	const struct trace_call_rule *rule = &f->call[r->call % TRACE_CALLS];
	bool fits = false;

	if (!f->settings.npaths || (r->flags & (RECORD_COMPAT | RECORD_AT_PATH)))
		return;
	for (unsigned i = 0; !fits && !at_exit && i < TRACE_ARGUMENTS; i++)
		fits = (rule->fds >> i & 1) && fd_at_path(f, r->tid, (int32_t)r->argument[i]);
	if (at_exit && (rule->flags & CALL_GIVES_FD))
		fits = fd_at_path(f, r->tid, (int32_t)r->result);
	r->flags |= fits ? RECORD_AT_PATH : 0;
}

/* ---- what is under way ---- */

static bool read_small(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* "0 0x3 0x7ff… …": the number, six arguments, the stack and instruction pointers. "running": in user space. */
static bool parse_syscall(const char *text, struct trace_record *r)
{
	struct span s = span_from(text), word;
	uint64_t call;

	if (!span_next_u64(&s, &call) || call >= TRACE_CALLS)
		return false;
	r->call = (uint16_t)call;
	for (unsigned i = 0; i < TRACE_ARGUMENTS; i++)
		if (!span_word(&s, &word) || !span_hex(word, &r->argument[i]))
			return false;
	return true;
}

static int pending_of(const struct trace_request *q, int32_t pid, int32_t tid, trace_sink sink, void *arg)
{
	char path[64], text[512];
	struct trace_capturer c = { .record = { .pid = pid, .tid = tid, .type = RECORD_CALL, .flags = RECORD_UNFINISHED } };

	snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
	if (!read_small(path, text, sizeof text) || !parse_syscall(text, &c.record))
		return 0;
	const struct trace_call_rule *rule = &q->filter->call[c.record.call];
	if (!(rule->flags & CALL_WANTED) || !trace_filter_fds_fit(q->filter, &c.record) || q->filter->settings.failed_only ||
	    q->filter->settings.slower_ns)
		return 0;
	c.record.start_ns = clock_mono_ns();
	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, tid);
	if (read_small(path, text, sizeof text))
		span_copy(span_trim(span_from(text)), c.record.comm, sizeof c.record.comm);
	trace_capture(&c, pid, rule, false, q->excerpt_bytes);
	trace_note_paths(q->filter, &c.record, false);
	struct trace_event e;
	if (trace_event_parse(trace_captured(&c), &e) < 0 || !trace_filter_fits(q->filter, &e))
		return 0;
	return sink(arg, trace_captured(&c));
}

int trace_pending(const struct trace_request *q, int32_t pid, trace_sink sink, void *arg)
{
	char path[40];
	struct dirent *entry;
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d)
		return -errno;
	while (r == 0 && (entry = readdir(d))) {
		uint64_t tid;

		if (span_u64(span_from(entry->d_name), &tid) && tid <= INT32_MAX)
			r = pending_of(q, pid, (int32_t)tid, sink, arg);
	}
	closedir(d);
	return r;
}
