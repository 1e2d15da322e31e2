/* What is ready to run on one processor, and the way it is shared out. */
#ifndef RT_RUN_QUEUE_H
#define RT_RUN_QUEUE_H

#include <stdbool.h>

#include "perturb.h"
#include "processor.h"

/* What is not shared is changed by the owner or past its door. Others see whether there is something, and go there. */
static inline struct fiber *first_of(const struct processor *p)
{
	return atomic_load_explicit(&p->first, memory_order_relaxed);
}

static inline void first_set(struct processor *p, struct fiber *f)
{
	atomic_store_explicit(&p->first, f, memory_order_relaxed);
}

static inline uint32_t batch_length(const struct processor *p)
{
	return atomic_load_explicit(&p->batch_tail, memory_order_relaxed) -
	       atomic_load_explicit(&p->batch_head, memory_order_relaxed);
}

static inline void batch_append(struct processor *p, struct fiber *f)
{
	uint32_t tail = atomic_load_explicit(&p->batch_tail, memory_order_relaxed);

	p->batch[tail % BATCH] = f;
	atomic_store_explicit(&p->batch_tail, tail + 1, memory_order_relaxed);
}

static inline struct fiber *batch_take(struct processor *p)
{
	uint32_t head = atomic_load_explicit(&p->batch_head, memory_order_relaxed);

	if (batch_length(p) == 0)
		return NULL;
	atomic_store_explicit(&p->batch_head, head + 1, memory_order_relaxed);
	return p->batch[head % BATCH];
}

/* The owner: at the end. False when the ring is full. */
static inline bool run_queue_append(struct processor *p, struct fiber *f)
{
	uint32_t tail = atomic_load_explicit(&p->tail, memory_order_relaxed);

	if (__builtin_expect(tail - atomic_load_explicit(&p->head, memory_order_acquire) >= RING, 0))
		return false;
	atomic_store_explicit(&p->ring[tail % RING], f, memory_order_relaxed);
	perturb();
	atomic_store_explicit(&p->tail, tail + 1, memory_order_release);
	return true;
}

static inline uint32_t run_queue_length(const struct processor *p)
{
	uint32_t tail = atomic_load_explicit(&p->tail, memory_order_acquire);
	uint32_t n = tail - atomic_load_explicit(&p->head, memory_order_acquire);

	return n <= RING ? n : 0;
}

/* Whether there is something to run here, by the owner or past its door. */
static inline bool processor_has_ready(const struct processor *p)
{
	return first_of(p) || batch_length(p) || run_queue_length(p);
}

/* Takes up to `most` off the front, in order; anybody may. Who copies slots that are overwritten meanwhile
 * fails to move the head. */
static inline uint32_t run_queue_take(struct processor *p, uint32_t most, struct fiber **ret)
{
	uint32_t head = atomic_load_explicit(&p->head, memory_order_acquire);

	for (;;) {
		uint32_t n = atomic_load_explicit(&p->tail, memory_order_acquire) - head;
		if (n == 0)
			return 0;
		if (n > RING) {		/* head is old */
			head = atomic_load_explicit(&p->head, memory_order_acquire);
			continue;
		}
		n = n < most ? n : most;
		for (uint32_t i = 0; i < n; i++)
			ret[i] = atomic_load_explicit(&p->ring[(head + i) % RING], memory_order_relaxed);
		perturb();
		if (atomic_compare_exchange_strong_explicit(&p->head, &head, head + n, memory_order_acq_rel,
							    memory_order_acquire))
			return n;
	}
}

#endif
