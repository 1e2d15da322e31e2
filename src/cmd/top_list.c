/* The list: columns that fit, rows, the header that sorts, the footer that tells the keys. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cmd/top.h"
#include "report/table.h"

#define COMMAND_MIN 16 /* columns that the last elastic one keeps */
#define COMMAND_LEAST 8 /* … before the columns go that no other screen leaves out */
#define TEXT_MAX 24    /* an elastic one that is not the last, on a screen that is wide */
#define TEXT_FEW 12    /* … that is not */
#define INDENT 2
#define INDENT_MAX 20  /* levels that are drawn; deeper ones stand as deep */
#define SCREEN_ROWS 512

struct grid_cell {
	struct span text; /* not yet safe */
	int columns;
	bool nothing; /* missing or zero: drawn dim */
};

/* Where each column stands on this screen. */
struct grid {
	const struct column *column[TOP_MAX_COLUMNS];
	int width[TOP_MAX_COLUMNS];
	size_t n;
	struct grid_cell cell[TOP_MAX_COLUMNS];
	size_t tree; /* the column that branches stand before */
};

const struct process_line *top_selected_line(struct top *t)
{
	size_t at = t->at - t->from;

	return t->at >= t->from && at < t->order.lines.n ? &t->order.lines.v[at] : NULL;
}

struct process_row *top_selected(struct top *t)
{
	const struct process_line *line = top_selected_line(t);

	return line && !line->is_group ? line->row : NULL;
}

static bool is_right(const struct column *c)
{
	return c->unit != UNIT_TEXT;
}

/* ---- cells ---- */

/* What a cgroup, or a folded branch, says as the sum of its members; the rest has no sum. */
static bool has_sum(const struct column *c)
{
	static const char *const summed[] = { "threads", "memory_pct", "rss_bytes", "virtual_bytes", "shared_bytes", "swap_bytes",
					      "fds" };

	for (size_t i = 0; i < sizeof summed / sizeof summed[0]; i++)
		if (strcmp(c->name, summed[i]) == 0)
			return true;
	return c->kind == RATE || c->kind == COUNTER;
}

static struct cell cell_of(struct top *t, const struct process_line *line, const struct column *c)
{
	const struct process_row *row = line->sum != MAP_NONE && has_sum(c) ? &t->order.sums.v[line->sum] : line->row;

	if (line->is_group && !has_sum(c))
		return cell_text("");
	return c->get(row);
}

/* Text of a cell; numbers are written into the scratch, which is not to grow meanwhile. */
static struct grid_cell lay_cell(struct top *t, const struct process_line *line, const struct column *c)
{
	struct cell cell = cell_of(t, line, c);
	size_t from = t->scratch.n;

	if (cell.kind == CELL_TEXT) {
		size_t most = 4 * (size_t)(t->screen.columns + t->skip);
		struct span text = { cell.text.p, cell.text.n < most ? cell.text.n : most };
		return (struct grid_cell){ text, c->elastic ? 0 : (int)text_columns(text, t->screen.unicode), false };
	}
	if (cell_format(c, &cell, UNITS_IEC, 0, &t->scratch) < 0)
		return (struct grid_cell){ { "", 0 }, 0, true };
	struct span text = { t->scratch.data + from, t->scratch.n - from };
	bool zero = cell.kind == CELL_MISSING || (text.n && strspn(text.p, "0.") >= text.n);
	return (struct grid_cell){ text, (int)text.n, zero };
}

static void make_room(struct top *t)
{
	buf_clear(&t->scratch);
	(void)!buf_reserve(&t->scratch, (size_t)TOP_MAX_COLUMNS * 64);
}

/* ---- widths ---- */

static int elastic_width(struct top *t, const struct column *c)
{
	int most = 0;

	vec_each(line, &t->order.lines) {
		struct cell cell = cell_of(t, line, c);
		int n = cell.kind == CELL_TEXT ? (int)cell.text.n : 1;
		most = n > most ? n : most;
	}
	int limit = t->screen.columns < 150 ? TEXT_FEW : TEXT_MAX;

	return most > limit ? limit : most;
}

/* The widest cell so far. */
static void widen(struct top *t, size_t last_elastic)
{
	for (size_t k = 0; k < t->columns.n; k++) {
		const struct column *c = t->columns.v[k];
		unsigned header = (unsigned)strlen(c->header) + (c == t->sort); /* the arrow */

		if (t->widths[k] < header)
			t->widths[k] = header;
		if (k == last_elastic)
			continue;
		vec_each(line, &t->order.lines) {
			make_room(t);
			unsigned width = c->elastic ? 0 : (unsigned)lay_cell(t, line, c).columns;
			if (t->widths[k] < width)
				t->widths[k] = width;
		}
		if (c->elastic && t->widths[k] < (unsigned)elastic_width(t, c))
			t->widths[k] = (unsigned)elastic_width(t, c);
	}
}

static size_t last_elastic_of(const struct top *t)
{
	size_t last = SIZE_MAX;

	for (size_t k = 0; k < t->columns.n; k++)
		if (t->columns.v[k]->elastic)
			last = k;
	return last;
}

/* Leaves out columns of the highest rank, of equals the last, until the rest fits with so much of the elastic one.
 * The first stays, and the one that sorts. */
static void drop_columns(struct top *t, bool *dropped, size_t last_elastic, unsigned least_rank, int elastic)
{
	for (;;) {
		int total = 1;
		size_t worst = SIZE_MAX;

		for (size_t k = 0; k < t->columns.n; k++) {
			const struct column *c = t->columns.v[k];
			if (dropped[k])
				continue;
			total += (k == last_elastic ? elastic : (int)t->widths[k]) + 1;
			if (c == t->sort || k == last_elastic || k == 0 || c->rank < least_rank)
				continue;
			if (worst == SIZE_MAX || c->rank >= t->columns.v[worst]->rank)
				worst = k;
		}
		if (total - 1 <= t->screen.columns || worst == SIZE_MAX)
			return;
		dropped[worst] = true;
	}
}

static void lay_out(struct top *t, struct grid *g)
{
	size_t last_elastic = last_elastic_of(t);
	bool dropped[TOP_MAX_COLUMNS] = { false };
	int used = 1;

	widen(t, last_elastic);
	drop_columns(t, dropped, last_elastic, 1, COMMAND_MIN);
	drop_columns(t, dropped, last_elastic, 0, COMMAND_LEAST);
	*g = (struct grid){ .tree = SIZE_MAX };
	for (size_t k = 0; k < t->columns.n; k++) {
		if (dropped[k])
			continue;
		g->column[g->n] = t->columns.v[k];
		g->width[g->n] = (int)t->widths[k];
		if (k == last_elastic)
			g->tree = g->n;
		else
			used += g->width[g->n] + 1;
		g->n++;
	}
	if (g->tree != SIZE_MAX)
		g->width[g->tree] = t->screen.columns > used ? t->screen.columns - used : 1;
}

/* ---- drawing ---- */

static void put_field(struct screen_line *l, struct span text, int columns, int width, bool right)
{
	int from = l->column;

	if (right)
		line_to(l, from + (width > columns ? width - columns : 0));
	line_put_span(l, text, width < from + width - l->column ? width : from + width - l->column, 0);
	line_to(l, from + width);
}

static void draw_header(struct top *t, const struct grid *g)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_BAR);
	line_put(l, " ");
	t->nheader = 0;
	for (size_t k = 0; k < g->n; k++) {
		const struct column *c = g->column[k];
		int from = l->column;
		bool sorts = c == t->sort;

		line_tone(l, sorts ? TONE_BAR | TONE_STRONG : TONE_BAR);
		char text[32];
		/* The arrow stands where there is room for it. */
		const char *arrow = !sorts ? "" : t->arrange.ascending ? (t->screen.unicode ? "\u25b2" : "^") :
								      (t->screen.unicode ? "\u25bc" : "v");
		int arrows = *arrow && (int)strlen(c->header) < g->width[k];
		snprintf(text, sizeof text, "%s%s", is_right(c) && arrows ? arrow : "", c->header);
		put_field(l, span_from(text), (int)strlen(c->header) + (is_right(c) ? arrows : 0), g->width[k], is_right(c));
		if (arrows && !is_right(c)) {
			/* Over the blanks behind the header. */
			l->text.n -= (size_t)(l->column - from) - strlen(c->header);
			l->column = from + (int)strlen(c->header);
			line_put(l, "%s", arrow);
			line_to(l, from + g->width[k]);
		}
		line_tone(l, TONE_BAR);
		t->header[t->nheader].from = from;
		t->header[t->nheader].to = l->column;
		t->header[t->nheader++].column = c;
		line_put(l, " ");
	}
	line_to(l, l->width);
	line_draw(l, &t->screen, t->header_row, 0);
}

static unsigned row_tone(const struct process_line *line)
{
	if (line->is_group)
		return TONE_STRONG;
	if (line->context || line->row->flags & TASK_IS_KERNEL_THREAD)
		return TONE_DIM;
	return TONE_PLAIN;
}

static unsigned cell_tone(const struct process_line *line, const struct column *c, const struct grid_cell *cell, unsigned tone)
{
	if (cell->nothing)
		return TONE_DIM;
	if (line->is_group || tone == TONE_DIM)
		return tone;
	if (strcmp(c->name, "state") == 0)
		switch (line->row->state) {
		case 'R': return TONE_GREEN;
		case 'D': return TONE_RED;
		case 'Z': case 'T': case 't': return TONE_YELLOW;
		default: return tone;
		}
	if (strcmp(c->name, "pid") == 0 || strcmp(c->name, "tid") == 0)
		return TONE_CYAN;
	return tone;
}

static void put_branches(struct top *t, struct screen_line *l, const struct process_line *line)
{
	bool u = t->screen.unicode;
	int depth = line->depth < INDENT_MAX ? line->depth : INDENT_MAX;

	if (t->arrange.layout == LAYOUT_LIST)
		return;
	line_tone(l, TONE_DIM);
	if (t->arrange.layout == LAYOUT_TREE)
		for (int d = 1; d < depth; d++)
			line_put_span(l, span_from(line->guides >> d & 1 ? (u ? "\u2502 " : "| ") : "  "), INDENT, 0);
	if (depth > 0)
		line_put_span(l, span_from(line->last ? (u ? "\u2514\u2500" : "`-") : (u ? "\u251c\u2500" : "|-")), INDENT, 0);
	if (line->folded)
		line_put(l, "+");
	else if (line->parent && line->is_group)
		line_put(l, "-");
}

static void put_command(struct top *t, struct screen_line *l, const struct process_line *line, struct span text, int width,
			unsigned tone)
{
	int from = l->column;

	put_branches(t, l, line);
	line_tone(l, tone);
	if (line->is_group) {
		const char *path = process_row_cgroup(line->row);
		line_put(l, "%u %s in ", line->members, t->threads ? "threads" : line->members == 1 ? "process" : "processes");
		line_put(l, "%s", path[0] ? path : "no cgroup");
	} else {
		line_put_span(l, text, from + width - l->column, t->skip);
		if (line->folded) {
			line_tone(l, TONE_YELLOW);
			line_put(l, "  and %u below it", line->members - 1);
		}
	}
	l->width = t->screen.columns;
}

static void draw_row(struct top *t, struct grid *g, const struct process_line *line, int row, bool selected)
{
	struct screen_line *l = &t->line;
	unsigned tone = row_tone(line), mark = selected ? TONE_SELECTED : 0;
	bool tagged = !line->is_group && process_marked(&t->tagged, process_identity(line->row));

	make_room(t);
	line_start(l, &t->screen, (tagged ? TONE_YELLOW : tone) | mark);
	line_put(l, tagged ? "*" : " ");
	for (size_t k = 0; k < g->n; k++) {
		const struct column *c = g->column[k];
		struct grid_cell cell = lay_cell(t, line, c);
		unsigned cell_color = tagged ? TONE_YELLOW : cell_tone(line, c, &cell, tone);

		line_tone(l, cell_color | mark);
		if (k == g->tree) {
			int width = l->width;
			l->width = l->column + g->width[k] < width ? l->column + g->width[k] : width;
			put_command(t, l, line, cell.text, g->width[k], cell_color | mark);
			l->width = width;
		} else {
			put_field(l, cell.text, cell.columns, g->width[k], is_right(c));
		}
		line_tone(l, tone | mark);
		if (k + 1 < g->n)
			line_put(l, " ");
	}
	line_tone(l, tone | mark);
	if (selected)
		line_to(l, l->width);
	line_draw(l, &t->screen, row, 0);
}

static void draw_empty(struct top *t, int row)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_DIM);
	if (t->order.total == 0 && row == t->list_row)
		line_put(l, "  no process fits%s%s%s%s%s%s: Esc shows all again", t->nwords ? " the search " : "",
			 t->nwords ? t->words_text : "", t->filter ? " the filter " : "", t->filter ? t->filter_text : "",
			 t->user[0] ? " the user " : "", t->user);
	line_draw(l, &t->screen, row, 0);
}

/* Command lines of those on the screen, in one go. */
static void ask_commands(struct top *t)
{
	struct process_row *rows[SCREEN_ROWS];
	size_t n = 0;

	vec_each(line, &t->order.lines)
		if (!line->is_group && !line->row->command_known && n < SCREEN_ROWS)
			rows[n++] = line->row;
	if (n)
		(void)!process_rows_commands(rows, n);
}

void top_draw_list(struct top *t)
{
	struct grid g;

	ask_commands(t);
	lay_out(t, &g);
	draw_header(t, &g);
	for (int i = 0; i < t->list_rows; i++) {
		size_t at = (size_t)i;
		if (at < t->order.lines.n)
			draw_row(t, &g, &t->order.lines.v[at], t->list_row + i, t->from + at == t->at);
		else
			draw_empty(t, t->list_row + i);
	}
}

/* ---- the footer ---- */

static void put_button(struct top *t, const char *key_text, int key, const char *name)
{
	struct screen_line *l = &t->line;
	int from = l->column;

	if (t->nfooter >= sizeof t->footer / sizeof t->footer[0] ||
	    from + (int)strlen(key_text) + (int)strlen(name) + 3 > l->width)
		return;
	line_tone(l, TONE_STRONG);
	line_put(l, "%s", key_text);
	line_tone(l, TONE_BAR);
	line_put(l, "%s", name);
	line_tone(l, TONE_PLAIN);
	line_put(l, " ");
	t->footer[t->nfooter].from = from;
	t->footer[t->nfooter].to = l->column - 1;
	t->footer[t->nfooter++].key = key;
}

static void put_buttons(struct top *t)
{
	static const char *const layouts[] = { "Tree", "List", "Tree" };

	put_button(t, "?", '?', "Help");
	put_button(t, "/", '/', "Search");
	put_button(t, "f", 'f', "Filter");
	put_button(t, "s", 's', "Sort");
	put_button(t, "t", 't', layouts[t->arrange.layout]);
	put_button(t, "H", 'H', t->threads ? "Processes" : "Threads");
	put_button(t, "c", 'c', t->arrange.layout == LAYOUT_CGROUPS ? "List" : "Cgroups");
	put_button(t, "Enter", KEY_RETURN, "Details");
	put_button(t, "n", 'n', "Nice");
	put_button(t, "K", 'K', "Signal");
	put_button(t, "p", 'p', "Pin");
	put_button(t, "q", 'q', "Quit");
}

/* What narrows the list, so that nobody takes it for the whole; and how many a key would act on, seen or not. */
static void put_narrowing(struct top *t)
{
	struct screen_line *l = &t->line;
	size_t total = process_table_rows(t->table)->n, ntagged = top_tagged(t);

	char tagged[32] = "", text[672];
	if (ntagged)
		snprintf(tagged, sizeof tagged, " %zu tagged ", ntagged);
	if (t->arrange.matches)
		snprintf(text, sizeof text, "%s %zu of %zu%s%s%s%s%s%s%s%s", tagged, t->order.matching, total,
			 t->user[0] ? "  user " : "", t->user, t->nwords ? "  search " : "", t->words_text,
			 t->filter ? "  filter " : "", t->filter_text, t->kernel_hidden ? "  no kernel threads" : "",
			 t->idle_hidden ? "  busy ones" : "");
	else if (ntagged)
		snprintf(text, sizeof text, "%s", tagged);
	else
		return;
	int columns = (int)utf8_columns(span_from(text)), most = l->width / 2;
	columns = columns < most ? columns : most;
	if (l->column > l->width - columns - 1)
		columns = l->width - l->column - 1;
	line_to(l, l->width - columns - 1);
	line_tone(l, TONE_YELLOW);
	line_put_span(l, span_from(text), columns, 0);
}

void top_draw_footer(struct top *t)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	t->nfooter = 0;
	if (t->message[0] && clock_mono_ns() < t->message_until_ns) {
		line_tone(l, t->message_bad ? TONE_RED : TONE_GREEN);
		line_put_span(l, span_from(t->message), l->width, 0);
	} else if (t->trouble.text[0]) {
		line_tone(l, TONE_RED);
		line_put_span(l, span_from(t->trouble.text), l->width, 0);
	} else {
		t->message[0] = '\0';
		put_buttons(t);
		put_narrowing(t);
	}
	line_draw(l, &t->screen, t->screen.rows - 1, 0);
}
