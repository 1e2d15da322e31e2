#include "dig/leak/leak_estimate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "dig/leak/leak_watch.bpf.h"

double leak_probability(uint64_t bytes, uint64_t mean_bytes)
{
	return -expm1(-(double)bytes / (double)(mean_bytes ? mean_bytes : 1));
}

static void add(struct leak_sum *s, const struct leak_sample *a)
{
	double p = leak_probability(a->bytes, a->mean_bytes), bytes = (double)a->bytes;

	s->samples++;
	s->count += 1 / p;
	s->bytes += bytes / p;
	s->variance += bytes * bytes * (1 - p) / (p * p);
}

double leak_sum_error(const struct leak_sum *s)
{
	return 1.96 * sqrt(s->variance);
}

static void add_sample(struct leak_row *row, const struct leak_sample *a, const struct leak_window *w)
{
	uint64_t age_ns = a->mono_ns < w->end_ns ? w->end_ns - a->mono_ns : 0;
	uint64_t at_ns = a->mono_ns > w->start_ns ? a->mono_ns - w->start_ns : 0;
	bool old = age_ns >= w->older_ns;
	double before = row->live.bytes;

	add(&row->allocated, a);
	if (old)
		add(&row->allocated_old, a);
	if (!a->live)
		return;
	add(&row->live, a);
	if (old)
		add(&row->old, a);
	/* As the sum over age until it is divided. */
	double weight = row->live.bytes - before;
	row->mean_age_s += weight * (double)age_ns / 1e9;
	double whole = (double)(w->end_ns - w->start_ns);
	size_t part = whole > 0 ? (size_t)((double)at_ns / whole * LEAK_PARTS) : 0;
	row->part_bytes[part < LEAK_PARTS ? part : LEAK_PARTS - 1] += weight;
}

static void finish(struct leak_row *row, const struct leak_window *w)
{
	uint64_t whole_ns = w->end_ns - w->start_ns;

	if (row->live.bytes > 0)
		row->mean_age_s /= row->live.bytes;
	row->growth_bytes_per_s = whole_ns > w->older_ns ?
				  row->old.bytes / ((double)(whole_ns - w->older_ns) / 1e9) : NAN;
}

static int by_old(const void *a, const void *b)
{
	const struct leak_row *x = a, *y = b;

	if (x->old.bytes != y->old.bytes)
		return x->old.bytes > y->old.bytes ? -1 : 1;
	if (x->live.bytes != y->live.bytes)
		return x->live.bytes > y->live.bytes ? -1 : 1;
	return (x->site > y->site) - (x->site < y->site);
}

int leak_rows_make(const leak_sample_vec *samples, size_t nsites, const struct leak_window *w, leak_row_vec *ret,
		   struct leak_row *ret_total)
{
	struct leak_row *all = calloc(nsites ? nsites : 1, sizeof *all), total = { 0 };
	leak_row_vec rows = { 0 };
	int r = all ? 0 : -ENOMEM;

	if (r == 0)
		r = vec_reserve(&rows, nsites ? nsites : 1);
	if (r < 0) {
		free(all);
		return r;
	}
	vec_each(a, samples) {
		add_sample(&all[a->site], a, w);
		add_sample(&total, a, w);
	}
	finish(&total, w);
	for (size_t i = 0; i < nsites; i++) {
		all[i].site = (uint32_t)i;
		finish(&all[i], w);
		if (all[i].live.samples)
			rows.v[rows.n++] = all[i];
	}
	free(all);
	if (rows.n)
		qsort(rows.v, rows.n, sizeof rows.v[0], by_old);
	*ret = rows;
	*ret_total = total;
	return 0;
}

static uint64_t within_bounds(double mean)
{
	mean = mean < 1 ? 1 : mean;
	return mean > (double)LEAK_MEAN_MAX ? LEAK_MEAN_MAX : (uint64_t)mean;
}

uint64_t leak_mean_first(uint64_t allocations, uint64_t bytes, double seconds, double wanted_per_s)
{
	double wanted = seconds * wanted_per_s;

	return (double)allocations <= wanted ? 1 : within_bounds((double)bytes / wanted);
}

uint64_t leak_mean_adapt(uint64_t mean_bytes, uint64_t samples, double seconds, double wanted_per_s)
{
	double share = (double)samples / (seconds * wanted_per_s), mean = (double)mean_bytes;

	if (share > 1.5)
		mean *= share < 64 ? share : 64;
	else if (share < 0.5)
		mean /= share > 0.25 ? 1 / share : 4;
	return within_bounds(mean);
}
