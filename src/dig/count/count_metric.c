#include "dig/count/count_metric.h"

#include <math.h>

#define ELAPSED NULL
const struct count_metric count_metrics[COUNT_METRICS] = {
#define METRIC(id, numerator, denominator, factor, words) { #id, numerator, denominator, factor, words },
#include "dig/count/count_metric.def"
#undef METRIC
};
#undef ELAPSED

static bool is(const struct count_event *e, const char *name)
{
	return e->name && strcmp(e->name->name, name) == 0;
}

static double denominator_of(const char *name, const struct count_event *like, const struct count_event *events,
			     const double *values, size_t n)
{
	double found = NAN;

	for (size_t i = 0; i < n; i++) {
		if (!is(&events[i], name) || isnan(values[i]))
			continue;
		/* Time is that of both spaces: the clock knows no modifier. */
		bool same = events[i].only_user == like->only_user && events[i].only_kernel == like->only_kernel;
		if (!same && !(strcmp(name, "task-clock") == 0 && !like->only_user && !like->only_kernel))
			continue;
		/* Of several, the one that took its turns with the numerator. */
		if (events[i].group == like->group)
			return values[i];
		if (isnan(found))
			found = values[i];
	}
	return found;
}

double count_metric_value(enum count_metric_id id, const struct count_event *events, const double *values, size_t n,
			  size_t of, double elapsed_s)
{
	const struct count_metric *m = &count_metrics[id];

	if (!is(&events[of], m->numerator))
		return NAN;
	double by = m->denominator ? denominator_of(m->denominator, &events[of], events, values, n) : elapsed_s;
	return by > 0 ? values[of] / by * m->factor : NAN;
}

double count_metric_first(enum count_metric_id id, const struct count_event *events, const double *values, size_t n,
			  double elapsed_s)
{
	for (size_t i = 0; i < n; i++) {
		double v = count_metric_value(id, events, values, n, i, elapsed_s);
		if (!isnan(v))
			return v;
	}
	return NAN;
}
