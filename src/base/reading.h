/* A reading: one number as the kernel told it, or the reason why there is none.
 *
 * A reading is a uint64_t whose three highest values say what went wrong. A
 * missing number therefore cannot be mistaken for zero, costs no extra storage,
 * and turns into NaN when it enters arithmetic: NaN crosses no threshold.
 *
 * Readings of counters and times never reach 2^64 - 3 in practice; a parser that
 * meets such a value must call it malformed.
 */
#ifndef OSPREY_BASE_READING_H
#define OSPREY_BASE_READING_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define READING_ABSENT UINT64_MAX          /* the kernel has no such field */
#define READING_DENIED (UINT64_MAX - 1)    /* it has, and we may not read it */
#define READING_MALFORMED (UINT64_MAX - 2) /* it said something that is no number */

typedef uint64_t reading;

static inline bool reading_ok(reading r)
{
	return r < READING_MALFORMED;
}

/* The number as a double; NaN when there is none. */
static inline double reading_value(reading r)
{
	return reading_ok(r) ? (double)r : NAN;
}

/* The number, or `otherwise` when there is none: for sums over many entities in
 * which a missing part is told elsewhere. */
static inline uint64_t reading_or(reading r, uint64_t otherwise)
{
	return reading_ok(r) ? r : otherwise;
}

/* Growth of a counter from `before` to `after`. A counter that ran backwards was
 * reset (or its entity replaced): malformed. */
static inline reading reading_delta(reading before, reading after)
{
	if (!reading_ok(after))
		return after;
	if (!reading_ok(before))
		return before;
	return after >= before ? after - before : READING_MALFORMED;
}

/* Sum that stays missing when either part is. */
static inline reading reading_sum(reading a, reading b)
{
	if (!reading_ok(a))
		return a;
	return reading_ok(b) ? a + b : b;
}

/* Maps -errno of a failed read to the reason a reading carries. */
reading reading_from_errno(int negative_errno);

/* "needs root", "this kernel has none", "malformed"; NULL for a number. */
const char *reading_reason(reading r);

/* Whether a whole source answered. */
enum presence { PRESENT = 0, ABSENT, DENIED, MALFORMED, UNREAD };

enum presence presence_from_errno(int negative_errno);
const char *presence_name(enum presence p);

#endif
