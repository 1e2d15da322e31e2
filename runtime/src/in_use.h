/* How many of the processors are in use. All that the machine has are made at the start; those beyond what
 * the process may use are set aside: nobody holds them, nothing is in their queues or wheels, and they do not
 * count as idle. */
#ifndef RT_IN_USE_H
#define RT_IN_USE_H

#include "scheduler.h"

/* At the start, when nobody runs yet. */
void in_use_begin(uint32_t n);

/* From now on `n` are to be in use, 1 to all. More come at once; of fewer the idle ones go at once, and the
 * others as soon as their threads look for work. Any thread without a processor, one at a time. */
void in_use_set(uint32_t n);

/* For a thread that looks for work. */
static inline bool in_use_too_many(void)
{
	return atomic_load_explicit(&scheduler.nused, memory_order_relaxed) >
	       atomic_load_explicit(&scheduler.most_used, memory_order_relaxed);
}

/* For a thread that looks for work: the processor that it holds is the only one in use, which is not known
 * yet. */
void in_use_alone(void);

/* There are too many. Sets an idle one aside, or the caller's, with which `t` then has none. False: neither can be spared
 * before the calls in its ring have come back. */
bool in_use_give_up(struct thread *t);

#endif
