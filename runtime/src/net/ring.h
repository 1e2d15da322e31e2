/* A ring of io_uring(7) for each processor: calls of many fibers go to the kernel together, with one entry
 * into it, and calls on files are carried on there without a thread.
 *
 * A fiber puts its call into the ring and parks. Before the processor would look for work elsewhere, and
 * when the ring is full, all calls are submitted. What does not have to wait, as calls on sockets that are
 * told not to, is done by then.
 *
 * Linux 5.6; where the kernel, or a container's filter, has none, with OSPREY_RT_URING=0 in the
 * environment, and under Valgrind (it would take what the kernel read into a buffer for never written),
 * callers do without. */
#ifndef RT_NET_RING_H
#define RT_NET_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fiber;
struct io_uring_cqe;
struct io_uring_sqe;
struct thread;

struct ring {
	int fd;				/* -1: none yet, -2: there can be none */
	uint32_t queued;		/* calls that the kernel has not been given */
	uint32_t under_way;		/* calls that have not come back, with those */
	uint32_t entries;
	uint32_t most_under_way;	/* no more answers fit in */
	_Atomic uint32_t *submit_tail;
	uint32_t submit_mask;
	struct io_uring_sqe *calls;
	_Atomic uint32_t *answer_head, *answer_tail;
	uint32_t answer_mask;
	struct io_uring_cqe *answers;
	void *rings;
	uint64_t rings_bytes, calls_bytes;
};

void ring_init(struct ring *r);
void ring_deinit(struct ring *r);

/* Whether rings are wanted; asked once for a run. */
void ring_configure(void);

/* The processor's ring is there, and takes one more call. Opens it if need be. Inside. */
bool ring_is_ready(struct thread *t);

/* A parked fiber, which becomes ready when the kernel has answered its call. */
struct ring_waiter {
	struct fiber *fiber;
	int result;
};

/* Puts the call of a fiber that is parked, or is going to be, into the processor's ring. `call` is copied;
 * its user_data is set here. Only after ring_is_ready. Inside. */
void ring_put(struct thread *t, const struct io_uring_sqe *call, struct ring_waiter *w);

/* Makes one call of the running fiber, which parks until the kernel has answered: not a cancellation point,
 * so what it points to may lie on the fiber's stack. Returns the answer. Only after ring_is_ready. Inside. */
int ring_call(struct thread *t, const struct io_uring_sqe *call);

static inline bool ring_has_answers(const struct ring *r)
{
	return r->fd >= 0 && atomic_load_explicit(r->answer_tail, memory_order_acquire) !=
				     atomic_load_explicit(r->answer_head, memory_order_relaxed);
}

/* Submits what is queued and makes ready whose calls were answered. Inside, by who holds the processor. */
void ring_run(struct thread *t, struct ring *r);

#endif
