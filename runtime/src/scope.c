/* The functions of osprey/rt/scope.h. */
#include "scope.h"

#include <errno.h>

#include "door.h"
#include "inside_lock.h"
#include "misuse.h"
#include "osprey/rt/scope.h"
#include "rt_spawn.h"
#include "scheduler.h"

_Static_assert(sizeof(struct scope) <= sizeof(struct rt_scope), "the public scope has room for the real one");

static struct scope *scope_of(struct rt_scope *s)
{
	return (struct scope *)(void *)s;
}

/* The lock that guards which scopes `f` has opened. */
static struct short_lock *lock_of_opened(struct fiber *f)
{
	return f->scope ? &f->scope->lock : NULL;
}

static void take(struct short_lock *l)
{
	if (l)
		inside_lock_take(l);
}

static void give(struct short_lock *l)
{
	if (l)
		short_lock_give(l);
}

/* Under the scope's lock. The depth of calls is that of the scopes. */
static void cancel(struct thread *t, struct scope *s)
{
	struct fiber *f = s->fibers;

	if (s->cancelled)
		return;
	s->cancelled = true;
	if (!f)
		return;
	do {
		wait_cancel(t, f);
		for (struct scope *inner = f->opened; inner; inner = inner->outer) {
			inside_lock_take(&inner->lock);
			cancel(t, inner);
			short_lock_give(&inner->lock);
		}
		f = f->next_in_scope;
	} while (f != s->fibers);
}

static void deadline_passed(struct timer *timer)
{
	struct scope *s = (struct scope *)timer;

	inside_lock_take(&s->lock);
	if (!s->cancelled && !s->result)
		s->result = -ETIMEDOUT;
	cancel(thread_self(), s);
	short_lock_give(&s->lock);
}

void rt_scope_open(struct rt_scope *public, int64_t deadline)
{
	struct thread *t = door_enter();
	struct fiber *f = t->running;
	struct scope *s = scope_of(public);

	*s = (struct scope){ .timer = { .deadline = deadline, .fire = deadline_passed }, .timed = deadline != RT_FOREVER, .owner = f };
	take(lock_of_opened(f));
	s->outer = f->opened;
	s->cancelled = atomic_load(&f->cancelled) || (s->outer && s->outer->cancelled);
	f->opened = s;
	give(lock_of_opened(f));
	if (s->timed)
		timer_arm(&t->processor->timers, &s->timer);
	door_leave();
}

static void enter(struct scope *s, struct fiber *f)
{
	f->scope = s;
	if (!s->fibers) {
		s->fibers = f->next_in_scope = f->prev_in_scope = f;
		return;
	}
	f->next_in_scope = s->fibers;
	f->prev_in_scope = s->fibers->prev_in_scope;
	f->prev_in_scope->next_in_scope = f;
	s->fibers->prev_in_scope = f;
}

static void leave(struct scope *s, struct fiber *f)
{
	if (f->next_in_scope == f) {
		s->fibers = NULL;
	} else {
		f->next_in_scope->prev_in_scope = f->prev_in_scope;
		f->prev_in_scope->next_in_scope = f->next_in_scope;
		if (s->fibers == f)
			s->fibers = f->next_in_scope;
	}
	f->scope = NULL;
}

int rt_scope_go(struct rt_scope *public, rt_function *function, void *arg)
{
	struct thread *t = door_enter();
	struct scope *s = scope_of(public);
	struct fiber *f = spawn_prepare(t, function, arg, NULL);
	int r = f ? 0 : -ENOMEM;

	if (f) {
		f->created_at = __builtin_return_address(0);
		inside_lock_take(&s->lock);
		if (s->cancelled)
			r = -ECANCELED;
		else
			enter(s, f);
		short_lock_give(&s->lock);
		if (r == 0)
			fiber_start(t, f);
		else
			fiber_recycle(t->processor, f);
	}
	door_leave();
	return r;
}

void scope_leave(struct thread *t, struct fiber *f, int result)
{
	struct scope *s = f->scope;
	struct waiter *closer = NULL;

	if (f->opened)
		misuse("a fiber returns without closing the scope that it has opened");
	if (!s)
		return;
	inside_lock_take(&s->lock);
	leave(s, f);
	if (result < 0) {
		/* What cancellation brings about is not its cause. */
		if (!s->result && !(s->cancelled && result == -ECANCELED))
			s->result = result;
		cancel(t, s);
	}
	if (!s->fibers)
		closer = wait_list_claim(&s->closer);
	struct fiber *woken = closer ? closer->fiber : NULL;
	short_lock_give(&s->lock);
	if (woken)
		fiber_ready(t, woken);
}

void rt_scope_cancel(struct rt_scope *public)
{
	struct thread *t = door_enter();
	struct scope *s = scope_of(public);

	inside_lock_take(&s->lock);
	cancel(t, s);
	short_lock_give(&s->lock);
	door_leave();
}

void rt_scope_at_close(struct rt_scope *public, struct rt_at_close *what)
{
	struct scope *s = scope_of(public);

	door_enter();
	inside_lock_take(&s->lock);
	what->next = s->at_close;
	s->at_close = what;
	short_lock_give(&s->lock);
	door_leave();
}

/* Each may be gone once it was called. */
static void run_at_close(struct scope *s)
{
	struct rt_at_close *what;

	while ((what = s->at_close)) {
		s->at_close = what->next;
		what->function(what->arg);
	}
}

static bool is_open(const struct fiber *f, const struct scope *s)
{
	const struct scope *o = f->opened;

	while (o && o != s)
		o = o->outer;
	return o;
}

int rt_scope_close(struct rt_scope *public)
{
	struct thread *t = door_enter();
	struct scope *s = scope_of(public);
	struct fiber *f = t->running;
	struct waiter w = { 0 };

	if (s->owner != f)
		misuse("rt_scope_close: the scope was opened by another fiber");
	if (f->opened != s)
		misuse("rt_scope_close: %s", is_open(f, s) ? "a scope that was opened later is still open" : "the scope is not open");
	inside_lock_take(&s->lock);
	if (s->fibers) {
		f->shields++;
		wait_in(t, &s->closer, &s->lock, &w, FIBER_WAIT_SCOPE, s, RT_FOREVER);
		f->shields--;
	} else {
		short_lock_give(&s->lock);
	}
	if (s->timed)
		timer_cancel(&s->timer);
	take(lock_of_opened(f));
	f->opened = s->outer;
	give(lock_of_opened(f));
	door_leave();
	run_at_close(s);
	return s->result;
}

bool rt_cancelled(void)
{
	struct fiber *f = door_outside();

	return atomic_load_explicit(&f->cancelled, memory_order_acquire) && !f->shields;
}

void rt_shield_begin(void)
{
	door_outside()->shields++;
}

void rt_shield_end(void)
{
	struct fiber *f = door_outside();

	if (f->shields == 0)
		misuse("rt_shield_end: there is no shield");
	f->shields--;
}
