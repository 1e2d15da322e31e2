/* A window: what a host did between two moments. The one thing that rules read.
 *
 * Everything in it is const for rules and lives until the next step of its sampler. */
#ifndef OSPREY_SAMPLE_WINDOW_H
#define OSPREY_SAMPLE_WINDOW_H

#include "sample/sample.h"
#include "source/cpu/topology.h"
#include "source/kernel_log/kernel_log.h"
#include "source/process/fork_watch.h"
#include "source/process/mutex.h"
#include "source/process/task.h"

/* One task over the window. A task that was born later has its first values at birth: its
 * counters start at zero then, so `born` tasks count from 0. */
struct task_span {
	struct task first, last;
	bool born;	     /* started within the window */
	bool gone;	     /* no longer there at the last look */
	uint32_t looks;	     /* times it was seen */
	uint32_t running;    /* … in state R */
	uint32_t blocked;    /* … in state D */
	uint32_t iowait;     /* … in D and waiting for a disk */
	uint32_t stopped;    /* … in state T or t */
	uint32_t stuck_looks; /* consecutive last looks in one system call without a context switch */
	struct mutex_wait mutex; /* address 0: waits for none at the last look */
	uint32_t mutex_looks;	 /* looks at which it waited for this mutex (same address) */
	uint32_t lock_looks;	 /* looks at which it waited for any mutex */
	uint64_t lock_address;	 /* the mutex it was last found waiting for; 0: none yet */
};

/* One process over the window: its threads summed, dead ones included where the kernel
 * keeps their sums. Deltas over the window, missing readings propagate. */
struct process_span {
	int32_t pid, ppid;
	uint32_t uid;
	char comm[16]; /* of the leader */
	bool kernel_thread, born, gone;
	uint32_t threads; /* spans of this process */
	size_t first_thread; /* its spans are window->tasks[first_thread … + threads) */
	reading cpu_ns, user_ns, system_ns;
	reading wait_ns; /* run-queue delay of live threads */
	reading voluntary_switches, involuntary_switches;
	reading minor_faults, major_faults;
	reading read_bytes, write_bytes;
	reading block_delay_ns;
	uint32_t looks, blocked, iowait, running; /* sums over threads */
	reading rss_bytes, swap_bytes;	  /* at the last look */
	reading rss_before_bytes;	  /* at the first */
	reading fd_count, fd_limit;	  /* at the last look */
	uint64_t cgroup[TASK_CGROUP_COUNT];
	uint64_t net_ns;
	uint64_t start_ns;
};

/* What osprey may and can here. */
struct abilities {
	bool root;	    /* effective uid 0 */
	bool bpf_tasks;	    /* the task table came from BPF */
	bool forks_exact;   /* fork counts are exact */
	enum presence tasks, kernel_log;
	bool hidepid; /* other users' processes are hidden */
	struct note bpf_note; /* why not BPF */
};

struct window {
	const struct topology *topology;
	const struct abilities *abilities;
	struct host_time from, to;
	double seconds; /* to - from */

	/* ticks[0] is the first, ticks[nticks - 1] the last. At most WINDOW_MAX_TICKS: longer
	 * windows keep every second, fourth… tick. */
	const struct counters *ticks;
	size_t nticks;
	const struct sample *first, *last;

	const struct process_span *processes; /* by pid */
	size_t nprocesses;
	const struct task_span *tasks; /* by pid, then tid */
	size_t ntasks;
	uint32_t task_looks; /* how often the table was taken */

	const struct kernel_event *events; /* within the window */
	size_t nevents;
	const struct fork_count *forks; /* most first */
	size_t nforks;
	const struct deleted_file *deleted_files; /* on filesystems found full */
	size_t ndeleted_files;
};

#define WINDOW_MAX_TICKS 128

static inline const struct counters *window_first_tick(const struct window *w)
{
	return &w->ticks[0];
}
static inline const struct counters *window_last_tick(const struct window *w)
{
	return &w->ticks[w->nticks - 1];
}

/* Growth over the window of a counter of struct counters:
 * WINDOW_DELTA(w, vmstat.swap_in) */
#define WINDOW_DELTA(w, member) \
	reading_delta(window_first_tick(w)->member, window_last_tick(w)->member)

/* A reading's growth per second; NaN when missing. */
static inline double window_rate(const struct window *w, reading delta)
{
	return reading_value(delta) / w->seconds;
}

const struct process_span *window_process(const struct window *w, int32_t pid);
const struct task_span *window_task(const struct window *w, int32_t tid);
/* The process with the largest value; NULL when all are missing or zero. */
const struct process_span *window_top(const struct window *w, double (*value)(const struct process_span *p));
/* The cgroup of a process for one controller, in the last sample; NULL: unknown, or a
 * hierarchy that does not have the controller. Inode numbers are unique within one hierarchy
 * only, so the controller is part of the name. */
const struct cgroup *window_cgroup(const struct window *w, const struct process_span *p,
				   enum task_cgroup controller);
/* Whether the process is in exactly this cgroup (not below it). */
bool window_in_cgroup(const struct process_span *p, const struct cgroup *c);
/* When (s since the start of the window) a counter first grew by more than `step` between
 * two ticks; NaN: never. `value` picks the counter. For "since when". */
double window_onset(const struct window *w, reading (*value)(const struct counters *c), double step);

#endif
