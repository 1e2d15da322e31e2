#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "act/tune_apply.h"
#include "base/units.h"
#include "report/tune.h"

#define LABEL_COLUMN 2
#define VALUE_COLUMN 12
#define NARROW 60
#define DISKS_TOLD 4 /* of those that are kept: the rest is counted */

bool tune_told(const struct tune_view *view, const struct tune_item *item)
{
	for (size_t i = 0; i < view->nchosen; i++)
		if (view->chosen[i] == item->tunable)
			return true;
	return view->nchosen == 0;
}

size_t tune_tally(const struct tune_view *view, enum tune_verdict verdict)
{
	size_t n = 0;

	vec_each(i, &view->result->items)
		n += i->advice.verdict == verdict && tune_told(view, i);
	return n;
}

const char *tune_verdict_name(enum tune_verdict v)
{
	static const char *const names[] = {
		[TUNE_KEEP] = "keep", [TUNE_CHANGE] = "change", [TUNE_DANGER] = "dangerous",
		[TUNE_ELSEWHERE] = "look elsewhere", [TUNE_UNREAD] = "not readable",
	};
	return names[v];
}

void tune_value_short(const struct tunable *t, const struct tune_value *v, char *ret, size_t size)
{
	if (v->error) {
		snprintf(ret, size, "-");
		return;
	}
	snprintf(ret, size, "%s", t->shape == SHAPE_CHOICE ? v->word : v->text);
	for (char *c = ret; *c; c++)
		if (*c == '\t')
			*c = ' ';
}

/* ---- parts of a line ---- */

static unsigned hang_of(const struct page *p)
{
	return p->style.width < NARROW ? LABEL_COLUMN + 2 : VALUE_COLUMN;
}

static void label(struct page *p, const char *text)
{
	page_indent(p, LABEL_COLUMN);
	page_tone(p, TONE_DIM);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	if (p->column >= hang_of(p))
		page_newline(p);
	page_indent(p, hang_of(p));
}

static void labelled(struct page *p, const char *name, const char *value)
{
	if (!value[0])
		return;
	label(p, name);
	page_wrap(p, hang_of(p), "%s", value);
	page_newline(p);
}

static void line(struct page *p, enum page_tone tone, const char *text)
{
	page_tone(p, tone);
	page_wrap(p, 0, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* ---- the head ---- */

static void head(struct page *p, const struct tune_view *v)
{
	const struct tune_result *r = v->result;
	const char *dot = p->style.unicode ? "\xc2\xb7" : "-";
	char text[600];

	snprintf(text, sizeof text, "%s %s Linux %s %s %u CPU%s %s %s %s watched %s%s, up %s",
		 r->topology.hostname[0] ? r->topology.hostname : "?", dot,
		 r->topology.kernel[0] ? r->topology.kernel : "?", dot, r->topology.cpus, r->topology.cpus == 1 ?
		    "" : "s", dot,
		 bytes_text(r->seen.total_bytes).text, dot, duration_text(r->seen.seconds).text,
		 v->replayed ? " (replayed)" : "", duration_text((double)r->seen.boot_ns / 1e9).text);
	line(p, TONE_DIM, text);
	snprintf(text, sizeof text, "role: %s%s%s%s%s", tune_role_title(r->roles.first), r->roles.given ?
		    " (--role)" : " (",
		 r->roles.given ? "" : r->roles.why, r->roles.given ? "" : ")",
		 r->roles.given ? "" : "; --role says otherwise");
	line(p, TONE_DIM, text);
}

/* Of another namespace only what speaks is told: its other values are nobody's concern now. */
static bool kept_here(const struct tune_view *v, const struct tune_item *i)
{
	return i->advice.verdict == TUNE_KEEP && tune_told(v, i) && tune_item_place(v->result, i)->scope != SCOPE_NET;
}

static void answer(struct page *p, const struct tune_view *v)
{
	size_t changes = tune_tally(v, TUNE_CHANGE), dangers = tune_tally(v, TUNE_DANGER);
	size_t elsewhere = tune_tally(v, TUNE_ELSEWHERE), unread = tune_tally(v, TUNE_UNREAD);
	size_t all = 0;
	char text[256];

	vec_each(i, &v->result->items)
		all += kept_here(v, i) || (tune_told(v, i) && i->advice.verdict != TUNE_UNREAD && i->advice.verdict != TUNE_KEEP);
	if (v->interrupted)
		line(p, TONE_YELLOW, "interrupted: this is what was seen until then");
	if (all == 0) {
		line(p, TONE_YELLOW, "no value could be read, so nothing can be advised");
		return;
	}
	int n = changes ? snprintf(text, sizeof text, "%zu of %zu worth changing", changes, all) :
			  snprintf(text, sizeof text, "nothing worth changing: %zu value%s, and no evidence "
				    "speaks for others", all,
				   all == 1 ? "" : "s");

	if (dangers)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s %zu dangerous as set", changes ? "," :
			    "; but", dangers);
	if (elsewhere)
		n += snprintf(text + n, sizeof text - (size_t)n, "; %zu sign%s of trouble that no setting "
			    "here causes", elsewhere,
			      elsewhere == 1 ? "" : "s");
	if (unread)
		snprintf(text + n, sizeof text - (size_t)n, " (%zu not readable)", unread);
	line(p, changes || dangers ? TONE_YELLOW : TONE_GREEN, text);
}

/* ---- one item ---- */

static void place_words(const struct tune_result *r, const struct tune_item *i, char *ret, size_t size)
{
	const struct tune_place *place = tune_item_place(r, i);

	if (place->scope == SCOPE_DISK)
		snprintf(ret, size, " of %s", place->disk.name);
	else
		snprintf(ret, size, "%s", place->scope == SCOPE_NET ? place->net.where : "");
}

static void title(struct page *p, const struct tune_result *r, const struct tune_item *i, enum page_tone tone)
{
	char value[192], where[96];

	tune_value_short(i->tunable, tune_item_value(r, i), value, sizeof value);
	place_words(r, i, where, sizeof where);
	page_tone(p, tone);
	page_put(p, "%s", i->tunable->name);
	page_tone(p, TONE_PLAIN);
	if (i->advice.value[0])
		page_wrap(p, LABEL_COLUMN, " %s %s %s%s", value, p->style.unicode ? "\xe2\x86\x92" : "->", i->advice.value, where);
	else
		page_wrap(p, LABEL_COLUMN, " = %s%s", value, where);
	page_newline(p);
}

static void amount(const struct evidence *e, char *ret, size_t size)
{
	if (strcmp(e->unit, "bytes") == 0)
		snprintf(ret, size, "%s", bytes_text(e->value).text);
	else if (strcmp(e->unit, "bytes/s") == 0)
		snprintf(ret, size, "%s/s", bytes_text(e->value).text);
	else
		snprintf(ret, size, "%s%s%s", number_text(e->value).text,
			 e->unit[0] == '/' || !e->unit[0] ? "" : " ", e->unit);
}

static void proof(struct page *p, const struct tune_advice *a)
{
	for (size_t i = 0; i < a->nproof; i++) {
		const struct evidence *e = &a->proof[i];
		char value[96];

		if (i == 0)
			label(p, "proof");
		page_indent(p, hang_of(p));
		amount(e, value, sizeof value);
		page_wrap(p, hang_of(p) + 2, "%s: %s%s%s%s", e->field, value, e->threshold[0] ? " (speaks when " :
			    "", e->threshold,
			  e->threshold[0] ? ")" : "");
		page_tone(p, TONE_DIM);
		page_wrap(p, hang_of(p) + 2, " [%s]", e->source);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

static void commands(struct page *p, const struct tune_result *r, const struct tune_item *i)
{
	const struct tune_place *place = tune_item_place(r, i);
	char text[320], file[96];

	tune_command(i, place, text, sizeof text);
	labelled(p, "do", text);
	page_indent(p, hang_of(p));
	page_wrap(p, hang_of(p), "or: osprey tune --apply %s   # journalled; --rollback takes it back", i->tunable->name);
	page_newline(p);
	tune_undo_command(i, place, text, sizeof text);
	labelled(p, "undo", text);
	tune_permanent(i, place, file, sizeof file, text, sizeof text);
	label(p, "to last");
	page_wrap(p, hang_of(p), "%s   # in %s", text, file);
	page_newline(p);
}

static void item(struct page *p, const struct tune_result *r, const struct tune_item *i)
{
	bool acts = i->advice.verdict == TUNE_CHANGE || i->advice.verdict == TUNE_DANGER;

	title(p, r, i, i->advice.verdict == TUNE_DANGER ? TONE_RED : TONE_STRONG);
	labelled(p, "why", i->advice.because);
	proof(p, &i->advice);
	if (!acts)
		return;
	labelled(p, "should", i->advice.effect);
	labelled(p, "risk", i->tunable->risk);
	commands(p, r, i);
}

static void items(struct page *p, const struct tune_view *v, enum tune_verdict verdict, const char *heading)
{
	bool first = true;

	vec_each(i, &v->result->items) {
		if (i->advice.verdict != verdict || !tune_told(v, i))
			continue;
		page_newline(p);
		if (first && heading) {
			line(p, TONE_STRONG, heading);
			page_newline(p);
		}
		first = false;
		item(p, v->result, i);
	}
}

/* ---- what is kept ---- */

static bool crowd(const struct tune_result *r, const struct tune_item *i)
{
	return i->tunable->scope == SCOPE_DISK && i->place >= r->places.n - r->disks.n + DISKS_TOLD;
}

static void kept_name(struct page *p, const struct tune_result *r, const struct tune_item *i, bool first)
{
	char value[192], where[96];

	tune_value_short(i->tunable, tune_item_value(r, i), value, sizeof value);
	place_words(r, i, where, sizeof where);
	if (first)
		page_indent(p, LABEL_COLUMN);
	else
		page_put(p, ",");
	page_wrap(p, LABEL_COLUMN + 4, "%s%s%s = %s", first ? "" : " ", i->tunable->name, where, value);
}

static void kept_reason(struct page *p, const struct tune_item *i)
{
	page_tone(p, TONE_DIM);
	page_wrap(p, LABEL_COLUMN + 4, " (%s)", i->advice.because);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void kept(struct page *p, const struct tune_view *v)
{
	const struct tune_item *last = NULL; /* neighbours of one reason share a line */
	size_t others = 0, disks = 0;

	vec_each(i, &v->result->items) {
		if (!kept_here(v, i))
			continue;
		if (!tune_matters(v->result, i->tunable)) {
			others++;
			continue;
		}
		if (crowd(v->result, i)) {
			disks++;
			continue;
		}
		if (!last) {
			page_newline(p);
			line(p, TONE_STRONG, "kept");
		}
		bool again = last && strcmp(last->advice.because, i->advice.because) == 0;
		if (last && !again)
			kept_reason(p, last);
		kept_name(p, v->result, i, !again);
		last = i;
	}
	if (last)
		kept_reason(p, last);
	if (disks + others) {
		page_indent(p, LABEL_COLUMN);
		if (disks)
			page_wrap(p, LABEL_COLUMN, "and %zu of further disks", disks);
		if (disks && others)
			page_put(p, ",");
		if (others)
			page_wrap(p, LABEL_COLUMN, "%sand %zu that do not matter for this role (--role "
				    "general shows them)",
				  disks ? " " : "", others);
		page_newline(p);
	}
}

/* Alike reasons are told once. */
static void unread(struct page *p, const struct tune_view *v)
{
	const struct tune_result *r = v->result;
	bool any = false;

	vec_each(i, &r->items) {
		bool again = false;

		if (i->advice.verdict != TUNE_UNREAD || !tune_told(v, i))
			continue;
		int error = tune_item_value(r, i)->error;
		for (const struct tune_item *e = r->items.v; e < i && !again; e++)
			again = e->advice.verdict == TUNE_UNREAD && tune_told(v, e) && tune_item_value(r, e)->error == error;
		if (again)
			continue;
		if (!any) {
			page_newline(p);
			line(p, TONE_STRONG, "not readable");
		}
		any = true;
		page_indent(p, LABEL_COLUMN);
		page_wrap(p, LABEL_COLUMN, "%s:", error == -ENOENT && v->replayed ? "not in this capture "
			    "(osprey tune --capture takes them), or not in its kernel" :
			  error == -ENOENT ? "this kernel, or a namespace, has none" :
			  error == -EACCES || error == -EPERM ? "needs root" : strerror(-error));
		for (const struct tune_item *e = i; e < r->items.v + r->items.n; e++)
			if (e->advice.verdict == TUNE_UNREAD && tune_told(v, e) && tune_item_value(r, e)->error == error)
				page_wrap(p, LABEL_COLUMN, " %s", e->tunable->name);
		page_newline(p);
	}
}

/* ---- explanations ---- */

static void roles_of(const struct tunable *t, char *ret, size_t size)
{
	int n = 0;

	if (t->roles == ROLE_ANY) {
		snprintf(ret, size, "everywhere");
		return;
	}
	for (unsigned bit = 1; bit < ROLE_ANY; bit <<= 1)
		if ((t->roles & bit) && (size_t)n < size)
			n += snprintf(ret + n, size - (size_t)n, "%s%s", n ? ", " : "on ", tune_role_title((enum tune_role)bit));
}

static void explain(struct page *p, const struct tune_view *v, const struct tunable *t)
{
	char roles[256];

	page_newline(p);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", t->name);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, LABEL_COLUMN, "%s%s%s   %s", t->unit[0] ? "   (" : "", t->unit, t->unit[0] ? ")" : "", t->path);
	page_newline(p);
	labelled(p, "what", t->what);
	labelled(p, "default", t->normal);
	roles_of(t, roles, sizeof roles);
	labelled(p, "matters", roles);
	labelled(p, "risk", t->risk);
	labelled(p, "since", t->since);
	labelled(p, "docs", t->doc);
	vec_each(i, &v->result->items) {
		char text[800], value[192], where[96];

		if (i->tunable != t)
			continue;
		tune_value_short(t, tune_item_value(v->result, i), value, sizeof value);
		place_words(v->result, i, where, sizeof where);
		snprintf(text, sizeof text, "%s%s", value, where);
		labelled(p, "now", text);
		snprintf(text, sizeof text, "%s%s%s: %s", tune_verdict_name(i->advice.verdict),
			 i->advice.verdict == TUNE_CHANGE ? " to " : i->advice.value[0] ? "; set " : "", i->advice.value,
			 i->advice.because);
		labelled(p, "advice", text);
		proof(p, &i->advice);
		if (i->advice.value[0]) {
			labelled(p, "should", i->advice.effect);
			commands(p, v->result, i);
		}
	}
}

void tune_text(struct page *p, const struct tune_view *v)
{
	head(p, v);
	answer(p, v);
	if (v->nchosen || v->all) {
		for (size_t i = 0; i < TUNABLE_COUNT; i++) {
			struct tune_item any = { .tunable = &tunables[i] };
			if (tune_told(v, &any))
				explain(p, v, &tunables[i]);
		}
		return;
	}
	items(p, v, TUNE_CHANGE, NULL);
	items(p, v, TUNE_DANGER, "dangerous as they are");
	items(p, v, TUNE_ELSEWHERE, "trouble that these settings do not cause");
	kept(p, v);
	unread(p, v);
}
