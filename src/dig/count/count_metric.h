/* Figures that are derived from two counts of the same look: count_metric.def. Pure. */
#ifndef OSPREY_DIG_COUNT_COUNT_METRIC_H
#define OSPREY_DIG_COUNT_COUNT_METRIC_H

#include "dig/count/count_event.h"

enum count_metric_id {
#define METRIC(id, numerator, denominator, factor, words) COUNT_METRIC_##id,
#include "dig/count/count_metric.def"
#undef METRIC
	COUNT_METRICS
};

struct count_metric {
	const char *id;
	const char *numerator, *denominator; /* names of events; denominator NULL: seconds */
	double factor;
	const char *words; /* format of a double, or with %s of its text */
};
extern const struct count_metric count_metrics[COUNT_METRICS];

/* Of the values (scaled; NaN: not measurable) of `events`. The numerator is events[of]; the denominator is counted
 * where it is (u, k, both). NaN: that is no metric of this event, or a count is missing, or there was nothing to
 * divide by. */
double count_metric_value(enum count_metric_id id, const struct count_event *events, const double *values, size_t n,
			  size_t of, double elapsed_s);

/* The same of the first event that is its numerator and has a value. */
double count_metric_first(enum count_metric_id id, const struct count_event *events, const double *values, size_t n,
			  double elapsed_s);

#endif
