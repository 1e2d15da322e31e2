/* Stacks of threads that run at this moment: a one-shot perf event on each one's own CPU time (task-clock) takes
 * registers and stack 20 us of its running later.
 *
 * Needs perf_event_open on the thread: the same user and perf_event_paranoid <= 2, or CAP_PERFMON; kernel frames ask
 * for paranoid <= 1 or the capability. Since 3.7 (PERF_SAMPLE_STACK_USER). Cost: ~0.2 ms, and 64 KiB a thread
 * for that long; the thread itself loses some us. Format: perf_event_open(2). */
#ifndef OSPREY_DIG_STACK_THREAD_PERF_H
#define OSPREY_DIG_STACK_THREAD_PERF_H

#include "dig/stack/stack.h"

/* Samples each of the threads, all at the same time; those that were reached have way STACK_PERF then. Those that
 * do not run within `timeout_ms` stay as they were. The number of those reached; -EACCES, -EPERM: not permitted. */
int thread_perf_sample(struct thread_stack **threads, size_t n, unsigned timeout_ms)
	__attribute__((warn_unused_result));
/* One PERF_RECORD_SAMPLE as this module asks for it. Pure. -EBADMSG: it is none; -ENODATA: taken in no user's
 * context. -ENOMEM. */
int thread_perf_parse(struct span record, struct thread_stack *ret) __attribute__((warn_unused_result));

#endif
