#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/units.h"
#include "dig/image/core_dump.h"
#include "report/fiber.h"

#define IDS_SHOWN 12
#define OBJECTS_SHOWN 3
#define CASES_SHOWN 4
#define RING_SHOWN 12

static const struct fiber_list *list_of(const struct fiber_report *report)
{
	return &report->fibers->all;
}

static const struct fiber_row *row_of(const struct fiber_report *report, size_t i)
{
	return &list_of(report)->fiber.v[i];
}

/* ---- words ---- */

/* "fiber 256 (reader)" */
static void put_fiber(struct page *p, unsigned hang, const struct fiber_report *report, uint64_t id, const char *behind)
{
	const struct fiber_row *f = fiber_by_id(list_of(report), id);
	const char *name = f ? fiber_name(list_of(report), f) : "";

	page_wrap(p, hang, "fiber %llu%s%s%s%s", (unsigned long long)id, name[0] ? " (" : "", name, name[0] ? ")" : "", behind);
}

static void put_state(struct page *p, unsigned hang, const struct fiber_report *report, const struct fiber_row *f)
{
	const struct fiber_running *running = fiber_running_of(list_of(report), f);
	const struct inspect_wait *w = fiber_wait_of(list_of(report), f);

	if (w)
		page_wrap(p, hang, "%s: %s", fiber_state_words(list_of(report), f), w->name);
	else if (running && list_of(report)->threads.v[running->thread].blocked)
		page_wrap(p, hang, "%s: in a blocking call", fiber_state_words(list_of(report), f));
	else
		page_wrap(p, hang, "%s", fiber_state_words(list_of(report), f));
}

static void put_variable(struct page *p, unsigned hang, const struct fiber_report *report, uint64_t address)
{
	const char *name;
	uint64_t offset;
	int r = variable_at(report->stack.stacks->space, address, &name, &offset);

	if (r == -ENOMEM)
		p->error = r;
	if (r == 0 && offset)
		page_wrap(p, hang, "(%s+0x%llx)", name, (unsigned long long)offset);
	else if (r == 0)
		page_wrap(p, hang, "(%s)", name);
}

/* What is waited for is a fiber itself, not something that one has. */
static bool is_fiber(enum inspect_role role, const char *fact)
{
	return role == INSPECT_FIBER && strcmp(fact, "id") == 0;
}

static void put_fact(struct page *p, unsigned hang, const struct fiber_report *report, const struct fiber_fact *f)
{
	switch (f->role) {
	case INSPECT_FLAG:
		if (f->value)
			page_wrap(p, hang, "%s", f->name);
		break;
	case INSPECT_FIBER:
		if (!f->value)
			break;
		page_wrap(p, hang, "%s", f->name);
		put_fiber(p, hang, report, f->value, "");
		break;
	case INSPECT_FD: {
		char words[256] = "";
		fd_words_append(&report->fibers->words, (int)f->value, words, sizeof words);
		page_wrap(p, hang, "%s %d%s", f->name, (int)f->value, words);
		break;
	}
	default:
		page_wrap(p, hang, "%s %llu", f->name, (unsigned long long)f->value);
	}
}

static void put_object(struct page *p, unsigned hang, const struct fiber_report *report, const struct fiber_object *o)
{
	if (o->nfacts && is_fiber(o->fact[0].role, o->fact[0].name) && o->fact[0].value) {
		page_wrap(p, hang, "the end of");
		put_fiber(p, hang, report, o->fact[0].value, "");
		return;
	}
	page_wrap(p, hang, "%s 0x%llx", o->what, (unsigned long long)o->address);
	put_variable(p, hang, report, o->address);
	for (unsigned i = 0; i < o->nfacts; i++) {
		const struct fiber_fact *f = &o->fact[i];
		bool says = f->role == INSPECT_NUMBER || f->role == INSPECT_FD || f->value;
		if (says)
			page_word(p, hang, span_from(","), true);
		put_fact(p, hang, report, f);
	}
}

static void put_cases(struct page *p, const struct fiber_report *report, const struct fiber_row *f)
{
	struct fiber_object o[CASES_SHOWN];
	uint64_t all;
	size_t n = fiber_cases_read(report->stack.stacks->space, list_of(report), f, o, CASES_SHOWN, &all);

	for (size_t i = 0; i < n; i++) {
		page_indent(p, 4);
		page_wrap(p, 6, o[i].sends ? "sends to" : "receives from");
		put_object(p, 6, report, &o[i]);
		page_newline(p);
	}
	if (n < all) {
		page_indent(p, 4);
		page_wrap(p, 6, "%llu more cases", (unsigned long long)(all - n));
		page_newline(p);
	}
}

/* ---- a group ---- */

static void put_ids(struct page *p, const struct fiber_report *report, const struct equal_group *g)
{
	page_indent(p, 2);
	if (g->n == 1) {
		put_fiber(p, 4, report, row_of(report, g->member[0])->id, "");
	} else {
		page_put(p, "fibers");
		for (size_t i = 0; i < g->n && i < IDS_SHOWN; i++)
			page_wrap(p, 4, "%llu%s", (unsigned long long)row_of(report, g->member[i])->id,
				  i + 1 < g->n ? "," : "");
		if (g->n > IDS_SHOWN)
			page_wrap(p, 4, "and %s more", number_text((double)(g->n - IDS_SHOWN)).text);
	}
	page_newline(p);
}

static const char *age_words(const struct fiber_report *report, char *text, size_t size, uint64_t ns)
{
	uint64_t grain = list_of(report)->grain_ns ? list_of(report)->grain_ns : 1;

	/* Below the grain of the clock nothing is known. */
	snprintf(text, size, "%s%s", ns <= grain ? "less than " : "", duration_text((double)(ns <= grain ? grain : ns) / 1e9).text);
	return text;
}

static void put_times(struct page *p, const struct fiber_report *report, const struct equal_group *g)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = 0; i < g->n; i++) {
		reading r = row_of(report, g->member[i])->state_ns;
		if (!reading_ok(r))
			return;
		least = r < least ? r : least;
		most = r > most ? r : most;
	}
	uint64_t grain = list_of(report)->grain_ns;
	char age[48];
	if (most <= grain || most - least <= grain || most - least < most / 20)
		page_wrap(p, 2, "(for %s)", age_words(report, age, sizeof age, most));
	else
		page_wrap(p, 2, "(for %s to %s)", duration_text((double)(least > grain ? least : grain) / 1e9).text,
			  duration_text((double)most / 1e9).text);
}

/* Of those that wait for long: how many gave the memory of their stacks back. */
static void put_cold(struct page *p, const struct fiber_report *report, const struct equal_group *g)
{
	size_t cold = 0;

	for (size_t i = 0; i < g->n; i++)
		cold += row_of(report, g->member[i])->cold;
	if (!cold)
		return;
	page_word(p, 2, span_from(","), true);
	if (cold < g->n)
		page_wrap(p, 2, "%s", number_text((double)cold).text);
	page_wrap(p, 2, "cold");
}

static void put_one_object(struct page *p, const struct fiber_report *report, const struct fiber_row *f)
{
	struct fiber_object o;

	if (!fiber_object_read(report->stack.stacks->space, list_of(report), f, &o))
		return;
	page_indent(p, 2);
	put_object(p, 4, report, &o);
	page_newline(p);
}

static void put_objects(struct page *p, const struct fiber_report *report, const struct equal_group *g)
{
	const struct fiber_row *first = row_of(report, g->member[0]);
	const struct inspect_wait *w = fiber_wait_of(list_of(report), first);
	struct map seen = { 0 };

	if (w && w->cases) {
		put_cases(p, report, first);
		return;
	}
	for (size_t i = 0; i < g->n && w; i++) {
		const struct fiber_row *f = row_of(report, g->member[i]);
		if (!f->object || map_get(&seen, f->object) != MAP_NONE)
			continue;
		if (map_set(&seen, f->object, 1) < 0)
			p->error = -ENOMEM;
		if (seen.n <= OBJECTS_SHOWN)
			put_one_object(p, report, f);
	}
	if (seen.n > OBJECTS_SHOWN) {
		page_indent(p, 2);
		page_wrap(p, 4, "and %s others", number_text((double)(seen.n - OBJECTS_SHOWN)).text);
		page_newline(p);
	}
	map_deinit(&seen);
}

static void put_creator(struct page *p, const struct fiber_report *report, const struct equal_group *g)
{
	const struct fiber_origin *f = fiber_origin_of(list_of(report), row_of(report, g->member[0]));
	const struct symbol *s = NULL;
	size_t n, others = 0;

	if (!f->creator && !f->created_at)
		return;
	for (size_t i = 1; i < g->n; i++)
		others += fiber_origin_of(list_of(report), row_of(report, g->member[i]))->creator != f->creator;
	if (f->created_at &&
	    symbolize(report->stack.symbolizer, report->stack.stacks->space, f->created_at, false, &s, &n) < 0)
		p->error = -ENOMEM;
	page_indent(p, 2);
	page_tone(p, TONE_DIM);
	page_put(p, " +  ");
	page_wrap(p, 8, "made by");
	if (!f->creator)
		page_wrap(p, 8, "rt_run");
	else
		put_fiber(p, 8, report, f->creator, others ? " and others" : "");
	if (s && s->function[0])
		page_wrap(p, 8, "in %s", s->function);
	else if (s)
		page_wrap(p, 8, "at 0x%llx %s", (unsigned long long)s->offset, s->module);
	if (s && s->file)
		page_wrap(p, 8, "%s:%u", s->file, s->line);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_start(struct page *p, const struct fiber_report *report, const struct fiber_row *f)
{
	const struct symbol *s;
	size_t n;

	uint64_t function = fiber_origin_of(list_of(report), f)->function;

	if (!function || f->turns ||
	    symbolize(report->stack.symbolizer, report->stack.stacks->space, function, true, &s, &n) < 0)
		return;
	page_indent(p, 2);
	if (s->function[0])
		page_wrap(p, 4, "has not run yet; begins in %s", s->function);
	else
		page_wrap(p, 4, "has not run yet; begins at 0x%llx %s", (unsigned long long)s->offset, s->module);
	page_newline(p);
}

static void put_warning(struct page *p, const char *text)
{
	page_indent(p, 2);
	page_tone(p, TONE_YELLOW);
	page_wrap(p, 4, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_group(struct page *p, const struct fiber_report *report, const struct equal_group *g)
{
	const struct fiber_row *f = row_of(report, g->member[0]);
	struct stack_report stack = report->stack;
	struct thread_stack frames;

	page_tone(p, TONE_STRONG);
	page_put(p, "%s fiber%s", number_text((double)g->n).text, g->n == 1 ? "" : "s");
	page_tone(p, TONE_CYAN);
	put_state(p, 2, report, f);
	page_tone(p, TONE_PLAIN);
	put_times(p, report, g);
	put_cold(p, report, g);
	page_newline(p);
	put_ids(p, report, g);
	put_objects(p, report, g);
	put_start(p, report, f);
	if (f->torn)
		put_warning(p, "moved while it was read: what stands here may mix two moments");
	if (fiber_frames(report, f, report->runtime_frames, &frames, &stack.first_alone) < 0)
		p->error = -ENOMEM;
	else if (frames.nframes)
		stack_frames_text(p, &stack, &frames, 2);
	else if (f->standing == INSPECT_RUNNING)
		put_warning(p, "where its thread stands could not be read at that moment");
	else if (f->turns && f->standing != INSPECT_ENDED)
		put_warning(p, list_of(report)->of_core ? "its stack is not in the core file" : "its stack could not be read");
	put_creator(p, report, g);
	page_newline(p);
}

/* ---- the answer ---- */

static int by_count(const void *a, const void *b, void *arg)
{
	const unsigned *x = a, *y = b;
	const size_t *n = arg;

	if (n[*x] != n[*y])
		return n[*x] > n[*y] ? -1 : 1;
	return (*x > *y) - (*x < *y);
}

/* The most frequent first. */
static void put_waits(struct page *p, const struct fiber_report *report)
{
	const struct fiber_list *l = list_of(report);
	const char *between = ":";
	unsigned order[FIBER_WAITS_MAX];

	for (unsigned w = 0; w < l->root->nwaits; w++)
		order[w] = w;
	qsort_r(order, l->root->nwaits, sizeof *order, by_count, (void *)(uintptr_t)l->by_wait);
	for (unsigned i = 0; i < l->root->nwaits && l->by_wait[order[i]]; i++) {
		page_word(p, 2, span_from(between), true);
		page_wrap(p, 2, "%s %s", number_text((double)l->by_wait[order[i]]).text, l->root->wait[order[i]].name);
		between = ",";
	}
}

static void put_counts(struct page *p, const struct fiber_report *report)
{
	const struct fiber_stacks *f = report->fibers;
	static const uint8_t order[] = { INSPECT_RUNNING, INSPECT_READY, INSPECT_ENDED, INSPECT_PARKED };
	const char *between = "";

	for (size_t i = 0; i < sizeof order; i++) {
		size_t n = f->all.by_standing[order[i]];
		for (unsigned s = 0; n && s < f->root->nstates; s++)
			if (f->root->state[s].standing == order[i]) {
				page_word(p, 2, span_from(between), true);
				page_wrap(p, 2, "%s %s", number_text((double)n).text,
					  order[i] == INSPECT_ENDED ? "to be joined" : f->root->state[s].name);
				between = ",";
				break;
			}
	}
	put_waits(p, report);
	page_put(p, ".");
	if (f->all.cold)
		page_wrap(p, 2, f->all.cold == 1 ? "%s of them is cold: its stack has no memory meanwhile." :
						   "%s of them are cold: their stacks have no memory meanwhile.",
			  number_text((double)f->all.cold).text);
	page_newline(p);
}

static void put_longest(struct page *p, const struct fiber_report *report)
{
	const struct fiber_stacks *f = report->fibers;
	char age[48];

	/* Of one fiber its own lines say it. */
	if (f->longest == SIZE_MAX || f->all.fiber.n < 2)
		return;
	const struct fiber_row *row = row_of(report, f->longest);
	put_fiber(p, 2, report, row->id, "");
	page_wrap(p, 2, "has waited longest: %s, %s.", age_words(report, age, sizeof age, row->state_ns),
		  fiber_wait_of(list_of(report), row)->name);
	page_newline(p);
}

/* A line for each: who waits, for what, and who holds it. */
static void put_ring(struct page *p, const struct fiber_report *report, const struct fiber_ring *ring)
{
	const size_t *member = report->fibers->deadlocks.member.v + ring->first;

	page_tone(p, TONE_RED);
	page_wrap(p, 2, "Deadlock of %s fiber%s:", number_text((double)ring->n).text, ring->n == 1 ? "" : "s");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < ring->n && i < RING_SHOWN; i++) {
		const struct fiber_row *f = row_of(report, member[i]);
		page_indent(p, 4);
		put_fiber(p, 6, report, f->id, "");
		const struct inspect_wait *w = fiber_wait_of(list_of(report), f);
		if (is_fiber((enum inspect_role)w->fact[0].role, w->fact[0].name)) {
			page_wrap(p, 6, "waits for the end of");
		} else {
			page_wrap(p, 6, "waits for %s 0x%llx", w->object, (unsigned long long)f->object);
			put_variable(p, 6, report, f->object);
			page_wrap(p, 6, "of");
		}
		put_fiber(p, 6, report, row_of(report, member[(i + 1) % ring->n])->id, "");
		page_newline(p);
	}
	if (ring->n > RING_SHOWN) {
		page_indent(p, 4);
		page_wrap(p, 6, "and so on, %s more", number_text((double)(ring->n - RING_SHOWN)).text);
		page_newline(p);
	}
}

static void put_deadlocks(struct page *p, const struct fiber_report *report)
{
	const struct fiber_deadlocks *d = &report->fibers->deadlocks;

	vec_each(ring, &d->ring)
		put_ring(p, report, ring);
	if (!d->all)
		return;
	page_tone(p, TONE_RED);
	page_wrap(p, 2, "Deadlock suspected:");
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 2, "all fibers wait, and no timer, descriptor or blocking call is left that could wake one.");
	page_newline(p);
}

static void put_answer(struct page *p, const struct fiber_report *report)
{
	const struct process_stacks *s = report->stack.stacks;
	const struct fiber_stacks *f = report->fibers;

	page_tone(p, TONE_STRONG);
	page_put(p, "%s (%d)", s->comm, s->core ? s->core->pid : s->pid);
	page_tone(p, TONE_PLAIN);
	page_put(p, ":");
	page_wrap(p, 2, "%s fiber%s on %llu processor%s and %zu thread%s%s", number_text((double)f->all.fiber.n).text,
		  f->all.fiber.n == 1 ? "" : "s", (unsigned long long)f->all.processors, f->all.processors == 1 ? "" : "s",
		  f->all.threads.n, f->all.threads.n == 1 ? "" : "s", list_of(report)->of_core ? "." : ";");
	if (!list_of(report)->of_core)
		page_wrap(p, 2, s->stopped ? "%u threads were stopped." : "nothing was stopped.", s->stopped);
	page_newline(p);
	if (f->all.fiber.n)
		put_counts(p, report);
	put_longest(p, report);
	put_deadlocks(p, report);
	page_newline(p);
}

/* The file of the program, where it could not be opened; else NULL. */
static const struct image *closed_image(const struct fiber_report *report)
{
	struct place p;

	vec_each(g, &report->fibers->equal.groups) {
		uint64_t function = fiber_origin_of(list_of(report), row_of(report, g->member[0]))->function;
		if (function && address_space_find(report->stack.stacks->space, function, &p) && p.image && !p.image->elf)
			return p.image;
	}
	return NULL;
}

static void put_no_names(struct page *p, const struct fiber_report *report)
{
	const struct image *closed = closed_image(report);

	if (!closed)
		page_wrap(p, 2, "The program is stripped: functions are told by their addresses in the file.");
	else
		page_wrap(p, 2, "Functions have no names: %s cannot be read (%s)%s.", closed->path,
			  closed->why[0] ? closed->why : "why is not known",
			  list_of(report)->of_core ? "; --executable FILE tells another place" : "");
}

static bool has_names(const struct fiber_report *report)
{
	const struct fiber_stacks *f = report->fibers;
	bool any = false;

	vec_each(g, &f->equal.groups) {
		uint64_t function = fiber_origin_of(list_of(report), row_of(report, g->member[0]))->function;
		const struct symbol *s;
		size_t n;
		if (!function ||
		    symbolize(report->stack.symbolizer, report->stack.stacks->space, function, true, &s, &n) < 0)
			continue;
		any = true;
		if (s->function[0])
			return true;
	}
	return !any;
}

void fiber_text(struct page *p, const struct fiber_report *report)
{
	const struct fiber_stacks *f = report->fibers;

	put_answer(p, report);
	vec_each(g, &f->equal.groups) {
		put_group(p, report, g);
		if (report->drain && p->error == 0)
			p->error = report->drain(report->arg);
		if (p->error < 0)
			return;
	}
	page_tone(p, TONE_DIM);
	if (report->filtered && !f->shown)
		page_wrap(p, 2, "None of them is what was asked for.");
	else if (report->filtered)
		page_wrap(p, 2, "%s of them %s shown.", number_text((double)f->shown).text, f->shown == 1 ? "is" : "are");
	if (!has_names(report))
		put_no_names(p, report);
	if (f->all.torn)
		page_wrap(p, 2, "%s moved while they were read.", number_text((double)f->all.torn).text);
	if (f->all.gone)
		page_wrap(p, 2, "%s ended while they were read.", number_text((double)f->all.gone).text);
	if (f->all.unread)
		page_wrap(p, 2, "%s could not be read.", number_text((double)f->all.unread).text);
	if (f->all.own_clock)
		page_wrap(p, 2, "%sTimes reach to when the runtime last looked at its clock.",
			  f->all.of_core ? "" : "How far the clock of its time namespace is from ours cannot be told. ");
	page_wrap(p, 2, "The threads behind them: osprey stack --os-threads.");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}
