#include "scheduler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door.h"
#include "futex.h"
#include "local.h"
#include "overflow.h"
#include "relax.h"
#include "run_queue.h"
#include "scope.h"
#include "tell.h"
#include "wait.h"
#include "watcher.h"

/* The queue of all is looked at first once in so many turns, so that a busy ring does not starve it. */
#define FAIR_TURNS 61
/* How often in a row the fiber made ready last runs before those that wait in the ring. */
#define FIRST_IN_A_ROW 16
/* Due timers are looked for once in so many turns: reading the clock costs as much as some switches. */
#define CLOCK_TURNS 16
/* Rounds over all processors before an idle thread sleeps: some tens of microseconds, what waking it would cost. */
#define SPIN_ROUNDS 4
#define SPARE_FIBERS 512u

struct scheduler scheduler;
__thread struct thread *thread_current;

static void wake_another(void);

/* -- fibers that ended, for use again */

static void spare_to_all(struct processor *p, int size, uint32_t n)
{
	short_lock_take(&scheduler.lock);
	while (n-- && p->free[size]) {
		struct fiber *f = p->free[size];
		p->free[size] = f->next;
		p->nfree[size]--;
		f->next = scheduler.free[size];
		scheduler.free[size] = f;
		atomic_fetch_add_explicit(&scheduler.nfree[size], 1, memory_order_relaxed);
	}
	short_lock_give(&scheduler.lock);
}

static void spare_from_all(struct processor *p, int size, uint32_t n)
{
	short_lock_take(&scheduler.lock);
	while (n-- && scheduler.free[size]) {
		struct fiber *f = scheduler.free[size];
		scheduler.free[size] = f->next;
		atomic_fetch_sub_explicit(&scheduler.nfree[size], 1, memory_order_relaxed);
		f->next = p->free[size];
		p->free[size] = f;
		p->nfree[size]++;
	}
	short_lock_give(&scheduler.lock);
}

struct fiber *fiber_new(struct processor *p, enum rt_stack size)
{
	if (!p->free[size] && atomic_load_explicit(&scheduler.nfree[size], memory_order_relaxed))
		spare_from_all(p, size, SPARE_FIBERS / 2);
	struct fiber *f = p->free[size];
	if (f) {
		p->free[size] = f->next;
		p->nfree[size]--;
	} else {
		f = fiber_table_grow(size);
		if (!f)
			return NULL;
	}
	p->alive++;
	atomic_store_explicit(&f->id, ++p->ids << 8 | p->number, memory_order_relaxed);
	return f;
}

void fiber_recycle(struct processor *p, struct fiber *f)
{
	int size = f->stack_size;

	p->alive--;
	atomic_store_explicit(&f->id, 0, memory_order_relaxed);
	atomic_store_explicit(&f->state, FIBER_FREE, memory_order_relaxed);
	f->next = p->free[size];
	p->free[size] = f;
	if (++p->nfree[size] > SPARE_FIBERS)
		spare_to_all(p, size, SPARE_FIBERS / 2);
}

/* -- queues */

static void queue_for_all(struct fiber *f)
{
	f->next = NULL;
	short_lock_take(&scheduler.lock);
	*scheduler.queue_end = f;
	scheduler.queue_end = &f->next;
	atomic_fetch_add_explicit(&scheduler.nqueue, 1, memory_order_release);
	short_lock_give(&scheduler.lock);
}

static void append(struct processor *p, struct fiber *f)
{
	struct fiber *half[RING / 2];

	if (run_queue_append(p, f))
		return;
	/* Full: the older half goes to all. */
	uint32_t n = run_queue_take(p, RING / 2, half);
	for (uint32_t i = 0; i < n; i++)
		queue_for_all(half[i]);
	if (!run_queue_append(p, f))
		queue_for_all(f);
}

/* A fair share of the queue of all: one to run, the rest into the ring. */
static struct fiber *from_all_locked(struct processor *p)
{
	uint32_t n = atomic_load_explicit(&scheduler.nqueue, memory_order_relaxed);
	struct fiber *f = scheduler.queue, *more;

	if (!f)
		return NULL;
	uint32_t share = n / scheduler.nprocessors + 1;
	share = share < n ? share : n;
	share = share < RING / 2 ? share : RING / 2;
	atomic_fetch_sub_explicit(&scheduler.nqueue, 1, memory_order_relaxed);
	scheduler.queue = f->next;
	while (--share > 0 && (more = scheduler.queue) && run_queue_append(p, more)) {
		scheduler.queue = more->next;
		atomic_fetch_sub_explicit(&scheduler.nqueue, 1, memory_order_relaxed);
	}
	if (!scheduler.queue)
		scheduler.queue_end = &scheduler.queue;
	return f;
}

static struct fiber *from_all(struct processor *p)
{
	if (atomic_load_explicit(&scheduler.nqueue, memory_order_acquire) == 0)
		return NULL;
	short_lock_take(&scheduler.lock);
	struct fiber *f = from_all_locked(p);
	short_lock_give(&scheduler.lock);
	return f;
}

/* The ring is taken from several at a time while nobody is idle: one contended instruction for eight. */
static inline struct fiber *from_ring(struct processor *p)
{
	uint32_t most = atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) ? 1 : BATCH;

	p->nbatch = run_queue_take(p, most, p->batch);
	p->batch_at = 1;
	return p->nbatch ? p->batch[0] : NULL;
}

static inline struct fiber *from_here(struct processor *p)
{
	struct fiber *f = p->first;

	if (f && (p->first_in_a_row++ < FIRST_IN_A_ROW)) {
		p->first = NULL;
		return f;
	}
	p->first_in_a_row = 0;
	if (f) {
		p->first = NULL;
		append(p, f);
	}
	if (p->batch_at < p->nbatch)
		return p->batch[p->batch_at++];
	return from_ring(p);
}

/* -- switching */

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
		if (t->unlock)
			t->unlock(t->lock);
		break;
	case LEAVE_SHOW:
		tell_shown(t, f);
		break;
	case LEAVE_ENDED:
		if (!f->joinable) {
			fiber_recycle(t->processor, f);
			break;
		}
		short_lock_take(&f->lock);
		f->ended = true;
		struct waiter *w = wait_list_claim(&f->joiner);
		/* Once the lock is given back `f` is the joiner's. */
		struct fiber *joiner = w ? w->fiber : NULL;
		short_lock_give(&f->lock);
		if (joiner)
			fiber_ready(t, joiner);
		break;
	}
	t->leave = LEAVE_NOTHING;
}

static inline void count_turn(struct processor *p)
{
	atomic_store_explicit(&p->turns, atomic_load_explicit(&p->turns, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline void run(struct thread *t, struct fiber *f)
{
	count_turn(t->processor);
	atomic_store_explicit(&f->state, FIBER_RUNNING, memory_order_relaxed);
	t->running = f;
}

/* What this processor has to run at once, if its turn is not one on which it looks around. */
static inline struct fiber *next_here(struct thread *t)
{
	struct processor *p = t->processor;

	if (__builtin_expect(!p, 0))
		return NULL;
	uint32_t turns = atomic_load_explicit(&p->turns, memory_order_relaxed);
	if (__builtin_expect(turns % CLOCK_TURNS == 0 || turns % FAIR_TURNS == 0, 0))
		return NULL;
	return from_here(p);
}

/* To the next fiber directly, or to the loop when there is none. Returns when `f` runs again. */
static inline void leave_for(struct thread *t, struct fiber *f, struct fiber *next)
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

static void fiber_main(void *arg)
{
	struct fiber *f = arg;

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
	fiber_ready(t, f);
}

void fiber_park(struct thread *t, enum fiber_wait wait, void *object, void (*unlock)(void *), void *lock)
{
	struct fiber *f = t->running;

	f->wait = (uint8_t)wait;
	f->wait_object = object;
	atomic_store_explicit(&f->state, FIBER_PARKED, memory_order_relaxed);
	t->leave = LEAVE_PARKED;
	t->unlock = unlock;
	t->lock = lock;
	leave_for(t, f, next_here(t));
}

void fiber_yield(struct thread *t, enum leave how)
{
	struct fiber *f = t->running;
	struct fiber *next = next_here(t);

	if (!next && how == LEAVE_READY && atomic_load_explicit(&t->processor->turns, memory_order_relaxed) % CLOCK_TURNS) {
		/* Nobody else: on it goes. */
		count_turn(t->processor);
		return;
	}
	atomic_store_explicit(&f->state, FIBER_READY, memory_order_relaxed);
	t->leave = how;
	leave_for(t, f, next);
}

_Noreturn void fiber_end(struct thread *t, int result)
{
	struct fiber *f = t->running;

	f->result = result;
	atomic_store_explicit(&f->state, FIBER_ENDED, memory_order_relaxed);
	t->leave = LEAVE_ENDED;
	leave_for(t, f, next_here(t));
	__builtin_unreachable();
}

void fiber_ready(struct thread *t, struct fiber *f)
{
	struct processor *p = t->processor;
	struct fiber *before = p->first;

	atomic_store_explicit(&f->state, FIBER_READY, memory_order_relaxed);
	p->first = f;
	if (before)
		append(p, before);
	if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) != 0)
		wake_another();
}

void fiber_ready_from_outside(struct fiber *f)
{
	atomic_store_explicit(&f->state, FIBER_READY, memory_order_relaxed);
	queue_for_all(f);
	atomic_thread_fence(memory_order_seq_cst);
	wake_another();
}

/* -- processors and threads that have nothing to do. Under the scheduler's lock. */

static struct processor *idle_processor_take(void)
{
	struct processor *p = scheduler.idle_processors;

	if (p) {
		scheduler.idle_processors = p->next_idle;
		atomic_fetch_sub(&scheduler.nidle, 1);
	}
	return p;
}

static void idle_processor_put(struct processor *p)
{
	atomic_store_explicit(&p->thread, NULL, memory_order_relaxed);
	p->next_idle = scheduler.idle_processors;
	scheduler.idle_processors = p;
	atomic_fetch_add(&scheduler.nidle, 1);
}

static struct thread *idle_thread_take(void)
{
	struct thread *t = scheduler.idle_threads;

	if (t) {
		scheduler.idle_threads = t->next_idle;
		t->parked = false;
	}
	return t;
}

static void idle_thread_remove(struct thread *t)
{
	struct thread **at = &scheduler.idle_threads;

	while (*at && *at != t)
		at = &(*at)->next_idle;
	if (*at)
		*at = t->next_idle;
	t->parked = false;
}

static void hold(struct thread *t, struct processor *p)
{
	t->processor = p;
	p->seen_turns = atomic_load_explicit(&p->turns, memory_order_relaxed) - 1;
	atomic_store_explicit(&p->thread, t, memory_order_release);
}

static void *thread_main(void *arg);

static struct thread *thread_new(void)
{
	struct thread *t = aligned_alloc(_Alignof(struct thread), sizeof *t);

	if (!t)
		return NULL;
	memset(t, 0, sizeof *t);
	atomic_store(&t->inside, 1);
	return t;
}

/* Gives a processor to a thread that sleeps, or to a new one. -EAGAIN: there can be none. Not under the lock. */
static int start_thread(struct processor *p, bool spinning)
{
	short_lock_take(&scheduler.lock);
	struct thread *t = idle_thread_take();
	bool made = !t && scheduler.nthreads < scheduler.most_threads;
	scheduler.nthreads += made;
	short_lock_give(&scheduler.lock);
	if (t) {
		t->spinning = spinning;
		hold(t, p);
		atomic_store_explicit(&t->wake, 1, memory_order_release);
		futex_wake(&t->wake, 1);
		return 0;
	}
	t = made ? thread_new() : NULL;
	if (t) {
		pthread_attr_t attr;
		t->spinning = spinning;
		hold(t, p);
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 256 << 10);
		short_lock_take(&scheduler.lock);
		int r = pthread_create(&t->handle, &attr, thread_main, t);
		if (r == 0) {
			t->next = scheduler.threads;
			scheduler.threads = t;
		}
		short_lock_give(&scheduler.lock);
		pthread_attr_destroy(&attr);
		if (r == 0)
			return 0;
		free(t);
	}
	/* What only its owner may touch has no owner now. */
	while (p->batch_at < p->nbatch)
		queue_for_all(p->batch[p->batch_at++]);
	if (p->first)
		queue_for_all(p->first);
	p->first = NULL;
	short_lock_take(&scheduler.lock);
	scheduler.nthreads -= made;
	idle_processor_put(p);
	short_lock_give(&scheduler.lock);
	return -EAGAIN;
}

/* One more thread looks for work, unless one does already: it will call the next when it finds more than it can run. */
static void wake_another(void)
{
	uint32_t none = 0;

	if (atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) == 0 ||
	    !atomic_compare_exchange_strong(&scheduler.nspinning, &none, 1))
		return;
	short_lock_take(&scheduler.lock);
	struct processor *p = idle_processor_take();
	short_lock_give(&scheduler.lock);
	if (!p || start_thread(p, true) < 0)
		atomic_fetch_sub(&scheduler.nspinning, 1);
	else
		watcher_wake();
}

static void stop_spinning(struct thread *t, bool found)
{
	if (!t->spinning)
		return;
	t->spinning = false;
	if (atomic_fetch_sub(&scheduler.nspinning, 1) == 1 && found)
		wake_another();
}

/* -- looking for work */

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
			struct fiber *f = victim == p ? NULL : steal_from(p, victim, round == SPIN_ROUNDS - 1);
			if (f)
				return f;
		}
		for (int i = 0; i < 20; i++)
			relax();
	}
	return NULL;
}

static bool work_anywhere(void)
{
	if (atomic_load_explicit(&scheduler.nqueue, memory_order_acquire))
		return true;
	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		if (run_queue_length(&scheduler.processors[i]))
			return true;
	return false;
}

static int64_t earliest_timer(void)
{
	int64_t earliest = INT64_MAX;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++) {
		int64_t at = atomic_load_explicit(&scheduler.processors[i].timers.earliest, memory_order_relaxed);
		earliest = at < earliest ? at : earliest;
	}
	return earliest;
}

static int64_t alive(void)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		n += scheduler.processors[i].alive;
	return n;
}

/* Under the lock. Nobody runs and nothing will come: it is over, or it is a deadlock. */
static void nothing_will_come(void)
{
	if (alive() > 0) {
		dprintf(STDERR_FILENO, "osprey/rt: deadlock: every fiber waits, and nothing is left that could wake one\n");
		tell_waiting(thread_self());
		abort();
	}
	atomic_store(&scheduler.stopping, 1);
	for (struct thread *t = scheduler.threads; t; t = t->next) {
		atomic_store(&t->wake, 1);
		futex_wake(&t->wake, 1);
	}
}

/* Sleeps until somebody gives it a processor, or it takes one, since a timer is due. False: the run is over. */
static bool thread_sleep(struct thread *t)
{
	bool called = true;

	short_lock_take(&scheduler.lock);
	for (;;) {
		int64_t earliest = earliest_timer();
		if (!t->parked) {
			atomic_store(&t->wake, 0);
			t->next_idle = scheduler.idle_threads;
			scheduler.idle_threads = t;
			t->parked = true;
		}
		if (atomic_load(&scheduler.nidle) == scheduler.nprocessors && scheduler.noutside == 0 &&
		    atomic_load(&scheduler.nqueue) == 0 && earliest == INT64_MAX)
			nothing_will_come();
		if (atomic_load(&scheduler.stopping))
			break;
		/* While none is idle those that run see to the timers. */
		bool keeper = atomic_load(&scheduler.nidle) > 0 && earliest < scheduler.keeper_until;
		if (keeper) {
			scheduler.keeper = t;
			scheduler.keeper_until = earliest;
		}
		short_lock_give(&scheduler.lock);
		futex_wait(&t->wake, 0, keeper ? earliest : INT64_MAX);
		short_lock_take(&scheduler.lock);
		if (scheduler.keeper == t) {
			scheduler.keeper = NULL;
			scheduler.keeper_until = INT64_MAX;
		}
		if (!t->parked)
			break;		/* it was given a processor */
		struct processor *p = keeper ? idle_processor_take() : NULL;
		if (p) {
			idle_thread_remove(t);
			hold(t, p);
			called = false;
			break;
		}
	}
	bool stopping = atomic_load(&scheduler.stopping);
	short_lock_give(&scheduler.lock);
	if (stopping)
		return false;
	while (called && atomic_load_explicit(&t->wake, memory_order_acquire) == 0)
		futex_wait(&t->wake, 0, INT64_MAX);
	return true;
}

/* The processor goes to the idle ones. What was pushed meanwhile is looked for once more: pushers look at nidle without a
 * fence, so the barrier is this side's. True: there is work, and `t` has a processor again. */
static bool give_up_processor(struct thread *t)
{
	struct processor *p = t->processor;

	short_lock_take(&scheduler.lock);
	if (atomic_load(&scheduler.nqueue)) {
		short_lock_give(&scheduler.lock);
		return true;
	}
	t->processor = NULL;
	idle_processor_put(p);
	short_lock_give(&scheduler.lock);
	stop_spinning(t, false);
	door_barrier();
	if (!work_anywhere())
		return false;
	short_lock_take(&scheduler.lock);
	p = idle_processor_take();
	if (p)
		hold(t, p);
	short_lock_give(&scheduler.lock);
	return p != NULL;
}

static struct fiber *look_around(struct thread *t)
{
	struct processor *p = t->processor;
	uint32_t turns = atomic_load_explicit(&p->turns, memory_order_relaxed);
	struct fiber *f;

	if (atomic_load_explicit(&p->timers.earliest, memory_order_relaxed) != INT64_MAX)
		run_timers(p, rt_now());
	if (turns % FAIR_TURNS == 0 && (f = from_all(p)))
		return f;
	if ((f = from_here(p)) || (f = from_all(p)))
		return f;
	int64_t now = rt_now();
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

/* The next fiber for this thread; NULL when the run is over. */
static struct fiber *find_work(struct thread *t)
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

static void thread_loop(struct thread *t)
{
	struct fiber *f;

	while ((f = find_work(t))) {
		run(t, f);
		context_switch(&t->loop, &f->context);
		arrive(t);
		if (!t->processor) {
			/* It had come back from a blocking call, and its fiber waits in the queue now. */
			short_lock_take(&scheduler.lock);
			scheduler.noutside--;
			short_lock_give(&scheduler.lock);
			atomic_thread_fence(memory_order_seq_cst);
			wake_another();
		}
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	thread_current = t;
	/* Without one an overflow of a stack is a plain fault. */
	overflow_thread_begin(t);
	thread_loop(t);
	overflow_thread_end(t);
	return NULL;
}

/* -- processors that are taken away */

bool scheduler_retake(struct thread *t)
{
	if (!door_visit(t))
		return false;
	struct processor *p = t->processor;
	bool wanted = p && (p->first || p->batch_at < p->nbatch || run_queue_length(p) ||
			    (atomic_load(&scheduler.nqueue) && atomic_load(&scheduler.nidle) == 0) ||
			    atomic_load_explicit(&p->timers.earliest, memory_order_relaxed) <= rt_now());
	if (wanted) {
		short_lock_take(&scheduler.lock);
		scheduler.noutside++;
		short_lock_give(&scheduler.lock);
		t->processor = NULL;
		/* Nobody visits it through a thread that it does not belong to. */
		atomic_store_explicit(&p->thread, NULL, memory_order_relaxed);
	}
	door_close(t, wanted);
	if (wanted)
		start_thread(p, false);
	return wanted;
}

void scheduler_return(struct thread *t)
{
	short_lock_take(&scheduler.lock);
	struct processor *p = idle_processor_take();
	if (p) {
		scheduler.noutside--;
		hold(t, p);
	}
	short_lock_give(&scheduler.lock);
	if (p)
		watcher_wake();
	else
		fiber_yield(t, LEAVE_OTHERS);
}

/* -- a run */

int scheduler_start(uint32_t processors, uint32_t threads)
{
	int r = fiber_table_init();

	if (r < 0)
		return r;
	r = door_init();
	if (r < 0)
		return r;
	struct thread *t = thread_new();
	scheduler = (struct scheduler){ .free = { scheduler.free[0], scheduler.free[1] },
					.nfree = { scheduler.nfree[0], scheduler.nfree[1] }, .nprocessors = processors, .most_threads = threads, .nthreads = 1,
					.keeper_until = INT64_MAX };
	scheduler.queue_end = &scheduler.queue;
	scheduler.processors = aligned_alloc(_Alignof(struct processor), processors * sizeof *scheduler.processors);
	if (!t || !scheduler.processors) {
		free(t);
		free(scheduler.processors);
		return -ENOMEM;
	}
	memset(scheduler.processors, 0, processors * sizeof *scheduler.processors);
	int64_t now = rt_now();
	for (uint32_t i = processors; i-- > 0;) {
		struct processor *p = &scheduler.processors[i];
		p->number = i;
		p->luck = i + 1;
		timer_wheel_init(&p->timers, now);
		if (i > 0)
			idle_processor_put(p);
	}
	hold(t, &scheduler.processors[0]);
	scheduler.threads = t;
	t->handle = pthread_self();
	thread_current = t;
	r = overflow_begin();
	if (r == 0)
		overflow_thread_begin(t);
	if (r == 0 && (r = watcher_start()) < 0) {
		overflow_thread_end(t);
		overflow_end();
	}
	if (r < 0) {
		thread_current = NULL;
		free(t);
		free(scheduler.processors);
	}
	return r;
}

void scheduler_run(void)
{
	struct thread *self = thread_self(), *t, *next;

	thread_loop(self);
	watcher_stop();
	overflow_thread_end(self);
	overflow_end();
	for (t = scheduler.threads; t; t = next) {
		next = t->next;
		if (t != self)
			pthread_join(t->handle, NULL);
		free(t);
	}
	thread_current = NULL;
	/* The fibers stay for the next run. */
	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		for (int size = 0; size < 2; size++)
			spare_to_all(&scheduler.processors[i], size, UINT32_MAX);
	free(scheduler.processors);
}
