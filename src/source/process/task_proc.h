/* The task table from /proc. Internal to source/process: use task.h.
 *
 * Reads, of each task: stat, schedstat, status, io; of each process besides: limits,
 * cgroup, ns/net, the number of entries of fd/. The system call of a task is read when it
 * is in D state, or sleeps in a process of several threads.
 *
 * On a live host a task that has not run since the last look costs stat and schedstat
 * alone: what only the task itself can change is taken from the last look; what others
 * can change (cgroup, limits, namespaces) is read again every eighth look. While a
 * capture is written, and when one is read, everything is asked at every look.
 *
 * /proc shows no sum of the context switches of dead threads: dead_voluntary_switches
 * and dead_involuntary_switches are READING_ABSENT. Start times and dead_user_ns,
 * dead_system_ns come in steps of 10 ms. TASK_IN_IOWAIT is derived from wchan: it knows the kernel's usual
 * places of waiting for a disk. */
#ifndef OSPREY_SOURCE_PROCESS_TASK_PROC_H
#define OSPREY_SOURCE_PROCESS_TASK_PROC_H

#include "source/process/task.h"

struct task_proc;

int task_proc_new(struct host *h, struct task_proc **ret) __attribute__((warn_unused_result));
void task_proc_free(struct task_proc *p);
/* enum task_need. */
void task_proc_needs(struct task_proc *p, unsigned needs);
int task_proc_each(struct task_proc *p, int (*each)(const struct task *t, void *arg), void *arg)
	__attribute__((warn_unused_result));

/* Whether the kernel keeps run-queue delays: one without SCHED_INFO writes "0 0 0" even
 * for the task that reads it. */
bool task_schedstat_kept(struct host *h, struct buf *scratch);

#endif
