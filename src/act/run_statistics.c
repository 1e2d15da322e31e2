#include "act/run_statistics.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return x < y ? -1 : x > y;
}

/* Two passes: the textbook's single one loses all digits when values are large and alike. */
static double deviation_of(const double *values, size_t n, double mean)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (values[i] - mean) * (values[i] - mean);
	return n < 2 ? NAN : sqrt(sum / (double)(n - 1));
}

void statistics_of(double *values, size_t n, struct statistics *ret)
{
	struct statistics s = { 0, NAN, NAN, NAN, NAN, NAN };
	double sum = 0;

	if (n)
		qsort(values, n, sizeof *values, ascending);
	while (s.n < n && !isnan(values[s.n]))
		sum += values[s.n++];
	if (s.n) {
		s.minimum = values[0];
		s.maximum = values[s.n - 1];
		s.median = s.n % 2 ? values[s.n / 2] : values[s.n / 2 - 1] / 2 + values[s.n / 2] / 2;
		s.mean = sum / (double)s.n;
		s.deviation = deviation_of(values, s.n, s.mean);
	}
	*ret = s;
}
