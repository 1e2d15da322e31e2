#include "spare.h"

#include "scheduler.h"

#define SPARE_FIBERS 2048u
#define TRIM_AT_ONCE 128u

void spare_to_all(struct processor *p, int size, uint32_t n)
{
	uint32_t moved = 0;

	short_lock_take(&scheduler.lock);
	for (struct fiber *f; moved < n && (f = p->free[size]); moved++) {
		p->free[size] = f->next;
		f->next = scheduler.free[size];
		scheduler.free[size] = f;
	}
	p->nfree[size] -= moved;
	atomic_fetch_add_explicit(&scheduler.nfree[size], moved, memory_order_relaxed);
	short_lock_give(&scheduler.lock);
}

/* Those of processors that nobody holds, so that they can be trimmed. */
static void spare_from_idle(int size, uint32_t n)
{
	uint32_t moved = 0;

	short_lock_take(&scheduler.lock);
	for (struct processor *p = scheduler.idle_processors; p && moved < n; p = p->next_idle)
		for (struct fiber *f; moved < n && (f = p->free[size]); moved++) {
			p->free[size] = f->next;
			p->nfree[size]--;
			f->next = scheduler.free[size];
			scheduler.free[size] = f;
		}
	atomic_fetch_add_explicit(&scheduler.nfree[size], moved, memory_order_relaxed);
	short_lock_give(&scheduler.lock);
}

static void spare_from_all(struct processor *p, int size, uint32_t n)
{
	uint32_t moved = 0;

	short_lock_take(&scheduler.lock);
	for (; moved < n && (scheduler.free[size] || scheduler.trimmed[size]); moved++) {
		struct fiber **list = scheduler.free[size] ? &scheduler.free[size] : &scheduler.trimmed[size];
		struct fiber *f = *list;
		*list = f->next;
		f->next = p->free[size];
		p->free[size] = f;
	}
	p->nfree[size] += moved;
	atomic_fetch_sub_explicit(&scheduler.nfree[size], moved, memory_order_relaxed);
	short_lock_give(&scheduler.lock);
}

struct fiber *fiber_new(struct processor *p, enum rt_stack size)
{
	if (!p->free[size] && atomic_load_explicit(&scheduler.nfree[size], memory_order_relaxed))
		spare_from_all(p, size, SPARE_FIBERS / 2);
	struct fiber *f = p->free[size];
	if (f) {
		p->free[size] = f->next;
		p->nfree[size]--;
	} else {
		f = fiber_table_grow(size);
		if (!f)
			return NULL;
	}
	p->alive++;
	f->turns = 0;
	atomic_store_explicit(&f->id, ++p->ids << 8 | p->number, memory_order_relaxed);
	return f;
}

void fiber_recycle(struct processor *p, struct fiber *f)
{
	int size = f->stack_size;

	p->alive--;
	atomic_store_explicit(&f->id, 0, memory_order_relaxed);
	fiber_becomes(f, FIBER_FREE);
	f->next = p->free[size];
	p->free[size] = f;
	if (++p->nfree[size] > SPARE_FIBERS)
		spare_to_all(p, size, SPARE_FIBERS / 2);
}

static struct fiber *untrimmed_of_all(int size, uint32_t most)
{
	struct fiber *chain = NULL, *f;
	uint32_t n = 0;

	short_lock_take(&scheduler.lock);
	for (; n < most && (f = scheduler.free[size]); n++) {
		scheduler.free[size] = f->next;
		f->next = chain;
		chain = f;
	}
	atomic_fetch_sub_explicit(&scheduler.nfree[size], n, memory_order_relaxed);
	short_lock_give(&scheduler.lock);
	return chain;
}

static void give_trimmed_to_all(int size, struct fiber *chain)
{
	struct fiber *f;
	uint32_t n = 0;

	short_lock_take(&scheduler.lock);
	for (; (f = chain); n++) {
		chain = f->next;
		f->next = scheduler.trimmed[size];
		scheduler.trimmed[size] = f;
	}
	atomic_fetch_add_explicit(&scheduler.nfree[size], n, memory_order_relaxed);
	short_lock_give(&scheduler.lock);
}

bool spare_trim(void)
{
	bool some = false;

	for (int size = 0; size < FIBER_STACK_SIZES; size++) {
		struct fiber *chain = untrimmed_of_all(size, TRIM_AT_ONCE);
		for (struct fiber *f = chain; f; f = f->next) {
			fiber_trim_stack(f);
			some = true;
		}
		if (chain)
			give_trimmed_to_all(size, chain);
	}
	return some;
}

bool spare_trim_idle(void)
{
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		spare_from_idle(size, TRIM_AT_ONCE);
	return spare_trim();
}
