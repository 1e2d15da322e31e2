/* Which processes a command acts on: PROCESS… operands made into a list of pids with start times.
 *
 * An operand is a pid, or a name: the exact name of the program (comm; the kernel keeps 15
 * characters of it, a longer operand must also be the base name of the first argument).
 * With `match` operands are extended regular expressions searched for in command lines, as
 * pgrep -f does. `user` narrows what names and expressions hit, and alone stands for all that the
 * user runs.
 *
 * Never hit: this osprey and, but when named by pid, the processes it descends from (the shell and the
 * sudo in whose command line the expression stands). pid 1 and kernel threads only with `force`;
 * kernel threads are never meant by an expression. A name that hits several is refused
 * without `all`, and the list says what it would hit.
 *
 * Reads /proc/PID/stat of every process when a name is to be found, of the pids alone otherwise;
 * cmdline where it is matched (bounded, it can hang); status for `user`. No privilege needed, but
 * for hidepid mounts. ~10 us a process. */
#ifndef OSPREY_ACT_PROCESS_SELECT_H
#define OSPREY_ACT_PROCESS_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/note.h"
#include "base/vec.h"
#include "kernel/host.h"

struct process {
	int pid, ppid;
	uint64_t start_ticks; /* field 22 of stat: with the pid it names one process of this boot */
	char state;
	bool is_kernel_thread;
	char comm[16];
};
typedef VEC(struct process) process_vec;

struct process_wish {
	const char *const *operand;
	size_t noperands;
	const char *user; /* name or uid; NULL: any */
	bool match, all, force, kin; /* kin: names and expressions hit ancestors as well */
};

struct process_selection {
	process_vec process;	   /* in the order of pids, none twice */
	VEC(int) missing;	   /* pids that were named and do not exist */
	process_vec kin;	   /* hit but left out: this osprey's ancestors */
};

void process_selection_deinit(struct process_selection *s);

/* 0: ret->process is what to act on (perhaps empty, when all pids are missing). -ENOTUNIQ: a name
 * hits several and `all` was not given, *ret holds them. With a note: -EINVAL no expression, no
 * such user, no operand; -ESRCH a name hits none; -EPERM protected, and not forced; -EXDEV: /proc is
 * that of another pid namespace, its pids would be others here. *ret is to be deinited in
 * all cases. A pid that is that of a thread is -EINVAL too. */
int process_select(struct host *h, const struct process_wish *wish, struct process_selection *ret,
		   struct note *note) __attribute__((warn_unused_result));

/* Adds to `v` every descendant of what is in it, as one look at /proc shows them; not this osprey. The
 * number of those added, or -errno. To be repeated until it adds none. */
int process_add_descendants(struct host *h, process_vec *v) __attribute__((warn_unused_result));

/* One process, or one thread of it (`tid` not 0). -ESRCH: there is none. */
int process_read(struct host *h, int pid, int tid, struct process *ret) __attribute__((warn_unused_result));
/* Threads that there are now, as tids. -ESRCH */
typedef VEC(int) tid_vec;
int process_threads(struct host *h, int pid, tid_vec *ret) __attribute__((warn_unused_result));
/* Adds it unless its pid is there. 0 or -ENOMEM. */
int process_vec_add(process_vec *v, const struct process *p) __attribute__((warn_unused_result));

#endif
