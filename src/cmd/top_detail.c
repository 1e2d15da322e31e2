/* One process: tabs of what `osprey pid` tells, read again while they are looked at. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cmd/top.h"
#include "report/process_detail.h"
#include "report/table.h"

/* Memory by kind walks page tables (milliseconds a GiB), other ends search all processes. */
#define DEAR_NS (5 * NS_PER_S)
#define CHEAP_NS NS_PER_S

static const struct tab {
	char key;
	const char *name;
	unsigned sections;
	bool dear, sockets;
} tabs[] = {
	{ '1', "Overview", PROCESS_IDENTITY | PROCESS_STATE | PROCESS_COUNTERS | PROCESS_CHILDREN, false, false },
	{ '2', "Threads", PROCESS_THREADS, false, false },
	{ '3', "Files", PROCESS_FDS | PROCESS_PEERS, true, false },
	{ '4', "Sockets", PROCESS_FDS | PROCESS_PEERS, true, true },
	{ '5', "Limits", PROCESS_LIMITS, false, false },
	{ '6', "Memory", PROCESS_MEMORY, true, false },
	{ '7', "Cgroup", PROCESS_CGROUPS | PROCESS_NAMESPACES | PROCESS_SECURITY, false, false },
	{ '8', "Scheduling", PROCESS_SCHEDULING | PROCESS_SIGNALS, false, false },
	{ '9', "Environment", PROCESS_ENVIRONMENT, true, false },
};
#define NTABS (sizeof tabs / sizeof tabs[0])

struct detail {
	struct process_identity self; /* of the process: tid is its pid */
	int pid;
	char comm[32];
	size_t tab;
	int from, total, rows;
	uint64_t read_ns; /* when the text was made; 0: it is to be made */
	int width;	  /* for which */
	bool ended;
	struct user_names *users;
	struct buf text; /* with the escape sequences of page.h */
	size_t text_tab; /* of which it tells */
	struct {
		int from, to;
	} places[NTABS]; /* of the tabs on the screen */
};

/* ---- the text ---- */

static void put_sockets(struct page *p, struct process_tables *tables, struct buf *trouble)
{
	struct table t = { .entity = &process_fd_entity };
	struct note note;
	int r = entity_columns(&process_fd_entity, span_from(process_fd_entity.shown), &t.columns, &note);

	vec_each(fd, &tables->fds) {
		const void **row = r == 0 && fd->socket ? vec_push(&t.rows) : NULL;
		if (row)
			*row = fd;
	}
	if (t.rows.n)
		table_text(p, &t);
	else
		(void)!buf_printf(trouble, "It has no socket open%s.\n", tables->fds.n ? "" : ", or none that may be seen");
	vec_free(&t.rows);
	vec_free(&t.columns);
}

static int make_text(struct top *t, struct detail *d, const struct process_detail *detail)
{
	struct process_tables tables = { 0 };
	struct page p = { .out = &d->text, .style = { .width = (unsigned)t->screen.columns, .color = true,
						      .unicode = t->screen.unicode } };
	int r = process_tables_make(detail, &tables);

	buf_clear(&d->text);
	if (r == 0 && tabs[d->tab].sockets) {
		put_sockets(&p, &tables, &d->text);
	} else if (r == 0) {
		struct process_report report = { detail, &tables, d->users, tabs[d->tab].sections, true };
		process_detail_text(&p, &report);
	}
	process_tables_deinit(&tables);
	return r < 0 ? r : p.error;
}

static bool is_same(const struct detail *d, const struct process_detail *detail)
{
	uint64_t a = detail->task.start_ns, b = d->self.start_ns;

	/* /proc tells starts in steps of 10 ms. */
	return (a > b ? a - b : b - a) < 20 * NS_PER_MS;
}

/* When it has ended the last text stays: somebody was reading it. */
static void read_again(struct top *t, struct detail *d)
{
	struct process_detail_options options = { .sections = tabs[d->tab].sections };
	struct process_detail detail = { 0 };
	struct note note = { "" };
	int r = process_detail_read(t->host, d->pid, &options, &detail, &note);

	d->read_ns = clock_mono_ns();
	d->width = t->screen.columns;
	if (r == 0 && !is_same(d, &detail))
		r = -ESRCH;
	d->ended = r == -ESRCH;
	if (r == 0)
		r = make_text(t, d, &detail);
	if (!d->ended)
		d->text_tab = d->tab;
	if (r < 0 && !d->ended) {
		buf_clear(&d->text);
		(void)!buf_printf(&d->text, "It cannot be read: %s\n", note.text[0] ? note.text : strerror(-r));
	}
	process_detail_deinit(&detail);
}

static void read_when_due(struct top *t, struct detail *d)
{
	uint64_t pace = tabs[d->tab].dear ? DEAR_NS : CHEAP_NS;

	/* A little before the next look of the list, so as not to miss every second one. */
	if (d->ended && d->read_ns && d->width == t->screen.columns)
		return;
	if (d->read_ns == 0 || d->width != t->screen.columns || clock_mono_ns() + pace / 8 >= d->read_ns + pace)
		read_again(t, d);
}

/* ---- drawing ---- */

/* The sequences that page.c writes for its tones. */
static unsigned tone_of(struct span sequence)
{
	static const struct {
		const char *code;
		unsigned tone;
	} known[] = { { "1", TONE_STRONG }, { "2", TONE_DIM }, { "31", TONE_RED }, { "33", TONE_YELLOW }, { "32", TONE_GREEN },
		      { "36", TONE_CYAN } };
	struct span part;

	/* The last of several counts. */
	if (span_until_last(&sequence, ';', &part))
		sequence = part;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_is(sequence, known[i].code))
			return known[i].tone;
	return TONE_PLAIN;
}

static void put_coloured(struct screen_line *l, struct span text, unsigned *tone)
{
	line_tone(l, *tone);
	while (text.n) {
		const char *escape = memchr(text.p, '\033', text.n);
		size_t n = escape ? (size_t)(escape - text.p) : text.n;
		line_put_span(l, (struct span){ text.p, n }, l->width - l->column, 0);
		text.p += n;
		text.n -= n;
		if (!escape)
			return;
		const char *end = memchr(text.p, 'm', text.n);
		if (!end)
			return;
		*tone = tone_of((struct span){ text.p + 2, end > text.p + 2 ? (size_t)(end - text.p - 2) : 0 });
		line_tone(l, *tone);
		text.n -= (size_t)(end + 1 - text.p);
		text.p = end + 1;
	}
}

static void draw_title(struct top *t, const struct detail *d)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_BAR | TONE_STRONG);
	line_put(l, " %d ", d->pid);
	line_put_span(l, span_from(d->comm), 16, 0);
	if (d->ended) {
		line_tone(l, TONE_BAR);
		line_put(l, "  has ended; this is how it was");
	}
	line_to(l, l->width);
	line_draw(l, &t->screen, 0, 0);
}

static void draw_tabs(struct top *t, struct detail *d)
{
	struct screen_line *l = &t->line;
	int columns = 0;

	for (size_t i = 0; i < NTABS; i++)
		columns += (int)strlen(tabs[i].name) + 4;
	bool narrow = t->screen.columns < columns;
	line_start(l, &t->screen, TONE_PLAIN);
	for (size_t i = 0; i < NTABS; i++) {
		int from = l->column;
		bool here = i == d->tab;
		line_tone(l, here ? TONE_STRONG | TONE_SELECTED : TONE_CYAN);
		line_put(l, narrow && !here ? " %c " : " %c %s ", tabs[i].key, tabs[i].name);
		d->places[i].from = from;
		d->places[i].to = l->column;
		line_tone(l, TONE_PLAIN);
	}
	line_draw(l, &t->screen, 1, 0);
}

/* What of a text stands on one row: a line that is too long goes on in the next. */
static bool take_row(struct span *rest, int columns, struct span *ret)
{
	struct span after = *rest, line;
	int used = 0;
	uint32_t c;

	if (!span_line(&after, &line))
		return false;
	*ret = line;
	for (size_t at = 0; line.n > (size_t)columns && at < line.n;) {
		struct span next = { line.p + at, line.n - at };
		const char *end = next.p[0] == '\033' ? memchr(next.p, 'm', next.n) : NULL;
		if (end) {
			at = (size_t)(end + 1 - line.p);
			continue;
		}
		utf8_next(&next, &c);
		used += (int)utf8_width(c);
		if (used > columns && at) {
			ret->n = at;
			*rest = (struct span){ line.p + at, rest->n - at };
			return true;
		}
		at = (size_t)(next.p - line.p);
	}
	*rest = after;
	return true;
}

static struct span text_of(const struct detail *d)
{
	return d->text_tab == d->tab ? buf_span(&d->text) : SPAN("It had ended before this was read.\n");
}

static void draw_text(struct top *t, struct detail *d)
{
	struct span rest = text_of(d), line;
	struct screen_line *l = &t->line;
	unsigned tone = TONE_PLAIN;
	int at = 0;

	d->rows = t->screen.rows - 4;
	d->total = 0;
	for (struct span all = rest; take_row(&all, t->screen.columns, &line);)
		d->total++;
	if (d->from > d->total - d->rows)
		d->from = d->total - d->rows;
	if (d->from < 0)
		d->from = 0;
	for (int row = 0; row <= d->rows; row++) {
		line_start(l, &t->screen, TONE_PLAIN);
		/* Lines that are scrolled out still set the tone. */
		while (at <= d->from + row && take_row(&rest, t->screen.columns, &line)) {
			line_start(l, &t->screen, tone);
			if (row > 0 || at == d->from)
				put_coloured(l, line, &tone);
			at++;
		}
		if (row < d->rows)
			line_draw(l, &t->screen, row + 3, 0);
	}
	line_start(l, &t->screen, TONE_PLAIN);
	line_draw(l, &t->screen, 2, 0);
}

static void draw_detail(struct top *t, void *arg)
{
	struct detail *d = arg;
	struct screen_line *l = &t->line;

	read_when_due(t, d);
	draw_title(t, d);
	draw_tabs(t, d);
	draw_text(t, d);
	line_start(l, &t->screen, TONE_DIM);
	line_put(l, "%d-%d of %d  Tab or 1-9: other tabs  arrows: scroll  r: read again  q, Esc: back", d->total ? d->from + 1 : 0,
		 d->from + d->rows < d->total ? d->from + d->rows : d->total, d->total);
	line_draw(l, &t->screen, t->screen.rows - 1, 0);
	screen_show(&t->screen, -1, 0);
}

/* ---- keys ---- */

static void go_to_tab(struct detail *d, size_t tab)
{
	d->tab = tab % NTABS;
	d->from = 0;
	if (!d->ended)
		d->read_ns = 0;
}

static void click_tab(struct detail *d, struct screen_event e)
{
	for (size_t i = 0; i < NTABS; i++)
		if (e.row == 1 && e.column >= d->places[i].from && e.column < d->places[i].to)
			go_to_tab(d, i);
}

/* False: it is over. */
static bool detail_key(struct detail *d, struct screen_event e)
{
	switch (e.key) {
	case 'q': case KEY_ESCAPE_CHARACTER: case KEY_CLOSED: return false;
	case '\t': case KEY_GO_RIGHT: go_to_tab(d, d->tab + 1); return true;
	case KEY_BACK_TAB: case KEY_GO_LEFT: go_to_tab(d, d->tab + NTABS - 1); return true;
	case KEY_GO_UP: case 'k': d->from--; return true;
	case KEY_GO_DOWN: case 'j': d->from++; return true;
	case KEY_WHEEL_UP: d->from -= 3; return true;
	case KEY_WHEEL_DOWN: d->from += 3; return true;
	case KEY_PAGE_UP: d->from -= d->rows; return true;
	case KEY_PAGE_DOWN: case ' ': d->from += d->rows; return true;
	case KEY_TO_START: d->from = 0; return true;
	case KEY_TO_END: d->from = d->total; return true;
	case KEY_CLICK: click_tab(d, e); return true;
	case 'r': d->read_ns = 0; return true;
	default:
		for (size_t i = 0; i < NTABS; i++)
			if (e.key == tabs[i].key)
				go_to_tab(d, i);
		return true;
	}
}

void top_detail(struct top *t)
{
	const struct process_row *row = top_selected(t);
	struct detail d = { 0 };

	if (!row)
		return;
	d.pid = row->pid;
	d.self = process_identity(row);
	snprintf(d.comm, sizeof d.comm, "%.16s", row->comm);
	/* A thread is shown as its process, whose start may be another. */
	if (row->tid != row->pid)
		vec_each(other, process_table_rows(t->table))
			if (other->tid == row->pid)
				d.self = process_identity(other);
	if (user_names_new(t->host, &d.users) < 0) {
		top_tell(t, true, "out of memory");
		return;
	}
	t->overlay = draw_detail;
	t->overlay_arg = &d;
	t->overlay_whole = true;
	bool open = true;
	while (open && !t->quit) {
		top_draw(t);
		open = detail_key(&d, top_wait(t));
	}
	t->overlay = NULL;
	t->overlay_whole = false;
	screen_forget(&t->screen);
	user_names_free(d.users);
	buf_deinit(&d.text);
}
