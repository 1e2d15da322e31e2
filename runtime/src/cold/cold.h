/* Fibers that wait for long without memory for their stacks.
 *
 * Within rt_cold_begin a fiber's waits are such that its stack can be taken from it: what others touch while
 * it waits (its waiter, its timer) lies in its struct cold, not on the stack. Those that have waited for a
 * while stand first in a line; the watcher copies what is live of their stacks and gives the pages back, many
 * by one call (freeze.c). Who makes such a fiber ready puts its stack back before.
 *
 * A fiber that waits so is pinned to no thread that exists: whoever makes it ready looks for that anyway, so
 * nobody else pays. */
#ifndef RT_COLD_COLD_H
#define RT_COLD_COLD_H

#include "wait.h"

/* Shorter waits keep their stacks. */
#define COLD_AFTER_NS 100000000

/* What is carried for a channel whose other side is a variable on the stack. */
#define COLD_ELEMENT 32

enum cold_state {
	COLD_RUNS,	/* or is on its way to: who woke it has set this */
	COLD_WAITS,	/* its context is saved, and its stack is there */
	COLD_FREEZING,	/* its stack is on the way out: who wakes it now leaves it to the watcher */
	COLD_FROZEN,	/* its stack is not there */
};

struct cold {
	_Atomic uint32_t state;		/* enum cold_state */
	uint32_t depth;			/* rt_cold_begin less rt_cold_end */
	struct fiber *fiber;
	void *stack;			/* into it, while it waits: by this the leak finder knows its fiber */
	_Atomic int64_t since;		/* it waits; by the coarse clock */
	int64_t listed_at;
	struct cold *next, *prev;	/* in the line */
	_Atomic bool listed;
	char *spent;			/* the copy of a stack that was put back */
	struct waiter waiter;
	struct waiting waiting;
	size_t element_bytes;		/* the channel may be gone when it has waited */
	char element[COLD_ELEMENT];
};

/* What pinned_to points to while it waits. */
extern struct thread cold_place;

/* Whether a wait in `list` (NULL: in none) for `object` can be cold: it is not when what others touch lies on
 * the stack of who waits. */
bool cold_suits(struct fiber *f, const struct wait_list *list, const struct waiter *w,
		enum fiber_wait what, const void *object);

/* The waiter that stands in for the fiber's own, and back when it has waited; `ended`: by another, who may have freed `object`
 * since. */
void cold_stand_in(struct cold *c, const struct waiter *w, enum fiber_wait what, const void *object);
void cold_stand_down(struct cold *c, struct waiter *w, enum fiber_wait what, const void *object, bool ended);

/* Its context is saved, and nobody can wake it yet. */
void cold_parked(struct cold *c);

/* Who makes it ready. True: it goes on as any fiber does. False: its stack is on the way out, and the watcher
 * makes it ready. */
bool cold_wake(struct fiber *f);

/* The fiber ends. */
void cold_end(struct fiber *f);

/* A parked fiber's stack is there from the first to the second, which is told what the first returned, and
 * nobody runs it meanwhile. One at a time. Any thread; the second not under a lock. */
bool cold_show_begin(struct fiber *f);
void cold_show_end(struct fiber *f, bool began);

/* For the watcher: takes the memory of the stacks of some whose time has come. True: there may be more. */
bool freeze_some(int64_t now);

/* When it is time for the next; INT64_MAX: nobody stands in the line. */
int64_t freeze_due(void);

/* -- between cold.c and freeze.c */

struct cold_line {
	struct short_lock lock;
	struct cold *first, *last;
	_Atomic int64_t due;	/* of the first; INT64_MAX without */
};
extern struct cold_line cold_line;

void cold_line_append(struct cold *c, int64_t now);
void cold_line_remove(struct cold *c);

/* The bytes are put back, where the pages may be as they were; and where they must have been given back,
 * which is looked at. Their copy is freed by the fiber, once it runs. */
void cold_put_back(struct fiber *f);
void cold_restore(struct fiber *f);

extern struct cold_sums {
	_Atomic uint64_t fibers, bytes, times;
} cold_sums;

/* One that freezes or shows: held for some hundred microseconds, by the watcher and by who tells people of
 * stacks. */
extern struct short_lock cold_stacks;

#endif
