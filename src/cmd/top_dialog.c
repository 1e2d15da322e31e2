/* Questions that lie over the list, which goes on living behind them. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/top.h"

/* ---- boxes ---- */

static void draw_frame(struct top *t, int row, int column, int rows, int columns, const char *title)
{
	bool u = t->screen.unicode;
	struct screen_line *l = &t->line;

	for (int i = 0; i < rows; i++) {
		bool edge = i == 0 || i == rows - 1;
		line_start(l, &t->screen, TONE_CYAN);
		l->width = columns;
		line_put_span(l, span_from(edge ? (i ? (u ? "\u2514" : "+") : (u ? "\u250c" : "+")) : (u ? "\u2502" : "|")), 1, 0);
		if (i == 0 && title[0]) {
			line_put(l, " ");
			line_tone(l, TONE_STRONG);
			line_put_span(l, span_from(title), columns - 6, 0);
			line_tone(l, TONE_CYAN);
			line_put(l, " ");
		}
		line_repeat(l, edge ? (u ? "\u2500" : "-") : " ", columns - 1 - l->column);
		line_put_span(l, span_from(edge ? (i ? (u ? "\u2518" : "+") : (u ? "\u2510" : "+")) : (u ? "\u2502" : "|")), 1, 0);
		line_draw(l, &t->screen, row + i, column);
	}
}

void top_box(struct top *t, const char *title, int rows, int columns, int *ret_row, int *ret_column)
{
	rows = rows + 2 > t->screen.rows ? t->screen.rows : rows + 2;
	columns = columns + 4 > t->screen.columns ? t->screen.columns : columns + 4;
	int row = (t->screen.rows - rows) / 2, column = (t->screen.columns - columns) / 2;

	draw_frame(t, row, column, rows, columns, title);
	*ret_row = row + 1;
	*ret_column = column + 2;
}

static void put_in_box(struct top *t, int row, int column, int columns, struct span text, unsigned tone)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, tone);
	l->width = columns;
	line_put_span(l, text, columns, 0);
	line_to(l, columns);
	line_draw(l, &t->screen, row, column);
}

/* ---- a line of text ---- */

struct ask {
	const char *question, *hint;
	char *text;
};

static void draw_ask(struct top *t, void *arg)
{
	struct ask *a = arg;
	struct screen_line *l = &t->line;
	int row = t->screen.rows - 1;

	line_start(l, &t->screen, TONE_STRONG);
	line_put(l, "%s ", a->question);
	line_tone(l, TONE_PLAIN);
	int room = l->width - l->column - 1, columns = (int)text_columns(span_from(a->text), t->screen.unicode);
	line_put_span(l, span_from(a->text), room, columns > room ? columns - room : 0);
	int cursor = l->column;
	line_tone(l, TONE_DIM);
	if (l->column + (int)strlen(a->hint) + 4 < l->width)
		line_put(l, "    %s", a->hint);
	line_draw(l, &t->screen, row, 0);
	screen_show(&t->screen, row, cursor);
}

static void erase_last(char *text)
{
	size_t n = strlen(text);

	while (n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	if (n)
		text[n - 1] = '\0';
}

static bool edit(char *text, size_t size, int key)
{
	size_t n = strlen(text);

	if (key == KEY_ERASE)
		erase_last(text);
	else if (key == ('u' & 31))
		text[0] = '\0';
	else if (key >= 0x20 && key < 0x100 && key != 0x7f && n + 1 < size)
		text[n] = (char)key, text[n + 1] = '\0';
	else
		return false;
	return true;
}

static void overlay(struct top *t, void (*draw)(struct top *, void *), void *arg)
{
	t->overlay = draw;
	t->overlay_arg = arg;
	top_draw(t);
}

bool top_ask(struct top *t, const char *question, const char *hint, char *text, size_t size,
	     void (*changed)(struct top *t, const char *text))
{
	struct ask a = { question, hint, text };
	bool given = false;

	for (;;) {
		overlay(t, draw_ask, &a);
		int key = top_wait(t).key;
		if (key == KEY_RETURN)
			given = true;
		if (given || t->quit || key == KEY_ESCAPE_CHARACTER)
			break;
		if (edit(text, size, key) && changed)
			changed(t, text);
	}
	t->overlay = NULL;
	screen_forget(&t->screen);
	return given && !t->quit;
}

/* ---- yes or no ---- */

struct confirm {
	const char *title;
	const struct buf *lines;
};

static void draw_confirm(struct top *t, void *arg)
{
	struct confirm *c = arg;
	struct span text = buf_span(c->lines), line;
	int rows = 2, columns = 34, row, column;

	for (struct span rest = text; span_line(&rest, &line); rows++) {
		int n = (int)text_columns(line, t->screen.unicode);
		columns = n > columns ? n : columns;
	}
	if (columns > t->screen.columns - 4)
		columns = t->screen.columns - 4;
	top_box(t, c->title, rows, columns, &row, &column);
	/* On a low screen what does not fit is left out; the question itself stays. */
	int last = row + (rows + 2 > t->screen.rows ? t->screen.rows - 2 : rows) - 1;
	while (row < last && span_line(&text, &line))
		put_in_box(t, row++, column, columns, line, TONE_PLAIN);
	put_in_box(t, last, column, columns, SPAN("y  do it     any other key  leave it"), TONE_STRONG);
	screen_show(&t->screen, -1, 0);
}

bool top_confirm(struct top *t, const char *title, const struct buf *lines)
{
	struct confirm c = { title, lines };
	int key;

	do {
		overlay(t, draw_confirm, &c);
		key = top_wait(t).key;
	} while (!t->quit && key >= KEY_BASE && key != KEY_CLICK); /* arrows, the wheel: not an answer */
	t->overlay = NULL;
	screen_forget(&t->screen);
	return key == 'y' || key == 'Y';
}

/* ---- one of several ---- */

struct menu {
	const char *title;
	const struct top_choice *choices;
	size_t n, at, from;
	int row, column, rows, columns; /* inside, as drawn last */
};

static void draw_menu(struct top *t, void *arg)
{
	struct menu *m = arg;
	int name = 0, help = 0;

	for (size_t i = 0; i < m->n; i++) {
		int a = (int)strlen(m->choices[i].name), b = (int)text_columns(span_from(m->choices[i].help), t->screen.unicode);
		name = a > name ? a : name;
		help = b > help ? b : help;
	}
	m->columns = name + 2 + help;
	if (m->columns > t->screen.columns - 4)
		m->columns = t->screen.columns - 4;
	m->rows = (int)m->n > t->screen.rows - 4 ? t->screen.rows - 4 : (int)m->n;
	m->rows = m->rows < 1 ? 1 : m->rows;
	if (m->at < m->from)
		m->from = m->at;
	if (m->at >= m->from + (size_t)m->rows)
		m->from = m->at - (size_t)m->rows + 1;
	top_box(t, m->title, m->rows, m->columns, &m->row, &m->column);
	for (int i = 0; i < m->rows && m->from + (size_t)i < m->n; i++) {
		const struct top_choice *c = &m->choices[m->from + (size_t)i];
		char text[256];
		snprintf(text, sizeof text, "%-*s  %s", name, c->name, c->help);
		put_in_box(t, m->row + i, m->column, m->columns, span_from(text),
			   m->from + (size_t)i == m->at ? TONE_PLAIN | TONE_SELECTED : TONE_PLAIN);
	}
	screen_show(&t->screen, -1, 0);
}

static size_t next_beginning_with(const struct menu *m, int letter)
{
	for (size_t i = 1; i <= m->n; i++) {
		size_t at = (m->at + i) % m->n;
		if ((m->choices[at].name[0] | 32) == (letter | 32))
			return at;
	}
	return m->at;
}

/* True when the menu is over: *ret is the choice, or -1. */
static bool menu_key(struct menu *m, struct screen_event e, int *ret)
{
	size_t page = m->rows > 1 ? (size_t)m->rows - 1 : 1;

	*ret = -1;
	switch (e.key) {
	case KEY_GO_UP: case KEY_WHEEL_UP: m->at -= m->at > 0; return false;
	case KEY_GO_DOWN: case KEY_WHEEL_DOWN: m->at += m->at + 1 < m->n; return false;
	case KEY_PAGE_UP: m->at -= m->at > page ? page : m->at; return false;
	case KEY_PAGE_DOWN: m->at = m->at + page < m->n ? m->at + page : m->n - 1; return false;
	case KEY_TO_START: m->at = 0; return false;
	case KEY_TO_END: m->at = m->n - 1; return false;
	case KEY_RETURN: *ret = (int)m->at; return true;
	case KEY_ESCAPE_CHARACTER: return true;
	case KEY_CLICK: case KEY_DOUBLE_CLICK:
		if (e.row < m->row || e.row >= m->row + m->rows || e.column < m->column || e.column >= m->column + m->columns)
			return true;
		m->at = m->from + (size_t)(e.row - m->row);
		*ret = (int)m->at;
		return true;
	default:
		if (e.key > ' ' && e.key < 0x7f)
			m->at = next_beginning_with(m, e.key);
		return false;
	}
}

int top_choose(struct top *t, const char *title, const struct top_choice *choices, size_t n, size_t at)
{
	struct menu m = { .title = title, .choices = choices, .n = n, .at = at < n ? at : 0 };
	int choice = -1;

	if (n == 0)
		return -1;
	do
		overlay(t, draw_menu, &m);
	while (!menu_key(&m, top_wait(t), &choice) && !t->quit);
	t->overlay = NULL;
	screen_forget(&t->screen);
	return t->quit ? -1 : choice;
}

/* ---- a text ---- */

struct pager {
	const char *title;
	const struct buf *text;
	int from, total, rows, skip;
};

static void draw_pager(struct top *t, void *arg)
{
	struct pager *p = arg;
	struct span text = buf_span(p->text), line;
	struct screen_line *l = &t->line;
	int at = 0;

	p->rows = t->screen.rows - 2;
	p->total = 0;
	for (struct span rest = text; span_line(&rest, &line);)
		p->total++;
	if (p->from > p->total - p->rows)
		p->from = p->total - p->rows;
	if (p->from < 0)
		p->from = 0;
	line_start(l, &t->screen, TONE_BAR | TONE_STRONG);
	line_put(l, " ");
	line_put_span(l, span_from(p->title), l->width - 2, 0);
	line_to(l, l->width);
	line_draw(l, &t->screen, 0, 0);
	for (int row = 1; row <= p->rows; row++) {
		struct span shown = { "", 0 };
		while (at <= p->from + row - 1 && span_line(&text, &line)) {
			shown = line;
			at++;
		}
		if (at < p->from + row)
			shown = (struct span){ "", 0 };
		/* Headings stand at the left edge. */
		line_start(l, &t->screen, shown.n && shown.p[0] != ' ' ? TONE_STRONG : TONE_PLAIN);
		line_put_span(l, shown, l->width, p->skip);
		line_draw(l, &t->screen, row, 0);
	}
	line_start(l, &t->screen, TONE_DIM);
	line_put(l, "lines %d to %d of %d   arrows, PgUp, PgDn   q or Esc: back", p->total ? p->from + 1 : 0,
		 p->from + p->rows < p->total ? p->from + p->rows : p->total, p->total);
	line_draw(l, &t->screen, t->screen.rows - 1, 0);
	screen_show(&t->screen, -1, 0);
}

void top_page(struct top *t, const char *title, const struct buf *text)
{
	struct pager p = { .title = title, .text = text };

	t->overlay_whole = true;
	for (bool over = false; !over && !t->quit;) {
		overlay(t, draw_pager, &p);
		switch (top_wait(t).key) {
		case KEY_GO_UP: case KEY_WHEEL_UP: case 'k': p.from--; break;
		case KEY_GO_DOWN: case KEY_WHEEL_DOWN: case 'j': p.from++; break;
		case KEY_PAGE_UP: p.from -= p.rows; break;
		case KEY_PAGE_DOWN: case ' ': p.from += p.rows; break;
		case KEY_GO_LEFT: p.skip = p.skip > 8 ? p.skip - 8 : 0; break;
		case KEY_GO_RIGHT: p.skip += 8; break;
		case KEY_TO_START: p.from = 0; break;
		case KEY_TO_END: p.from = p.total; break;
		case 'q': case KEY_ESCAPE_CHARACTER: case '?': case KEY_RETURN: case KEY_FUNCTION + 1: over = true; break;
		default: break;
		}
	}
	t->overlay = NULL;
	t->overlay_whole = false;
	screen_forget(&t->screen);
}
