#include "dig/latency/histogram.h"

#include <math.h>
#include <string.h>

uint64_t histogram_low_ns(unsigned slot)
{
	if (slot < 4)
		return slot;
	return (4 + (uint64_t)slot % 4) << (slot / 4 - 1);
}

uint64_t histogram_high_ns(unsigned slot)
{
	return slot + 1 < LATENCY_SLOTS ? histogram_low_ns(slot + 1) : UINT64_MAX;
}

uint64_t histogram_quantile(const struct latency_counts *c, double q)
{
	double wanted = q * (double)c->count, below = 0;

	for (unsigned i = 0; i < LATENCY_SLOTS; i++) {
		double here = (double)c->slot[i];

		if (here == 0 || below + here < wanted) {
			below += here;
			continue;
		}
		uint64_t low = histogram_low_ns(i), high = histogram_high_ns(i);
		if (high > c->max_ns)
			high = c->max_ns > low ? c->max_ns : low;
		return low + (uint64_t)((double)(high - low) * (wanted - below) / here);
	}
	return c->count ? c->max_ns : 0;
}

double histogram_mean(const struct latency_counts *c)
{
	return c->count ? (double)c->total_ns / (double)c->count : NAN;
}

static void take_worst(struct latency_counts *to, const struct latency_counts *from)
{
	to->max_ns = from->max_ns;
	to->max_at_ns = from->max_at_ns;
	to->max_pid = from->max_pid;
	to->max_tid = from->max_tid;
	memcpy(to->max_comm, from->max_comm, sizeof to->max_comm);
}

void histogram_add(struct latency_counts *sum, const struct latency_counts *more)
{
	sum->count += more->count;
	sum->total_ns += more->total_ns;
	for (unsigned i = 0; i < LATENCY_SLOTS; i++)
		sum->slot[i] += more->slot[i];
	if (more->max_ns > sum->max_ns)
		take_worst(sum, more);
}

void histogram_delta(const struct latency_counts *before, const struct latency_counts *after, struct latency_counts *ret)
{
	unsigned highest = 0;

	*ret = *after;
	ret->count = after->count - before->count;
	ret->total_ns = after->total_ns - before->total_ns;
	for (unsigned i = 0; i < LATENCY_SLOTS; i++) {
		ret->slot[i] = after->slot[i] - before->slot[i];
		highest = ret->slot[i] ? i : highest;
	}
	if (after->max_at_ns != before->max_at_ns)
		return;
	ret->max_at_ns = 0;
	ret->max_pid = ret->max_tid = 0;
	memset(ret->max_comm, 0, sizeof ret->max_comm);
	uint64_t high = histogram_high_ns(highest);
	ret->max_ns = ret->count == 0 ? 0 : high < after->max_ns ? high : after->max_ns;
}

static unsigned rows_of(const struct latency_counts *c, unsigned first, unsigned last, unsigned step, struct histogram_row *ret)
{
	unsigned n = 0;

	for (unsigned i = first - first % step; i <= last; i += step, n++) {
		ret[n] = (struct histogram_row){ histogram_low_ns(i), histogram_high_ns(i + step - 1), 0 };
		for (unsigned k = i; k < i + step; k++)
			ret[n].count += c->slot[k];
	}
	return n;
}

unsigned histogram_rows(const struct latency_counts *c, unsigned max_rows, struct histogram_row *ret)
{
	unsigned first = LATENCY_SLOTS, last = 0;

	for (unsigned i = 0; i < LATENCY_SLOTS; i++) {
		if (!c->slot[i])
			continue;
		first = first == LATENCY_SLOTS ? i : first;
		last = i;
	}
	if (first == LATENCY_SLOTS)
		return 0;
	if (max_rows > HISTOGRAM_MAX_ROWS)
		max_rows = HISTOGRAM_MAX_ROWS;
	return rows_of(c, first, last, last - first < max_rows ? 1 : 4, ret);
}
