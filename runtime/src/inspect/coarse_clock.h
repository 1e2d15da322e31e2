/* CLOCK_MONOTONIC as somebody has lately read it: for ages that people look at. Reading it is one load of memory that seldom changes, where
 * the clock itself costs as much as some switches.
 *
 * It is at most COARSE_GRAIN_NS behind plus the time the watcher naps (about a millisecond) while anything runs: the watcher looks at each
 * round, threads when they come back from sleep or from a blocking call, and the scheduler where it needs the time itself. While nothing
 * runs it stands still, and nobody changes his state. */
#ifndef RT_COARSE_CLOCK_H
#define RT_COARSE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* It is not written more often, so that the line stays in the caches of all who read it. */
#define COARSE_GRAIN_NS 100000

/* Alone in its lines: what lay beside it would take it from the caches. */
extern struct coarse {
	_Atomic int64_t ns;
} __attribute__((aligned(128))) coarse;

/* ns, any thread. */
static inline int64_t coarse_clock(void)
{
	return atomic_load_explicit(&coarse.ns, memory_order_relaxed);
}

/* The time that somebody has read becomes known. Returns it. */
static inline int64_t coarse_clock_set(int64_t now)
{
	int64_t before = coarse_clock();

	if (now - before > COARSE_GRAIN_NS)
		atomic_store_explicit(&coarse.ns, now, memory_order_relaxed);
	return now;
}

#endif
