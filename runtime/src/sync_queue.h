/* The public queue of mutexes and the like, as what it is. */
#ifndef RT_SYNC_QUEUE_H
#define RT_SYNC_QUEUE_H

#include "inside_lock.h"
#include "osprey/rt/sync.h"
#include "scheduler.h"
#include "wait.h"

struct queue {
	struct short_lock lock;
	struct wait_list list;
};
_Static_assert(sizeof(struct queue) == sizeof(struct rt_queue), "the public queue has room for the real one");

static inline struct queue *queue_of(struct rt_queue *q)
{
	return (struct queue *)(void *)q;
}

/* For ways without the lock: true when nobody is in there who had it before what the caller has read
 * (acquire) was written. So whoever goes on at once may free the memory. */
static inline bool queue_is_left(struct rt_queue *q)
{
	return atomic_load_explicit(&queue_of(q)->lock.held, memory_order_acquire) == 0;
}

/* Gives the lock back and makes ready what a chain of fibers (by `next`) holds. */
static inline void give_and_wake(struct thread *t, struct queue *q, struct fiber *woken)
{
	short_lock_give(&q->lock);
	while (woken) {
		struct fiber *next = woken->next;
		fiber_ready(t, woken);
		woken = next;
	}
}

static inline uint64_t my_id(const struct thread *t)
{
	return atomic_load_explicit(&t->running->id, memory_order_relaxed);
}

#endif
