/* From sampled allocations to what was allocated and what of it is left, by site. Pure.
 *
 * An allocation of s bytes is sampled with probability p = 1 - exp(-s / mean), independently of all others;
 * so a sample stands for 1/p allocations and s/p bytes (Horvitz and Thompson 1952). The estimate is unbiased,
 * its variance is estimated by the sum of s^2 (1 - p) / p^2 over the samples. With a mean far below s all are
 * sampled, and the sum is exact. */
#ifndef OSPREY_DIG_LEAK_LEAK_ESTIMATE_H
#define OSPREY_DIG_LEAK_LEAK_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

#define LEAK_PARTS 4 /* of the time watched */

struct leak_sample {
	uint64_t mono_ns, address, bytes, mean_bytes;
	uint32_t site;
	bool live; /* at the end */
};
typedef VEC(struct leak_sample) leak_sample_vec;

double leak_probability(uint64_t bytes, uint64_t mean_bytes);

struct leak_sum {
	uint64_t samples;
	double count, bytes;   /* estimated */
	double variance;       /* of bytes */
};
/* Half the width of the 95 % interval of the bytes. */
double leak_sum_error(const struct leak_sum *s);

struct leak_row {
	uint32_t site;
	struct leak_sum live;		/* of all allocated since the start */
	struct leak_sum old;		/* of those that are older than `older_ns` */
	struct leak_sum allocated;	/* all, freed ones too */
	struct leak_sum allocated_old;	/* of those that would be old by now */
	double mean_age_s;		/* of live ones, by bytes */
	/* what is left of each second's allocations, once they are old; NaN: no time was left for it */
	double growth_bytes_per_s;
	double part_bytes[LEAK_PARTS];	/* live ones by when they were allocated: of a leak all parts are alike */
};
typedef VEC(struct leak_row) leak_row_vec;

struct leak_window {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	uint64_t older_ns;
};
/* A row for each site that has something live, most old bytes first, then most live bytes; and the sum over
 * all sites. -ENOMEM. */
int leak_rows_make(const leak_sample_vec *samples, size_t nsites, const struct leak_window *w, leak_row_vec *ret,
		   struct leak_row *ret_total) __attribute__((warn_unused_result));

/* The mean to start with, from what was allocated in some time: 1 (all are samples) where it is less often
 * than wanted, and where nothing was. */
uint64_t leak_mean_first(uint64_t allocations, uint64_t bytes, double seconds, double wanted_per_s);
/* The mean to go on with, when `samples` came in `seconds` at this one and `wanted_per_s` may come: changes
 * at once when there are too many, slowly when too few. */
uint64_t leak_mean_adapt(uint64_t mean_bytes, uint64_t samples, double seconds, double wanted_per_s);

#endif
