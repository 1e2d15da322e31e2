/* Reading one line of the kernel log: patterns in place of chains of searches.
 *
 * A pattern is the kernel's own format string with captures where it has conversions:
 *
 *	"*I/O error, dev {O}, sector {n}*"
 *
 *	*	any text, as short as possible
 *	{o}	object (device, cgroup, port), as short as possible; {O} the same without blanks
 *	{c}	name of a task (15 bytes at most), as long as possible: it may hold what stands behind it
 *	{d}	detail, as short as possible; {D} without blanks
 *	{w}	where: a function, as short as possible; {W} without blanks
 *	{p}	a pid, {k} a CPU, {n} a number: decimal digits
 *
 * The whole line must match. Numbers that overflow do not match. Pure; any bytes may be
 * thrown at it: what a line may cost is bounded, and a line that costs more does not match. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_SCAN_H
#define OSPREY_SOURCE_KERNEL_LOG_SCAN_H

#include "base/reading.h"
#include "base/span.h"

/* What was captured; spans point into the line, what was not captured is empty or absent. */
struct scan {
	struct span object, comm, detail, where;
	int32_t pid; /* 0: none */
	int32_t cpu; /* -1: none */
	reading number;
};

bool scan_match(struct span line, const char *pattern, struct scan *ret) __attribute__((warn_unused_result));

/* A quick no for lines that are held against many patterns: pairs of bytes that occur in a line, hashed,
 * and some of those that a pattern needs. */
struct scan_pairs {
	uint64_t bits[16];
};
struct scan_needs {
	uint16_t pair[6];
	uint8_t n;
};
void scan_pairs_of(struct span line, struct scan_pairs *ret);
struct scan_needs scan_needs_of(const char *pattern);
static inline bool scan_may_match(const struct scan_pairs *line, const struct scan_needs *needs)
{
	for (unsigned i = 0; i < needs->n; i++)
		if (!(line->bits[needs->pair[i] / 64] >> needs->pair[i] % 64 & 1))
			return false;
	return true;
}

/* Finds `needle` and moves *s behind it; else false, *s untouched. */
bool scan_past(struct span *s, const char *needle);
bool scan_contains(struct span s, const char *needle);
/* What stands before the last `mark`. */
bool scan_before_last(struct span text, const char *mark, struct span *ret);
/* The number that stands behind `mark`, up to the first character that is no digit. */
bool scan_number_after(struct span text, const char *mark, uint64_t *ret);
/* Decimal digits that are a pid: 1 … INT32_MAX. */
bool scan_pid(struct span s, int32_t *ret);

/* Copies, undoing the log's \xNN; NUL bytes are left out. Cut to fit, always terminated. */
void scan_copy(struct span s, char *ret, size_t size);
/* As scan_copy, into *out bytes; returns how many were written (at most s.n). Newlines stay. */
size_t scan_unescape(struct span s, char *out);

#endif
