#include "timer_wheel.h"

#include <stddef.h>

#include "inspect/probe.h"
#include "perturb.h"
#include "relax.h"

#define LAST_TICK ((1ull << WHEEL_LEVELS * 6) - 1)

static uint64_t tick_after(int64_t deadline)
{
	uint64_t tick = ((uint64_t)deadline + (1u << WHEEL_TICK_BITS) - 1) >> WHEEL_TICK_BITS;

	return deadline <= 0 ? 0 : tick < LAST_TICK ? tick : LAST_TICK;
}

void timer_wheel_init(struct timer_wheel *w, int64_t now)
{
	*w = (struct timer_wheel){ .now = (uint64_t)now >> WHEEL_TICK_BITS };
	atomic_store(&w->earliest, INT64_MAX);
}

/* The level is that of the highest digit (of 6 bits) in which the tick differs from now. */
static unsigned place_of(const struct timer_wheel *w, uint64_t tick)
{
	uint64_t differs = tick ^ w->now;
	unsigned level = differs < WHEEL_SLOTS ? 0 : (63 - (unsigned)__builtin_clzll(differs)) / 6;

	return level * WHEEL_SLOTS + (tick >> level * 6) % WHEEL_SLOTS;
}

/* `tick` is not before now. */
static void put(struct timer_wheel *w, struct timer *t, uint64_t tick)
{
	unsigned place = place_of(w, tick);
	struct timer **slot = &w->slot[place / WHEEL_SLOTS][place % WHEEL_SLOTS];

	t->place = (uint16_t)place;
	if (*slot) {
		t->next = *slot;
		t->prev = (*slot)->prev;
		t->prev->next = t;
		t->next->prev = t;
	} else {
		t->next = t->prev = t;
		*slot = t;
		w->occupied[place / WHEEL_SLOTS] |= 1ull << place % WHEEL_SLOTS;
	}
}

/* What is due already goes into the next slot. */
static void put_deadline(struct timer_wheel *w, struct timer *t)
{
	uint64_t tick = tick_after(t->deadline);

	put(w, t, tick <= w->now ? w->now + 1 : tick);
}

static void take(struct timer_wheel *w, struct timer *t)
{
	struct timer **slot = &w->slot[t->place / WHEEL_SLOTS][t->place % WHEEL_SLOTS];

	if (t->next == t) {
		*slot = NULL;
		w->occupied[t->place / WHEEL_SLOTS] &= ~(1ull << t->place % WHEEL_SLOTS);
	} else {
		t->prev->next = t->next;
		t->next->prev = t->prev;
		if (*slot == t)
			*slot = t->next;
	}
	t->next = t->prev = NULL;
}

void timer_arm(struct timer_wheel *w, struct timer *t)
{
	inside_lock_take(&w->lock);
	put_deadline(w, t);
	w->n++;
	if (t->deadline < atomic_load_explicit(&w->earliest, memory_order_relaxed))
		atomic_store_explicit(&w->earliest, t->deadline, memory_order_relaxed);
	atomic_store_explicit(&t->wheel, w, memory_order_release);
	short_lock_give(&w->lock);
}

/* Where it is armed, locked; NULL: nowhere. It may be moved before the lock is had. */
static struct timer_wheel *lock_wheel_of(struct timer *t)
{
	struct timer_wheel *w;

	while ((w = atomic_load_explicit(&t->wheel, memory_order_acquire))) {
		inside_lock_take(&w->lock);
		if (atomic_load_explicit(&t->wheel, memory_order_relaxed) == w)
			return w;
		short_lock_give(&w->lock);
	}
	return NULL;
}

bool timer_cancel(struct timer *t)
{
	struct timer_wheel *w = lock_wheel_of(t);

	if (!w)
		return false;
	take(w, t);
	/* Whoever waits for the last one is not to do so. */
	if (--w->n == 0)
		atomic_store_explicit(&w->earliest, INT64_MAX, memory_order_relaxed);
	atomic_store_explicit(&t->wheel, NULL, memory_order_relaxed);
	short_lock_give(&w->lock);
	return true;
}

void timer_wheel_move(struct timer_wheel *from, struct timer_wheel *to)
{
	struct timer_wheel *first = from < to ? from : to, *second = from < to ? to : from;
	struct timer *t;

	if (from == to)
		return;
	inside_lock_take(&first->lock);
	inside_lock_take(&second->lock);
	for (unsigned place = 0; place < WHEEL_LEVELS * WHEEL_SLOTS; place++) {
		while ((t = from->slot[place / WHEEL_SLOTS][place % WHEEL_SLOTS])) {
			take(from, t);
			put_deadline(to, t);
			atomic_store_explicit(&t->wheel, to, memory_order_release);
		}
	}
	int64_t earliest = atomic_load_explicit(&from->earliest, memory_order_relaxed);
	if (earliest < atomic_load_explicit(&to->earliest, memory_order_relaxed))
		atomic_store_explicit(&to->earliest, earliest, memory_order_relaxed);
	to->n += from->n;
	from->n = 0;
	atomic_store_explicit(&from->earliest, INT64_MAX, memory_order_relaxed);
	short_lock_give(&second->lock);
	short_lock_give(&first->lock);
}

void timer_settle(struct timer *t)
{
	while (atomic_load_explicit(&t->wheel, memory_order_acquire))
		relax();
}

/* The first slot that is not empty, and the tick at which its time begins. Lower levels come first: what is
 * in a higher one lies beyond all that a lower one can hold. */
static bool next_slot(const struct timer_wheel *w, unsigned *ret_level, unsigned *ret_slot,
		      uint64_t *ret_tick)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t at = w->now >> level * 6;
		uint64_t bits = w->occupied[level];
		if (!bits)
			continue;
		unsigned from = at % WHEEL_SLOTS;
		unsigned ahead = (unsigned)__builtin_ctzll(from ? bits >> from | bits << (64 - from) : bits);
		*ret_level = level;
		*ret_slot = (from + ahead) % WHEEL_SLOTS;
		*ret_tick = (at + ahead) << level * 6;
		return true;
	}
	return false;
}

/* Under the lock. */
static unsigned empty_slot(struct timer_wheel *w, unsigned level, unsigned slot)
{
	unsigned fired = 0;
	struct timer *t, *waiting = w->slot[level][slot];

	/* Its time begins: each goes to a lower level, or fires. */
	if (level > 0) {
		w->slot[level][slot] = NULL;
		w->occupied[level] &= ~(1ull << slot);
		waiting->prev->next = NULL;
		while ((t = waiting)) {
			waiting = t->next;
			/* One that is due now goes into the slot of now, which is next. */
			uint64_t due = tick_after(t->deadline);
			put(w, t, due < w->now ? w->now : due);
		}
		return 0;
	}
	while ((t = w->slot[0][slot])) {
		take(w, t);
		w->n--;
		PROBE2(timer, t, t->deadline);
		t->fire(t);
		perturb();
		atomic_store_explicit(&t->wheel, NULL, memory_order_release);
		fired++;
	}
	return fired;
}

unsigned timer_wheel_run(struct timer_wheel *w, int64_t now)
{
	uint64_t until = (uint64_t)now >> WHEEL_TICK_BITS, tick;
	unsigned level, slot, fired = 0;
	int64_t earliest = INT64_MAX;

	inside_lock_take(&w->lock);
	while (next_slot(w, &level, &slot, &tick) && tick <= until) {
		if (tick > w->now)
			w->now = tick;
		fired += empty_slot(w, level, slot);
	}
	if (until > w->now)
		w->now = until;
	if (next_slot(w, &level, &slot, &tick))
		earliest = (int64_t)(tick << WHEEL_TICK_BITS);
	atomic_store_explicit(&w->earliest, earliest, memory_order_relaxed);
	short_lock_give(&w->lock);
	return fired;
}
