#include "cmd/countdown.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"

void countdown_show(struct countdown *c)
{
	uint64_t now = clock_mono_ns();
	char line[128];
	int n = snprintf(line, sizeof line, "%.60s", c->what);

	if (c->end_ns != UINT64_MAX && c->end_ns > now)
		n += snprintf(line + n, sizeof line - (size_t)n, ", %.0f s left",
			      (double)(c->end_ns - now) / 1e9 + 0.49);
	snprintf(line + n, sizeof line - (size_t)n, "; Ctrl-C ends it");
	output_progress(line);
	c->shown = true;
}

void countdown_clear(struct countdown *c)
{
	if (c->shown)
		output_progress("");
	c->shown = false;
}

int countdown_sleep(struct countdown *c, uint64_t until_ns)
{
	int r = 0;

	while (r == 0 && !interrupted && clock_mono_ns() < until_ns) {
		uint64_t next = clock_mono_ns() + NS_PER_S;

		countdown_show(c);
		r = clock_sleep_until(next < until_ns ? next : until_ns);
	}
	return interrupted ? -EINTR : r;
}
