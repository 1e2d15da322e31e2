#include "switch.h"

#include "cold/cold.h"
#include "door.h"
#include "idle.h"
#include "inside_lock.h"
#include "inspect/probe.h"
#include "local.h"
#include "perturb.h"
#include "pin.h"
#include "scope.h"
#include "tell.h"
#include "wait.h"

__attribute__((noinline)) void leave_with_exceptions(struct thread *t, struct fiber *f, const struct context *to)
{
	struct exceptions kept = *t->exceptions;

	*t->exceptions = (struct exceptions){ 0 };
	context_switch(&f->context, to);
	arrive(thread_self());
	*thread_self()->exceptions = kept;
}

/* A fiber that nobody has joined yet. */
static void ended(struct thread *t, struct fiber *f)
{
	if (!f->joinable) {
		fiber_recycle(t->processor, f);
		return;
	}
	inside_lock_take(&f->lock);
	atomic_store_explicit(&f->ended, true, memory_order_release);
	struct waiter *w = wait_list_claim(&f->joiner);
	/* Once the lock is given back `f` is the joiner's. */
	struct fiber *joiner = w ? w->fiber : NULL;
	short_lock_give(&f->lock);
	if (joiner)
		fiber_ready(t, joiner);
}

void arrive_slowly(struct thread *t)
{
	struct fiber *f = t->left;

	switch (t->leave) {
	case LEAVE_NOTHING:
	case LEAVE_LOCKED:
		break;
	case LEAVE_READY:
		if (f->pinned_to)
			pinned_ready(f);
		else
			append(t->processor, f);
		break;
	case LEAVE_OTHERS:
		if (f->pinned_to)
			pinned_ready(f);
		else
			queue_for_all(f);
		break;
	case LEAVE_PARKED:
		if (t->unlock)
			t->unlock(t->lock);
		break;
	case LEAVE_SHOW:
		tell_shown(t, f);
		break;
	case LEAVE_ENDED:
		ended(t, f);
		break;
	}
}

/* Who waits to join `f` goes on at once, and directly: it is the only one who may see that `f` has ended, and
 * runs when this stack was left. NULL: nobody waits yet, or its thread is another. */
static inline struct fiber *joiner_of(struct fiber *f)
{
	struct fiber *joiner = NULL;

	if (!f->joinable)
		return NULL;
	inside_lock_take(&f->lock);
	struct waiter *w = f->joiner.first;
	if (w && !w->fiber->pinned_to && (w = wait_list_claim(&f->joiner))) {
		joiner = w->fiber;
		PROBE2(ready, fiber_id(joiner), fiber_id(f));
	}
	short_lock_give(&f->lock);
	return joiner;
}

/* Ends the running fiber. */
SANITIZER_INLINE SANITIZER_NO_CALL void end(struct thread *t, struct fiber *f, int result)
{
	f->result = result;
	fiber_becomes(f, FIBER_ENDED);
	PROBE2(exit, fiber_id(f), (int64_t)result);
	struct fiber *next = t->pins ? NULL : joiner_of(f);
	t->leave = next ? LEAVE_NOTHING : LEAVE_ENDED;
	sanitizer_context_ends(&f->context.told);
	leave_for(t, f, next ? next : next_here(t));
	__builtin_unreachable();
}

static SANITIZER_NO_CALL void fiber_main(void *arg)
{
	struct fiber *f = arg;

	context_arrived(&f->context);
	arrive(thread_self());
	door_leave();
	int result = f->function(f->arg);
	if (f->locals)
		local_end(f);
	if (__builtin_expect(f->cold != NULL, 0))
		cold_end(f);
	struct thread *t = door_enter();
	if (__builtin_expect(atomic_load_explicit(&t->preemptible, memory_order_relaxed), 0))
		misuse("a fiber returns without rt_preempt_end");
	if (__builtin_expect(f->pinned_to != NULL, 0))
		pinned_release(t, f);
	if (f->scope || f->opened)
		scope_leave(t, f, result);
	end(thread_self(), f, result);
}

void fiber_start(struct thread *t, struct fiber *f)
{
	fiber_prepare(f, fiber_main);
	PROBE3(spawn, fiber_id(f), f->function, f->creator_id);
	fiber_ready(t, f);
}

void fiber_park(struct thread *t, enum fiber_wait wait, void *object, void (*unlock)(void *), void *lock)
{
	park_here(t, wait, object, unlock, lock);
}

void fiber_yield(struct thread *t, enum leave how)
{
	struct fiber *f = t->running;

	fiber_becomes(f, FIBER_READY);
	t->leave = how;
	returns_guessed(t);
	leave_for(t, f, next_here(t));
}

/* Others may wait elsewhere: who looks for them leaves, though it be alone here. */
static inline bool yields_to_others(const struct thread *t)
{
	const struct processor *p = t->processor;

	return t->pins || (turns_look_around(p) && (may_find_around(p) || turns_of(p) % FAIR_TURNS == 0));
}

RETURNS_FROM_SWITCH void rt_yield(void)
{
	struct thread *t = door_enter();
	struct processor *p = t->processor;
	struct fiber *f = t->running, *next = next_here(t);

	returns_guessed(t);
	if (next && !f->pinned_to && append_is_private(p)) {
		fiber_becomes(f, FIBER_READY);
		batch_append(p, f);
		leave_for(t, f, next);
	} else if (next || yields_to_others(t)) {
		fiber_becomes(f, FIBER_READY);
		t->leave = LEAVE_READY;
		leave_for(t, f, next);
	} else {
		/* Nobody else: on it goes. */
		turns_count(p);
	}
	door_leave();
}

/* It is pinned, to a thread or to none (cold/cold.h). True: whoever it belongs to sees to it. */
static bool goes_aside(struct fiber *f)
{
	if (f->pinned_to == &cold_place)
		return !cold_wake(f);
	pinned_ready(f);
	return true;
}

void fiber_ready(struct thread *t, struct fiber *f)
{
	struct processor *p = t->processor;
	struct fiber *before = first_of(p);

	fiber_becomes(f, FIBER_READY);
	PROBE2(ready, fiber_id(f), t->running ? fiber_id(t->running) : 0);
	if (__builtin_expect(f->pinned_to != NULL, 0) && goes_aside(f))
		return;
	first_set(p, f);
	if (before)
		append(p, before);
	perturb();
	door_settle();
	if (__builtin_expect(atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) == 0, 1))
		return;
	if (before || run_queue_length(p))
		wake_another();
	else
		wake_for_one(p);
}

void fiber_ready_later(struct thread *t, struct fiber *f)
{
	fiber_becomes(f, FIBER_READY);
	PROBE2(ready, fiber_id(f), t->running ? fiber_id(t->running) : 0);
	if (!f->pinned_to || !goes_aside(f))
		append(t->processor, f);
}

void fiber_start_later(struct thread *t, struct fiber *f)
{
	fiber_prepare(f, fiber_main);
	PROBE3(spawn, fiber_id(f), f->function, f->creator_id);
	fiber_ready_later(t, f);
}

void fiber_ready_from_outside(struct fiber *f)
{
	fiber_becomes(f, FIBER_READY);
	PROBE2(ready, fiber_id(f), 0);
	if (f->pinned_to && goes_aside(f))
		return;
	queue_for_all(f);
	atomic_thread_fence(memory_order_seq_cst);
	wake_another();
}

void switch_from_loop(struct thread *t, struct fiber *f)
{
	run(t, f);
	context_switch(&t->loop, &f->context);
	arrive(t);
}
