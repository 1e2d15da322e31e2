#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "base/utf8.h"
#include "dig/profile/call_compare.h"
#include "report/flame.h"

#define CALLERS 3      /* named in the answer */
#define ALONE 0.20     /* a function with this share is the answer by itself */
#define MOST 0.5       /* what most of the weight passes through */
#define WORTH_SAYING 0.1
#define MAX_TREE_LINES 60
#define MODULE_WIDTH 40   /* columns of a frame, below which the function comes first */

void flame_weight(enum call_unit unit, uint64_t weight, char *ret, size_t size)
{
	struct units_text text = unit == CALL_NANOSECONDS ? duration_text((double)weight / 1e9) :
				 unit == CALL_BYTES	  ? bytes_text((double)weight) :
							    number_text((double)weight);

	snprintf(ret, size, "%s%s", text.text, unit == CALL_SAMPLES ? weight == 1 ? " sample" : " samples" : "");
}

static double share_of(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* ---- pieces of a line ---- */

static void put_cut(struct page *p, struct span safe, unsigned room)
{
	struct span kept = safe;
	unsigned columns = utf8_columns(safe);

	if (columns <= room) {
		page_put_safe(p, safe, columns);
		return;
	}
	unsigned sign = p->style.unicode ? 1 : 3;
	columns = 0;
	kept.n = 0;
	for (uint32_t c; room > sign && utf8_next(&safe, &c);) {
		if (columns + utf8_width(c) > room - sign)
			break;
		columns += utf8_width(c);
		kept.n = (size_t)(safe.p - kept.p);
	}
	page_put_safe(p, kept, columns);
	page_put(p, "…");
}

static const char *mark_of(const struct call_frame *f)
{
	return f->inlined ? "inlined" : f->kind == CALL_GROUP ? "" : f->function[0] ? f->module : "";
}

/* "hash_block  libz.so.1": the module only where there is room for all of it; on a narrow page also for all of the
 * function. */
static void put_frame(struct page *p, const struct call_frame *f)
{
	cleanup(buf_deinit) struct buf label = { 0 }, safe = { 0 };
	unsigned width = p->style.width > p->column ? p->style.width - p->column : 8;
	const char *mark = mark_of(f);
	unsigned mark_columns = mark[0] ? text_columns(span_from(mark), p->style.unicode) + 2 : 0;
	int r = call_frame_label(f, &label);

	if (r == 0)
		r = text_safe(buf_span(&label), p->style.unicode, &safe);
	if (r < 0) {
		p->error = p->error ? p->error : r;
		return;
	}
	unsigned wanted = width < MODULE_WIDTH ? utf8_columns(buf_span(&safe)) : 16;
	bool marked = mark_columns && mark_columns + wanted <= width;

	page_tone(p, f->kind == CALL_KERNEL ? TONE_YELLOW : f->kind == CALL_GROUP ? TONE_STRONG : TONE_PLAIN);
	put_cut(p, buf_span(&safe), marked ? width - mark_columns : width);
	page_tone(p, TONE_DIM);
	if (f->line && p->column + 8 < p->style.width)
		page_put(p, ":%u", f->line);
	if (marked && p->column + mark_columns <= p->style.width)
		page_put(p, "  %s", mark);
	page_tone(p, TONE_PLAIN);
}

/* Where two shares leave less than half of a line to the function, they lose their fraction. */
static bool is_narrow(const struct page *p)
{
	return p->style.width < 60;
}

/* The column where the second share stands, and where what follows both does. */
static unsigned self_column(const struct page *p)
{
	return is_narrow(p) ? 5 : 8;
}

static unsigned name_column(const struct page *p)
{
	return is_narrow(p) ? 11 : 18;
}

static void put_share(struct page *p, double share)
{
	if (is_narrow(p) && share > 0 && share < 0.005)
		page_put(p, " <1%%");
	else if (is_narrow(p))
		page_put(p, "%3.0f%%", share * 100);
	else if (share > 0 && share < 0.0005)
		page_put(p, " <0.1 %%");
	else
		page_put(p, "%5.1f %%", share * 100);
}

/* ---- the answer ---- */

static uint32_t heaviest_place(const struct call_tree *t, const struct call_function *f)
{
	const struct call_frame *of = &t->frame.v[f->frame];
	uint32_t best = CALL_NONE;

	for (uint32_t i = 1; i < t->node.n; i++) {
		const struct call_frame *frame = &t->frame.v[t->node.v[i].frame];

		if (frame->function != of->function || frame->module != of->module)
			continue;
		if (best == CALL_NONE || t->node.v[i].self > t->node.v[best].self)
			best = i;
	}
	return best;
}

/* The deepest code that most of the weight passes through. */
static uint32_t common_way(const struct call_tree *t)
{
	uint64_t enough = (uint64_t)((double)call_tree_total(t) * MOST);
	uint32_t at = CALL_ROOT, found = CALL_NONE;

	for (;;) {
		uint32_t child = t->node.v[at].first_child; /* the heaviest */

		if (child == CALL_NONE || t->node.v[child].total < enough)
			return found;
		at = child;
		if (t->frame.v[t->node.v[at].frame].kind != CALL_GROUP)
			found = at;
	}
}

static void say_frame(struct page *p, const struct call_frame *f, const char *after)
{
	cleanup(buf_deinit) struct buf label = { 0 };

	if (call_frame_label(f, &label) == 0)
		page_wrap(p, 0, "%s%s", label.data, after);
}

static void say_callers(struct page *p, const struct call_tree *t, uint32_t node)
{
	unsigned said = 0;

	for (uint32_t up = t->node.v[node].parent; up != CALL_ROOT && said < CALLERS; up = t->node.v[up].parent) {
		const struct call_frame *f = &t->frame.v[t->node.v[up].frame];

		if (f->kind == CALL_GROUP || f->function == t->frame.v[t->node.v[node].frame].function)
			continue;
		if (!said)
			page_word(p, 0, SPAN(","), true);
		page_wrap(p, 0, said ? "from" : "called by");
		say_frame(p, f, "");
		said++;
	}
}

static uint64_t self_of_kernel(const struct call_tree *t)
{
	uint64_t sum = 0;

	vec_each(n, &t->node)
		if (n->frame != CALL_NONE && t->frame.v[n->frame].kind == CALL_KERNEL)
			sum += n->self;
	return sum;
}

static void say_group(struct page *p, const struct flame *f)
{
	const struct call_tree *t = f->tree;
	uint32_t top = t->node.v[CALL_ROOT].first_child;

	if (top == CALL_NONE || t->frame.v[t->node.v[top].frame].kind != CALL_GROUP)
		return;
	say_frame(p, &t->frame.v[t->node.v[top].frame], "");
	page_wrap(p, 0, "takes %.0f %% of %s.", share_of(t->node.v[top].total, call_tree_total(t)) * 100, f->whole);
}

static void say_answer(struct page *p, const struct flame *f, const call_functions *functions)
{
	const struct call_tree *t = f->tree;
	uint64_t whole = call_tree_total(t);
	const struct call_function *hot = &functions->v[0];
	double share = share_of(hot->self, whole);
	uint32_t way = common_way(t);

	page_tone(p, TONE_STRONG);
	say_group(p, f);
	if (share >= ALONE) {
		page_wrap(p, 0, "%.0f %% of %s is spent in", share * 100, f->whole);
		say_frame(p, &t->frame.v[hot->frame], "");
		say_callers(p, t, heaviest_place(t, hot));
		page_word(p, 0, SPAN("."), true);
	} else {
		page_wrap(p, 0, "No function stands out: the hottest,");
		say_frame(p, &t->frame.v[hot->frame], ",");
		page_wrap(p, 0, "has %.0f %% of %s.", share * 100, f->whole);
		if (way != CALL_NONE) {
			page_wrap(p, 0, "%.0f %% passes through", share_of(t->node.v[way].total, whole) * 100);
			say_frame(p, &t->frame.v[t->node.v[way].frame], ".");
		}
	}
	double kernel = share_of(self_of_kernel(t), whole);
	if (kernel >= WORTH_SAYING)
		page_wrap(p, 0, "%.0f %% is in the kernel.", kernel * 100);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* ---- the lists ---- */

static void put_functions(struct page *p, const struct flame *f, const call_functions *functions)
{
	uint64_t whole = call_tree_total(f->tree);
	size_t n = 0;

	page_newline(p);
	page_tone(p, TONE_DIM);
	page_put(p, is_narrow(p) ? "self total function" : "   self    total  function");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	vec_each(at, functions) {
		if (n++ == f->nfunctions || at->self == 0)
			break;
		put_share(p, share_of(at->self, whole));
		page_indent(p, self_column(p));
		put_share(p, share_of(at->total, whole));
		page_indent(p, name_column(p));
		put_frame(p, &f->tree->frame.v[at->frame]);
		page_newline(p);
	}
}

/* ---- the tree ---- */

/* 2: it forks. */
static unsigned forks_at(const struct call_tree *t, uint32_t node, uint64_t least)
{
	unsigned n = 0;

	for (uint32_t c = t->node.v[node].first_child; c != CALL_NONE && t->node.v[c].total >= least && n < 2;
	     c = t->node.v[c].next_sibling)
		n++;
	return n;
}

/* A chain of single calls stays in its column: only forks cost width. Beyond half of it all stays. */
static unsigned indent_of(const struct call_tree *t, uint32_t node, uint64_t least, unsigned most)
{
	unsigned forks = 0;

	for (uint32_t at = node; at != CALL_ROOT; at = t->node.v[at].parent)
		forks += forks_at(t, t->node.v[at].parent, least) > 1;
	return forks < most ? forks : most;
}

static bool has_later_sibling(const struct call_tree *t, uint32_t node, uint64_t least)
{
	uint32_t next = t->node.v[node].next_sibling;

	return next != CALL_NONE && t->node.v[next].total >= least;
}

static void put_branches(struct page *p, const struct call_tree *t, uint32_t node, uint64_t least, unsigned most)
{
	static const char *const signs[2][4] = { { "  ", "| ", "`-", "|-" }, { "  ", "│ ", "└╴", "├╴" } };
	unsigned depth = indent_of(t, node, least, most), left = depth;
	const char *at_depth[64] = { 0 };

	for (uint32_t at = node; at != CALL_ROOT && left > 0; at = t->node.v[at].parent) {
		if (forks_at(t, t->node.v[at].parent, least) < 2)
			continue;
		unsigned later = has_later_sibling(t, at, least);
		at_depth[--left] = signs[p->style.unicode][at == node ? 2 + later : later];
	}
	page_tone(p, TONE_DIM);
	for (unsigned i = 0; i < depth; i++) {
		const char *sign = at_depth[i] ? at_depth[i] : "  ";
		page_put_safe(p, span_from(sign), 2);
	}
	page_tone(p, TONE_PLAIN);
}

/* The last of the calls of a function by itself, where there is no other way: they are one line. */
static uint32_t end_of_run(const struct call_tree *t, uint32_t node, uint64_t least, unsigned *ret_n)
{
	uint32_t child = t->node.v[node].first_child;
	unsigned n = 1;

	while (child != CALL_NONE && t->node.v[child].total >= least && t->node.v[child].frame == t->node.v[node].frame &&
	       forks_at(t, node, least) == 1 && t->node.v[node].self < least) {
		node = child;
		child = t->node.v[node].first_child;
		n++;
	}
	*ret_n = n;
	return node;
}

static void put_node(struct page *p, const struct flame *f, uint32_t node, uint32_t last, unsigned calls, uint64_t least,
		     unsigned most)
{
	const struct call_node *n = &f->tree->node.v[node];
	uint64_t whole = call_tree_total(f->tree), self = f->tree->node.v[last].self;

	put_share(p, share_of(n->total, whole));
	page_indent(p, self_column(p));
	if (self >= least)
		put_share(p, share_of(self, whole));
	page_indent(p, name_column(p));
	put_branches(p, f->tree, node, least, most);
	put_frame(p, &f->tree->frame.v[n->frame]);
	if (calls > 1 && p->column + 6 <= p->style.width)
		page_put(p, " ×%u", calls);
	page_newline(p);
}

/* The next node that is heavy enough; siblings stand heaviest first, so those behind a light one are light. */
static uint32_t next_shown(const struct call_tree *t, uint32_t node, uint64_t least)
{
	uint32_t child = t->node.v[node].first_child;

	if (child != CALL_NONE && t->node.v[child].total >= least)
		return child;
	for (; node != CALL_ROOT; node = t->node.v[node].parent)
		if (has_later_sibling(t, node, least))
			return t->node.v[node].next_sibling;
	return CALL_NONE;
}

static size_t count_shown(const struct call_tree *t, uint64_t least)
{
	size_t n = 0;

	unsigned calls;

	for (uint32_t at = next_shown(t, CALL_ROOT, least); at != CALL_NONE;
	     at = next_shown(t, end_of_run(t, at, least, &calls), least))
		n++;
	return n;
}

static void put_tree(struct page *p, const struct flame *f)
{
	const struct call_tree *t = f->tree;
	uint64_t whole = call_tree_total(t);
	double cut = f->cut;
	uint64_t least = (uint64_t)(cut * (double)whole) + 1;
	unsigned room = p->style.width > name_column(p) ? p->style.width - name_column(p) : 0;
	unsigned most = room / 4 < 60 ? room / 4 : 60;

	/* What fits a screen or two: the share below which it is cut is told. */
	while (!f->cut_exactly && count_shown(t, least) > MAX_TREE_LINES && cut < 0.5) {
		cut = cut < 0.005 ? 0.005 : cut * 1.5;
		least = (uint64_t)(cut * (double)whole) + 1;
	}
	page_newline(p);
	page_tone(p, TONE_DIM);
	page_put(p, is_narrow(p) ? "total self" : "  total     self");
	page_indent(p, name_column(p));
	page_wrap(p, name_column(p), "calls, outermost first (branches below %.2g %% are left out)", cut * 100);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	uint32_t last;
	unsigned calls;
	for (uint32_t at = next_shown(t, CALL_ROOT, least); at != CALL_NONE; at = next_shown(t, last, least)) {
		last = end_of_run(t, at, least, &calls);
		put_node(p, f, at, last, calls, least, most);
	}
}

void flame_text(struct page *p, const struct flame *f)
{
	call_functions functions = { 0 };
	int r = call_tree_functions(f->tree, &functions);

	if (r < 0)
		p->error = p->error ? p->error : r;
	if (r == 0 && functions.n && call_tree_total(f->tree)) {
		if (!f->answered)
			say_answer(p, f, &functions);
		if (f->proof) {
			page_wrap(p, 0, "%s", f->proof);
			page_newline(p);
		}
		if (f->nfunctions)
			put_functions(p, f, &functions);
		put_tree(p, f);
	} else if (r == 0) {
		page_wrap(p, 0, "No samples: nothing ran.");
		page_newline(p);
		if (f->proof) {
			page_wrap(p, 0, "%s", f->proof);
			page_newline(p);
		}
	}
	vec_free(&functions);
}

/* ---- compared ---- */

static double self_growth(const struct flame *f, const struct call_function *at)
{
	const struct call_node *root = &f->tree->node.v[CALL_ROOT];

	return call_growth(at->self, root->total, at->before_self, root->before_total);
}

static int by_growth(const void *a, const void *b, void *arg)
{
	double ga = self_growth(arg, a), gb = self_growth(arg, b);

	return (ga < gb) - (ga > gb);
}

static void put_change(struct page *p, const struct flame *f, const struct call_function *at)
{
	const struct call_node *root = &f->tree->node.v[CALL_ROOT];
	double growth = self_growth(f, at) * 100;

	page_tone(p, growth > 0 ? TONE_RED : TONE_GREEN);
	page_put(p, is_narrow(p) ? "%+6.1f " : " %+6.1f  ", growth);
	page_tone(p, TONE_PLAIN);
	put_share(p, share_of(at->before_self, root->before_total));
	page_indent(p, is_narrow(p) ? 11 : 18);
	page_put(p, "%s", p->style.unicode ? "→" : ">");
	put_share(p, share_of(at->self, root->total));
	page_indent(p, is_narrow(p) ? 17 : 29);
	put_frame(p, &f->tree->frame.v[at->frame]);
	page_newline(p);
}

#define CHANGE_SHOWN 0.005 /* of the whole: smaller ones are the sampling's own noise */

static void say_changes(struct page *p, const struct flame *f, const call_functions *functions)
{
	size_t half = f->nfunctions ? f->nfunctions : 10, n = 0;
	const struct call_function *most = &functions->v[0], *least = &functions->v[functions->n - 1];

	page_tone(p, TONE_STRONG);
	if (self_growth(f, most) >= CHANGE_SHOWN) {
		say_frame(p, &f->tree->frame.v[most->frame], "");
		page_wrap(p, 0, "grew most: by %.1f points of %s.", self_growth(f, most) * 100, f->whole);
	}
	if (self_growth(f, least) <= -CHANGE_SHOWN) {
		say_frame(p, &f->tree->frame.v[least->frame], "");
		page_wrap(p, 0, "shrank most: by %.1f points.", -self_growth(f, least) * 100);
	}
	if (p->column == 0)
		page_wrap(p, 0, "No function's share changed by half a percent or more.");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	if (f->proof) {
		page_wrap(p, 0, "%s", f->proof);
		page_newline(p);
	}
	page_newline(p);
	page_tone(p, TONE_DIM);
	page_put(p, is_narrow(p) ? "points was   now  function, by itself" : " points   before     now    function, by itself");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < functions->n && n < half && self_growth(f, &functions->v[i]) >= CHANGE_SHOWN; i++, n++)
		put_change(p, f, &functions->v[i]);
	size_t shrank = 0;
	while (shrank < functions->n && shrank < half &&
	       self_growth(f, &functions->v[functions->n - 1 - shrank]) <= -CHANGE_SHOWN)
		shrank++;
	for (size_t i = functions->n - shrank; i < functions->n; i++)
		put_change(p, f, &functions->v[i]);
}

void flame_compared_text(struct page *p, const struct flame *f)
{
	call_functions functions = { 0 };
	int r = call_tree_functions(f->tree, &functions);

	if (r < 0)
		p->error = p->error ? p->error : r;
	if (r == 0 && functions.n) {
		qsort_r(functions.v, functions.n, sizeof functions.v[0], by_growth, (void *)f);
		say_changes(p, f, &functions);
		if (call_tree_total(f->tree))
			put_tree(p, f);
	} else if (r == 0) {
		page_wrap(p, 0, "No samples in either profile.");
		page_newline(p);
	}
	vec_free(&functions);
}
