/* What keys and the mouse do on the list. top_help.c tells the reader. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "cmd/top.h"

/* ---- moving ---- */

static void hold(struct top *t)
{
	const struct process_line *line = top_selected_line(t);

	if (!line)
		return;
	t->held = true;
	t->self = process_line_identity(line);
}

void top_move_to(struct top *t, size_t line)
{
	if (t->order.total == 0)
		return;
	t->held = false;
	t->at = line < t->order.total ? line : t->order.total - 1;
	top_arrange(t);
	hold(t);
}

static void move_by(struct top *t, long by)
{
	long to = (long)t->at + by;

	top_move_to(t, to > 0 ? (size_t)to : 0);
}

/* At the top the cursor belongs to whoever is first. */
static void move_home(struct top *t)
{
	t->held = false;
	t->at = t->from = 0;
	top_arrange(t);
}

static void scroll(struct top *t, long by)
{
	long rows = t->list_rows, last = (long)t->order.total - rows, from = (long)t->from + by;

	t->from = (size_t)(from > last ? (last > 0 ? last : 0) : from > 0 ? from : 0);
	if (t->at < t->from || t->at >= t->from + (size_t)rows)
		t->at = t->at < t->from ? t->from : t->from + (size_t)rows - 1;
	top_move_to(t, t->at);
}

/* ---- how it is shown ---- */

void top_sort_by(struct top *t, const struct column *c)
{
	if (t->sort == c)
		t->arrange.ascending = !t->arrange.ascending;
	else
		t->arrange.ascending = c->unit == UNIT_TEXT || c->kind == LABEL;
	t->sort = c;
}

static void sort_by_name(struct top *t, const char *name)
{
	const struct column *c = entity_column(&entity_process, span_from(name));

	if (c && t->sort != c)
		top_sort_by(t, c);
	top_arrange(t);
}

static void sort_next(struct top *t, int step)
{
	size_t at = 0;

	for (size_t i = 0; i < t->nheader; i++)
		if (t->header[i].column == t->sort)
			at = i;
	if (t->nheader)
		top_sort_by(t, t->header[(at + t->nheader + (size_t)step) % t->nheader].column);
	top_arrange(t);
}

static void sort_menu(struct top *t)
{
	struct top_choice choices[128];
	size_t n = 0, at = 0;

	for (size_t i = 0; i < entity_process.ncolumns && n < 128; i++) {
		const struct column *c = &entity_process.columns[i];
		if (c == t->sort)
			at = n;
		choices[n++] = (struct top_choice){ c->name, c->help };
	}
	int chosen = top_choose(t, "Order by", choices, n, at);
	if (chosen < 0)
		return;
	const struct column *c = &entity_process.columns[chosen];
	if (c->costly) {
		top_tell(t, true, "%s is asked of every process, which takes seconds: add the column by --columns, it is asked for the rows shown",
			 c->name);
		return;
	}
	top_sort_by(t, c);
	top_arrange(t);
}

static void set_layout(struct top *t, enum process_layout layout)
{
	t->arrange.layout = t->arrange.layout == layout ? LAYOUT_LIST : layout;
	top_arrange(t);
}

static void toggle_threads(struct top *t)
{
	struct note note = { "" };
	static const char *const names[] = { "tid" };
	const struct column *tid = entity_column(&entity_process, span_from(names[0]));

	t->threads = !t->threads;
	if (top_new_table(t, &note) < 0) {
		t->threads = !t->threads;
		top_tell(t, true, "%s", note.text);
		return;
	}
	for (size_t i = 0; i < t->columns.n; i++) {
		bool is_pid = strcmp(t->columns.v[i]->name, t->threads ? "pid" : "tid") == 0;
		if (is_pid && tid)
			t->columns.v[i] = t->threads ? tid : entity_column(&entity_process, SPAN("pid"));
	}
	memset(t->widths, 0, sizeof t->widths);
	top_look(t);
	t->due_ns = clock_mono_ns() + NS_PER_S / 2;
}

/* ---- what is shown ---- */

int top_set_filter(struct top *t, const char *text, struct note *note)
{
	struct filter *f = NULL;

	if (text[0]) {
		int r = filter_parse(&entity_process, span_from(text), &f, note);
		if (r < 0)
			return r;
	}
	filter_free(t->filter);
	t->filter = f;
	snprintf(t->filter_text, sizeof t->filter_text, "%s", text);
	return 0;
}

void top_set_words(struct top *t, const char *text)
{
	snprintf(t->words_text, sizeof t->words_text, "%s", text);
	snprintf(t->words_store, sizeof t->words_store, "%s", text);
	t->nwords = 0;
	char *rest = NULL;
	for (char *word = strtok_r(t->words_store, " ", &rest); word && t->nwords < TOP_WORDS; word = strtok_r(NULL, " ", &rest))
		t->words[t->nwords++] = word;
}

static void words_changed(struct top *t, const char *text)
{
	top_set_words(t, text);
	t->at = t->from = 0;
	t->held = false;
	top_arrange(t);
}

static void search(struct top *t)
{
	char text[sizeof t->words_text], before[sizeof t->words_text];

	snprintf(before, sizeof before, "%s", t->words_text);
	snprintf(text, sizeof text, "%s", t->words_text);
	if (!top_ask(t, "Search:", "words or pids, all must fit; Enter keeps, Esc leaves", text, sizeof text, words_changed))
		words_changed(t, before);
}

static void ask_filter(struct top *t)
{
	char text[sizeof t->filter_text];
	struct note note = { "" };

	snprintf(text, sizeof text, "%s", t->filter_text);
	while (top_ask(t, "Filter:", "cpu_pct > 5 && user == root; rss_bytes > 1G; empty: none", text, sizeof text, NULL)) {
		if (top_set_filter(t, text, &note) == 0) {
			top_arrange(t);
			t->message[0] = '\0';
			return;
		}
		/* The reason is seen above the question, which stays as it was typed. */
		struct buf why = { 0 };
		if (buf_printf(&why, "%s\n", note.text) == 0)
			top_page(t, "The filter cannot be read", &why);
		buf_deinit(&why);
	}
}

static void ask_user(struct top *t)
{
	char text[sizeof t->user];

	snprintf(text, sizeof text, "%s", t->user);
	if (top_ask(t, "Only user:", "a name; empty: all", text, sizeof text, NULL)) {
		snprintf(t->user, sizeof t->user, "%s", text);
		top_arrange(t);
	}
}

static void ask_interval(struct top *t)
{
	char text[32] = "";
	uint64_t ns;

	if (!top_ask(t, "Look every:", "1s, 500ms, 2m", text, sizeof text, NULL) || !text[0])
		return;
	char with_unit[40];
	/* As top takes it: a bare number is seconds. */
	snprintf(with_unit, sizeof with_unit, "%s%s", text, strspn(text, "0123456789.") == strlen(text) ? "s" : "");
	if (duration_parse(span_from(with_unit), &ns) < 0 || ns < 100 * NS_PER_MS || ns > 3600 * NS_PER_S) {
		top_tell(t, true, "'%s' is no time between 100ms and 1h: write 1s, 500ms, 2m", text);
		return;
	}
	t->interval_ns = ns;
	t->due_ns = clock_mono_ns();
	top_tell(t, false, "looks every %s", duration_text((double)ns / 1e9).text);
}

/* ---- marks ---- */

static void tag(struct top *t)
{
	struct process_row *row = top_selected(t);

	if (row && process_mark(&t->tagged, process_identity(row), !process_marked(&t->tagged, process_identity(row))) == 0)
		move_by(t, 1);
}

static void fold(struct top *t)
{
	const struct process_line *line = top_selected_line(t);

	if (!line || t->arrange.layout == LAYOUT_LIST)
		return;
	struct process_identity id = process_line_identity(line);
	if (line->parent && process_mark(&t->folded, id, !process_marked(&t->folded, id)) < 0)
		top_tell(t, true, "out of memory");
	hold(t);
	top_arrange(t);
}

/* Everything that narrows, tags, folds. */
static void show_all(struct top *t)
{
	struct note note;

	(void)!top_set_filter(t, "", &note);
	top_set_words(t, "");
	t->user[0] = '\0';
	t->kernel_hidden = t->idle_hidden = false;
	t->message[0] = '\0';
	process_marks_clear(&t->tagged);
	t->skip = 0;
	top_arrange(t);
}

/* ---- the mouse ---- */

static void click(struct top *t, struct screen_event e)
{
	if (e.row == t->header_row) {
		for (size_t i = 0; i < t->nheader; i++)
			if (e.column >= t->header[i].from && e.column <= t->header[i].to) {
				top_sort_by(t, t->header[i].column);
				top_arrange(t);
				return;
			}
	}
	if (e.row == t->screen.rows - 1) {
		for (size_t i = 0; i < t->nfooter; i++)
			if (e.column >= t->footer[i].from && e.column < t->footer[i].to) {
				top_key(t, (struct screen_event){ t->footer[i].key, 0, 0 });
				return;
			}
	}
	if (e.row < t->list_row || e.row >= t->list_row + t->list_rows)
		return;
	size_t line = t->from + (size_t)(e.row - t->list_row);
	bool again = line == t->at && t->held;
	if (line >= t->order.total)
		return;
	top_move_to(t, line);
	if (again || e.key == KEY_DOUBLE_CLICK)
		top_key(t, (struct screen_event){ KEY_RETURN, 0, 0 });
}

/* ---- all ---- */

static void enter(struct top *t)
{
	const struct process_line *line = top_selected_line(t);

	if (line && line->is_group)
		fold(t);
	else if (line)
		top_detail(t);
}

static bool key_moves(struct top *t, int key)
{
	long page = t->list_rows > 1 ? t->list_rows - 1 : 1;

	switch (key) {
	case KEY_GO_UP: case 'k': move_by(t, -1); return true;
	case KEY_GO_DOWN: case 'j': move_by(t, 1); return true;
	case KEY_PAGE_UP: case 'b' & 31: move_by(t, -page); return true;
	case KEY_PAGE_DOWN: move_by(t, page); return true;
	case KEY_TO_START: case 'g': move_home(t); return true;
	case KEY_TO_END: case 'G': top_move_to(t, SIZE_MAX); return true;
	case KEY_WHEEL_UP: scroll(t, -3); return true;
	case KEY_WHEEL_DOWN: scroll(t, 3); return true;
	case KEY_GO_LEFT: t->skip = t->skip > 8 ? t->skip - 8 : 0; return true;
	case KEY_GO_RIGHT: t->skip += 8; return true;
	default: return false;
	}
}

static bool key_orders(struct top *t, int key)
{
	switch (key) {
	case 's': case KEY_FUNCTION + 6: sort_menu(t); return true;
	case '<': sort_next(t, -1); return true;
	case '>': sort_next(t, 1); return true;
	case 'r': case 'R': case 'I': t->arrange.ascending = !t->arrange.ascending; top_arrange(t); return true;
	case 'P': sort_by_name(t, "cpu_pct"); return true;
	case 'M': sort_by_name(t, "rss_bytes"); return true;
	case 'T': sort_by_name(t, "cpu_ns"); return true;
	case 'N': sort_by_name(t, "pid"); return true;
	case 't': case 'V': case KEY_FUNCTION + 5: set_layout(t, LAYOUT_TREE); return true;
	case 'c': set_layout(t, LAYOUT_CGROUPS); return true;
	case 'H': toggle_threads(t); return true;
	case '-': case '+': fold(t); return true;
	default: return false;
	}
}

static bool key_narrows(struct top *t, int key)
{
	switch (key) {
	case '/': case KEY_FUNCTION + 3: search(t); return true;
	case 'f': case '\\': case KEY_FUNCTION + 4: ask_filter(t); return true;
	case 'u': case 'U': ask_user(t); return true;
	case 'o': t->kernel_hidden = !t->kernel_hidden; top_arrange(t); return true;
	case 'i': t->idle_hidden = !t->idle_hidden; top_arrange(t); return true;
	case KEY_ESCAPE_CHARACTER: case '=': show_all(t); return true;
	case ' ': tag(t); return true;
	default: return false;
	}
}

static bool key_acts(struct top *t, int key)
{
	switch (key) {
	case KEY_RETURN: enter(t); return true;
	case 'n': case KEY_FUNCTION + 7: case KEY_FUNCTION + 8: top_renice(t); return true;
	case 'K': case KEY_FUNCTION + 9: top_signal(t); return true;
	case 'p': top_pin(t); return true;
	case 'd': ask_interval(t); return true;
	case 'z': t->paused = !t->paused; return true;
	case 'l' & 31: screen_renew(&t->screen); return true;
	case '?': case 'h': case KEY_FUNCTION + 1: top_help(t); return true;
	case 'q': case KEY_FUNCTION + 10: t->quit = true; return true;
	default: return false;
	}
}

void top_key(struct top *t, struct screen_event e)
{
	if (e.key == KEY_CLICK || e.key == KEY_DOUBLE_CLICK) {
		click(t, e);
		return;
	}
	if (!key_moves(t, e.key) && !key_orders(t, e.key) && !key_narrows(t, e.key) && !key_acts(t, e.key) && e.key > ' ' &&
	    e.key < 0x7f)
		top_tell(t, true, "%c does nothing here; ? shows the keys", (char)e.key);
}
