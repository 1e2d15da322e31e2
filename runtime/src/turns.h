/* Turns of a processor, and what it does only once in so many of them. */
#ifndef RT_TURNS_H
#define RT_TURNS_H

#include <stdbool.h>

#include "processor.h"

/* The queue of all is looked at first once in so many turns, so that a busy ring does not starve it. A
 * multiple of CLOCK_TURNS. */
#define FAIR_TURNS 64
/* Due timers are looked for once in so many turns: reading the clock costs as much as some switches. */
#define CLOCK_TURNS 16

static inline uint32_t turns_of(const struct processor *p)
{
	return atomic_load_explicit(&p->turns, memory_order_relaxed);
}

/* Whether this is a turn on which it looks around, be there something to run here or not. */
static inline bool turns_look_around(const struct processor *p)
{
	return turns_of(p) % CLOCK_TURNS == 0;
}

static inline void turns_count(struct processor *p)
{
	atomic_store_explicit(&p->turns, turns_of(p) + 1, memory_order_relaxed);
}

#endif
