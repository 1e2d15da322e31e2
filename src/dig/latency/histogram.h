/* Histograms of durations: four slots to each power of two of nanoseconds (latency.bpf.h), so that a quantile is
 * told within an eighth of it. Pure. */
#ifndef OSPREY_DIG_LATENCY_HISTOGRAM_H
#define OSPREY_DIG_LATENCY_HISTOGRAM_H

#include <stdint.h>

#include "dig/latency/latency.bpf.h"

/* The first duration of a slot, and the first behind it (UINT64_MAX of the last). */
uint64_t histogram_low_ns(unsigned slot);
uint64_t histogram_high_ns(unsigned slot);

/* The duration that the share q (0 to 1) of all does not exceed, within its slot by proportion, and never above
 * max_ns; 0 when there are none. */
uint64_t histogram_quantile(const struct latency_counts *c, double q);
double histogram_mean(const struct latency_counts *c); /* NaN: there are none */

/* Adds counts; the worse worst, and who it was, stays. */
void histogram_add(struct latency_counts *sum, const struct latency_counts *more);
/* What came between. The worst is known when it is of that time; else max_at_ns is 0 and max_ns the end of the
 * highest slot that has grown. */
void histogram_delta(const struct latency_counts *before, const struct latency_counts *after, struct latency_counts *ret);

/* Rows for people: slots put together to powers of two when they would be more than `max_rows`; empty ones at
 * both ends are left out. How many there are. */
struct histogram_row {
	uint64_t low_ns, high_ns, count;
};
#define HISTOGRAM_MAX_ROWS (LATENCY_SLOTS / 4 + 4)
unsigned histogram_rows(const struct latency_counts *c, unsigned max_rows, struct histogram_row *ret);

#endif
