/* The queues that a processor takes its fibers from: what was made ready last, its ring (run_queue.h), and
 * the queue of all. Inside, by who holds the processor. */
#ifndef RT_QUEUES_H
#define RT_QUEUES_H

#include "run_queue.h"
#include "scheduler.h"

/* How often in a row the fiber made ready last runs before those that wait in the ring. */
#define FIRST_IN_A_ROW 16

/* Behind all that wait for any processor. Any thread. */
void queue_for_all(struct fiber *f);

/* When the ring is full: its older half goes to all. */
void append_to_full(struct processor *p, struct fiber *f);

/* A fair share of the queue of all: one to run, the rest into the ring. */
struct fiber *from_all(struct processor *p);

static inline void append(struct processor *p, struct fiber *f)
{
	if (__builtin_expect(!run_queue_append(p, f), 0))
		append_to_full(p, f);
}

/* The ring is taken from several at a time while nobody is idle: one contended instruction for eight. */
static inline struct fiber *from_ring(struct processor *p)
{
	uint32_t most = atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) ? 1 : BATCH;

	p->nbatch = run_queue_take(p, most, p->batch);
	p->batch_at = 1;
	return p->nbatch ? p->batch[0] : NULL;
}

static inline struct fiber *from_here(struct processor *p)
{
	struct fiber *f = p->first;

	if (f && (p->first_in_a_row++ < FIRST_IN_A_ROW)) {
		p->first = NULL;
		return f;
	}
	p->first_in_a_row = 0;
	if (f) {
		p->first = NULL;
		append(p, f);
	}
	if (p->batch_at < p->nbatch)
		return p->batch[p->batch_at++];
	return from_ring(p);
}

#endif
