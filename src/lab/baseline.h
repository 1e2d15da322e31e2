/* Two simple methods to name the short resource, for the doctor to beat: the resource whose
 * pressure (PSI) grew most, and the resource of the figure that left its usual range furthest.
 * Both see the same windows as the doctor. They name a resource ("cpu", "memory", "disk",
 * "network", "limit"), never a condition or a culprit, and are scored on the resource alone. */
#ifndef OSPREY_LAB_BASELINE_H
#define OSPREY_LAB_BASELINE_H

#include "sample/window.h"

#define BASELINE_FIGURES 25

struct baseline {
	double mean[BASELINE_FIGURES]; /* per second; NaN: not measured */
	double spread[BASELINE_FIGURES]; /* standard deviation from tick to tick; NaN: unknown */
};

/* The resource with the most stall time; NULL: no PSI, or nobody stalled. */
const char *baseline_pressure(const struct window *w);
/* What is usual, from a window without the fault. */
void baseline_learn(const struct window *w, struct baseline *ret);
/* The resource whose figure is the most standard deviations off; NULL: none by more than 3. */
const char *baseline_deviation(const struct baseline *usual, const struct window *w);

#endif
