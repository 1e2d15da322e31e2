/* A profile of what runs on the CPUs: stacks sampled at a rate, counted in the kernel, named here.
 *
 * One perf event a CPU calls a BPF program (profile_bpf.bpf.c), which keeps the samples of the tasks asked for. User stacks
 * are unwound there by rows of .eh_frame and .debug_frame, else by frame pointer; what leaves the kernel is each different
 * stack once and its count. Processes that appear meanwhile are learned as they are sampled: their first samples, until
 * the reader has been there (~10 ms), end early and are counted as such.
 *
 * Needs: Linux 5.17, BTF, CAP_BPF and CAP_PERFMON (or root); for other users' processes CAP_SYS_PTRACE. Cost: at 99 Hz
 * about 0.1 % of a CPU for each CPU that is busy, and a few ms for each file whose rows are made. Nothing of the target is stopped.
 * Threads: one. */
#ifndef OSPREY_DIG_PROFILE_PROFILE_H
#define OSPREY_DIG_PROFILE_PROFILE_H

#include "dig/profile/call_tree.h"
#include "kernel/host.h"

struct profile_event {
	const char *name, *help;
	uint32_t type;	 /* of perf_event_attr */
	uint64_t config;
	bool timed;	 /* each sample stands for a time: 1 s / rate */
	const char *whole; /* what its samples are shares of: "the CPU time" */
};
/* NULL: no more. The first is the default. */
const struct profile_event *profile_event_at(size_t i);

enum profile_by { PROFILE_BY_NOTHING, PROFILE_BY_PROCESS, PROFILE_BY_COMMAND, PROFILE_BY_THREAD, PROFILE_BY_CGROUP };

struct profile_options {
	const int *pids; /* and their children to come; none: the whole host, or the cgroup */
	size_t npids;
	const char *cgroup; /* a directory of it: "/sys/fs/cgroup/cpu/web"; all below it too */
	const struct profile_event *event; /* NULL: the first */
	unsigned rate_hz;		   /* of events that are not timed: samples a second that are aimed at */
	enum profile_by by;
	bool no_kernel, no_user; /* leave these frames away */
	bool lines;		 /* tell source lines of one function apart */
	bool frame_pointers;	 /* no rows: for comparison, and where memory is short */
};

struct profile_result {
	uint64_t wall_ns, real_ns; /* how long it counted; when it began */
	uint64_t period_ns;
	unsigned ncpus;
	uint64_t samples, lost, idle;
	uint64_t whole, none;	   /* user stacks that reach the outermost frame; samples without user space */
	uint64_t early;		   /* user stacks that end early, of these: */
	uint64_t unknown, no_rule, no_memory, full;
	uint64_t guessed;	   /* samples with a frame found by frame pointer */
	uint64_t unnamed;	   /* samples whose process had gone before it could be read */
	size_t stacks, processes, files, rows, files_left_out;
	uint64_t bytes_moved; /* out of the kernel: stacks and counts */
	const char *kernel_why; /* why kernel functions have no names; NULL: they have */
};

struct profile;

/* Loads the programs and what the targets need, and starts to count. 0 or -errno with the reason: -EPERM, -ESRCH, -ENOENT (no
 * such event here), -EOPNOTSUPP (no BPF)… */
int profile_start(struct host *h, const struct profile_options *o, struct profile **ret, struct note *note)
	__attribute__((warn_unused_result));
/* Takes what came in, waiting up to `timeout_ms` for it. To be called all the time: new processes are learned here. 0 or
 * -errno; -EINTR: a signal came. */
int profile_pump(struct profile *p, int timeout_ms) __attribute__((warn_unused_result));
/* Samples so far. */
uint64_t profile_samples(struct profile *p);
/* Stops, names all stacks and adds them to *ret, initialised here and summed. Once. 0 or -errno. */
int profile_finish(struct profile *p, struct call_tree *ret, struct profile_result *ret_result)
	__attribute__((warn_unused_result));
void profile_free(struct profile *p);

/* The hierarchy of a cgroup's directory: 0 for v2, else the number in /proc/self/cgroup. Pure: texts of /proc/self/mountinfo and
 * /proc/self/cgroup. -ENOENT: it is in none, or in one without controllers. */
int profile_cgroup_hierarchy(struct span mountinfo, struct span cgroups, const char *directory, int *ret)
	__attribute__((warn_unused_result));

#endif
