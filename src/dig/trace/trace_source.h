/* Where records come from: BPF programs, or ptrace where there is no right to load them.
 *
 * By BPF (5.13, BTF, CAP_BPF and CAP_PERFMON): nothing is stopped; the programs' links die with this process. A traced
 * call costs ~0.3 us, one of another process ~70 ns while the raw_syscalls tracepoints are on. Children of targets are
 * followed.
 * By ptrace (the same user or CAP_SYS_PTRACE): every wanted call stops its thread twice (~10 us); of a command, unwanted
 * ones run past a seccomp filter at full speed. A command that was started so dies with this process, targets that were
 * there go on.
 *
 * Threads: one. Records come in the order in which calls end. */
#ifndef OSPREY_DIG_TRACE_TRACE_SOURCE_H
#define OSPREY_DIG_TRACE_TRACE_SOURCE_H

#include "base/vec.h"
#include "dig/trace/trace_filter.h"
#include "kernel/host.h"

struct trace_request {
	const struct trace_filter *filter; /* lives as long as the source */
	const int32_t *pid;		   /* targets; or */
	size_t npids;
	const char *const *argv; /* a command, NULL-terminated */
	void (*restore)(void);	 /* in its process, before it starts: dig/child/waiting_child.h */
	bool no_follow;		 /* leave children alone */
	bool stacks, signals;
	unsigned excerpt_bytes;
	size_t ring_bytes; /* power of two, a page at least */
};

struct trace_source;

/* A record with its parts, valid until it returns. Nonzero: that is enough. */
typedef int (*trace_sink)(void *arg, struct span record);

/* Starts; a command runs from here on. -EPERM, -ESRCH, -ENOENT (command)… with the reason; by BPF -EOPNOTSUPP, and
 * nothing else, when there is none for us. */
int trace_by_bpf(struct host *h, const struct trace_request *q, struct trace_source **ret, struct note *note)
	__attribute__((warn_unused_result));
int trace_by_ptrace(const struct trace_request *q, struct trace_source **ret, struct note *note)
	__attribute__((warn_unused_result));
/* Waits a little (50 ms at most; by ptrace until something happens or `until_ns` of CLOCK_MONOTONIC) and gives what
 * came. 0: go on; 1: all targets have ended, or the sink had enough; -EINTR: a signal came; -errno. */
int trace_source_take(struct trace_source *s, uint64_t until_ns, trace_sink sink, void *arg)
	__attribute__((warn_unused_result));
/* Takes what is left after the end, calls that are under way among them, and lets go of the targets. */
int trace_source_end(struct trace_source *s, trace_sink sink, void *arg) __attribute__((warn_unused_result));
uint64_t trace_source_lost(const struct trace_source *s);
/* Of a command, after the end: its status as wait() gives it; -1: it was none, or it still runs. */
int trace_source_status(const struct trace_source *s);
void trace_source_free(struct trace_source *s);

/* ---- for the two ways ---- */

struct trace_source {
	int (*take)(struct trace_source *s, uint64_t until_ns, trace_sink sink, void *arg);
	int (*end)(struct trace_source *s, trace_sink sink, void *arg);
	uint64_t (*lost)(const struct trace_source *s);
	void (*free)(struct trace_source *s);
	struct trace_request copy; /* of what was asked */
	int32_t child; /* of a command; 0: none, or it has been waited for */
	int status;
};

/* Calls that threads of `pid` are in right now, from /proc/PID/task/TID/syscall; records marked RECORD_UNFINISHED. */
int trace_pending(const struct trace_request *q, int32_t pid, trace_sink sink, void *arg)
	__attribute__((warn_unused_result));

/* Marks a call by RECORD_AT_PATH, when one of its descriptors, or at its exit the one that it gave, is of a file whose
 * path is looked for. The thread stands in the call; ~2 us for each descriptor, nothing without a path filter. */
void trace_note_paths(const struct trace_filter *f, struct trace_record *r, bool at_exit);

#endif
