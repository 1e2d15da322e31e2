/* Waits of blocked threads: shared by the programs and their reader. Stacks come as struct profile_stack (its `state` is set).
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_OFFCPU_OFFCPU_WATCH_BPF_H
#define OSPREY_DIG_OFFCPU_OFFCPU_WATCH_BPF_H

#include "dig/profile/profile_bpf.bpf.h"

#define OFFCPU_WAITS 65536 /* pairs of a stack and a waker's stack */

struct offcpu_key {
	struct profile_id stack, waker;
};

/* Wakers without a stack: `waker.a`, with 0 beside it. */
enum { OFFCPU_WAKER_UNKNOWN, OFFCPU_WAKER_NONE /* still blocked when the watch ended */ };

struct offcpu_sum {
	uint64_t total_ns;  /* from leaving the CPU until coming back */
	uint64_t queued_ns; /* of that, from the wakeup until coming back: it could run, and had no CPU */
	uint64_t count, max_ns;
};

struct offcpu_counts {
	uint64_t waits;	  /* that were long enough */
	uint64_t lost;	  /* of these, not in the sums: no room */
	uint64_t lost_ns; /* how long they took */
	uint64_t wakers_lost; /* wakers whose stack had no room */
	uint64_t ends[6]; /* enum profile_end, of the waits' user stacks */
	uint64_t spent_ns; /* in taking stacks */
};

#endif
