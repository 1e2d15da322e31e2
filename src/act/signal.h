/* Signals to processes, by pidfd: what is hit is the process that was chosen, never one that got its
 * pid since. Each pidfd is opened first, and the start time compared afterwards: if it is
 * still the same the pidfd is that process's.
 *
 * Trees and cgroups are taken as they are, not as they were: members are stopped (SIGSTOP) as they
 * are found, for what is stopped cannot fork, and looked for again until a look finds nobody new. Then
 * all get the signal, and those that were not stopped before are let go on (SIGCONT). Parents and shells
 * may notice that stop. Signals that would end or stop the caller come after it; only a KILL of the caller in that moment
 * leaves members stopped. What escapes: a child whose parent forked it and ended between two looks; a
 * cgroup loses nobody that way. cgroup.kill (v2, 5.14) is used for KILL where it is there.
 *
 * pidfds since 5.3. Without them (ENOSYS), and where descriptors run out, the start time is compared
 * right before kill(2), which leaves a moment; `by_pid` tells. Privilege: the same user, else CAP_KILL. One fd a process; the soft
 * RLIMIT_NOFILE of the calling process is raised to the hard one. */
#ifndef OSPREY_ACT_SIGNAL_H
#define OSPREY_ACT_SIGNAL_H

#include "act/process_select.h"

/* Adds members that appeared since; their number or -errno. */
typedef int (*signal_grow_fn)(void *arg, struct host *h, process_vec *v);

struct signal_plan {
	int number;		/* what is sent; 0: nothing, only whether one may */
	bool wait;		/* until it ended, for grace_ns */
	bool then_kill;		/* KILL to those that have not ended then */
	uint64_t grace_ns;
	signal_grow_fn grow;	/* NULL: the processes alone */
	void *grow_arg;
	bool freeze;		/* stop members before they are signalled */
	int (*kill_all)(void *arg); /* ends all of the group at once; -ENOENT: cannot; nullable */
	const volatile int *interrupted; /* ends the wait; nullable */
};

struct signal_result {
	struct process process;
	int error;		/* -errno of the first thing that failed; 0 */
	bool sent, resumed, killed; /* the signal; CONT to one that was stopped before; KILL after grace */
	bool ended;
	uint64_t ended_after_ns; /* since the signal */
	char state;		/* of one that has not ended; 0: not looked at */
	char waits_in[64];	/* kernel function it sleeps in; "" */
};

struct signal_report {
	VEC(struct signal_result) result;
	bool by_pid;	  /* no pidfds in this kernel, or not for all */
	bool interrupted; /* before the grace was over: nobody was killed then */
	bool at_once;	  /* kill_all did it */
};

/* 0: all was tried, the results tell. -errno: nothing could be done (memory, descriptors). `v`
 * grows with the members found. */
int signal_run(struct host *h, process_vec *v, const struct signal_plan *plan, struct signal_report *ret,
	       struct note *note) __attribute__((warn_unused_result));
void signal_report_deinit(struct signal_report *r);

#endif
