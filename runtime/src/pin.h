/* Fibers that stay on their thread.
 *
 * A thread to which fibers are pinned runs no others: they might compute for ever, or leave their own things
 * in what the pinned ones keep there. When none of them is ready it lays its processor into other hands. One
 * that is ready stands in a queue of its thread, which is given an idle processor if it sleeps. When none is
 * idle the thread is wanted: the next that looks around gives up its own. */
#ifndef RT_PIN_H
#define RT_PIN_H

#include "scheduler.h"

/* A pinned fiber is ready: its thread is called. Any thread of the runtime, inside; or none of the
 * runtime's. */
void pinned_ready(struct fiber *f);

/* The next that is pinned to this thread, or NULL. */
struct fiber *pinned_take(struct thread *t);

static inline bool pinned_waits(const struct thread *t)
{
	return atomic_load_explicit(&t->npinned, memory_order_relaxed) != 0;
}

/* A thread that sleeps has ready fibers and no processor: the caller gives up its own for it. True: `t` has
 * none now. */
bool pinned_help(struct thread *t);

/* Under the scheduler's lock, by a thread that is in the idle list: from here on it is given a processor as
 * soon as it has such a fiber. False: it has one already, and was given one of the idle ones. */
bool pinned_may_sleep(struct thread *t);

/* The running fiber is no longer pinned to its thread. */
void pinned_release(struct thread *t, struct fiber *f);

#endif
