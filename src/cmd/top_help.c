#include "cmd/top.h"
#include "report/page.h"

#define MEANINGS 24 /* where they begin */

static const char help[] =
	"Moving\n"
	"  arrows, j, k          up and down; the cursor stays with its process while the list changes\n"
	"  PgUp, PgDn, End       by pages, to the end; Home, g: to the top, where the cursor stays on the first\n"
	"  left, right           scroll long command lines\n"
	"  mouse                 click a row, again for details; a column header to order by it; the keys below; wheel\n"
	"\n"
	"Order\n"
	"  s                     choose the column to order by\n"
	"  <  >                  order by the next column to the left, to the right\n"
	"  r                     the other way round\n"
	"  P  M  T  N            by CPU, memory, CPU time, pid\n"
	"  t                     tree: children below their parents\n"
	"  c                     by cgroup, each with the sum of its processes\n"
	"  -                     fold what is below the cursor into one line, with its sum; again: unfold\n"
	"  H                     threads\n"
	"\n"
	"Narrowing\n"
	"  /                     search: words of the command, user, service; a number is a pid\n"
	"  f  \\                  filter: cpu_pct > 5 && user == postgres, rss_bytes > 1G || state == D\n"
	"  u                     only one user\n"
	"  o                     without kernel threads\n"
	"  i                     without those that do nothing\n"
	"  Esc  =                show all again\n"
	"\n"
	"One process\n"
	"  Enter                 details: threads, open files, sockets, limits, memory, namespaces, cgroup\n"
	"  Space                 tag; n, K and p then act on all tagged ones\n"
	"  n                     nice value\n"
	"  K                     send a signal\n"
	"  p                     pin to CPUs\n"
	"                        each asks before it acts, and says how it is undone\n"
	"\n"
	"The screen\n"
	"  d                     time between two looks\n"
	"  z                     pause\n"
	"  Ctrl-L                draw anew\n"
	"  ?  h                  this help\n"
	"  q                     quit\n"
	"\n"
	"Colours\n"
	"  CPU bars              green: programs, red: kernel, yellow: interrupts, cyan: stolen by the hypervisor\n"
	"  memory bar            green: used, yellow: cache that can be dropped\n"
	"  stalls                share of the last interval in which some / all tasks waited for CPU, memory, disk (PSI)\n"
	"  processes             dim: kernel threads; D in red: waits and cannot be disturbed\n";

/* Headings and keys as they stand, meanings wrapped beside the keys. */
static void put_help(struct page *p)
{
	unsigned hang = p->style.width < 60 ? 4 : MEANINGS;
	struct span rest = SPAN(help), line;

	while (span_line(&rest, &line)) {
		size_t front = line.n > MEANINGS ? MEANINGS : line.n;
		page_put_span(p, (struct span){ line.p, front });
		page_wrap_span(p, hang, (struct span){ line.p + front, line.n - front });
		page_newline(p);
	}
}

void top_help(struct top *t)
{
	struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = (unsigned)t->screen.columns, .unicode = t->screen.unicode } };

	put_help(&p);
	if (p.error == 0)
		top_page(t, "osprey top: keys", &text);
	buf_deinit(&text);
}
