/* The processes below one: found, counted, signalled.
 *
 * Reads /proc/PID/task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN, a few files for each
 * member of the tree), else /proc/PID/stat of every process of the host.
 * A tree that is at work changes while it is read: a member may be missed, and is found by the next
 * reading. Whoever needs to be sure reads again until the kernel says that there is none (ECHILD).
 * Privilege: none (hidepid hides the processes of others). */
#ifndef OSPREY_ACT_RUN_TREE_H
#define OSPREY_ACT_RUN_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/reading.h"
#include "base/span.h"
#include "base/vec.h"

struct tree_process {
	pid_t pid, parent, group, session;
	char state; /* 'R', 'S', 'Z'… */
	char comm[16];
	uint64_t start_ticks;
	uint64_t own_ticks;	/* CPU time, user and system */
	uint64_t waited_ticks; /* of the children that it waited for */
	bool direct;		/* a child of the root */
};

struct tree {
	VEC(struct tree_process) member; /* without the root */
	VEC(struct tree_process) scan;
	struct buf text, list;
	bool whole_host; /* there is no file of children */
};

void tree_deinit(struct tree *t);
/* All that descends from `root`, zombies too; `not_below`: nullable, processes (ended by 0) to be left
 * out with what descends from them. 0 or -errno. */
int tree_read(struct tree *t, pid_t root, const pid_t *not_below) __attribute__((warn_unused_result));

/* One member, and no other that has its number by now. 0; -ESRCH: it is gone; -EPERM. `own`: a child that the
 * caller has not waited for, whose number cannot be another's. */
int tree_signal(const struct tree_process *p, bool own, int signal) __attribute__((warn_unused_result));

/* SIGKILL to the children of the calling process but `keep` (ended by 0; nullable), at once and without a
 * look at them: one that forks and exits, and forks and exits, has another number by the time a tree
 * is read. Their children become the caller's when it is a subreaper. How many there were that have not ended;
 * -ENOENT: the kernel has no file of children. */
int tree_kill_children(const pid_t *keep) __attribute__((warn_unused_result));

/* /proc/PID/io. Pure; what is not there is absent. */
struct tree_io {
	reading read_bytes, written_bytes; /* storage */
	reading read_call_bytes, write_call_bytes; /* through read, write and their like */
};
void tree_io_parse(struct span text, struct tree_io *ret);
/* Of all that the calling process has waited for, and what those had waited for: its own sum, which has them,
 * without that of its only thread. (/proc/PID/io of a process that has ended belongs to root.) */
void tree_io_of_children(struct tree_io *ret);

/* /proc/PID/stat. Pure. -EBADMSG. */
int tree_stat_parse(struct span text, struct tree_process *ret) __attribute__((warn_unused_result));

/* CPU time of a tree over several readings: never runs backwards, and counts what members used
 * up to the last reading in which they were seen, even if nobody waits for them. */
struct tree_clock {
	VEC(struct tree_process) before;
	uint64_t seen_ticks; /* sum of the growth of members */
	uint64_t best_ticks; /* what was told last */
};
void tree_clock_deinit(struct tree_clock *c);
/* CPU time so far in clock ticks: the larger of what was seen to grow, and of the sum over members, what
 * they waited for, and `waited_ticks` (what the root has waited for). */
uint64_t tree_clock_advance(struct tree_clock *c, const struct tree *now, uint64_t waited_ticks);

#endif
