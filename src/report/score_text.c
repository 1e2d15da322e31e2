#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "report/score.h"

const char *score_state_name(enum score_state s)
{
	static const char *const names[] = {
		[SCORE_PLANNED] = "not played", [SCORE_COUNTED] = "counted", [SCORE_IMPOSSIBLE] = "not possible here",
		[SCORE_FAILED] = "failed",	[SCORE_UNMOVED] = "the fault was not there",
		[SCORE_DISTURBED] = "disturbed",
	};
	return names[s];
}

const char *score_strength_name(enum strength s)
{
	static const char *const names[] = { "weak", "medium", "strong" };

	return names[s];
}

/* ---- one case ---- */

static void fault_result(const struct score_case *c, const struct score_fault *f, char *ret, size_t size)
{
	if (!f->rank && !f->absorbed)
		snprintf(ret, size, "%s not found, first is %s", f->condition->id, c->first ? c->first->id : "nothing");
	else if (f->absorbed)
		snprintf(ret, size, "%s listed under another cause, culprit %s", f->condition->id,
			 f->culprit_right ? "right" : "wrong");
	else
		snprintf(ret, size, "%s at rank %u, culprit %s, after %s", f->condition->id, f->rank,
			 f->culprit_right ? "right" : "wrong", duration_text(f->named_after_s).text);
}

void score_case_result(const struct score_case *c, char *ret, size_t size)
{
	char second[128];

	if (c->state != SCORE_COUNTED) {
		snprintf(ret, size, "%s: %s", score_state_name(c->state), c->why);
	} else if (c->kind == SCORE_HEALTHY) {
		snprintf(ret, size, "%s%s", c->false_findings ? "false: " : "nothing found", c->false_names);
	} else {
		fault_result(c, &c->fault[0], ret, size);
		if (c->nfaults < 2)
			return;
		fault_result(c, &c->fault[1], second, sizeof second);
		size_t n = strlen(ret);
		snprintf(ret + n, size - n, "; %s", second);
	}
}

static void case_title(struct page *p, const struct score_case *c)
{
	if (c->kind == SCORE_HEALTHY) {
		page_put(p, "%s", c->background ? c->background->name : "healthy_idle");
		return;
	}
	for (size_t i = 0; i < c->nfaults; i++)
		page_put(p, "%s%s", i ? " + " : "", c->fault[i].condition->id);
	page_put(p, " (%s", score_strength_name(c->strength));
	if (c->background)
		page_put(p, ", %s", c->background->name);
	page_put(p, ")");
}

/* ---- tables ---- */

static void heading(struct page *p, const char *text)
{
	page_newline(p);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void share(struct page *p, unsigned column, unsigned part, unsigned whole)
{
	page_indent(p, column);
	page_tone(p, part == whole ? TONE_GREEN : TONE_YELLOW);
	page_put(p, "%u/%u", part, whole);
	page_tone(p, TONE_PLAIN);
}

enum { FIRST = 24, IN_3 = 33, CULPRIT = 42, NAMED = 52, REJECTS = 66 };

static void class_row(struct page *p, const char *name, const struct score_summary *s)
{
	page_put(p, "%s", name);
	if (s->faults == 0) {
		page_indent(p, FIRST);
		page_put(p, "no case counted");
	} else {
		share(p, FIRST, s->at1, s->faults);
		share(p, IN_3, s->at3, s->faults);
		share(p, CULPRIT, s->culprits, s->faults);
		page_indent(p, NAMED);
		page_put(p, "%s", isnan(s->named_after_s) ? "-" : duration_text(s->named_after_s).text);
	}
	if (s->rejected) {
		page_indent(p, REJECTS);
		page_put(p, "%u", s->rejected);
	}
	page_newline(p);
}

static bool has_cases(const struct score_view *v, const struct condition *c)
{
	vec_each(k, v->cases)
		if (k->kind == SCORE_FAULT && k->fault[0].condition == c && k->state != SCORE_PLANNED)
			return true;
	return false;
}

static void class_table(struct page *p, const struct score_view *v)
{
	struct score_summary s;

	page_tone(p, TONE_DIM);
	page_put(p, "cause");
	page_indent(p, FIRST);
	page_put(p, "first");
	page_indent(p, IN_3);
	page_put(p, "in 3");
	page_indent(p, CULPRIT);
	page_put(p, "culprit");
	page_indent(p, NAMED);
	page_put(p, "named after");
	page_indent(p, REJECTS);
	page_put(p, "rejected");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < v->options->nconditions; i++) {
		if (!has_cases(v, v->options->conditions[i]))
			continue;
		score_summarise(v->cases, v->options->conditions[i], &s);
		class_row(p, v->options->conditions[i]->id, &s);
	}
	score_summarise(v->cases, NULL, &s);
	/* Rejects of pairs and negatives are no faults of a class. */
	page_tone(p, TONE_STRONG);
	class_row(p, "all", &s);
	page_tone(p, TONE_PLAIN);
}

static bool perfect(const struct score_case *c)
{
	if (c->state != SCORE_COUNTED)
		return c->state == SCORE_PLANNED;
	if (c->kind == SCORE_HEALTHY)
		return c->false_findings == 0;
	for (size_t i = 0; i < c->nfaults; i++)
		if (!c->fault[i].culprit_right || (c->kind == SCORE_FAULT && c->fault[i].rank != 1))
			return false;
	return !c->after_findings;
}

static void wrong_culprit(struct page *p, const struct score_fault *f)
{
	if (f->culprit_right || (!f->rank && !f->absorbed))
		return;
	page_indent(p, 4);
	page_wrap(p, 6, "culprit of %s: named %s, it was %s", f->condition->id,
		  f->culprit[0] ? f->culprit : "nobody", f->label);
	page_newline(p);
}

static void imperfect_case(struct page *p, const struct score_case *c)
{
	char result[512];

	score_case_result(c, result, sizeof result);
	page_indent(p, 2);
	case_title(p, c);
	page_put(p, ":");
	page_wrap(p, 4, " %s", result);
	page_newline(p);
	for (size_t i = 0; i < c->nfaults && c->state == SCORE_COUNTED; i++)
		wrong_culprit(p, &c->fault[i]);
	if (c->after_findings) {
		page_indent(p, 4);
		page_wrap(p, 6, "still found after the undo: %s", c->after_names);
		page_newline(p);
	}
}

static void imperfect_cases(struct page *p, const struct score_view *v)
{
	bool any = false;

	vec_each(c, v->cases) {
		if (perfect(c))
			continue;
		if (!any)
			heading(p, "Not right");
		any = true;
		imperfect_case(p, c);
	}
}

static void share_line(struct page *p, const char *what, unsigned part, unsigned whole)
{
	if (whole == 0)
		return;
	page_put(p, "%s", what);
	share(p, 44, part, whole);
	page_newline(p);
}

static void totals(struct page *p, const struct score_view *v)
{
	struct score_summary s;

	score_summarise(v->cases, NULL, &s);
	heading(p, "In all");
	share_line(p, "right cause first (AC@1)", s.at1, s.faults);
	share_line(p, "right cause among three (AC@3)", s.at3, s.faults);
	share_line(p, "right culprit", s.culprits, s.faults);
	share_line(p, "right within 3 s", s.within_3s, s.faults);
	share_line(p, "both of two faults named", s.pairs_both, s.pairs);
	share_line(p, "healthy loads without a false finding", s.healthy - s.healthy_false, s.healthy);
	share_line(p, "nothing found after the undo", s.after - s.after_false, s.after);
	share_line(p, "right resource: osprey", s.resource_at1, s.faults);
	share_line(p, "right resource: largest pressure (PSI)", s.pressure_at1, s.faults);
	share_line(p, "right resource: largest deviation", s.deviation_at1, s.deviation_judged);
	page_put(p, "the doctor's own CPU");
	page_indent(p, 44);
	page_put(p, "%s %% of one CPU", number_text(s.cpu_pct).text);
	page_newline(p);
	if (s.rejected) {
		page_put(p, "rejected cases");
		page_indent(p, 44);
		page_put(p, "%u", s.rejected);
		page_newline(p);
	}
}

static void residue(struct page *p, const struct score_view *v)
{
	struct span rest = v->residue, line;

	if (v->residue.n == 0) {
		page_put(p, "residue on the host");
		page_indent(p, 44);
		page_put(p, "none");
		page_newline(p);
		return;
	}
	heading(p, "Residue on the host");
	while (span_line(&rest, &line)) {
		page_indent(p, 2);
		page_wrap_span(p, 4, line);
		page_newline(p);
	}
}

void score_text(struct page *p, const struct score_view *v)
{
	if (!v->options->pairs)
		class_table(p, v);
	imperfect_cases(p, v);
	totals(p, v);
	residue(p, v);
	page_put(p, "seed");
	page_indent(p, 44);
	page_put(p, "%llu%s", (unsigned long long)v->options->seed, v->interrupted ? " (interrupted)" : "");
	page_newline(p);
}
