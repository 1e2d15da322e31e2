#include "cold/cold.h"

#include <string.h>

#include "chan.h"
#include "heap/heap.h"
#include "inspect/coarse_clock.h"
#include "misuse.h"
#include "scheduler.h"
#include "scope.h"
#include "thread.h"

struct thread cold_place;
struct cold_line cold_line = { .due = INT64_MAX };
struct cold_sums cold_sums;
struct short_lock cold_stacks;

/* -- the line, in the order in which they came; all of it under its lock */

static void note_due(void)
{
	int64_t due = cold_line.first ? cold_line.first->listed_at + COLD_AFTER_NS : INT64_MAX;

	atomic_store_explicit(&cold_line.due, due, memory_order_relaxed);
}

void cold_line_append(struct cold *c, int64_t now)
{
	c->listed_at = now;
	c->next = NULL;
	c->prev = cold_line.last;
	*(cold_line.last ? &cold_line.last->next : &cold_line.first) = c;
	cold_line.last = c;
	atomic_store(&c->listed, true);
	note_due();
}

void cold_line_remove(struct cold *c)
{
	*(c->prev ? &c->prev->next : &cold_line.first) = c->next;
	*(c->next ? &c->next->prev : &cold_line.last) = c->prev;
	c->next = c->prev = NULL;	/* nobody is to be found by them any more (trace/leaks.c) */
	atomic_store(&c->listed, false);
	note_due();
}

int64_t freeze_due(void)
{
	return atomic_load_explicit(&cold_line.due, memory_order_relaxed);
}

/* -- waiting */

static bool on_stack(const struct fiber *f, const void *p)
{
	return (uintptr_t)p - (uintptr_t)fiber_stack_low(f) < fiber_stack_bytes((enum rt_stack)f->stack_size);
}

static bool is_of_channel(enum fiber_wait what)
{
	return what == FIBER_WAIT_SEND || what == FIBER_WAIT_RECEIVE;
}

static size_t element_bytes(const void *channel)
{
	return ((const struct rt_chan *)channel)->element_bytes;
}

/* Fibers of a scope touch it when they end. */
static bool has_scope_on_stack(const struct fiber *f)
{
	for (const struct scope *s = f->opened; s; s = s->outer)
		if (on_stack(f, s))
			return true;
	return false;
}

bool cold_suits(struct fiber *f, const struct wait_list *list, const struct waiter *w,
		enum fiber_wait what, const void *object)
{
	/* A thread of a pool has a call's arguments, wherever they lie. */
	if (f->pinned_to || what == FIBER_WAIT_POOL || on_stack(f, list) || has_scope_on_stack(f))
		return false;
	return !object || !is_of_channel(what) || !on_stack(f, w->element) ||
	       element_bytes(object) <= COLD_ELEMENT;
}

/* Whether the other side of a channel works on the copy of an element. */
static bool carries(const struct cold *c, const struct waiter *w, enum fiber_wait what, const void *object)
{
	return object && is_of_channel(what) && on_stack(c->fiber, w->element);
}

void cold_stand_in(struct cold *c, const struct waiter *w, enum fiber_wait what, const void *object)
{
	c->waiter = *w;
	if (!carries(c, w, what, object))
		return;
	c->waiter.element = c->element;
	c->element_bytes = element_bytes(object);
	if (what == FIBER_WAIT_SEND)
		memcpy(c->element, w->element, c->element_bytes);
}

static void cold_free_copy(struct cold *c)
{
	sanitizer_root_gone(c->spent, c->fiber->cold_bytes);
	heap_free(c->spent);
	c->spent = NULL;
}

void cold_stand_down(struct cold *c, struct waiter *w, enum fiber_wait what, const void *object, bool ended)
{
	c->stack = NULL;
	c->fiber->woken_by = NULL;	/* it may be a block of another soon (trace/leaks.c) */
	if (c->spent)
		cold_free_copy(c);
	/* Others neither set nor read it. */
	if (object && (is_of_channel(what) || what == FIBER_WAIT_MUTEX))
		w->done = c->waiter.done;
	if (ended && what == FIBER_WAIT_RECEIVE && carries(c, w, what, object))
		memcpy(w->element, c->element, c->element_bytes);
}

void cold_parked(struct cold *c)
{
	int64_t now = coarse_clock();

	c->stack = c->fiber->context.sp;
	c->fiber->pinned_to = &cold_place;
	atomic_store_explicit(&c->since, now, memory_order_relaxed);
	/* Who takes it from the line says so and then looks whether it waits; this side waits and then looks
	 * whether it is listed. */
	atomic_store(&c->state, COLD_WAITS);
	perturb();
	if (atomic_load(&c->listed))
		return;
	short_lock_take(&cold_line.lock);
	if (!atomic_load(&c->listed))
		cold_line_append(c, now);
	short_lock_give(&cold_line.lock);
}

/* -- going on */

/* The words were zero since the pages were given back: else somebody used a pointer into the stack. */
NOT_SANITIZED static bool is_zero(const uint64_t *words, size_t n)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= words[i];
	return all == 0;
}

void cold_put_back(struct fiber *f)
{
	char *copy = atomic_load_explicit(&f->cold_copy, memory_order_relaxed);

	sanitizer_copy_stack(f->context.sp, copy, f->cold_bytes);
	fiber_stack_is_back(f);
	atomic_store_explicit(&f->cold_copy, NULL, memory_order_release);
	/* Freed by the fiber itself: here some lock may be held. */
	f->cold->spent = copy;
}

void cold_restore(struct fiber *f)
{
	uint64_t *sp = f->context.sp;

	/* To be written to first: a page that is read first is asked for twice. Below the pointer lies
	 * nothing. */
	if ((uintptr_t)sp % fiber_page_bytes())
		((volatile uint64_t *)sp)[-1] = 0;
	if (!is_zero(sp, f->cold_bytes / sizeof *sp))
		misuse("rt_cold_begin: the stack of fiber %llu was written to while it was cold",
		       (unsigned long long)fiber_id(f));
	cold_put_back(f);
	atomic_fetch_sub_explicit(&cold_sums.fibers, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&cold_sums.bytes, f->cold_bytes, memory_order_relaxed);
}

bool cold_wake(struct fiber *f)
{
	struct cold *c = f->cold;

	f->pinned_to = NULL;
	uint32_t was = atomic_exchange(&c->state, COLD_RUNS);
	if (was == COLD_FREEZING)
		return false;
	if (was == COLD_FROZEN)
		cold_restore(f);
	return true;
}

void cold_end(struct fiber *f)
{
	struct cold *c = f->cold;

	short_lock_take(&cold_line.lock);
	if (atomic_load_explicit(&c->listed, memory_order_relaxed))
		cold_line_remove(c);
	short_lock_give(&cold_line.lock);
	f->cold = NULL;
	heap_free(c);
}

bool cold_show_begin(struct fiber *f)
{
	short_lock_take(&cold_stacks);
	uint32_t was = f->cold ? atomic_load(&f->cold->state) : COLD_RUNS;
	while ((was == COLD_WAITS || was == COLD_FROZEN) &&
	       !atomic_compare_exchange_weak(&f->cold->state, &was, COLD_FREEZING))
		;
	if (was == COLD_FROZEN)
		cold_restore(f);
	return was == COLD_WAITS || was == COLD_FROZEN;
}

void cold_show_end(struct fiber *f, bool began)
{
	uint32_t freezing = COLD_FREEZING;

	bool woken = began && !atomic_compare_exchange_strong(&f->cold->state, &freezing, COLD_WAITS);
	short_lock_give(&cold_stacks);
	if (woken)
		fiber_ready_from_outside(f);
}
