/* Who forks: counts of children born, by parent process, over a window. Short-lived
 * children are gone before any table is taken, so they are counted as they are born:
 * by a BPF program on the sched_process_fork tracepoint (tp_btf; +0.2 us a fork).
 * Without BPF: from the newest pid (loadavg) at each tick, when it still lives: a
 * sample, marked as one. */
#ifndef OSPREY_SOURCE_PROCESS_FORK_WATCH_H
#define OSPREY_SOURCE_PROCESS_FORK_WATCH_H

#include <stdbool.h>

#include "base/note.h"
#include "base/vec.h"
#include "kernel/host.h"

struct fork_count {
	int32_t pid;	 /* the parent */
	char comm[16];
	uint64_t forks;	 /* exact: children since start; sampled: times seen as parent of the newest */
};
typedef VEC(struct fork_count) fork_count_vec;

struct fork_watch;

int fork_watch_new(struct host *h, struct fork_watch **ret, struct note *note)
	__attribute__((warn_unused_result));
void fork_watch_free(struct fork_watch *w);
bool fork_watch_exact(const struct fork_watch *w);
/* Call at each tick: with BPF does nothing. */
void fork_watch_tick(struct fork_watch *w, uint64_t last_pid);
/* Most first. */
int fork_watch_read(struct fork_watch *w, fork_count_vec *ret) __attribute__((warn_unused_result));

#endif
