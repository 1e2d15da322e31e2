/* A fiber, and the table of all of them.
 *
 * Fibers of one stack size lie in one array that only grows: number i has the i-th stack of that size. They
 * are never given back, only used again, with another id; so a stale handle is told from a live one, and a
 * reader from outside of the process walks an array. */
#ifndef RT_FIBER_H
#define RT_FIBER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "inspect/coarse_clock.h"
#include "osprey/rt/fiber.h"
#include "short_lock.h"

struct cold;
struct scope;
struct thread;
struct waiter;

struct wait_list {
	struct waiter *first;
};

enum fiber_state {
	FIBER_FREE,
	FIBER_READY,	/* in a queue */
	FIBER_RUNNING,	/* on a thread; in a blocking call too */
	FIBER_PARKED,	/* waits for `wait_object` */
	FIBER_ENDED,	/* waits to be joined */
};

/* The numbers stand in osprey-rt(7), for the probe `park`. */
enum fiber_wait {
	FIBER_WAIT_NONE,
	FIBER_WAIT_JOIN,
	FIBER_WAIT_SLEEP,
	FIBER_WAIT_SEND,
	FIBER_WAIT_RECEIVE,
	FIBER_WAIT_SELECT,
	FIBER_WAIT_MUTEX,
	FIBER_WAIT_READ_LOCK,
	FIBER_WAIT_WRITE_LOCK,
	FIBER_WAIT_SEMAPHORE,
	FIBER_WAIT_EVENT,
	FIBER_WAIT_CONDITION,
	FIBER_WAIT_GROUP,
	FIBER_WAIT_ONCE,
	FIBER_WAIT_SCOPE,
	FIBER_WAIT_POOL,
	FIBER_WAIT_READ,
	FIBER_WAIT_WRITE,
	FIBER_WAIT_KERNEL,
};

struct fiber {
	struct context context;		/* where it goes on, unless it runs */
	struct fiber *next;		/* in the one queue or list that it is in */
	_Atomic uint32_t state;		/* enum fiber_state */
	uint8_t stack_size;		/* enum rt_stack */
	bool joinable;
	bool guarded;			/* its stack has its guard; else a word below it is looked at */
	uint8_t wait;			/* enum fiber_wait, while parked */
	_Atomic uint64_t id;		/* 0 when free */
	void *wait_object;
	int64_t since;			/* in its state, by the coarse clock */
	struct thread *pinned_to;	/* the only one that runs it, or NULL */
	rt_function *function;
	uint32_t turns;			/* how often it was switched to: by it, who looks from outside sees
					 * whether it ran */
	struct short_lock lock;		/* joiner, ended */
	void *arg;
	_Atomic bool ended;		/* joinable, and nothing of it runs any more; under the lock */
	struct wait_list joiner;
	_Atomic uint32_t claim;		/* who of several ends its waiting (wait.h) */
	int result;
	struct waiter *woken_by;
	struct scope *scope;		/* in which it was started; NULL: nobody cancels it */
	struct cold *cold;		/* within rt_cold_begin (cold/cold.h); looked at where `scope` is */
	struct fiber *next_in_scope, *prev_in_scope;
	struct scope *opened;	/* the innermost that it has opened */
	_Atomic bool cancelled;
	void **locals;			/* RT_LOCALS of them, once it has some */
	uint32_t pins;
	uint32_t shields;		/* while there are some its waits are not cancelled */
	const char *name;
	uint64_t creator_id;
	void *created_at;		/* return address of the call that made it */
	int64_t born;			/* by the coarse clock */
	char *_Atomic cold_copy;	/* what its stack held from context.sp on, while that has no memory; */
	uint32_t cold_bytes;		/* and how much */
} __attribute__((aligned(128)));

static inline uint64_t fiber_id(const struct fiber *f)
{
	return atomic_load_explicit(&f->id, memory_order_relaxed);
}

static inline void fiber_becomes(struct fiber *f, enum fiber_state state)
{
	f->since = coarse_clock();
	atomic_store_explicit(&f->state, state, memory_order_relaxed);
}

/* Fibers of one stack size. */
struct fiber_table {
	struct short_lock lock;
	struct fiber *fibers;
	char *stacks;
	size_t stack_bytes;
	_Atomic uint32_t used;	/* numbers below have been given out */
	uint32_t ready;		/* numbers below are writable */
	uint32_t reserved;
};

#define FIBER_STACK_SIZES 2
extern struct fiber_table fiber_tables[FIBER_STACK_SIZES];

/* Reserves address space for the tables. -ENOMEM. Once for a process: a second call does nothing. */
int fiber_table_init(void);

/* A fiber never used before, with a stack; NULL when there is no memory or no number left. Any thread. */
struct fiber *fiber_table_grow(enum rt_stack size);

/* All that were ever used, to walk over them. Any thread. */
uint32_t fiber_used(enum rt_stack size);
struct fiber *fiber_at(enum rt_stack size, uint32_t i);

size_t fiber_stack_bytes(enum rt_stack size);
char *fiber_stack_low(const struct fiber *f);

/* Of a stack without a guard: ends the process when what lies below it was overwritten. On that stack. */
void fiber_check_stack(const struct fiber *f);

/* Gives back what a spare fiber's stack holds, but for the top page. */
void fiber_trim_stack(struct fiber *f);

/* Where its first frame begins: nothing of it lies above. */
char *fiber_stack_top(const struct fiber *f);

/* The memory that a stack has was given to the system, and its bytes have been put back since. */
void fiber_stack_is_back(struct fiber *f);

size_t fiber_page_bytes(void);

/* For tests: from now on stacks get no guards, as on old kernels when there are too many. */
void fiber_table_without_guards(void);

/* Lays out its first frame: it will call start(f). */
void fiber_prepare(struct fiber *f, void (*start)(void *));

/* The fiber whose stack holds `address`, or NULL. Async-signal-safe. */
struct fiber *fiber_of_address(const void *address, bool *ret_in_guard);

#endif
