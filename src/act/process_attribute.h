/* What can be changed of a process while it runs, each as a text that can be read, compared and
 * set: so that one journal and one way of undoing serve all.
 *
 *	nice		"-20" to "19"			each thread	CAP_SYS_NICE or RLIMIT_NICE to lower it
 *	policy		"other", "fifo:10+reset",	each thread	CAP_SYS_NICE or RLIMIT_RTPRIO
 *			"deadline:RUN:DEADLINE:PERIOD" in ns
 *	io		"none", "best-effort:4", "idle" each thread	CAP_SYS_NICE for realtime (before 5.14 SYS_ADMIN)
 *	cpus		"0-3,8"				each thread	CAP_SYS_NICE for other users'
 *	oom_score_adj	"-1000" to "1000"		process		CAP_SYS_RESOURCE to go below its least
 *	autogroup	"-20" to "19"			its session	CAP_SYS_NICE or RLIMIT_NICE to lower it
 *	limit.nofile	"SOFT:HARD"			process		CAP_SYS_RESOURCE to raise the hard one
 *			and so for all of words.h's rlimit_kinds
 *
 * nice, policy, io and affinity belong to threads in Linux, whatever POSIX says: renice -p and taskset
 * without -a change the first thread alone. Live host only. */
#ifndef OSPREY_ACT_PROCESS_ATTRIBUTE_H
#define OSPREY_ACT_PROCESS_ATTRIBUTE_H

#include <stdbool.h>

#include "act/words.h"
#include "base/buf.h"
#include "base/note.h"

struct process_attribute {
	const char *name; /* in the journal */
	const char *what; /* for people: "nice" */
	bool per_thread;
	int argument; /* of limits: the resource */
	/* Appends the present value. -ESRCH: it ended. */
	int (*read)(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note);
	/* -EPERM, -EACCES with the capability in the note; -EINVAL… */
	int (*write)(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note);
};

extern const struct process_attribute attribute_nice, attribute_policy, attribute_io, attribute_cpus,
	attribute_oom_score_adj, attribute_autogroup;
/* "limit.nofile" */
const struct process_attribute *attribute_of_rlimit(const struct rlimit_kind *kind);
/* NULL: none is called so. */
const struct process_attribute *attribute_find(const char *name);

/* The capability that setting `before` back would need and the caller lacks: a lowered hard limit, a
 * raised nice. NULL: none, as far as can be told. */
const char *attribute_one_way(const struct process_attribute *a, const char *before, const char *after);

/* Appends "SOFT:HARD" as the attribute has it. */
int rlimit_value_text(uint64_t soft, uint64_t hard, struct buf *ret) __attribute__((warn_unused_result));

#endif
