/* The contended locks of a process over a window: how long threads waited for each, and from where.
 *
 * Waits and their time are counted in the kernel (dig/latency, futex by address): exact, for every wait that reached the
 * kernel. Stacks come from looks at the sleeping threads (dig/stack/thread_grab.h) in between, at most so often that they
 * cost 2 % of a CPU; a look sees a wait with the likelihood of its length. Nothing stops. Needs BPF (5.18).
 * A lock that was taken without a wait is not seen: the kernel is not asked then, and nobody suffers. */
#ifndef OSPREY_DIG_LOCK_LOCK_WATCH_H
#define OSPREY_DIG_LOCK_LOCK_WATCH_H

#include "dig/latency/latency.h"
#include "dig/lock/lock_snapshot.h"

struct lock_place {
	struct thread_stack stack; /* of one of the waiters: its frames are kept */
	uint64_t looks;		   /* in how many a thread waited there */
};

struct watched_lock {
	enum lock_kind kind; /* LOCK_FUTEX also where no look saw a waiter */
	uint64_t address;
	uint64_t waits, wait_ns, longest_ns;
	uint64_t looks; /* threads seen waiting, over all looks */
	VEC(struct lock_place) places; /* most looks first */
	VEC(struct lock_owner_seen {
		int tid;
		uint64_t looks;
	}) owners; /* who held it when a look saw it waited for */
};

struct lock_watch_result {
	VEC(struct watched_lock) locks; /* most time first */
	uint64_t looks, window_ns, look_cost_ns;
	uint64_t lost; /* waits whose lock is not told: too many addresses */
};

struct lock_watch;
/* `space` and `y` stay the caller's. -errno with the reason ("needs …"). */
int lock_watch_new(struct host *h, struct symbolizer *y, struct address_space *space, int pid, struct lock_watch **ret,
		   struct note *note) __attribute__((warn_unused_result));
void lock_watch_free(struct lock_watch *w);
/* One look; *ret_next_ns is when the next may be (CLOCK_MONOTONIC). -ESRCH: the process has ended. */
int lock_watch_look(struct lock_watch *w, uint64_t *ret_next_ns) __attribute__((warn_unused_result));
/* All since the beginning. */
int lock_watch_result(struct lock_watch *w, struct lock_watch_result *ret) __attribute__((warn_unused_result));
void lock_watch_result_deinit(struct lock_watch_result *r);

#endif
