/* Tasks over a window: each look's table is folded into one span for each task, so that the
 * cost in memory does not grow with the length of the window; of tasks that came and went within it
 * the TASK_HISTORY_PASSED heaviest are kept, or half as many. Used by the sampler alone.
 *
 * Cost: one hash look-up a task and look; ~800 bytes a task. */
#ifndef OSPREY_SAMPLE_TASK_HISTORY_H
#define OSPREY_SAMPLE_TASK_HISTORY_H

#include "base/map.h"
#include "sample/window.h"

typedef VEC(struct task_span) task_span_vec;
typedef VEC(struct process_span) process_span_vec;

#define TASK_HISTORY_PASSED 8192

struct task_history {
	task_span_vec spans;
	struct map by_task; /* (tid, start) -> position */
	struct buf scratch;
	process_span_vec processes;
	uint32_t looks;
	uint64_t from_boot_ns; /* tasks started later were born in the window */
};

void task_history_deinit(struct task_history *t);
/* Takes one table. 0 or -errno of the reader. */
int task_history_look(struct task_history *t, struct host *h, struct task_reader *reader)
	__attribute__((warn_unused_result));
/* Orders the spans and sums the processes; to be called before they are read. -ENOMEM. */
int task_history_fold(struct task_history *t) __attribute__((warn_unused_result));

#endif
