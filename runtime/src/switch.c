#include "switch.h"

#include "door.h"
#include "idle.h"
#include "inspect/probe.h"
#include "local.h"
#include "perturb.h"
#include "queues.h"
#include "scheduler.h"
#include "scope.h"
#include "tell.h"
#include "turns.h"
#include "wait.h"

static inline void ended(struct thread *t, struct fiber *f)
{
	if (!f->joinable) {
		fiber_recycle(t->processor, f);
		return;
	}
	short_lock_take(&f->lock);
	f->ended = true;
	struct waiter *w = wait_list_claim(&f->joiner);
	/* Once the lock is given back `f` is the joiner's. */
	struct fiber *joiner = w ? w->fiber : NULL;
	short_lock_give(&f->lock);
	if (joiner)
		fiber_ready(t, joiner);
}

static inline void arrive(struct thread *t)
{
	struct fiber *f = t->left;

	switch (t->leave) {
	case LEAVE_NOTHING:
		return;
	case LEAVE_READY:
		append(t->processor, f);
		break;
	case LEAVE_OTHERS:
		queue_for_all(f);
		break;
	case LEAVE_PARKED:
		perturb();
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

/* What this processor has to run at once, if its turn is not one on which it looks around. */
static inline struct fiber *next_here(struct thread *t)
{
	struct processor *p = t->processor;

	if (__builtin_expect(!p, 0))
		return NULL;
	uint32_t turns = turns_of(p);
	if (__builtin_expect(turns % CLOCK_TURNS == 0 || turns % FAIR_TURNS == 0, 0))
		return NULL;
	return from_here(p);
}

/* To the next fiber directly, or to the loop when there is none. Returns when `f` runs again. */
static inline SANITIZER_NO_CALL void leave_for(struct thread *t, struct fiber *f, struct fiber *next)
{
	t->left = f;
	if (next) {
		run(t, next);
		context_switch(&f->context, &next->context);
	} else {
		t->running = NULL;
		context_switch(&f->context, &t->loop);
	}
	arrive(thread_self());
}

static SANITIZER_NO_CALL void fiber_main(void *arg)
{
	struct fiber *f = arg;

	context_arrived(&f->context);
	arrive(thread_self());
	door_leave();
	int result = f->function(f->arg);
	local_end(f);
	struct thread *t = door_enter();
	scope_leave(t, f, result);
	fiber_end(t, result);
}

void fiber_start(struct thread *t, struct fiber *f)
{
	fiber_prepare(f, fiber_main);
	PROBE3(spawn, fiber_id(f), f->function, f->creator_id);
	fiber_ready(t, f);
}

void fiber_park(struct thread *t, enum fiber_wait wait, void *object, void (*unlock)(void *), void *lock)
{
	struct fiber *f = t->running;

	f->wait = (uint8_t)wait;
	f->wait_object = object;
	fiber_becomes(f, FIBER_PARKED);
	PROBE3(park, fiber_id(f), wait, object);
	t->leave = LEAVE_PARKED;
	t->unlock = unlock;
	t->lock = lock;
	leave_for(t, f, next_here(t));
}

void fiber_yield(struct thread *t, enum leave how)
{
	struct fiber *f = t->running;
	struct fiber *next = next_here(t);

	if (!next && how == LEAVE_READY && turns_of(t->processor) % CLOCK_TURNS) {
		/* Nobody else: on it goes. */
		turns_count(t->processor);
		return;
	}
	fiber_becomes(f, FIBER_READY);
	t->leave = how;
	leave_for(t, f, next);
}

SANITIZER_NO_CALL _Noreturn void fiber_end(struct thread *t, int result)
{
	struct fiber *f = t->running;

	f->result = result;
	fiber_becomes(f, FIBER_ENDED);
	PROBE2(exit, fiber_id(f), (int64_t)result);
	t->leave = LEAVE_ENDED;
	sanitizer_context_ends(&f->context.told);
	leave_for(t, f, next_here(t));
	__builtin_unreachable();
}

void fiber_ready(struct thread *t, struct fiber *f)
{
	struct processor *p = t->processor;
	struct fiber *before = p->first;

	fiber_becomes(f, FIBER_READY);
	PROBE2(ready, fiber_id(f), t->running ? fiber_id(t->running) : 0);
	p->first = f;
	if (before)
		append(p, before);
	perturb();
	if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) != 0)
		wake_another();
}

void fiber_ready_later(struct thread *t, struct fiber *f)
{
	fiber_becomes(f, FIBER_READY);
	PROBE2(ready, fiber_id(f), t->running ? fiber_id(t->running) : 0);
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
