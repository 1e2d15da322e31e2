#include "in_use.h"

#include "door.h"
#include "futex.h"
#include "idle.h"
#include "inside_lock.h"
#include "outside.h"
#include "run_queue.h"
#include "spare.h"
#include "watcher.h"

#define NAP_NS 20000

struct alone alone;
/* Threads that have set one aside, and are not through with it; under the scheduler's lock. */
static uint32_t nleaving;

/* Under the scheduler's lock. Nobody holds it, and it is not in the list of idle ones. `left` follows. */
static void set_aside(struct processor *p)
{
	nleaving++;
	outside_expect();
	atomic_store_explicit(&p->thread, NULL, memory_order_relaxed);
	p->next_idle = scheduler.aside;
	scheduler.aside = p;
	atomic_store(&p->is_aside, true);
	atomic_fetch_sub(&scheduler.nused, 1);
}

/* What it had is elsewhere by now. */
static void left(void)
{
	short_lock_take(&scheduler.lock);
	nleaving--;
	short_lock_give(&scheduler.lock);
	outside_done();
}

/* By the holder of the only one: so it is inside. And no other thread runs a fiber: what is done to mutexes
 * outside has looked whether one is alone before it does it. */
void in_use_alone(void)
{
	short_lock_take(&scheduler.lock);
	if (nleaving == 0 && atomic_load(&scheduler.nused) == 1 && atomic_load(&scheduler.most_used) == 1 &&
	    scheduler.noutside == 0) {
		perturb_alone();
		atomic_store(&alone.is, true);
	}
	short_lock_give(&scheduler.lock);
}

/* It is outside, or was so. Where there are few CPUs, or the fibers do little else than call, it is never
 * seen there by chance: so it is kept out. */
static bool comes_out(struct thread *holder, struct processor *p)
{
	bool is = false;

	if (!door_claim(holder))
		return false;
	while (!(is = door_is_outside(holder)) && atomic_load(&p->thread) == holder && !atomic_load(&scheduler.stopping))
		futex_nap(NAP_NS);
	is = is && holder->processor == p;
	door_close(holder, false);
	return is;
}

/* Who holds the processor in use is outside: true also when it is idle, since who takes it then will know. */
static bool holder_comes_out(void)
{
	struct processor *p = scheduler.processors;

	short_lock_take(&scheduler.lock);
	bool idle = scheduler.idle_processors != NULL;
	while (atomic_load(&p->is_aside))
		p++;
	struct thread *holder = atomic_load_explicit(&p->thread, memory_order_acquire);
	short_lock_give(&scheduler.lock);
	return idle || (holder && comes_out(holder, p));
}

/* From now on so many are to be in use. True: one was alone, which it is no longer, and may be inside as if it were. As one
 * step: who finds itself alone looks at both. */
static bool most_used_set(uint32_t n)
{
	bool was;

	short_lock_take(&scheduler.lock);
	atomic_store(&scheduler.most_used, n);
	if ((was = n > 1 && atomic_load(&alone.is)))
		atomic_store(&alone.is, false);
	short_lock_give(&scheduler.lock);
	return was;
}

/* Timers go to a processor that is in use, which may be set aside meanwhile. */
static void empty_wheel(struct processor *p)
{
	while (atomic_load(&p->is_aside)) {
		struct processor *to = scheduler.processors;
		while (atomic_load(&to->is_aside) && to + 1 < scheduler.processors + scheduler.nprocessors)
			to++;
		timer_wheel_move(&p->timers, &to->timers);
		p = to;
	}
}

/* Under the scheduler's lock. Of what is set aside nobody would see the ring's answers. */
static struct processor *idle_without_calls(void)
{
	for (struct processor *p = scheduler.idle_processors; p; p = p->next_idle)
		if (p->poller.ring.under_way == 0) {
			idle_processor_remove(p);
			return p;
		}
	return NULL;
}

bool in_use_give_up(struct thread *t)
{
	struct processor *own = t->processor, *p = NULL;

	short_lock_take(&scheduler.lock);
	if (in_use_too_many()) {
		p = idle_without_calls();
		if (!p && own->poller.ring.under_way == 0) {
			p = own;
			t->processor = NULL;
		}
		if (p)
			set_aside(p);
	}
	short_lock_give(&scheduler.lock);
	if (!p)
		return false;
	perturb_alone();
	processor_lay_down(p);
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		spare_to_all(p, size, UINT32_MAX);
	empty_wheel(p);
	left();
	if (p == own && atomic_load(&scheduler.nidle))
		wake_another();
	return true;
}

/* Under the scheduler's lock. False: there is none, or not yet, since others still work on it. */
static bool put_back_one(void)
{
	struct processor *p = scheduler.aside;

	if (!p || nleaving > 0 || atomic_load(&scheduler.nused) >= atomic_load(&scheduler.most_used))
		return false;
	/* Who polls for it counts itself and then looks whether it is aside. */
	atomic_store(&p->is_aside, false);
	if (atomic_load(&p->guests)) {
		atomic_store(&p->is_aside, true);
		return false;
	}
	scheduler.aside = p->next_idle;
	atomic_fetch_add(&scheduler.nused, 1);
	idle_processor_put(p);
	return true;
}

/* An idle one has nothing in its queues, but timers perhaps. */
static struct processor *take_away_one(void)
{
	struct processor *p = in_use_too_many() ? idle_without_calls() : NULL;

	if (p)
		set_aside(p);
	return p;
}

void in_use_set(uint32_t n)
{
	struct processor *p;
	bool more = false, is_early;

	n = n < 1 ? 1 : n < scheduler.nprocessors ? n : scheduler.nprocessors;
	/* Before a second one is in use. */
	if (most_used_set(n))
		while (!holder_comes_out() && !atomic_load(&scheduler.stopping))
			futex_nap(NAP_NS);
	do {
		short_lock_take(&scheduler.lock);
		while (put_back_one())
			more = true;
		p = take_away_one();
		is_early = !p && scheduler.aside && atomic_load(&scheduler.nused) < n;
		short_lock_give(&scheduler.lock);
		if (p) {
			empty_wheel(p);
			left();
		}
		if (is_early)
			futex_nap(NAP_NS);
	} while (p || is_early);
	if (more) {
		atomic_thread_fence(memory_order_seq_cst);
		wake_another();
	}
}

void in_use_begin(uint32_t n)
{
	atomic_store(&alone.is, scheduler.nprocessors == 1);
	in_use_set(n);
}

unsigned rt_processors(void)
{
	return atomic_load_explicit(&scheduler.nused, memory_order_relaxed);
}
