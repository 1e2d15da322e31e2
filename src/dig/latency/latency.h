/* Latencies of the kernel as histograms, counted in the kernel by BPF programs and read when asked for.
 *
 *   runq     waits of tasks that could run, until they did    by process, task, cgroup, CPU
 *   disk     requests, from their issue to their end		by disk; process, task, cgroup that issued them
 *   syscall  system calls, from entry to return		by call, process, task, cgroup
 *   softirq  handlers of soft interrupts			by vector
 *   futex    waits in futex(2)				by address in its process, process, task, cgroup
 *
 * disk and softirq also tell how long each had waited before it began (`queued`).
 * Since: 5.11 with BTF (runq with CONFIG_SCHED_INFO, which all distributions have); tracepoints alone, no kprobes.
 * Privilege: CAP_BPF and CAP_PERFMON, or root. Programs end with the process, however it ends.
 * Cost: to load ~20 ms; memory of the kernel 6 MB, and 0.7 MB for each CPU; measured on Linux 6.18 in a virtual
 * machine (bench/latency.sh): runq 0.3 us a switch; syscall and futex 0.5 us a call, since each call then takes the
 * kernel's slow path in and out.
 * Windows that are filtered by a process or cgroup do so in the kernel. */
#ifndef OSPREY_DIG_LATENCY_LATENCY_H
#define OSPREY_DIG_LATENCY_LATENCY_H

#include <stdbool.h>

#include "base/note.h"
#include "base/vec.h"
#include "dig/latency/histogram.h"
#include "kernel/host.h"

enum latency_kind { LATENCY_RUNQ, LATENCY_DISK, LATENCY_SYSCALL, LATENCY_SOFTIRQ, LATENCY_FUTEX, LATENCY_KINDS };

struct latency_request {
	enum latency_kind kind;
	enum latency_by by;
	int pid;	   /* 0: all; as this process numbers it */
	uint64_t cgroup;   /* 0: all; with those below it (cgroup_id_find) */
	int cgroup_level;
	uint64_t slow_ns;  /* tell what takes so long at once; 0: nothing */
};

struct latency_row {
	struct latency_key key; /* process: tgid of the first namespace; cgroup: id; number: call, vector, CPU;
				   disk: major << 20 | minor; futex: tgid, address */
	struct latency_counts counts;
};
typedef VEC(struct latency_row) latency_row_vec;

struct latency_result {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	struct latency_counts total, queued;
	latency_row_vec rows; /* in no order */
	uint64_t keys_lost; /* events that are in the total alone: too many keys */
	uint64_t slow_lost; /* slow ones that were not told at once */
};
void latency_result_deinit(struct latency_result *r);

struct latency;

/* Whether rows of such a kind can be told apart so. */
bool latency_by_fits(enum latency_kind kind, enum latency_by by);

/* 0 or -errno, with the reason in words ("needs Linux 5.11 with BTF…"). */
int latency_new(struct host *h, const struct latency_request *request, struct latency **ret, struct note *note)
	__attribute__((warn_unused_result));
void latency_free(struct latency *l);

/* All since the beginning. *ret is zeroed, or one of before: its storage is used again. */
int latency_read(struct latency *l, struct latency_result *ret) __attribute__((warn_unused_result));
/* What came between two looks; rows without an event are left out. `ret` as above. */
int latency_between(const struct latency_result *before, const struct latency_result *after, struct latency_result *ret)
	__attribute__((warn_unused_result));

/* Waits for slow events, at most so long, and gives each to `tell`. 0, -EINTR. */
typedef void (*latency_tell_fn)(void *arg, const struct latency_slow *slow);
void latency_on_slow(struct latency *l, latency_tell_fn tell, void *arg);
int latency_wait(struct latency *l, unsigned timeout_ms) __attribute__((warn_unused_result));

#endif
