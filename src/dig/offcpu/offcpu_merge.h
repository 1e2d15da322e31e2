/* Waits that were summed in the kernel by address, merged by name: what one reads as one stack is one row.
 *
 * Pure: nothing is read here. A frame is a number in the tree of its side (call_tree_frame), innermost first, those of
 * the kernel before those of user space. What every wait has (the scheduler's own functions, the tracepoint that looked) is
 * taken off both sides. A waker that was interrupted by the device or timer that woke is not to blame: its own frames
 * are dropped, and such wakers are one. Cost: ~1 us a wait. Threads: one. */
#ifndef OSPREY_DIG_OFFCPU_OFFCPU_MERGE_H
#define OSPREY_DIG_OFFCPU_OFFCPU_MERGE_H

#include "dig/offcpu/offcpu_watch.bpf.h"
#include "dig/profile/call_tree.h"

enum offcpu_waker_kind {
	OFFCPU_BY_TASK,
	OFFCPU_BY_INTERRUPT,
	OFFCPU_BY_NOBODY,  /* still blocked when the watch ended */
	OFFCPU_BY_UNKNOWN, /* its stack was lost */
};

struct offcpu_waker {
	enum offcpu_waker_kind kind;
	uint32_t node; /* in the tree of wakers; CALL_NONE: it has no stack */
	uint32_t pid; /* and name: of the thread when they are told apart */
	char process[16];
	uint64_t total_ns, count; /* of the waits that it ended */
	const char *device; /* of an interrupt: "a timer", "a disk"…; "an interrupt" */
};

struct offcpu_wait {
	uint32_t node; /* in the tree of waits */
	uint32_t pid, tid; /* tid: pid when threads are not told apart */
	char process[16], comm[16];
	char state; /* 'S', 'D', 'T'; 'I' of kernel threads */
	bool kernel_thread;
	uint64_t total_ns, queued_ns, count, max_ns;
	uint64_t still; /* waits that had not ended */
	const char *words; /* "data to reach the disk"; NULL: not known */
	const char *call;  /* "fsync", "page fault"; NULL: not known */
	bool by_trade;	   /* waiting for work, events or time: what such threads are for */
	VEC(struct offcpu_waker) waker; /* heaviest first */
};

struct offcpu_rows {
	struct call_tree waits, wakers; /* nanoseconds; by process (and thread), then the stack */
	VEC(struct offcpu_wait) wait;	/* heaviest first, by trade last */
	struct map wait_of_node;
	bool by_thread;
};

/* 0 or -ENOMEM. */
int offcpu_rows_init(struct offcpu_rows *r, bool by_thread, bool by_line) __attribute__((warn_unused_result));
void offcpu_rows_deinit(struct offcpu_rows *r);

struct offcpu_side {
	uint32_t pid, tid;
	const char *process, *comm;
	char state;
	bool kernel_thread;
	const uint32_t *frame;
	size_t nkernel, nuser;
};

/* Adds what was summed for a pair. `waker`: of OFFCPU_BY_TASK, which may turn out as an interrupt; else NULL. 0 or -ENOMEM. */
int offcpu_rows_add(struct offcpu_rows *r, const struct offcpu_side *wait, enum offcpu_waker_kind kind,
		    const struct offcpu_side *waker, const struct offcpu_sum *sum) __attribute__((warn_unused_result));
/* Puts all into order. Once. `crowd`: of many processes, where waits for data that nobody has sent by the end are by trade too.
 * 0 or -ENOMEM. */
int offcpu_rows_sort(struct offcpu_rows *r, bool crowd) __attribute__((warn_unused_result));

/* Sums over rows, by trade or not. */
struct offcpu_total {
	uint64_t total_ns, queued_ns, count;
};
struct offcpu_total offcpu_rows_total(const struct offcpu_rows *r, bool by_trade);

#endif
