/* Programs by chance, checked against what a sequence could do. */
#ifndef RT_TESTS_STRESS_H
#define RT_TESTS_STRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <osprey/rt.h>

struct luck {
	uint64_t state;
};

static inline struct luck luck_of(uint64_t seed)
{
	return (struct luck){ (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1 };
}

static inline uint32_t below(struct luck *l, uint32_t n)
{
	l->state = l->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((l->state >> 32) * n >> 32);
}

/* Few fibers, few operations: every history is one that a sequence explains (history.h), and who still waits
 * when nothing goes on has to. False: it was told why, with the program. Fiber: the first of a run. */
bool small_run(uint64_t seed, unsigned tries);

/* Fibers whose end does not depend on the order in which they run: they end, or are reported as a deadlock
 * with exactly the objects that a simulation ends with. In a process of its own, not within a run. */
bool network_run(uint64_t seed);

/* Many fibers with everything at once: nothing lost, nothing twice, order, exclusion, the end. Not within a
 * run. */
bool crowd_run(uint64_t seed);

/* What lies between processors: more fibers than a ring has places, some that hand on without a pause, a
 * mutex that is hardly ever free, and one that computes until others have run. Nothing lost, nothing twice,
 * order. Not within a run. */
bool traffic_run(uint64_t seed);

#endif
