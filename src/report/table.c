#include "report/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* A table being laid out: every shown cell as safe text, row by row. */
struct layout {
	struct table *t;
	struct page *page;
	struct buf text;
	/* Of ten thousand rows these are most of what is held: kept small. */
	struct laid_cell {
		uint32_t n;
		uint32_t columns; /* on the screen */
	} *cell;
	size_t *from; /* of each row in `text`; its cells stand one behind the other */
	unsigned *width;
	bool *dropped;
	size_t ncolumns;
	size_t prefixed; /* the column that branches stand before */
};

/* Numbers stand right, so that their digits stand under each other. */
static bool right_aligned(const struct column *c)
{
	return c->unit != UNIT_TEXT;
}

/* What stands beyond the page's edge is not worth its escapes: arguments may be 100 kB. */
static struct span cut_raw(const struct layout *l, struct span raw)
{
	size_t most = (size_t)l->page->style.width * 4;

	return (struct span){ raw.p, raw.n > most ? most : raw.n };
}

static int lay_cell(struct layout *l, size_t k, const void *row, struct laid_cell *ret)
{
	const struct column *c = l->t->columns.v[k];
	struct cell cell = c->get(row);
	size_t from = l->text.n;
	int r = 0;

	if (k == l->prefixed && l->t->prefix) {
		struct span prefix = span_from(l->t->prefix(row));
		r = text_safe(prefix, l->page->style.unicode, &l->text);
	}
	if (r == 0 && cell.kind == CELL_TEXT)
		r = text_safe(cut_raw(l, cell.text), l->page->style.unicode, &l->text);
	else if (r == 0)
		r = cell_format(c, &cell, l->t->units, l->t->now_ns, &l->text);
	if (r < 0)
		return r;
	if (l->text.n - from > UINT32_MAX)
		return -EOVERFLOW;
	ret->n = (uint32_t)(l->text.n - from);
	ret->columns = utf8_columns((struct span){ l->text.data + from, ret->n });
	return 0;
}

static int lay_cells(struct layout *l)
{
	const struct table *t = l->t;
	int r = 0;

	for (size_t k = 0; k < l->ncolumns; k++) {
		l->width[k] = t->no_header ? 1 : (unsigned)strlen(t->columns.v[k]->header);
		if (t->kept_widths && t->kept_widths[k] > l->width[k])
			l->width[k] = t->kept_widths[k];
		if (t->columns.v[k]->elastic)
			l->prefixed = k;
	}
	for (size_t i = 0; i < t->rows.n; i++) {
		l->from[i] = l->text.n;
		for (size_t k = 0; r == 0 && k < l->ncolumns; k++) {
			struct laid_cell *c = &l->cell[i * l->ncolumns + k];

			r = lay_cell(l, k, t->rows.v[i], c);
			if (r == 0 && c->columns > l->width[k])
				l->width[k] = c->columns;
		}
	}
	for (size_t k = 0; t->kept_widths && k < l->ncolumns; k++)
		t->kept_widths[k] = l->width[k];
	return r;
}

struct table_lack table_lack(const struct table *t, const struct column *c)
{
	size_t absent = 0;
	reading why = 0;

	for (size_t i = 0; i < t->rows.n; i++) {
		struct cell cell = c->get(t->rows.v[i]);

		if (cell.kind != CELL_MISSING)
			continue;
		if (cell.missing == READING_ABSENT)
			absent++;
		else if (why == 0 || cell.missing == READING_DENIED)
			why = cell.missing;
	}
	return (struct table_lack){
		.reason = why ? reading_reason(why) : NULL,
		.some_absent = absent > 0,
		.all_absent = absent > 0 && absent == t->rows.n,
	};
}

static bool is_named(const struct layout *l, size_t k)
{
	vec_each(c, &l->t->named)
		if (*c == l->t->columns.v[k])
			return true;
	return false;
}

static void drop_absent(struct layout *l)
{
	for (size_t k = 0; k < l->ncolumns; k++)
		l->dropped[k] = !is_named(l, k) && table_lack(l->t, l->t->columns.v[k]).all_absent;
}

#define ELASTIC_MIN 12

/* What an elastic column keeps while others are dropped: the last, which says most, two fifths of the page. */
static unsigned elastic_least(const struct layout *l, size_t k)
{
	unsigned share = l->page->style.width / 5 * 2;
	unsigned least = k == l->prefixed && !is_named(l, k) && share > ELASTIC_MIN ? share : ELASTIC_MIN;

	return l->width[k] < least ? l->width[k] : least;
}

static unsigned least_width(const struct layout *l, size_t k)
{
	return l->t->columns.v[k]->elastic ? elastic_least(l, k) : l->width[k];
}

static unsigned least_total(const struct layout *l)
{
	unsigned total = 0;

	for (size_t k = 0; k < l->ncolumns; k++)
		if (!l->dropped[k])
			total += least_width(l, k) + 1;
	return total ? total - 1 : 0;
}

/* The highest rank goes first, of equals the last. */
static bool drop_one(struct layout *l)
{
	size_t worst = SIZE_MAX;

	for (size_t k = 0; k < l->ncolumns; k++) {
		unsigned rank = l->t->columns.v[k]->rank;

		if (!l->dropped[k] && !is_named(l, k) && rank > 0 && (worst == SIZE_MAX || rank >= l->t->columns.v[worst]->rank))
			worst = k;
	}
	if (worst == SIZE_MAX)
		return false;
	l->dropped[worst] = true;
	return true;
}

static void fit(struct layout *l)
{
	unsigned edge = l->page->style.width, total = 0;
	size_t elastic = 0;

	while (least_total(l) > edge && drop_one(l))
		;
	for (size_t k = 0; k < l->ncolumns; k++)
		if (!l->dropped[k]) {
			total += l->width[k] + 1;
			elastic += l->t->columns.v[k]->elastic;
		}
	/* What is too much is taken from the elastic ones, from the widest first. */
	for (unsigned over = total > edge + 1 ? total - 1 - edge : 0; over && elastic;) {
		size_t widest = SIZE_MAX;

		for (size_t k = 0; k < l->ncolumns; k++)
			if (!l->dropped[k] && l->t->columns.v[k]->elastic && l->width[k] > ELASTIC_MIN &&
			    (widest == SIZE_MAX || l->width[k] > l->width[widest]))
				widest = k;
		if (widest == SIZE_MAX)
			break;
		unsigned next = ELASTIC_MIN, can;
		for (size_t k = 0; k < l->ncolumns; k++)
			if (k != widest && !l->dropped[k] && l->t->columns.v[k]->elastic && l->width[k] > next &&
			    l->width[k] <= l->width[widest])
				next = l->width[k];
		can = l->width[widest] > next ? l->width[widest] - next : 1;
		l->width[widest] -= can < over ? can : over;
		over -= can < over ? can : over;
	}
}

/* The part of a safe text that takes at most so many columns. */
static struct span cut(struct span text, unsigned columns, unsigned *ret_columns)
{
	struct span rest = text;
	uint32_t c;

	*ret_columns = 0;
	for (const char *from = rest.p; utf8_next(&rest, &c); from = rest.p) {
		unsigned width = utf8_width(c);

		if (*ret_columns + width > columns)
			return (struct span){ text.p, (size_t)(from - text.p) };
		*ret_columns += width;
	}
	return text;
}

static void put_cell(struct layout *l, size_t k, const struct laid_cell *c, const char *start, bool last,
		     unsigned from)
{
	struct page *p = l->page;
	struct span text = { start, c->n };
	unsigned width = l->width[k];

	if (c->columns > width) {
		unsigned sign = p->style.unicode ? 1 : 3; /* "…" or "..." */
		unsigned columns;
		struct span part = cut(text, width > sign ? width - sign : 0, &columns);

		page_put_safe(p, part, columns);
		page_put_span(p, SPAN("…"));
	} else {
		if (right_aligned(l->t->columns.v[k]))
			page_indent(p, from + width - c->columns);
		page_put_safe(p, text, c->columns);
	}
	if (!last)
		page_indent(p, from + width);
}

static size_t last_shown(const struct layout *l)
{
	size_t last = 0;

	for (size_t k = 0; k < l->ncolumns; k++)
		if (!l->dropped[k])
			last = k;
	return last;
}

static void put_line(struct layout *l, const struct laid_cell *cells, size_t from)
{
	const char *next = l->text.data + from;
	size_t last = last_shown(l);
	bool first = true;

	for (size_t k = 0; k < l->ncolumns; k++) {
		const char *start = next;

		next += cells[k].n;
		if (l->dropped[k])
			continue;
		if (!first)
			page_indent(l->page, l->page->column + 1);
		first = false;
		put_cell(l, k, &cells[k], start, k == last, l->page->column);
	}
	page_newline(l->page);
}

static int put_missing(struct layout *l)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	int r = 0;

	for (size_t k = 0; r == 0 && k < l->ncolumns; k++) {
		if (l->dropped[k])
			continue;
		const struct column *c = l->t->columns.v[k];
		struct table_lack lack = table_lack(l->t, c);
		const char *reason = lack.reason ? lack.reason : lack.all_absent ? TABLE_NONE : NULL;

		if (reason)
			r = buf_printf(&text, "%s%s (%s)", text.n ? ", " : "- not measurable: ", c->name, reason);
	}
	if (r < 0 || text.n == 0)
		return r;
	page_tone(l->page, TONE_DIM);
	page_wrap_span(l->page, 2, buf_span(&text));
	page_tone(l->page, TONE_PLAIN);
	page_newline(l->page);
	return 0;
}

static int put_header(struct layout *l)
{
	struct laid_cell *cells = calloc(l->ncolumns, sizeof *cells);
	size_t from = l->text.n;
	int r = cells ? 0 : -ENOMEM;

	for (size_t k = 0; r == 0 && k < l->ncolumns; k++) {
		struct span name = span_from(l->t->columns.v[k]->header);

		cells[k] = (struct laid_cell){ (uint32_t)name.n, (uint32_t)name.n };
		r = buf_append(&l->text, name.p, name.n);
	}
	if (r == 0) {
		page_tone(l->page, TONE_STRONG);
		put_line(l, cells, from);
		page_tone(l->page, TONE_PLAIN);
	}
	free(cells);
	return r;
}

void table_text(struct page *p, struct table *t)
{
	struct layout l = { .t = t, .page = p, .ncolumns = t->columns.n };
	size_t cells = t->rows.n * l.ncolumns;
	int r = -ENOMEM;

	l.cell = malloc((cells ? cells : 1) * sizeof *l.cell);
	l.from = malloc((t->rows.n ? t->rows.n : 1) * sizeof *l.from);
	l.width = calloc(l.ncolumns + 1, sizeof *l.width);
	l.dropped = calloc(l.ncolumns + 1, sizeof *l.dropped);
	if (l.cell && l.from && l.width && l.dropped)
		r = lay_cells(&l);
	if (r == 0) {
		drop_absent(&l);
		fit(&l);
		r = t->no_header ? 0 : put_header(&l);
	}
	for (size_t i = 0; r == 0 && i < t->rows.n; i++) {
		if (t->tone)
			page_tone(p, t->tone(t->rows.v[i]));
		put_line(&l, &l.cell[i * l.ncolumns], l.from[i]);
		page_tone(p, TONE_PLAIN);
	}
	if (r == 0)
		r = put_missing(&l);
	if (r < 0 && p->error == 0)
		p->error = r;
	free(l.cell);
	free(l.from);
	free(l.width);
	free(l.dropped);
	buf_deinit(&l.text);
}
