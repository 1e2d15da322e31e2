/* Many runs of one program as a few numbers. Pure. */
#ifndef OSPREY_ACT_RUN_STATISTICS_H
#define OSPREY_ACT_RUN_STATISTICS_H

#include <stddef.h>

/* All NaN when there are no values. */
struct statistics {
	size_t n; /* values that are numbers */
	double minimum, median, maximum, mean;
	double deviation; /* standard, of a sample (n - 1); NaN below two values */
};

/* Sorts `values`, NaN last; those are left out. */
void statistics_of(double *values, size_t n, struct statistics *ret);

#endif
