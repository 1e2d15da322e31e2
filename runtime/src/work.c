#include "work.h"

#include "door.h"
#include "idle.h"
#include "in_use.h"
#include "inside_lock.h"
#include "inspect/probe.h"
#include "pin.h"
#include "queues.h"
#include "relax.h"
#include "turns.h"

/* Rounds over all processors before an idle thread sleeps: some tens of microseconds, what waking it would
 * cost. */
#define SPIN_ROUNDS 4
#define PINNED_SPINS 1000

static bool run_timers(struct processor *of, int64_t now)
{
	return atomic_load_explicit(&of->timers.earliest, memory_order_relaxed) <= now &&
	       timer_wheel_run(&of->timers, now) > 0;
}

/* Those of others too, who may be busy. True when some fired. */
static bool run_all_timers(void)
{
	int64_t now = coarse_clock_set(rt_now());
	bool fired = false;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		fired |= run_timers(&scheduler.processors[i], now);
	return fired;
}

/* Its own poller, and those of processors that are set aside. */
static void poll(struct thread *t)
{
	if (poller_exists(&t->processor->poller))
		poller_run(t, &t->processor->poller);
	if (atomic_load_explicit(&scheduler.nused, memory_order_relaxed) == scheduler.nprocessors)
		return;
	for (uint32_t i = 0; i < scheduler.nprocessors; i++) {
		struct processor *p = &scheduler.processors[i];
		if (!atomic_load_explicit(&p->is_aside, memory_order_relaxed) || !poller_exists(&p->poller))
			continue;
		atomic_fetch_add(&p->guests, 1);
		if (atomic_load(&p->is_aside))
			poller_run(t, &p->poller);
		atomic_fetch_sub(&p->guests, 1);
	}
}

/* What only its owner may touch: past its door. */
static struct fiber *steal_first(struct processor *victim)
{
	struct thread *owner = atomic_load_explicit(&victim->thread, memory_order_acquire);
	struct fiber *f = NULL;

	if (!owner || !door_visit(owner))
		return NULL;
	if (owner->processor == victim) {
		f = batch_take(victim);
		if (!f && (f = first_of(victim)))
			first_set(victim, NULL);
	}
	door_close(owner, false);
	return f;
}

static struct fiber *steal_from(struct processor *p, struct processor *victim)
{
	struct fiber *taken[RING / 2];
	uint32_t n = run_queue_length(victim);

	n = run_queue_take(victim, n - n / 2, taken);
	for (uint32_t i = 1; i < n; i++)
		append(p, taken[i]);
	if (n == 0)
		return NULL;
	PROBE2(steal, p->number, victim->number);
	return taken[0];
}

/* One look at each ring, from a random one on. */
static struct fiber *steal_around(struct processor *p)
{
	uint32_t n = scheduler.nprocessors;

	p->luck = p->luck * 6364136223846793005u + 1442695040888963407u;
	for (uint32_t i = 0, at = (uint32_t)(p->luck >> 33) % n; i < n; i++, at = (at + 1) % n) {
		struct processor *victim = &scheduler.processors[at];
		struct fiber *f = victim == p ? NULL : steal_from(p, victim);
		if (f)
			return f;
	}
	for (int i = 0; i < 20; i++)
		relax();
	return NULL;
}

/* What is not in the rings, of those who have not switched since they had `turns`: who switches soon takes
 * less time to run what it made ready last than to have it run elsewhere. */
static struct fiber *steal_from_still(struct processor *p, const uint32_t *turns)
{
	for (uint32_t i = 0; i < scheduler.nprocessors; i++) {
		struct processor *victim = &scheduler.processors[i];
		if (victim == p || turns_of(victim) != turns[i] || !(first_of(victim) || batch_length(victim)))
			continue;
		struct fiber *f = steal_first(victim);
		if (f) {
			PROBE2(steal, p->number, victim->number);
			return f;
		}
	}
	return NULL;
}

static struct fiber *steal(struct processor *p)
{
	uint32_t turns[MOST_PROCESSORS];
	struct fiber *f = NULL;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		turns[i] = turns_of(&scheduler.processors[i]);
	for (int round = 0; !f && round < SPIN_ROUNDS; round++)
		f = steal_around(p);
	return f ? f : steal_from_still(p, turns);
}

bool work_anywhere(void)
{
	if (atomic_load_explicit(&scheduler.nqueue, memory_order_acquire))
		return true;
	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		if (run_queue_length(&scheduler.processors[i]))
			return true;
	return false;
}

static struct fiber *look_around(struct thread *t)
{
	struct processor *p = t->processor;
	uint32_t turns = turns_of(p);
	struct fiber *f;

	if (atomic_load_explicit(&p->timers.earliest, memory_order_relaxed) != INT64_MAX)
		run_timers(p, coarse_clock_set(rt_now()));
	if (turns % FAIR_TURNS == 0) {
		poll(t);
		if ((f = from_all(p)))
			return f;
	}
	if ((f = from_here(p)) || (f = from_all(p))) {
		/* Those that only yield call nobody. */
		if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) && processor_has_ready(p))
			wake_another();
		return f;
	}
	poll(t);
	if ((f = from_here(p)))
		return f;
	if (run_all_timers() && (f = from_here(p)))
		return f;
	if (!t->spinning) {
		uint32_t busy = atomic_load(&scheduler.nused) - atomic_load(&scheduler.nidle);
		if (2 * atomic_load(&scheduler.nspinning) >= busy)
			return NULL;
		t->spinning = true;
		atomic_fetch_add(&scheduler.nspinning, 1);
	}
	return steal(p);
}

static bool has_work(const struct processor *p)
{
	return processor_has_ready(p) || atomic_load_explicit(&scheduler.nqueue, memory_order_relaxed) ||
	       atomic_load_explicit(&scheduler.nwanted, memory_order_relaxed);
}

/* Of a thread to which fibers are pinned. It spins for what another processor may bring soon, as long as
 * nobody else could use its processor. */
static struct fiber *look_for_pinned(struct thread *t)
{
	struct processor *p = t->processor;

	run_all_timers();
	poll(t);
	for (int i = 0; i < PINNED_SPINS && !pinned_waits(t) && !has_work(p); i++)
		relax();
	return pinned_take(t);
}

static void lay_into_other_hands(struct thread *t)
{
	struct processor *p = t->processor;

	t->processor = NULL;
	thread_call(p, false);
}

/* One round for a thread to which fibers are pinned: it finds one, or has no processor afterwards. */
static struct fiber *find_pinned(struct thread *t)
{
	struct fiber *f = look_for_pinned(t);

	/* Who calls others in vain, and finds nothing, is called by them in turn, for ever. */
	stop_spinning(t, f != NULL);
	if (f)
		return f;
	if (has_work(t->processor) || give_up_processor(t))
		lay_into_other_hands(t);
	return NULL;
}

struct fiber *find_work(struct thread *t)
{
	for (;;) {
		if (!t->processor && !thread_sleep(t))
			return NULL;
		if (in_use_too_many()) {
			stop_spinning(t, false);
			if (in_use_give_up(t))
				continue;
		}
		if (atomic_load_explicit(&scheduler.nused, memory_order_relaxed) == 1 && !is_alone())
			in_use_alone();
		if (t->pins) {
			struct fiber *pinned = find_pinned(t);
			if (pinned)
				return pinned;
			continue;
		}
		if (atomic_load_explicit(&scheduler.nwanted, memory_order_relaxed) && pinned_help(t)) {
			stop_spinning(t, true);
			continue;
		}
		struct fiber *f = look_around(t);
		if (f) {
			stop_spinning(t, true);
			return f;
		}
		if (!give_up_processor(t) && !t->processor && !thread_sleep(t))
			return NULL;
	}
}
