/* What the files of process_detail share. Internal to them. */
#ifndef OSPREY_VIEW_PROCESS_DETAIL_PARTS_H
#define OSPREY_VIEW_PROCESS_DETAIL_PARTS_H

#include "view/process_detail.h"

/* A thread at the beginning of the interval. */
struct thread_before {
	int32_t tid;
	uint64_t start_ns;
	reading run_ns, wait_ns;
};

struct detail_reader {
	struct host *h;
	struct process_detail *d;
	struct proc_dir dir;
	struct buf scratch;
	unsigned sections;
	int error; /* the first that ends the reading */
	struct {
		bool measured;
		struct process_totals totals;
		struct host_time at;
		VEC(struct thread_before) threads;
	} before;
};

int detail_threads(struct detail_reader *r) __attribute__((warn_unused_result));
/* Sums, after the threads were read; and their growth, when there is a before. */
int detail_totals(struct detail_reader *r) __attribute__((warn_unused_result));
/* Reads the counters, and waits. A capture that has no second moment: no rates. */
int detail_interval(struct detail_reader *r, uint64_t interval_ns) __attribute__((warn_unused_result));

void detail_comm(struct detail_reader *r, int pid, char *ret, size_t size);
void detail_mutex(struct detail_reader *r, const struct task *t, struct mutex_wait *ret);

#endif
