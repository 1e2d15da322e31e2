#include "report/guide.h"

#include <cmark.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/utf8.h"

#define MAX_DEPTH 32 /* what is nested deeper is left out: no guide is, and the stack has an end */

/* Running text, made safe, in which a byte below 0x20 sets the tone of what follows: 1 +
 * enum page_tone. No other byte below 0x20 can be in it. */
struct guide {
	struct page *page;
	const struct facts *facts;
	struct buf prose;
	struct buf filled; /* scratch: a literal with its placeholders replaced */
	unsigned hang;
	unsigned depth; /* of nested blocks and emphasis */
	int unknown; /* placeholders that are no facts */
	int error;
};

static void keep(struct guide *g, int r)
{
	if (g->error == 0 && r < 0)
		g->error = r;
}

/* Copies to g->filled, {{name}} replaced. */
static struct span fill(struct guide *g, struct span text)
{
	buf_clear(&g->filled);
	keep(g, buf_reserve(&g->filled, text.n));
	while (text.n > 0 && g->error == 0) {
		const char *open = memmem(text.p, text.n, "{{", 2);
		size_t before = open ? (size_t)(open - text.p) : text.n;
		const char *close = open ? memmem(open, text.n - before, "}}", 2) : NULL;

		if (!close)
			before = text.n;
		keep(g, buf_append(&g->filled, text.p, before));
		text.p += before;
		text.n -= before;
		if (!close)
			break;
		struct span name = span_trim((struct span){ open + 2, (size_t)(close - open) - 2 });
		int r = fact_text(g->facts, name, &g->filled);
		if (r == -ENOENT) {
			g->unknown++;
			r = buf_append(&g->filled, open, (size_t)(close - open) + 2);
		}
		keep(g, r);
		text.n -= (size_t)(close - open) + 2;
		text.p = close + 2;
	}
	return buf_span(&g->filled);
}

/* ---- running text ---- */

static void prose_tone(struct guide *g, enum page_tone tone)
{
	char mark = (char)(1 + tone);

	keep(g, buf_append(&g->prose, &mark, 1));
}

static void prose_raw(struct guide *g, const char *text)
{
	keep(g, buf_append(&g->prose, text, strlen(text)));
}

static void prose_literal(struct guide *g, const char *literal)
{
	struct span filled = fill(g, span_from(literal ? literal : ""));

	if (g->error == 0)
		keep(g, text_safe(filled, g->page->style.unicode, &g->prose));
}

static unsigned visible_columns(struct span word)
{
	unsigned columns = 0;
	uint32_t c;

	while (utf8_next(&word, &c))
		columns += c < 0x20 ? 0 : utf8_width(c);
	return columns;
}

static void put_word(struct page *p, unsigned hang, struct span word)
{
	unsigned columns = visible_columns(word);

	if (columns > 0)
		page_room(p, hang, columns, false);
	while (word.n > 0) {
		size_t n = 0;

		if ((unsigned char)word.p[0] < 0x20) {
			page_tone(p, (enum page_tone)(word.p[0] - 1));
			n = 1;
		} else {
			while (n < word.n && (unsigned char)word.p[n] >= 0x20)
				n++;
			page_put_span(p, (struct span){ word.p, n });
		}
		word.p += n;
		word.n -= n;
	}
}

static void flush_prose(struct guide *g)
{
	struct span rest = buf_span(&g->prose);

	while (rest.n > 0 && g->error == 0) {
		const char *blank = memchr(rest.p, ' ', rest.n);
		struct span word = { rest.p, blank ? (size_t)(blank - rest.p) : rest.n };

		put_word(g->page, g->hang, word);
		rest.p += word.n + (blank != NULL);
		rest.n -= word.n + (blank != NULL);
	}
	page_tone(g->page, TONE_PLAIN);
	buf_clear(&g->prose);
}

/* Code is told from text by colour, or else by quotes. */
static void inline_code(struct guide *g, const char *literal)
{
	bool color = g->page->style.color;

	if (color)
		prose_tone(g, TONE_CYAN);
	else
		prose_raw(g, "`");
	prose_literal(g, literal);
	if (color)
		prose_tone(g, TONE_PLAIN);
	else
		prose_raw(g, "`");
}

static void inlines(struct guide *g, cmark_node *parent);

static void inline_node(struct guide *g, cmark_node *n)
{
	switch (cmark_node_get_type(n)) {
	case CMARK_NODE_TEXT:
		prose_literal(g, cmark_node_get_literal(n));
		break;
	case CMARK_NODE_SOFTBREAK:
		prose_raw(g, " ");
		break;
	case CMARK_NODE_LINEBREAK:
		flush_prose(g);
		page_newline(g->page);
		break;
	case CMARK_NODE_CODE:
		inline_code(g, cmark_node_get_literal(n));
		break;
	case CMARK_NODE_EMPH:
	case CMARK_NODE_STRONG:
		prose_tone(g, TONE_STRONG);
		inlines(g, n);
		prose_tone(g, TONE_PLAIN);
		break;
	case CMARK_NODE_LINK:
		inlines(g, n);
		prose_raw(g, " <");
		prose_literal(g, cmark_node_get_url(n));
		prose_raw(g, ">");
		break;
	default:
		inlines(g, n);
	}
}

static void inlines(struct guide *g, cmark_node *parent)
{
	if (++g->depth <= MAX_DEPTH)
		for (cmark_node *n = cmark_node_first_child(parent); n; n = cmark_node_next(n))
			inline_node(g, n);
	g->depth--;
}

/* ---- blocks ---- */

static void blocks(struct guide *g, cmark_node *parent, bool tight);

static void paragraph(struct guide *g, cmark_node *n)
{
	inlines(g, n);
	flush_prose(g);
	page_newline(g->page);
}

static void heading(struct guide *g, cmark_node *n)
{
	if (g->page->style.color)
		prose_tone(g, TONE_STRONG);
	inlines(g, n);
	unsigned columns = visible_columns(buf_span(&g->prose));
	flush_prose(g);
	page_newline(g->page);
	if (g->page->style.color)
		return;
	if (columns > g->page->style.width)
		columns = g->page->style.width;
	for (unsigned i = 0; i < columns; i++)
		page_put(g->page, cmark_node_get_heading_level(n) == 1 ? "=" : "-");
	page_newline(g->page);
}

/* Never wrapped: it is there to be copied. */
static void code_block(struct guide *g, cmark_node *n)
{
	const char *literal = cmark_node_get_literal(n);
	struct span lines = fill(g, span_from(literal ? literal : "")), line;

	while (g->error == 0 && span_line(&lines, &line)) {
		page_indent(g->page, g->hang + (line.n ? 4 : 0));
		page_tone(g->page, TONE_CYAN);
		page_put_span(g->page, line);
		page_tone(g->page, TONE_PLAIN);
		page_newline(g->page);
	}
}

static void list(struct guide *g, cmark_node *n)
{
	int number = cmark_node_get_list_start(n);
	bool ordered = cmark_node_get_list_type(n) == CMARK_ORDERED_LIST;
	bool tight = cmark_node_get_list_tight(n);
	unsigned hang = g->hang;

	for (cmark_node *item = cmark_node_first_child(n); item; item = cmark_node_next(item)) {
		char mark[16] = "- ";

		if (ordered)
			snprintf(mark, sizeof mark, "%d. ", number++);
		page_indent(g->page, hang);
		page_put(g->page, "%s", mark);
		g->hang = hang + (unsigned)strlen(mark);
		blocks(g, item, tight);
		g->hang = hang;
		if (!tight && cmark_node_next(item))
			page_newline(g->page);
	}
}

static void block(struct guide *g, cmark_node *n)
{
	switch (cmark_node_get_type(n)) {
	case CMARK_NODE_PARAGRAPH:
		paragraph(g, n);
		break;
	case CMARK_NODE_HEADING:
		heading(g, n);
		break;
	case CMARK_NODE_CODE_BLOCK:
		code_block(g, n);
		break;
	case CMARK_NODE_LIST:
		list(g, n);
		break;
	case CMARK_NODE_BLOCK_QUOTE:
		g->hang += 2;
		blocks(g, n, false);
		g->hang -= 2;
		break;
	default:
		break;
	}
}

static void blocks(struct guide *g, cmark_node *parent, bool tight)
{
	cmark_node *n = ++g->depth <= MAX_DEPTH ? cmark_node_first_child(parent) : NULL;

	for (; n && g->error == 0; n = cmark_node_next(n)) {
		block(g, n);
		if (!tight && cmark_node_next(n))
			page_newline(g->page);
	}
	g->depth--;
}

int guide_render(struct page *p, struct span markdown, const struct facts *facts)
{
	struct guide g = { .page = p, .facts = facts };
	cmark_node *document = cmark_parse_document(markdown.p, markdown.n, CMARK_OPT_DEFAULT);

	if (!document)
		return -ENOMEM;
	/* {{swap_total}} is parsed as several texts, for "_" might begin emphasis. */
	cmark_consolidate_text_nodes(document);
	blocks(&g, document, false);
	cmark_node_free(document);
	buf_deinit(&g.prose);
	buf_deinit(&g.filled);
	if (g.error == 0)
		g.error = p->error;
	return g.error < 0 ? g.error : g.unknown;
}
