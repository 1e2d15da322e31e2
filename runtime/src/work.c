#include "work.h"

#include "door.h"
#include "idle.h"
#include "inspect/probe.h"
#include "queues.h"
#include "relax.h"
#include "turns.h"

/* Rounds over all processors before an idle thread sleeps: some tens of microseconds, what waking it would
 * cost. */
#define SPIN_ROUNDS 4

static bool run_timers(struct processor *of, int64_t now)
{
	return atomic_load_explicit(&of->timers.earliest, memory_order_relaxed) <= now &&
	       timer_wheel_run(&of->timers, now) > 0;
}

/* What only its owner may touch: past its door. */
static struct fiber *steal_first(struct processor *victim)
{
	struct thread *owner = atomic_load_explicit(&victim->thread, memory_order_acquire);
	struct fiber *f = NULL;

	if (!owner || !door_visit(owner))
		return NULL;
	if (owner->processor == victim) {
		if (victim->batch_at < victim->nbatch)
			f = victim->batch[victim->batch_at++];
		else if ((f = victim->first))
			victim->first = NULL;
	}
	door_close(owner, false);
	return f;
}

static struct fiber *steal_from(struct processor *p, struct processor *victim, bool last)
{
	struct fiber *taken[RING / 2];
	uint32_t n = run_queue_length(victim);

	n = run_queue_take(victim, n - n / 2, taken);
	for (uint32_t i = 1; i < n; i++)
		append(p, taken[i]);
	return n ? taken[0] : last ? steal_first(victim) : NULL;
}

static struct fiber *steal(struct processor *p)
{
	uint32_t n = scheduler.nprocessors;

	for (int round = 0; round < SPIN_ROUNDS; round++) {
		p->luck = p->luck * 6364136223846793005u + 1442695040888963407u;
		for (uint32_t i = 0, at = (uint32_t)(p->luck >> 33) % n; i < n; i++, at = (at + 1) % n) {
			struct processor *victim = &scheduler.processors[at];
			bool last = round == SPIN_ROUNDS - 1;
			struct fiber *f = victim == p ? NULL : steal_from(p, victim, last);
			if (f) {
				PROBE2(steal, p->number, victim->number);
				return f;
			}
		}
		for (int i = 0; i < 20; i++)
			relax();
	}
	return NULL;
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
	bool polls = poller_exists(&p->poller);
	if (turns % FAIR_TURNS == 0) {
		if (polls)
			poller_run(t);
		if ((f = from_all(p)))
			return f;
	}
	if ((f = from_here(p)) || (f = from_all(p)))
		return f;
	if (polls) {
		poller_run(t);
		if ((f = from_here(p)))
			return f;
	}
	int64_t now = coarse_clock_set(rt_now());
	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		if (run_timers(&scheduler.processors[i], now) && (f = from_here(p)))
			return f;
	if (!t->spinning) {
		uint32_t busy = scheduler.nprocessors - atomic_load(&scheduler.nidle);
		if (2 * atomic_load(&scheduler.nspinning) >= busy)
			return NULL;
		t->spinning = true;
		atomic_fetch_add(&scheduler.nspinning, 1);
	}
	return steal(p);
}

struct fiber *find_work(struct thread *t)
{
	for (;;) {
		if (!t->processor && !thread_sleep(t))
			return NULL;
		struct fiber *f = look_around(t);
		if (f) {
			stop_spinning(t, true);
			return f;
		}
		if (!give_up_processor(t) && !t->processor && !thread_sleep(t))
			return NULL;
	}
}
