#include "cmd/countdown.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"

void countdown_show(struct countdown *c)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text };
	uint64_t now = clock_mono_ns();

	if (!output_watched(&p.style))
		return;
	p.error = buf_append(&text, "\r\033[K", 4);
	page_put(&p, "%.60s", c->what);
	if (c->end_ns != UINT64_MAX && c->end_ns > now)
		page_put(&p, ", %.0f s left", (double)(c->end_ns - now) / 1e9 + 0.49);
	page_put(&p, "; Ctrl-C ends it");
	if (p.error == 0)
		(void)!write(STDERR_FILENO, text.data, text.n);
	c->shown = true;
}

void countdown_clear(struct countdown *c)
{
	if (c->shown)
		(void)!write(STDERR_FILENO, "\r\033[K", 4);
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
