/* Which fiber runs where. All of it is called inside (door.h), by the thread that holds the processor, unless
 * said. */
#ifndef RT_SCHEDULER_H
#define RT_SCHEDULER_H

#include <signal.h>

#include "floating_point.h"
#include "processor.h"
#include "thread.h"

#define MOST_PROCESSORS 256u

struct scheduler {
	struct short_lock lock;		/* idle lists, the queue of all, threads */
	struct processor *processors;
	uint32_t nprocessors;		/* all; of them in use (in_use.h): */
	_Atomic uint32_t nused, most_used;
	struct processor *aside;
	bool follows_limit;		/* the watcher looks what the process may use */
	struct processor *idle_processors;
	struct thread *idle_threads;
	struct thread *threads;
	uint32_t nthreads, most_threads;
	struct fiber *queue, **queue_end;	/* the queue of all */
	_Atomic uint32_t nqueue;
	_Atomic uint32_t nidle;		/* processors */
	_Atomic uint32_t nspinning;	/* threads that look for work */
	_Atomic uint32_t nwanted;	/* idle threads that are wanted (pin.h) */
	struct thread *keeper;		/* the idle thread that wakes by itself at keeper_until, for timers */
	int64_t keeper_until;
	uint32_t noutside;		/* threads that run a fiber but lost their processor */
	_Atomic uint32_t stopping;
	struct fiber *free[2];		/* ended fibers, by stack size; */
	struct fiber *trimmed[2];	/* those whose stacks gave their memory back; of both: */
	_Atomic uint32_t nfree[2];
	_Atomic uint32_t watcher_asleep;
	_Atomic uint32_t patience;	/* turns between two calls for one fiber alone (idle.h) */
	_Atomic bool called_for_one;
	_Atomic uint32_t watcher_word;
	pthread_t watcher;
	sigset_t signals;		/* the mask of who began the run, which all threads start with; */
	struct floating_point floating_point;	/* and this */
};

extern struct scheduler scheduler;

/* A fiber to start, from the processor's spare ones if it can be. NULL: no memory. */
struct fiber *fiber_new(struct processor *p, enum rt_stack size);
void fiber_recycle(struct processor *p, struct fiber *f);

/* Makes a new fiber ready, from its first frame on. */
void fiber_start(struct thread *t, struct fiber *f);

/* Makes a parked or new fiber ready: it runs next here, or where there is nothing to do. */
void fiber_ready(struct thread *t, struct fiber *f);

/* The same behind all that is ready here, and without calling another thread: for many at once. */
void fiber_ready_later(struct thread *t, struct fiber *f);
void fiber_start_later(struct thread *t, struct fiber *f);

/* The same from a thread without a processor, which need not be the runtime's. */
void fiber_ready_from_outside(struct fiber *f);

/* Leaves the running fiber, which others make ready again; unlock(lock) is called once its context is saved,
 * and not before may anybody do so. Returns when it runs again, perhaps on another thread. */
void fiber_park(struct thread *t, enum fiber_wait wait, void *object, void (*unlock)(void *), void *lock);

/* Leaves it to run again later. */
void fiber_yield(struct thread *t, enum leave how);

/* Sets up for a run; the calling thread becomes one of the runtime's. `processors` 0: as many as the process
 * may use, looked at again while it runs. 0/-errno. */
int scheduler_start(uint32_t processors, uint32_t threads);

/* Runs fibers on the calling thread until none is left, then takes everything down. */
void scheduler_run(void);

/* For the watcher: takes the processor of a thread that is outside, and gives it to another. False: it came
 * in, or has none. */
bool scheduler_retake(struct thread *t);

/* For who comes back to a processor that was taken: another one, or its turn in the queue. Inside
 * afterwards. */
void scheduler_return(struct thread *t);

#endif
