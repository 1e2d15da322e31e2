#include "queues.h"

void queue_for_all(struct fiber *f)
{
	f->next = NULL;
	short_lock_take(&scheduler.lock);
	*scheduler.queue_end = f;
	scheduler.queue_end = &f->next;
	atomic_fetch_add_explicit(&scheduler.nqueue, 1, memory_order_release);
	short_lock_give(&scheduler.lock);
}

void append_to_full(struct processor *p, struct fiber *f)
{
	struct fiber *half[RING / 2];
	uint32_t n = run_queue_take(p, RING / 2, half);

	for (uint32_t i = 0; i < n; i++)
		queue_for_all(half[i]);
	if (!run_queue_append(p, f))
		queue_for_all(f);
}

static struct fiber *from_all_locked(struct processor *p)
{
	uint32_t n = atomic_load_explicit(&scheduler.nqueue, memory_order_relaxed);
	struct fiber *f = scheduler.queue, *more;

	if (!f)
		return NULL;
	uint32_t share = n / scheduler.nprocessors + 1;
	share = share < n ? share : n;
	share = share < RING / 2 ? share : RING / 2;
	atomic_fetch_sub_explicit(&scheduler.nqueue, 1, memory_order_relaxed);
	scheduler.queue = f->next;
	while (--share > 0 && (more = scheduler.queue) && run_queue_append(p, more)) {
		scheduler.queue = more->next;
		atomic_fetch_sub_explicit(&scheduler.nqueue, 1, memory_order_relaxed);
	}
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
