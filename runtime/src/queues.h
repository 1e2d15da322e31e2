/* The queues that a processor takes its fibers from: what was made ready last, its ring (run_queue.h), and
 * the queue of all. Inside, by who holds the processor. */
#ifndef RT_QUEUES_H
#define RT_QUEUES_H

#include "run_queue.h"
#include "scheduler.h"

/* How often in a row the fiber made ready last runs before those that wait in the ring. */
#define FIRST_IN_A_ROW 16

/* Behind all that wait for any processor: a fiber, or a chain of `n` (by `next`) that ends at `last`. Any
 * thread. */
void queue_for_all(struct fiber *f);
void queue_chain_for_all(struct fiber *first, struct fiber *last, uint32_t n);
void queue_for_all_locked(struct fiber *f);	/* the caller has the lock of the scheduler */

/* When the ring is full: its older half goes to all. */
void append_to_full(struct processor *p, struct fiber *f);

/* A fair share of the queue of all: one to run, the rest into the ring. */
struct fiber *from_all(struct processor *p);

/* Whether the end of the queue is where nobody else looks: then a fiber may be put there before it is left,
 * as long as its thread stays inside. Not while somebody is idle, who would have to come through the door for
 * it. */
static inline bool append_is_private(const struct processor *p)
{
	return batch_length(p) < BATCH &&
	       atomic_load_explicit(&p->head, memory_order_relaxed) ==
		       atomic_load_explicit(&p->tail, memory_order_relaxed) &&
	       atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) == 0;
}

static inline void append(struct processor *p, struct fiber *f)
{
	if (append_is_private(p))
		batch_append(p, f);
	else if (__builtin_expect(!run_queue_append(p, f), 0))
		append_to_full(p, f);
}

/* Several at a time while nobody is idle: one contended instruction for all of them. */
static inline struct fiber *from_ring(struct processor *p)
{
	uint32_t most = atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) ? 1 : BATCH / 2;

	if (run_queue_length(p) == 0)
		return NULL;
	atomic_store_explicit(&p->batch_head, 0, memory_order_relaxed);
	atomic_store_explicit(&p->batch_tail, run_queue_take(p, most, p->batch), memory_order_relaxed);
	return batch_take(p);
}

/* When that made ready last has been first often enough: it goes to the end. */
static inline struct fiber *from_here_fair(struct processor *p)
{
	struct fiber *f = first_of(p);

	p->first_in_a_row = 0;
	first_set(p, NULL);
	append(p, f);
	f = batch_take(p);
	return f ? f : from_ring(p);
}

static inline struct fiber *from_here(struct processor *p)
{
	struct fiber *f = first_of(p);

	if (f) {
		if (__builtin_expect(p->first_in_a_row++ >= FIRST_IN_A_ROW, 0))
			return from_here_fair(p);
		first_set(p, NULL);
		return f;
	}
	p->first_in_a_row = 0;
	f = batch_take(p);
	return f ? f : from_ring(p);
}

#endif
