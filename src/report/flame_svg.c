#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "dig/profile/call_compare.h"
#include "report/flame.h"

#define WIDTH 1200.0
#define ROW 17
#define TOP 48	    /* above the first row */
#define BOTTOM 30   /* below the last */
#define CHARACTER 7.2 /* of 12 px monospace; flame.js has the same */
#define NARROWEST 0.2

__asm__(".pushsection .rodata.flame,\"a\"\n"
	".globl flame_script\n"
	"flame_script:\n"
	".incbin \"src/report/flame.js\"\n"
	".globl flame_script_end\n"
	"flame_script_end:\n"
	".byte 0\n"
	".popsection\n");
extern const char flame_script[], flame_script_end[];

static int escape_character(uint32_t c, struct span bytes, struct buf *ret)
{
	switch (c) {
	case '&':
		return buf_append(ret, "&amp;", 5);
	case '<':
		return buf_append(ret, "&lt;", 4);
	case '>':
		return buf_append(ret, "&gt;", 4);
	case '"':
		return buf_append(ret, "&quot;", 6);
	case '\'':
		return buf_append(ret, "&#39;", 5);
	case 0xfffe:
	case 0xffff: /* XML has no such characters */
		return buf_append(ret, "?", 1);
	default:
		return buf_append(ret, bytes.p, bytes.n);
	}
}

int flame_escape(struct span s, struct buf *ret)
{
	cleanup(buf_deinit) struct buf safe = { 0 };
	uint32_t c;
	int r = text_safe(s, true, &safe);
	struct span rest = buf_span(&safe);

	for (const char *at = rest.p; r == 0 && utf8_next(&rest, &c); at = rest.p)
		r = escape_character(c, (struct span){ at, (size_t)(rest.p - at) }, ret);
	return r;
}

/* ---- colours ---- */

/* Warm for user space, and for each other kind a hue of its own; the name decides the shade, so a function
 * has one colour in all pictures. */
static void color_of(const struct call_frame *f, char ret[8])
{
	uint64_t shade = map_hash(f->function, strlen(f->function)) >> 7;
	unsigned a = (unsigned)(shade % 50), b = (unsigned)(shade / 64 % 60);
	unsigned red = 225 + a / 2, green = 110 + b * 2, blue = 50 + a;

	switch (f->kind) {
	case CALL_KERNEL:
		red = 235, green = 80 + b, blue = 60 + a / 2;
		break;
	case CALL_GO:
		red = 70 + a, green = 175 + b / 2, blue = 215;
		break;
	case CALL_JIT:
		red = 90 + a, green = 190 + b / 2, blue = 90 + a;
		break;
	case CALL_GROUP:
		red = green = blue = 200 + a / 2;
		break;
	case CALL_USER:
		break;
	}
	if (f->inlined)
		red = (red + 255) / 2, green = (green + 255) / 2, blue = (blue + 255) / 2;
	snprintf(ret, 8, "#%02x%02x%02x", red & 255, green & 255, blue & 255);
}

/* Red: its share grew, blue: it shrank; full at 10 points. */
static void color_of_change(double growth, char ret[8])
{
	double strength = growth < 0 ? -growth * 10 : growth * 10;
	unsigned pale = (unsigned)(245 - 200 * (strength > 1 ? 1 : strength));

	if (growth >= 0)
		snprintf(ret, 8, "#ff%02x%02x", pale, pale);
	else
		snprintf(ret, 8, "#%02x%02xff", pale, pale);
}

/* ---- boxes ---- */

struct picture {
	const struct flame *flame;
	struct buf *out;
	unsigned deepest;
	struct buf label, name, info;
};

static double unit_width(const struct flame *f)
{
	uint64_t whole = call_tree_total(f->tree);

	return whole ? 1.0 / (double)whole : 0;
}

/* "hash (libz.so.1) 12.5 %, 123 samples, by itself 3 %" */
static int describe(struct picture *p, const struct call_node *n)
{
	const struct flame *f = p->flame;
	const struct call_node *root = &f->tree->node.v[CALL_ROOT];
	char weight[64];

	buf_clear(&p->label);
	buf_clear(&p->name);
	buf_clear(&p->info);
	if (n->frame == CALL_NONE) {
		int r = buf_append(&p->name, "all", 3);
		flame_weight(f->tree->unit, n->total, weight, sizeof weight);
		return r < 0 ? r : buf_printf(&p->info, "all: %s", weight);
	}
	const struct call_frame *frame = &f->tree->frame.v[n->frame];
	int r = call_frame_label(frame, &p->label);
	if (r == 0)
		r = flame_escape(buf_span(&p->label), &p->name);
	if (r == 0)
		r = buf_append(&p->info, p->name.data, p->name.n);
	if (r == 0 && frame->module[0] && frame->kind != CALL_GROUP) {
		r = buf_append(&p->info, " (", 2);
		if (r == 0)
			r = flame_escape(span_from(frame->module), &p->info);
		if (r == 0)
			r = buf_append(&p->info, ")", 1);
	}
	flame_weight(f->tree->unit, n->total, weight, sizeof weight);
	if (r == 0)
		r = buf_printf(&p->info, "%s: %.2f %%, %s; by itself %.2f %%", frame->inlined ? " inlined" : "",
			       (double)n->total * unit_width(f) * 100, weight, (double)n->self * unit_width(f) * 100);
	if (r == 0 && f->compared)
		r = buf_printf(&p->info, "; before %.2f %%",
			       root->before_total ? (double)n->before_total / (double)root->before_total * 100 : 0);
	return r;
}

/* The part of an escaped name that fits, with an ellipsis; an entity is one character. */
static int put_fitting(struct buf *out, struct span name, double width)
{
	int room = (int)((width - 6) / CHARACTER), n = 0;
	struct span rest = name;
	size_t whole = 0, cut = 0;
	uint32_t c;

	if (room < 3)
		return 0;
	while (rest.n && n <= room) {
		if (n == room - 1)
			cut = (size_t)(rest.p - name.p);
		if (!utf8_next(&rest, &c))
			break;
		while (c == '&' && rest.n && rest.p[0] != ';') {
			rest.p++;
			rest.n--;
		}
		if (c == '&' && rest.n) {
			rest.p++;
			rest.n--;
		}
		n++;
		whole = (size_t)(rest.p - name.p);
	}
	if (n <= room)
		return buf_append(out, name.p, whole);
	int r = buf_append(out, name.p, cut);
	return r < 0 ? r : buf_append(out, "…", 3);
}

static int put_box(struct picture *p, const struct call_node *n, double x, unsigned depth)
{
	const struct call_node *root = &p->flame->tree->node.v[CALL_ROOT];
	double share = (double)n->total * unit_width(p->flame), width = share * WIDTH;
	unsigned y = TOP + depth * ROW;
	char color[8] = "#d0d0d0";

	if (n->frame != CALL_NONE && p->flame->compared)
		color_of_change(call_growth(n->total, root->total, n->before_total, root->before_total), color);
	else if (n->frame != CALL_NONE)
		color_of(&p->flame->tree->frame.v[n->frame], color);
	int r = describe(p, n);
	if (r == 0)
		r = buf_printf(p->out, "<g class=\"f\" data-x=\"%.7g\" data-w=\"%.7g\" data-n=\"%s\" data-i=\"%s\"><title>%s</title>"
			       "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/><text x=\"%.2f\" y=\"%u\">",
			       x, share, p->name.data, p->info.data, p->info.data, x * WIDTH, y,
			       width > 0.7 ? width - 0.5 : width, ROW - 1, color, x * WIDTH + 3, y + 12);
	if (r == 0)
		r = put_fitting(p->out, buf_span(&p->name), width);
	return r < 0 ? r : buf_printf(p->out, "</text></g>\n");
}

/* Whether anything of the subtree can be seen. */
static bool visible(const struct picture *p, uint32_t node)
{
	return (double)p->flame->tree->node.v[node].total * unit_width(p->flame) * WIDTH >= NARROWEST;
}

/* Depth first; siblings stand side by side, heaviest first, so those behind one that is too narrow are too. */
static int each_box(struct picture *p, bool draw)
{
	const struct call_tree *t = p->flame->tree;
	uint32_t node = CALL_ROOT;
	unsigned depth = 0;
	uint64_t x = 0; /* in weight: exact */
	int r = 0;

	for (;;) {
		const struct call_node *n = &t->node.v[node];

		if (draw)
			r = put_box(p, n, (double)x * unit_width(p->flame), depth);
		if (r < 0)
			return r;
		if (depth > p->deepest)
			p->deepest = depth;
		if (n->first_child != CALL_NONE && visible(p, n->first_child)) {
			node = n->first_child;
			depth++;
			continue;
		}
		while (node != CALL_ROOT) {
			uint32_t next = t->node.v[node].next_sibling;
			uint32_t parent = t->node.v[node].parent;

			if (next != CALL_NONE && visible(p, next)) {
				x += t->node.v[node].total;
				node = next;
				break;
			}
			/* Back to where the parent begins. */
			for (uint32_t c = t->node.v[parent].first_child; c != node; c = t->node.v[c].next_sibling)
				x -= t->node.v[c].total;
			node = parent;
			depth--;
		}
		if (node == CALL_ROOT)
			return 0;
	}
}

static const char style[] =
	"svg.flame{font:12px monospace;background:#fff}"
	"svg.flame .title{font:bold 15px sans-serif}svg.flame .note,svg.flame .found{font:12px sans-serif;fill:#555}"
	"svg.flame .button{font:12px sans-serif;fill:#06c;cursor:pointer}"
	"svg.flame g.f{cursor:pointer}svg.flame g.f:hover rect{stroke:#000;stroke-width:1}"
	"svg.flame g.f text{pointer-events:none;white-space:pre}";

/* The picture without its script. */
static int put_picture(struct picture *p)
{
	const struct flame *f = p->flame;
	int r = each_box(p, false);

	if (r < 0)
		return r;
	unsigned height = TOP + (p->deepest + 1) * ROW + BOTTOM;
	r = buf_printf(p->out,
		       "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flame\" viewBox=\"0 0 %.0f %u\" width=\"100%%\">\n"
		       "<style>%s</style>\n<text class=\"title\" x=\"3\" y=\"18\">",
		       WIDTH, height, style);
	if (r == 0)
		r = flame_escape(span_from(f->title), p->out);
	if (r == 0)
		r = buf_printf(p->out, "</text>\n<text class=\"note\" x=\"3\" y=\"37\">");
	if (r == 0 && f->proof)
		r = flame_escape(span_from(f->proof), p->out);
	if (r == 0)
		r = buf_printf(p->out,
			       "</text>\n<text class=\"button clear\" x=\"1000\" y=\"18\" style=\"display:none\">reset zoom</text>"
			       "<text class=\"button ask\" x=\"1130\" y=\"18\" style=\"display:none\">search</text>\n");
	if (r == 0)
		r = each_box(p, true);
	return r < 0 ? r : buf_printf(p->out,
				      "<text class=\"note details\" x=\"3\" y=\"%u\">%s</text>"
				      "<text class=\"found\" x=\"1060\" y=\"%u\"></text>\n",
				      height - 10,
				      f->compared ? "width: now; red: its share grew, blue: it shrank" :
						    "width: share of the whole; calls go down",
				      height - 10);
}

static void picture_deinit(struct picture *p)
{
	buf_deinit(&p->label);
	buf_deinit(&p->name);
	buf_deinit(&p->info);
}

int flame_svg(const struct flame *f, struct buf *ret)
{
	cleanup(picture_deinit) struct picture p = { .flame = f, .out = ret };
	int r = put_picture(&p);

	if (r == 0)
		r = buf_printf(ret, "<script><![CDATA[\n");
	if (r == 0)
		r = buf_append(ret, flame_script, (size_t)(flame_script_end - flame_script));
	return r < 0 ? r : buf_printf(ret, "]]></script>\n</svg>\n");
}

/* ---- the page ---- */

static int put_row(struct buf *out, const struct flame *f, const struct call_function *at)
{
	const struct call_frame *frame = &f->tree->frame.v[at->frame];
	cleanup(buf_deinit) struct buf label = { 0 };
	int r = call_frame_label(frame, &label);

	if (r == 0)
		r = buf_printf(out, "<tr><td>%.2f %%</td><td>%.2f %%</td>", (double)at->self * unit_width(f) * 100,
			       (double)at->total * unit_width(f) * 100);
	if (r == 0 && f->compared) {
		const struct call_node *root = &f->tree->node.v[CALL_ROOT];
		r = buf_printf(out, "<td>%+.2f</td>",
			       call_growth(at->self, root->total, at->before_self, root->before_total) * 100);
	}
	if (r == 0)
		r = buf_append(out, "<td>", 4);
	if (r == 0)
		r = flame_escape(buf_span(&label), out);
	if (r == 0)
		r = buf_append(out, "</td><td>", 9);
	if (r == 0)
		r = flame_escape(span_from(frame->module), out);
	return r < 0 ? r : buf_printf(out, "</td></tr>\n");
}

static int put_table(struct buf *out, const struct flame *f)
{
	call_functions functions = { 0 };
	int r = call_tree_functions(f->tree, &functions);

	if (r == 0)
		r = buf_printf(out, "<table><tr><th>self</th><th>total</th>%s<th>function</th><th>module</th></tr>\n",
			       f->compared ? "<th>points</th>" : "");
	for (size_t i = 0; r == 0 && i < functions.n && i < 50 && functions.v[i].self; i++)
		r = put_row(out, f, &functions.v[i]);
	vec_free(&functions);
	return r < 0 ? r : buf_printf(out, "</table>\n");
}

int flame_html(const struct flame *f, struct buf *ret)
{
	cleanup(picture_deinit) struct picture p = { .flame = f, .out = ret };
	int r = buf_printf(ret, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");

	if (r == 0)
		r = flame_escape(span_from(f->title), ret);
	if (r == 0)
		r = buf_printf(ret, "</title>\n<style>body{font:13px sans-serif;margin:12px}input{width:24em;margin:4px 0 10px}"
				    "table{border-collapse:collapse;margin-top:12px}td,th{padding:1px 10px;text-align:left;"
				    "font:12px monospace}</style></head><body>\n<input class=\"search\" type=\"search\" "
				    "placeholder=\"search: a regular expression (key /)\" autocomplete=\"off\">\n");
	if (r == 0)
		r = put_picture(&p);
	if (r == 0)
		r = buf_printf(ret, "</svg>\n");
	if (r == 0)
		r = put_table(ret, f);
	if (r == 0)
		r = buf_printf(ret, "<script>\n");
	if (r == 0)
		r = buf_append(ret, flame_script, (size_t)(flame_script_end - flame_script));
	return r < 0 ? r : buf_printf(ret, "</script></body></html>\n");
}
