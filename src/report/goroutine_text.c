#include "report/goroutine.h"

#include <stdio.h>

#include "base/units.h"
#include "dig/image/core_dump.h"

#define IDS_SHOWN 24

static void put_ids(struct page *p, const struct goroutine_stacks *g, const struct equal_group *group)
{
	page_indent(p, 2);
	page_put(p, "%s", group->n == 1 ? "goroutine" : "goroutines");
	for (size_t i = 0, shown = 0; i < group->n; shown++) {
		uint64_t first = g->all.goroutine.v[group->member[i]].id, last = first;
		if (shown == IDS_SHOWN) {
			page_wrap(p, 4, "and %zu more", group->n - i);
			break;
		}
		while (++i < group->n && g->all.goroutine.v[group->member[i]].id == last + 1)
			last++;
		char range[48];
		snprintf(range, sizeof range, first == last ? "%llu" : "%llu-%llu", (unsigned long long)first,
			 (unsigned long long)last);
		page_wrap(p, 4, "%s%s", range, i < group->n ? "," : "");
	}
	page_newline(p);
}

static void put_state(struct page *p, const struct goroutine *r, size_t n)
{
	page_tone(p, TONE_STRONG);
	page_put(p, "%zu goroutine%s", n, n == 1 ? "" : "s");
	page_tone(p, TONE_CYAN);
	if (r->status == GO_WAITING && r->wait_reason[0])
		page_wrap(p, 2, "%s: %s", go_status_words(r->status), r->wait_reason);
	else
		page_wrap(p, 2, "%s", go_status_words(r->status));
	page_tone(p, TONE_PLAIN);
	if (reading_ok(r->wait_ns) && r->wait_ns >= 1000000000u)
		page_wrap(p, 2, "(for %s at least)", duration_text((double)r->wait_ns / 1e9).text);
	if (r->system)
		page_wrap(p, 2, "(of the runtime itself)");
	page_newline(p);
}

static void put_group(struct page *p, const struct stack_report *report, const struct goroutine_stacks *g,
		      const struct equal_group *group)
{
	const struct goroutine *r = &g->all.goroutine.v[group->member[0]];
	const char *creator = r->created_pc ? go_function_name(g->runtime, r->created_pc) : "";
	struct thread_stack frames = { .way = STACK_BPF, .frames = g->all.frame.v + r->first,
				       .nframes = r->nframes, .end = r->end };

	put_state(p, r, group->n);
	put_ids(p, g, group);
	if (r->torn) {
		page_indent(p, 2);
		page_tone(p, TONE_YELLOW);
		page_put(p, "it ran while the stack was read: what stands here may mix two moments");
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	/* The stack of a running one goes on in the runtime's own, below: there the table of functions ends it. */
	if (r->status == GO_RUNNING && frames.nframes)
		frames.end = UNWIND_OUTERMOST;
	stack_frames_text(p, report, &frames, 2);
	if (creator[0]) {
		page_indent(p, 2);
		page_tone(p, TONE_DIM);
		page_put(p, " +  ");
		page_wrap(p, 8, "made by %s", creator);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	page_newline(p);
}

void goroutine_text(struct page *p, const struct stack_report *report, const struct goroutine_stacks *g)
{
	const struct process_stacks *s = report->stacks;

	page_tone(p, TONE_STRONG);
	page_put(p, "%s (%d)", s->comm, s->core ? s->core->pid : s->pid);
	page_tone(p, TONE_PLAIN);
	page_put(p, ":");
	page_wrap(p, 2, "%zu goroutines with %zu different stacks on %zu threads, %s;", g->all.goroutine.n - g->system,
		  g->equal.groups.n, s->threads.n, g->runtime->version);
	page_wrap(p, 2, s->stopped ? "%u threads were stopped." : "nothing was stopped.", s->stopped);
	page_newline(p);
	page_newline(p);
	vec_each(group, &g->equal.groups)
		put_group(p, report, g, group);
	page_tone(p, TONE_DIM);
	page_wrap(p, 2, "The threads behind them: osprey stack --os-threads.");
	if (g->system)
		page_wrap(p, 2, "%zu goroutines of the runtime itself: --system.", g->system);
	if (g->all.unread)
		page_wrap(p, 2, "%zu could not be read.", g->all.unread);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}
