#include "cmd/top.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"

#define SHOWN                                                                                            \
	"pid,user,state,nice,threads,cpu_pct,wait_pct,memory_pct,rss_bytes,swap_bytes,read_bytes_per_s," \
	"write_bytes_per_s,cpu_ns,unit,command"
/* The second look comes soon: until then there are only averages over each life. */
#define FIRST_INTERVAL_NS (NS_PER_S / 2)

/* ---- looking ---- */

static void count_states(struct top *t)
{
	memset(t->states, 0, sizeof t->states);
	t->tasks = 0;
	vec_each(row, process_table_rows(t->table)) {
		t->states[row->state & 127]++;
		t->tasks++;
	}
	/* Else a key would act on tagged ones, and there are none. */
	if (t->tagged.n && top_tagged(t) == 0)
		process_marks_clear(&t->tagged);
}

static int look_at_host(struct top *t)
{
	struct host_look *now = &t->looks[t->nlooks & 1], *before = &t->looks[(t->nlooks + 1) & 1];
	int r = host_look_read(now, t->host, &t->scratch);

	if (r == 0)
		r = host_summary_make(t->nlooks ? before : NULL, now, &t->summary);
	t->nlooks++;
	return r;
}

void top_look(struct top *t)
{
	int r = host_tick(t->host, 0);

	if (r == 0 || r == -EINTR)
		r = look_at_host(t);
	if (r == 0)
		r = process_table_look(t->table);
	if (r == 0 && t->wants_commands)
		r = process_table_commands(t->table);
	t->trouble.text[0] = '\0';
	if (r < 0)
		(void)!note_set(&t->trouble, r, "the last look failed: %s", strerror(-r));
	count_states(t);
	filter_at(t->filter, host_time(t->host).real_ns);
	top_arrange(t);
}

int top_new_table(struct top *t, struct note *note)
{
	struct process_table_options options = { .threads = t->threads, .often = true };
	struct process_table *table;
	int r = process_table_new(t->host, &options, &table, note);

	if (r < 0)
		return r;
	process_table_free(t->table);
	t->table = table;
	/* The lines point to rows that are gone. */
	t->order.lines.n = t->order.total = 0;
	return 0;
}

/* ---- what is shown ---- */

size_t top_tagged(struct top *t)
{
	size_t n = 0;

	if (t->tagged.n)
		vec_each(row, process_table_rows(t->table))
			n += process_marked(&t->tagged, process_identity(row));
	return n;
}

static bool matches(struct process_row *row, void *arg)
{
	struct top *t = arg;

	if (t->kernel_hidden && (row->flags & TASK_IS_KERNEL_THREAD))
		return false;
	if (t->idle_hidden && row->state != 'R' && row->state != 'D' && !(process_row_cpu_pct(row) > 0))
		return false;
	if (t->user[0] && strcmp(process_row_user(row), t->user) != 0)
		return false;
	for (size_t i = 0; i < t->nwords; i++)
		if (!process_row_fits(row, t->words[i]))
			return false;
	return filter_matches(t->filter, row);
}

static double number_of(struct process_row *row, const void *arg)
{
	const struct column *c = arg;
	struct cell cell = c->get(row);

	return cell_number(&cell);
}

/* The key that nearly everybody sorts by, without the way through a cell. */
static double cpu_of(struct process_row *row, const void *arg)
{
	(void)arg;
	return row->still ? 0 : process_row_cpu_pct(row);
}

static struct span text_of(struct process_row *row, const void *arg)
{
	const struct column *c = arg;
	struct cell cell = c->get(row);

	return cell.kind == CELL_TEXT ? cell.text : (struct span){ "", 0 };
}

/* By the path that says most: on hosts of v1 the controllers' trees differ. */
static uint64_t group_of(struct process_row *row)
{
	const char *path = process_row_cgroup(row);

	return map_hash(path, strlen(path));
}

static bool filters(const struct top *t)
{
	return t->kernel_hidden || t->idle_hidden || t->user[0] || t->nwords || t->filter;
}

static void set_arrange(struct top *t)
{
	const struct column *command = entity_column(&entity_process, SPAN("command"));

	t->arrange.number = t->sort->unit == UNIT_TEXT ? NULL : strcmp(t->sort->name, "cpu_pct") == 0 ? cpu_of : number_of;
	t->arrange.text = text_of;
	t->arrange.key_arg = t->sort;
	t->arrange.matches = filters(t) ? matches : NULL;
	t->arrange.matches_arg = t;
	t->arrange.folded = &t->folded;
	t->arrange.group = group_of;
	bool wants = t->sort == command || t->nwords > 0 || filter_uses(t->filter, command);
	if (wants && process_table_commands(t->table) < 0)
		wants = false;
	t->wants_commands = wants;
}

/* The cursor goes where its process has gone, at the same height of the screen where that can be; when
 * it is gone, or nobody has moved the cursor yet, the cursor keeps its line. */
static void follow(struct top *t)
{
	size_t height = t->at - t->from;

	if (t->held) {
		size_t line = process_order_line_of(&t->order, t->self);
		if (line != SIZE_MAX) {
			t->at = line;
			t->from = line > height ? line - height : 0;
		}
	}
	if (t->at >= t->order.total)
		t->at = t->order.total ? t->order.total - 1 : 0;
	size_t rows = t->list_rows > 0 ? (size_t)t->list_rows : 1;
	if (t->from + rows > t->order.total)
		t->from = t->order.total > rows ? t->order.total - rows : 0;
	if (t->at < t->from)
		t->from = t->at;
	if (t->at >= t->from + rows)
		t->from = t->at - rows + 1;
}

void top_arrange(struct top *t)
{
	set_arrange(t);
	int r = process_order_make(&t->order, process_table_rows(t->table), &t->arrange);

	if (r == 0) {
		follow(t);
		r = process_order_take(&t->order, t->from, t->list_rows > 0 ? (size_t)t->list_rows : 0);
	}
	if (r < 0) {
		t->order.lines.n = 0;
		(void)!note_set(&t->trouble, r, "the processes cannot be put in order: out of memory");
	}
	/* A new self when the old one is gone. */
	const struct process_line *line = top_selected_line(t);
	if (line)
		t->self = process_line_identity(line);
}

/* ---- the screen ---- */

static void measure(struct top *t)
{
	int head = top_head_rows(t);

	t->header_row = head;
	t->list_row = head + 1;
	t->list_rows = t->screen.rows - t->list_row - 1;
}

void top_draw(struct top *t)
{
	int rows = t->list_rows;

	measure(t);
	if (t->list_rows != rows)
		top_arrange(t);
	top_draw_head(t);
	if (!t->overlay || !t->overlay_whole)
		top_draw_list(t);
	top_draw_footer(t);
	if (t->overlay)
		t->overlay(t, t->overlay_arg);
	else
		screen_show(&t->screen, -1, 0);
}

void top_tell(struct top *t, bool bad, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->message, sizeof t->message, format, args);
	va_end(args);
	t->message_bad = bad;
	t->message_until_ns = clock_mono_ns() + 8 * NS_PER_S;
}

static void look_when_due(struct top *t)
{
	uint64_t now = clock_mono_ns();

	if (now < t->due_ns)
		return;
	if (!t->paused) {
		top_look(t);
		top_draw(t);
	}
	/* Late looks are left out, not made up for. */
	uint64_t interval = t->nlooks < 2 && t->interval_ns > FIRST_INTERVAL_NS ? FIRST_INTERVAL_NS : t->interval_ns;
	t->due_ns += interval;
	if (t->due_ns < clock_mono_ns())
		t->due_ns = clock_mono_ns() + interval;
}

struct screen_event top_wait(struct top *t)
{
	for (;;) {
		look_when_due(t);
		struct screen_event event = screen_wait(&t->screen, t->due_ns);
		if (interrupted)
			event.key = KEY_CLOSED;
		if (event.key == KEY_CLOSED)
			t->quit = true;
		if (event.key == KEY_RESIZED) {
			memset(t->widths, 0, sizeof t->widths);
			top_draw(t);
			continue;
		}
		if (event.key != KEY_NONE_YET)
			return event;
	}
}

static void loop(struct top *t)
{
	t->due_ns = clock_mono_ns();
	while (!t->quit) {
		struct screen_event event = top_wait(t);
		if (t->quit)
			return;
		top_key(t, event);
		top_draw(t);
	}
}

/* ---- the command ---- */

enum { INTERVAL, SORT, FILTER, COLUMNS, USER, THREADS, TREE, CGROUPS, NO_COLOR };

static const struct option options[] = {
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION", "time between two looks (default: 1s)", 100 * NS_PER_MS,
		       3600 * NS_PER_S },
	[SORT] = { "sort", 's', OPTION_TEXT, "NAME", "order by this column, largest first; -NAME turns it round" },
	[FILTER] = { "filter", 'f', OPTION_TEXT, "EXPRESSION", "only rows that fulfil it, as in 'cpu_pct > 5 && user == root'" },
	[COLUMNS] = { "columns", 'c', OPTION_TEXT, "NAME,…", "show these columns; +NAME adds one" },
	[USER] = { "user", 'u', OPTION_TEXT, "NAME", "only processes of this user" },
	[THREADS] = { "threads", 'T', OPTION_FLAG, NULL, "a row for each thread" },
	[TREE] = { "tree", 't', OPTION_FLAG, NULL, "children below their parents" },
	[CGROUPS] = { "cgroups", 'g', OPTION_FLAG, NULL, "processes below their cgroup, with its sum" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not use colours" },
};

static int set_columns(struct top *t, const char *text, struct note *note)
{
	struct buf all = { 0 };
	int r;

	if (text && text[0] == '+')
		r = buf_printf(&all, SHOWN ",%s", text + 1);
	else
		r = buf_printf(&all, "%s", text ? text : SHOWN);
	if (r == 0)
		r = entity_columns(&entity_process, buf_span(&all), &t->columns, note);
	buf_deinit(&all);
	if (r == 0 && t->columns.n > TOP_MAX_COLUMNS)
		return note_set(note, -EINVAL, "at most %d columns are shown", TOP_MAX_COLUMNS);
	return r;
}

static int set_sort(struct top *t, const char *text, struct note *note)
{
	struct sort sort;

	t->sort = entity_column(&entity_process, SPAN("cpu_pct"));
	if (!text)
		return 0;
	int r = sort_parse(&entity_process, span_from(text), &sort, note);
	if (r < 0)
		return r;
	if (sort.n != 1)
		return note_set(note, -EINVAL, "--sort takes one column here");
	top_sort_by(t, sort.key[0].column);
	t->arrange.ascending = !sort.key[0].descending;
	return 0;
}

static int configure(struct top *t, const struct arguments *args, struct note *note)
{
	const struct option_value *o = args->option;

	t->interval_ns = o[INTERVAL].given ? o[INTERVAL].number : NS_PER_S;
	t->threads = o[THREADS].given;
	t->arrange.layout = o[TREE].given ? LAYOUT_TREE : o[CGROUPS].given ? LAYOUT_CGROUPS : LAYOUT_LIST;
	if (o[TREE].given && o[CGROUPS].given)
		return note_set(note, -EINVAL, "--tree and --cgroups are two ways to order the same list: give one of them");
	if (o[USER].given)
		span_copy(span_from(o[USER].text), t->user, sizeof t->user);
	int r = set_columns(t, o[COLUMNS].text, note);
	if (r == 0)
		r = set_sort(t, o[SORT].text, note);
	if (r == 0 && o[FILTER].given)
		r = top_set_filter(t, o[FILTER].text, note);
	return r;
}

static void top_deinit(struct top *t)
{
	screen_close(&t->screen);
	line_deinit(&t->line);
	buf_deinit(&t->scratch);
	process_table_free(t->table);
	host_look_deinit(&t->looks[0]);
	host_look_deinit(&t->looks[1]);
	host_summary_deinit(&t->summary);
	process_order_deinit(&t->order);
	process_marks_deinit(&t->tagged);
	process_marks_deinit(&t->folded);
	filter_free(t->filter);
	vec_free(&t->columns);
	host_free(t->host);
}

static int start(struct top *t, bool no_color, struct note *note)
{
	struct utsname name;
	int r = host_open_live("/", &t->host, note);

	if (r == 0)
		r = top_new_table(t, note);
	if (r == 0)
		r = screen_open(no_color, &t->screen, note);
	if (uname(&name) == 0)
		span_copy(span_from(name.nodename), t->hostname, sizeof t->hostname);
	return r;
}

static int run(const struct arguments *args)
{
	struct top t = { 0 };
	struct note note = { "" };
	int r = configure(&t, args, &note);

	if (r < 0) {
		say("top: %s", note.text[0] ? note.text : strerror(-r));
		top_deinit(&t);
		return EXIT_USAGE;
	}
	r = start(&t, args->option[NO_COLOR].given, &note);
	if (r < 0) {
		top_deinit(&t);
		say("top: %s", note.text[0] ? note.text : strerror(-r));
		say("without a full screen: osprey ps --watch, or osprey ps --interval 1s --sort cpu_pct once");
		return EXIT_UNABLE;
	}
	interrupt_catch();
	loop(&t);
	top_deinit(&t);
	return EXIT_FINE;
}

const struct command command_top = {
	.name = "top",
	.summary = "watch the host and its processes on a full screen, and act on them",
	.description = "Above: CPUs, memory, stalls (PSI), load, the busiest disk and interface. Below: processes, the ones that "
		       "use most CPU first, as a list, a tree (t) or by cgroup (c), with threads (H). ? shows all keys.\n\n"
		       "Enter shows one process: threads, open files, sockets, limits, memory, namespaces. n, K and p change its nice "
		       "value, send it a signal and pin it to CPUs, after showing what will be done and how it is undone.\n\n"
		       "It needs a terminal; for scripts there are osprey ps --watch and osprey ps --json.",
	OPTIONS(options),
	.run = run,
};
