#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "report/leak.h"
#include "report/stack.h"

#define SITES_SHOWN 10
#define FRAMES_SHOWN 16
#define SMALL_SHARE 0.005 /* of the live bytes: sites below are counted alone */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static double window_s(const struct leak_report *r)
{
	return (double)(r->window->end_ns - r->window->start_ns) / 1e9;
}

static double older_s(const struct leak_report *r)
{
	return (double)r->window->older_ns / 1e9;
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

/* What sites are judged by: old bytes, where there are any. */
static double weight(const struct leak_report *r, const struct leak_row *row)
{
	return r->total->old.bytes > 0 ? row->old.bytes : row->live.bytes;
}

/* ---- the answer ---- */

struct culprit {
	struct symbol who;
	double bytes;
};

/* Sites of one function together: its callers may be many. */
static int find_culprit(const struct leak_report *report, struct culprit *ret)
{
	struct culprit *all = calloc(report->rows->n ? report->rows->n : 1, sizeof *all);
	size_t n = 0, most = 0;
	int r = all ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < report->rows->n && i < 1000; i++) {
		const struct leak_row *row = &report->rows->v[i];
		struct symbol who;
		size_t at = 0;

		r = leak_site_who(report, row->site, &who);
		while (r == 0 && at < n &&
		       (strcmp(all[at].who.function, who.function) || strcmp(all[at].who.module, who.module)))
			at++;
		if (r < 0)
			break;
		if (at == n)
			all[n++] = (struct culprit){ who, 0 };
		all[at].bytes += weight(report, row);
	}
	for (size_t i = 1; i < n; i++)
		most = all[i].bytes > all[most].bytes ? i : most;
	if (r == 0)
		*ret = n ? all[most] : (struct culprit){ .who = { .function = "", .module = "" } };
	free(all);
	return r;
}

static void put_who(struct page *p, const struct symbol *who)
{
	if (who->function[0])
		page_wrap(p, 0, "%s", who->function);
	else
		page_wrap(p, 0, "a function without a name in %s", who->module[0] ? who->module : "no file");
	if (who->file)
		page_wrap(p, 0, "(%s:%u)", base_name(who->file), who->line);
	else if (who->function[0] && who->module[0])
		page_wrap(p, 0, "(%s)", who->module);
}

static void put_certainty(struct page *p, const struct leak_sum *s)
{
	double error = percent(leak_sum_error(s), s->bytes);

	if (error < 0.05)
		page_wrap(p, 0, "(all %s were seen)", number_text((double)s->samples).text);
	else
		page_wrap(p, 0, "(±%.0f%%, estimated from %s sample%s)", error < 1 ? 1 : error,
			  number_text((double)s->samples).text, s->samples == 1 ? "" : "s");
}

static void put_nothing(struct page *p, const struct leak_report *r)
{
	const struct leak_counts *c = &r->watch->counts;

	page_tone(p, TONE_STRONG);
	if (c->allocations == 0)
		page_wrap(p, 0, "it allocated nothing in the %s watched.", duration_text(window_s(r)).text);
	else
		page_wrap(p, 0, "nothing that it allocated in the %s watched was found to be live at the end.",
			  duration_text(window_s(r)).text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_found(struct page *p, const struct leak_report *r)
{
	const struct leak_row *t = r->total;
	struct culprit culprit = { .bytes = 0 };
	int e = find_culprit(r, &culprit);

	if (e < 0) {
		p->error = e;
		return;
	}
	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "%s allocated in the %s watched is still live", bytes_text(t->live.bytes).text,
		  duration_text(window_s(r)).text);
	page_tone(p, TONE_PLAIN);
	put_certainty(p, &t->live);
	page_put(p, ",");
	if (t->old.samples)
		page_wrap(p, 0, "%s of it for longer than %s: it grows by about %s a second. %.0f%% of that comes from",
			  bytes_text(t->old.bytes).text, duration_text(older_s(r)).text,
			  bytes_text(t->growth_bytes_per_s).text, percent(culprit.bytes, t->old.bytes));
	else
		page_wrap(p, 0, "and nothing for longer than %s: no sign of a leak. %.0f%% comes from",
			  duration_text(older_s(r)).text, percent(culprit.bytes, t->live.bytes));
	page_tone(p, TONE_STRONG);
	put_who(p, &culprit.who);
	page_tone(p, TONE_PLAIN);
	page_put(p, ".");
	page_newline(p);
}

static void put_end(struct page *p, const struct leak_report *r)
{
	if (r->watch->end == LEAK_GOES_ON)
		return;
	page_tone(p, TONE_YELLOW);
	page_wrap(p, 0, r->watch->end == LEAK_EXITED ?
		  "The process ended while it was watched: what it held then is shown, which an orderly end need not "
		  "free." :
		  "The process has become another program (exec) while it was watched: what is shown is of the one "
		  "before.");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* ---- sites ---- */

static void put_frames(struct page *p, const struct leak_report *r, const struct leak_site *s)
{
	struct process_stacks stacks = { .space = r->watch->space };
	struct stack_report frames = { .stacks = &stacks, .symbolizer = r->symbolizer, .no_kernel = true };
	struct thread_stack t = { .frames = s->frames, .nframes = s->nframes, .end = s->end };

	if (s->nframes > FRAMES_SHOWN + 1) {
		t.nframes = FRAMES_SHOWN;
		t.end = UNWIND_OUTERMOST;
	}
	stack_frames_text(p, &frames, &t, 4);
	if (t.nframes == s->nframes)
		return;
	page_indent(p, 4);
	page_tone(p, TONE_DIM);
	page_put(p, "    … %zu more (--json has them)", s->nframes - t.nframes);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static const char *course(const struct leak_row *row)
{
	double mean = row->live.bytes / LEAK_PARTS;
	unsigned full = 0;

	for (size_t i = 0; i < LEAK_PARTS; i++)
		full += row->part_bytes[i] > mean / 2;
	if (full == LEAK_PARTS)
		return "grows steadily";
	if (row->part_bytes[0] > 3 * mean)
		return "grew at first alone, as a cache that fills";
	if (row->part_bytes[LEAK_PARTS - 1] > 3 * mean)
		return "is all young: it may yet be freed";
	return "grows unevenly";
}

static void put_numbers(struct page *p, const struct leak_report *r, const struct leak_row *row)
{
	page_indent(p, 4);
	page_wrap(p, 4, "%s in %s allocation%s live", bytes_text(row->live.bytes).text,
		  number_text(round(row->live.count)).text,
		  row->live.count < 1.5 ? " is" : "s are");
	put_certainty(p, &row->live);
	page_put(p, ",");
	page_wrap(p, 4, "%s for longer than %s; mean age %s;", bytes_text(row->old.bytes).text,
		  duration_text(older_s(r)).text,
		  duration_text(row->mean_age_s).text);
	page_wrap(p, 4, "%.0f%% of what it allocated (%s) is left.", percent(row->live.bytes, row->allocated.bytes),
		  bytes_text(row->allocated.bytes).text);
	page_newline(p);
	page_indent(p, 4);
	page_wrap(p, 4, "By quarter of the time: %s, %s, %s, %s: it %s", bytes_text(row->part_bytes[0]).text,
		  bytes_text(row->part_bytes[1]).text, bytes_text(row->part_bytes[2]).text,
		  bytes_text(row->part_bytes[3]).text,
		  course(row));
	if (row->old.samples && row->growth_bytes_per_s > 0)
		page_wrap(p, 4, "(%s a second).", bytes_text(row->growth_bytes_per_s).text);
	else
		page_put(p, ".");
	page_newline(p);
}

static void put_site(struct page *p, const struct leak_report *r, const struct leak_row *row)
{
	struct symbol who;
	int e = leak_site_who(r, row->site, &who);
	double share = percent(weight(r, row), r->total->old.bytes > 0 ? r->total->old.bytes : r->total->live.bytes);

	if (e < 0) {
		p->error = e;
		return;
	}
	page_newline(p);
	page_tone(p, share >= 50 ? TONE_RED : share >= 10 ? TONE_YELLOW : TONE_STRONG);
	page_put(p, "%3.0f%% ", share);
	put_who(p, &who);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	put_numbers(p, r, row);
	put_frames(p, r, &r->watch->sites.site.v[row->site]);
}

static void put_sites(struct page *p, const struct leak_report *r)
{
	double least = SMALL_SHARE * (r->total->old.bytes > 0 ? r->total->old.bytes : r->total->live.bytes);
	size_t shown = 0;
	double rest = 0;

	while (shown < r->rows->n && shown < SITES_SHOWN && weight(r, &r->rows->v[shown]) >= least)
		put_site(p, r, &r->rows->v[shown++]);
	for (size_t i = shown; i < r->rows->n; i++)
		rest += r->rows->v[i].live.bytes;
	if (shown == r->rows->n)
		return;
	page_newline(p);
	page_wrap(p, 0, "%zu other place%s hold%s %s, most of it young or little (--json has all).", r->rows->n - shown,
		  r->rows->n - shown == 1 ? "" : "s", r->rows->n - shown == 1 ? "s" : "", bytes_text(rest).text);
	page_newline(p);
}

/* ---- the proof, and what to do ---- */

static void put_lost(struct page *p, const struct leak_counts *c)
{
	page_tone(p, c->ring_full + c->table_full + c->missed ? TONE_YELLOW : TONE_DIM);
	if (c->ring_full + c->table_full)
		page_wrap(p, 0, "%s of %s samples were lost: estimates are too small by about %.0f%%.",
			  number_text((double)(c->ring_full + c->table_full)).text,
			  number_text((double)(c->samples + c->ring_full)).text,
			  percent((double)(c->ring_full + c->table_full), (double)(c->samples + c->ring_full)));
	else
		page_wrap(p, 0, "No sample was lost.");
	if (c->missed)
		page_wrap(p, 0, "The kernel left %s hits out: as many frees may have been overlooked.",
			  number_text((double)c->missed).text);
	if (c->no_stack)
		page_wrap(p, 0, "%s samples have no stack beyond the allocator's caller.",
			  number_text((double)c->no_stack).text);
	page_tone(p, TONE_PLAIN);
}

static void put_cost(struct page *p, const struct leak_report *r)
{
	const struct leak_counts *c = &r->watch->counts;
	double cpus = leak_cost_cpus(r), seconds = window_s(r);

	page_tone(p, TONE_DIM);
	page_wrap(p, 0, "Seen: %s allocations of %s in all and %s frees (%s a second) of %s;",
		  number_text((double)c->allocations).text, bytes_text((double)c->allocated_bytes).text,
		  number_text((double)c->frees).text,
		  number_text(seconds > 0 ? (double)(c->allocations + c->frees) / seconds : 0).text,
		  base_name(r->watch->allocator.object));
	if (isnan(cpus)) {
		page_wrap(p, 0, "what each trap cost is not known.");
	} else {
		page_tone(p, cpus > 0.2 ? TONE_YELLOW : TONE_DIM);
		page_wrap(p, 0, "each is a trap of %s, which took some %s%% of a CPU of the process.",
			  duration_text((double)r->watch->trap_ns / 1e9).text,
			  cpus < 0.001 ? "0.1" : number_text(100 * cpus).text);
	}
	page_tone(p, TONE_PLAIN);
}

static void put_tail(struct page *p, const struct leak_report *r)
{
	page_newline(p);
	put_cost(p, r);
	put_lost(p, &r->watch->counts);
	page_newline(p);
	if (!r->rows->n)
		return;
	page_tone(p, TONE_DIM);
	page_wrap(p, 0, "Live is not leaked: a cache that fills looks the same until it is full. A leak grows in each "
		  "quarter, and goes on doing so when watched for longer (--for). What was allocated before is not "
		  "seen.");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

void leak_text(struct page *p, const struct leak_report *r)
{
	page_tone(p, TONE_STRONG);
	page_put(p, "%s (%d)", r->watch->comm, r->watch->pid);
	page_tone(p, TONE_PLAIN);
	page_put(p, ": ");
	if (r->rows->n)
		put_found(p, r);
	else
		put_nothing(p, r);
	put_end(p, r);
	put_sites(p, r);
	put_tail(p, r);
}
