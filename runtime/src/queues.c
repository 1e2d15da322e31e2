#include "queues.h"

static void chain_locked(struct fiber *first, struct fiber *last, uint32_t n)
{
	last->next = NULL;
	*scheduler.queue_end = first;
	scheduler.queue_end = &last->next;
	atomic_fetch_add_explicit(&scheduler.nqueue, n, memory_order_release);
}

void queue_chain_for_all(struct fiber *first, struct fiber *last, uint32_t n)
{
	short_lock_take(&scheduler.lock);
	chain_locked(first, last, n);
	short_lock_give(&scheduler.lock);
}

void queue_for_all_locked(struct fiber *f)
{
	chain_locked(f, f, 1);
}

void queue_for_all(struct fiber *f)
{
	queue_chain_for_all(f, f, 1);
}

void append_to_full(struct processor *p, struct fiber *f)
{
	struct fiber *half[RING / 2];
	uint32_t n = run_queue_take(p, RING / 2, half);

	for (uint32_t i = 1; i < n; i++)
		half[i - 1]->next = half[i];
	if (n > 0)
		queue_chain_for_all(half[0], half[n - 1], n);
	if (!run_queue_append(p, f))
		queue_for_all(f);
}

static struct fiber *from_all_locked(struct processor *p)
{
	uint32_t n = atomic_load_explicit(&scheduler.nqueue, memory_order_relaxed), taken = 1;
	struct fiber *f = scheduler.queue, *more;

	if (!f)
		return NULL;
	uint32_t share = n / atomic_load_explicit(&scheduler.nused, memory_order_relaxed) + 1;
	share = share < RING / 2 ? share : RING / 2;
	scheduler.queue = f->next;
	while (taken < share && (more = scheduler.queue)) {
		/* Once it is in the ring another may take it, and use the field for something else. */
		struct fiber *next = more->next;
		if (!run_queue_append(p, more))
			break;
		scheduler.queue = next;
		taken++;
	}
	atomic_fetch_sub_explicit(&scheduler.nqueue, taken, memory_order_relaxed);
	if (!scheduler.queue)
		scheduler.queue_end = &scheduler.queue;
	return f;
}

struct fiber *from_all(struct processor *p)
{
	if (atomic_load_explicit(&scheduler.nqueue, memory_order_acquire) == 0)
		return NULL;
	short_lock_take(&scheduler.lock);
	struct fiber *f = from_all_locked(p);
	short_lock_give(&scheduler.lock);
	return f;
}
