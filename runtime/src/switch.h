/* From fiber to fiber: the ways that are taken millions of times a second are inline. What other parts call
 * is in scheduler.h. */
#ifndef RT_SWITCH_H
#define RT_SWITCH_H

#include "context.h"
#include "exceptions.h"
#include "in_use.h"
#include "inspect/probe.h"
#include "perturb.h"
#include "queues.h"
#include "returns.h"
#include "scheduler.h"
#include "turns.h"

/* The context that was left is saved: what was to be done about it is done now, but for the cheapest. */
void arrive_slowly(struct thread *t);

/* From the thread's own loop to a fiber; returns when there is none to go on with, or the processor was
 * lost. */
void switch_from_loop(struct thread *t, struct fiber *f);

static inline void arrive(struct thread *t)
{
	if (t->leave == LEAVE_NOTHING)
		return;
	perturb();
	if (t->leave == LEAVE_LOCKED)
		short_lock_give(t->lock);
	else
		arrive_slowly(t);
	t->leave = LEAVE_NOTHING;
}

static inline void run(struct thread *t, struct fiber *f)
{
	turns_count(t->processor);
	f->turns++;
	fiber_becomes(f, FIBER_RUNNING);
	t->running = f;
	PROBE2(run, fiber_id(f), t->processor->number);
}

/* Whether who looks around on this turn may find something, beside what is ready here. */
static inline bool may_find_around(const struct processor *p)
{
	if (atomic_load_explicit(&p->timers.earliest, memory_order_relaxed) != INT64_MAX || in_use_too_many() ||
	    atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) ||
	    atomic_load_explicit(&scheduler.nwanted, memory_order_relaxed))
		return true;
	return turns_of(p) % FAIR_TURNS == 0 &&
	       (atomic_load_explicit(&scheduler.nqueue, memory_order_relaxed) || poller_exists(&p->poller) ||
		atomic_load_explicit(&scheduler.nused, memory_order_relaxed) != scheduler.nprocessors);
}

/* What this processor has to run at once, if its turn is not one on which it looks around. */
SANITIZER_INLINE struct fiber *next_here(struct thread *t)
{
	struct processor *p = t->processor;

	if (__builtin_expect(!p || t->pins || (turns_look_around(p) && may_find_around(p)), 0))
		return NULL;
	return from_here(p);
}

/* The rest of leave_for, for a fiber that handles C++ exceptions. */
void leave_with_exceptions(struct thread *t, struct fiber *f, const struct context *to);

/* To `next` directly, or to the loop when there is none. Returns when `f` runs again. */
SANITIZER_INLINE SANITIZER_NO_CALL void leave_for(struct thread *t, struct fiber *f, struct fiber *next)
{
	const struct context *to = &t->loop;

	if (__builtin_expect(!f->guarded, 0))
		fiber_check_stack(f);
	t->left = f;
	if (next) {
		run(t, next);
		to = &next->context;
	} else {
		t->running = NULL;
	}
	if (__builtin_expect(exceptions_are_there(t->exceptions), 0)) {
		leave_with_exceptions(t, f, to);
		return;
	}
	perturb();
	context_switch(&f->context, to);
	arrive(thread_self());
}

SANITIZER_INLINE void park(struct thread *t, enum fiber_wait wait, void *object, enum leave leave, void *lock)
{
	struct fiber *f = t->running;

	f->wait = (uint8_t)wait;
	f->wait_object = object;
	fiber_becomes(f, FIBER_PARKED);
	PROBE3(park, fiber_id(f), wait, object);
	t->leave = leave;
	t->lock = lock;
	returns_guessed(t);
	leave_for(t, f, next_here(t));
}

/* fiber_park where the lock is a short one (not NULL). */
SANITIZER_INLINE void park_locked(struct thread *t, enum fiber_wait wait, void *object, struct short_lock *lock)
{
	park(t, wait, object, LEAVE_LOCKED, lock);
}

/* fiber_park where it is hot. */
SANITIZER_INLINE void park_here(struct thread *t, enum fiber_wait wait, void *object, void (*unlock)(void *),
				void *lock)
{
	t->unlock = unlock;
	park(t, wait, object, LEAVE_PARKED, lock);
}

#endif
