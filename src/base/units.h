/* Numbers with units, as people write and read them. */
#ifndef OSPREY_BASE_UNITS_H
#define OSPREY_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* "500ms", "2s", "1.5s", "1m", "2h", "10us"; a number without a unit is refused.
 * 0, -EINVAL (no duration), -ERANGE (does not fit). */
int duration_parse(struct span text, uint64_t *ret_ns) __attribute__((warn_unused_result));

/* The same, days too ("2d"), and several one after the other, as tables write them: "1h30m", "5m07s", "2d5h". */
int duration_sum_parse(struct span text, uint64_t *ret_ns) __attribute__((warn_unused_result));

/* Fits everything below; each returns `out`. */
#define UNITS_SIZE 32
struct units_text {
	char text[UNITS_SIZE];
};

/* "200 ms", "2 s", "1.5 s", "1 min", "2 h"; exact where three digits suffice. */
struct units_text duration_text(double seconds);
/* "512 B", "7.8 GiB" */
struct units_text bytes_text(double bytes);
/* At most three significant digits below 1000, whole above, digits grouped: "0.25", "12.5",
 * "1 234". NaN: "?" */
struct units_text number_text(double value);

#endif
