#include "pin.h"

#include "door.h"
#include "idle.h"
#include "misuse.h"
#include "watcher.h"

/* Under the scheduler's lock, of a thread that sleeps and should not. NULL: it has to wait until somebody
 * helps. */
static struct processor *processor_for(struct thread *t)
{
	struct processor *p = idle_processor_take();

	if (p) {
		idle_thread_remove(t);
	} else if (!t->wanted) {
		t->wanted = true;
		atomic_fetch_add(&scheduler.nwanted, 1);
	}
	return p;
}

static void call(struct thread *t)
{
	short_lock_take(&scheduler.lock);
	struct processor *p = atomic_load(&t->parked) ? processor_for(t) : NULL;
	short_lock_give(&scheduler.lock);
	if (!p)
		return;
	thread_give(t, p, false);
	watcher_wake();
}

void pinned_ready(struct fiber *f)
{
	struct thread *t = f->pinned_to;

	f->next = NULL;
	short_lock_take(&t->pinned_lock);
	if (t->pinned)
		*t->pinned_end = f;
	else
		t->pinned = f;
	t->pinned_end = &f->next;
	/* Who goes to sleep says so and then looks at the number; this side counts and then looks whether it
	 * sleeps. */
	atomic_fetch_add(&t->npinned, 1);
	short_lock_give(&t->pinned_lock);
	if (atomic_load(&t->parked))
		call(t);
}

struct fiber *pinned_take(struct thread *t)
{
	if (!pinned_waits(t))
		return NULL;
	short_lock_take(&t->pinned_lock);
	struct fiber *f = t->pinned;
	if (f) {
		t->pinned = f->next;
		atomic_fetch_sub_explicit(&t->npinned, 1, memory_order_relaxed);
	}
	short_lock_give(&t->pinned_lock);
	return f;
}

bool pinned_may_sleep(struct thread *t)
{
	if (atomic_load(&t->npinned) == 0)
		return true;
	struct processor *p = processor_for(t);
	if (p)
		processor_hold(t, p);
	return p == NULL;
}

bool pinned_help(struct thread *t)
{
	struct processor *p = t->processor;

	short_lock_take(&scheduler.lock);
	struct thread *other = scheduler.idle_threads;
	while (other && !other->wanted)
		other = other->next_idle;
	if (other) {
		t->processor = NULL;
		idle_thread_remove(other);
	}
	short_lock_give(&scheduler.lock);
	if (other)
		thread_give(other, p, false);
	return other != NULL;
}

void pinned_release(struct thread *t, struct fiber *f)
{
	f->pins = 0;
	f->pinned_to = NULL;
	t->pins--;
}

void rt_pin(void)
{
	struct thread *t = door_enter();
	struct fiber *f = t->running;

	if (f->pins++ == 0) {
		f->pinned_to = t;
		t->pins++;
	}
	door_leave();
}

void rt_unpin(void)
{
	struct thread *t = door_enter();
	struct fiber *f = t->running;

	if (f->pins == 0)
		misuse("rt_unpin: the fiber is not pinned");
	if (--f->pins == 0)
		pinned_release(t, f);
	door_leave();
}
