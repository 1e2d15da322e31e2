#include "view/view.h"

#include <string.h>

bool view_wants(const struct view_wanted *wanted, const struct column *c)
{
	vec_each(have, &wanted->columns)
		if (*have == c)
			return true;
	return false;
}

bool view_wants_named(const struct view_wanted *wanted, const char *name)
{
	vec_each(have, &wanted->columns)
		if (strcmp((*have)->name, name) == 0)
			return true;
	return false;
}

void view_span_next(struct host_time now, struct host_time *last, struct view_span *span)
{
	span->since_boot = span->looks == 0;
	span->seconds = (double)(span->since_boot ? now.boot_ns : now.mono_ns - last->mono_ns) / 1e9;
	/* Two looks of a capture may bear one time. */
	if (span->seconds <= 0)
		span->seconds = NAN;
	span->looks++;
	*last = now;
}
