/* Time that threads spend blocked: where (kernel and user stacks), for what, and who woke them, with the waker's stacks.
 *
 * A wait begins when a thread leaves its CPU because it must wait, and ends when it has a CPU again; preemption is none. Waits
 * of at least `min_ns` until the wakeup are summed in the kernel (offcpu_watch.bpf.c) and named here. Waits that began before the watch
 * count from its beginning, those that have not ended until its end. User stacks are walked by unwind rows of .eh_frame, as
 * those of profile.h; a process that appears meanwhile is learned at its first long wait, whose stack then ends early.
 *
 * Needs: Linux 5.17, BTF, CAP_BPF and CAP_PERFMON (or root); for other users' processes CAP_SYS_PTRACE. User stacks: x86-64.
 * Cost: ~0.1 us a switch (bench/offcpu.sh), ~10 us for each wait that is long enough; memory of the kernel 30 MB. Nothing is
 * stopped. Threads: one. */
#ifndef OSPREY_DIG_OFFCPU_OFFCPU_H
#define OSPREY_DIG_OFFCPU_OFFCPU_H

#include "dig/offcpu/offcpu_merge.h"
#include "kernel/host.h"

struct offcpu_request {
	int pid;	 /* 0: all; as this process numbers it */
	uint64_t cgroup; /* 0: all; with those below it (dig/latency/cgroup_id.h) */
	int cgroup_level;
	uint64_t min_ns;
	char state; /* 0: any; 'S', 'D' */
	bool kernel_threads;
	bool by_thread;
	bool lines; /* tell source lines of one function apart */
};

struct offcpu_result {
	struct offcpu_rows rows;
	uint64_t wall_ns, real_ns; /* how long; when it began */
	struct offcpu_counts counts;
	uint64_t early; /* waits whose user stack ends before its outermost frame */
	size_t stacks, processes, unnamed; /* unnamed: waits whose process could not be read (any more) */
	const char *kernel_why; /* why kernel functions have no names; NULL: they have */
};
void offcpu_result_deinit(struct offcpu_result *r);

struct offcpu;

/* Loads all and reads what is known of the target (of the whole host ~1 ms a process, 3 s at most), then begins to count. 0 or
 * -errno with the reason: -ESRCH, -EPERM, -EOPNOTSUPP (no BPF)… */
int offcpu_start(struct host *h, const struct offcpu_request *q, struct offcpu **ret, struct note *note)
	__attribute__((warn_unused_result));
/* Takes what came in, waiting up to `timeout_ms` for it. To be called all the time. 0 or -errno; -EINTR: a signal came. */
int offcpu_pump(struct offcpu *o, int timeout_ms) __attribute__((warn_unused_result));
/* Waits that were long enough, so far. */
uint64_t offcpu_waits(struct offcpu *o);
/* Ends the watch. Once. 0 or -errno. */
int offcpu_finish(struct offcpu *o, struct offcpu_result *ret) __attribute__((warn_unused_result));
void offcpu_free(struct offcpu *o);

#endif
