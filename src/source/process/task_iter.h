/* The task table from a BPF iterator over all tasks (task.bpf.c). Internal to
 * source/process: use task.h.
 *
 * Shows the tasks of our own pid namespace, numbered as in it. user_ns and system_ns are
 * the kernel's tick counts scaled so that their sum is run_ns, as /proc scales them. */
#ifndef OSPREY_SOURCE_PROCESS_TASK_ITER_H
#define OSPREY_SOURCE_PROCESS_TASK_ITER_H

#include "source/process/task.h"

struct task_iter;

int task_iter_new(struct host *h, struct task_iter **ret, struct note *note)
	__attribute__((warn_unused_result));
void task_iter_free(struct task_iter *i);
int task_iter_each(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
	__attribute__((warn_unused_result));

/* Time on a CPU is exact; its parts are sampled by the timer tick. Scales the parts so
 * that their sum is `run_ns`, and lets neither run backwards: what the kernel's
 * cputime_adjust() does for /proc. *kept is of the same task at the last look, zero at first. */
struct cpu_split {
	uint64_t user_ns, system_ns;
};
void cpu_split_scale(uint64_t user_ns, uint64_t system_ns, uint64_t run_ns, struct cpu_split *kept);

#endif
