/* The task table from a BPF iterator over all tasks (task.bpf.c). Internal to
 * source/process: use task.h.
 *
 * Shows the tasks of our own pid namespace, numbered as in it. user_ns and system_ns are
 * the kernel's tick counts scaled so that their sum is run_ns, as /proc scales them. */
#ifndef OSPREY_SOURCE_PROCESS_TASK_ITER_H
#define OSPREY_SOURCE_PROCESS_TASK_ITER_H

#include "source/process/task.h"

struct task_iter;

/* `often`: see task_reader_new_often. */
int task_iter_new(struct host *h, bool often, struct task_iter **ret, struct note *note)
	__attribute__((warn_unused_result));
void task_iter_free(struct task_iter *i);
int task_iter_each(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
	__attribute__((warn_unused_result));
/* As task_reader_rests, task_reader_forget and task_reader_reread. */
enum task_motion task_iter_rests(const struct task_iter *i);
void task_iter_forget(struct task_iter *i);
void task_iter_reread(struct task_iter *i);

#endif
