#include "cmd/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/closest.h"
#include "base/units.h"
#include "cmd/config.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "report/table.h"
#include "view/filter.h"

/* One table of the view as it was asked for. */
struct shown {
	const struct view_section *section;
	struct table table;
	struct sort sort;
	struct filter *filter;
};

struct run {
	const struct arguments *args;
	const struct view_job *job;
	const struct option_value *option;
	struct shown *shown;
	size_t nshown;
	struct view_wanted wanted;
	uint64_t interval_ns, count; /* 0: one look; without end */
	struct host *host;
	void *state;
	struct buf text;
	struct page_style style;
	bool in_place;	  /* each look is written over the one before */
	uint64_t printed; /* looks */
	unsigned lines_since_header;
};

static int usage(struct run *r, const struct note *note)
{
	say("%s: %s", r->job->name, note->text);
	return EXIT_USAGE;
}

static bool for_programs(const struct run *r)
{
	return r->option[VIEW_JSON].given || r->option[VIEW_CSV].given;
}

bool view_interval_parse(const char *word, uint64_t *ret)
{
	char with_unit[40];
	uint64_t ns;

	snprintf(with_unit, sizeof with_unit, "%ss", word);
	if (duration_parse(span_from(word), &ns) < 0 && duration_parse(span_from(with_unit), &ns) < 0)
		return false;
	if (ns < 10 * NS_PER_MS || ns > 86400 * NS_PER_S)
		return false;
	*ret = ns;
	return true;
}

static int take_operands(struct run *r)
{
	const struct arguments *args = r->args;
	struct note note;

	r->interval_ns = r->job->interval_ns;
	r->count = 1;
	if (!r->job->interval_operands || args->noperands == 0)
		return EXIT_FINE;
	if (!view_interval_parse(args->operand[0], &r->interval_ns)) {
		note_set(&note, 0, VIEW_NO_INTERVAL, args->operand[0]);
		return usage(r, &note);
	}
	r->count = 0;
	if (args->noperands > 1 && (!span_u64(span_from(args->operand[1]), &r->count) || r->count == 0)) {
		note_set(&note, 0, "'%s' is no count; write a whole number from 1 on", args->operand[1]);
		return usage(r, &note);
	}
	return EXIT_FINE;
}

static int check_options(struct run *r)
{
	static const struct {
		enum view_option a, b;
	} apart[] = {
		{ VIEW_JSON, VIEW_CSV }, { VIEW_HOST, VIEW_CAPTURE }, { VIEW_WATCH, VIEW_PAGER }, { VIEW_WATCH, VIEW_JSON },
		{ VIEW_WATCH, VIEW_CSV },
	};
	struct note note;

	for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++)
		if (r->option[apart[i].a].given && r->option[apart[i].b].given) {
			const struct option *a = NULL, *b = NULL;
			static const struct option names[] = { VIEW_OPTIONS };

			a = &names[apart[i].a];
			b = &names[apart[i].b];
			note_set(&note, 0, "--%s cannot go with --%s", a->name, b->name);
			return usage(r, &note);
		}
	if (r->option[VIEW_WATCH].given) {
		if (r->interval_ns == 0)
			r->interval_ns = NS_PER_S;
		if (r->args->noperands < 2 || !r->job->interval_operands)
			r->count = 0;
	}
	return EXIT_FINE;
}

static const struct view_section *section_named(struct run *r, const char *name, struct note *note)
{
	const struct view *v = r->job->view;
	struct closest c = { 0 };
	char names[160] = "";

	for (size_t i = 0; i < v->nsections; i++) {
		size_t n = strlen(names);

		if (strcmp(v->sections[i].name, name) == 0)
			return &v->sections[i];
		closest_offer(&c, name, v->sections[i].name);
		snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", v->sections[i].name);
	}
	note_set(note, 0, "there is no table '%s'; closest: %s (of %s)", name, c.word, names);
	return NULL;
}

/* --columns, --sort, --filter and --csv speak of one table: that of --table, else the first. */
static bool one_table(const struct run *r)
{
	return r->option[VIEW_TABLE].given || r->option[VIEW_COLUMNS].given || r->option[VIEW_SORT].given ||
	       r->option[VIEW_FILTER].given || r->option[VIEW_CSV].given;
}

static int choose_sections(struct run *r, struct note *note)
{
	const struct view *v = r->job->view;
	const struct view_section *only = one_table(r) ? &v->sections[0] : NULL;

	if (r->option[VIEW_TABLE].given && !(only = section_named(r, r->option[VIEW_TABLE].text, note)))
		return -EINVAL;
	r->shown = calloc(v->nsections, sizeof *r->shown);
	if (!r->shown)
		return note_set(note, -ENOMEM, "out of memory");
	for (size_t i = 0; i < v->nsections; i++) {
		const struct view_section *s = &v->sections[i];

		if (only ? s == only : !s->on_request)
			r->shown[r->nshown++].section = s;
	}
	return 0;
}

static int want(struct run *r, const struct column *c)
{
	const struct column **place = vec_push(&r->wanted.columns);

	if (!place)
		return -ENOMEM;
	*place = c;
	return 0;
}

/* Notes what is shown, sorted by and filtered by. */
static int want_of(struct run *r, const struct shown *s)
{
	const struct entity *e = s->section->entity;
	int error = 0;

	vec_each(c, &s->table.columns)
		error = error < 0 ? error : want(r, *c);
	for (size_t i = 0; error == 0 && i < s->sort.n; i++)
		error = want(r, s->sort.key[i].column);
	for (size_t i = 0; error == 0 && i < e->ncolumns; i++)
		if (filter_uses(s->filter, &e->columns[i]))
			error = want(r, &e->columns[i]);
	return error;
}

/* What the configuration says wrong must not keep the host from being seen. */
static void left_aside(const struct run *r, const char *key, const struct note *note)
{
	say("%s: configuration, [%s] %s: %s; it is left aside", r->job->name, r->job->name, key, note->text);
}

static int set_up(struct run *r, struct shown *s, struct note *note)
{
	const struct entity *e = s->section->entity;
	/* What the user has set is for people, and for the view's first table. */
	bool first = s->section == &r->job->view->sections[0], set = first && !for_programs(r);
	const char *own_columns = set && !r->job->columns ? config_columns(r->job->name) : NULL;
	const char *own_sort = set ? config_sort(r->job->name) : NULL;
	const char *plain = first && r->job->columns ? r->job->columns : e->shown;
	const char *columns = r->option[VIEW_COLUMNS].given ? r->option[VIEW_COLUMNS].text :
			      for_programs(r)		    ? "all" :
			      own_columns		    ? own_columns :
							      plain;
	const char *plain_sort = first && r->job->sort ? r->job->sort : e->sort;
	const char *sort = r->option[VIEW_SORT].given ? r->option[VIEW_SORT].text : own_sort ? own_sort : plain_sort;
	int error;

	s->table = (struct table){
		.entity = e,
		.no_header = r->option[VIEW_NO_HEADER].given,
		.units = config_get()->units,
		.prefix = s->section->prefix,
	};
	error = entity_columns(e, span_from(columns), &s->table.columns, note);
	if (error == -EINVAL && columns == own_columns) {
		left_aside(r, "columns", note);
		s->table.columns.n = 0;
		error = entity_columns(e, span_from(plain), &s->table.columns, note);
	}
	if (error == 0 && r->option[VIEW_COLUMNS].given)
		error = entity_columns_named(e, span_from(columns), &s->table.named, note);
	if (error == 0 && s->section->single)
		s->table.kept_widths = calloc(s->table.columns.n + 1, sizeof *s->table.kept_widths);
	if (error == 0 && sort)
		error = sort_parse(e, span_from(sort), &s->sort, note);
	if (error == -EINVAL && sort && sort == own_sort) {
		left_aside(r, "sort", note);
		s->sort.n = 0;
		error = plain_sort ? sort_parse(e, span_from(plain_sort), &s->sort, note) : 0;
	}
	if (error == 0 && r->option[VIEW_FILTER].given)
		error = filter_parse(e, span_from(r->option[VIEW_FILTER].text), &s->filter, note);
	return error < 0 ? error : want_of(r, s);
}

static int open_host(struct run *r, struct note *note)
{
	int error = r->option[VIEW_HOST].given ? host_open_capture(r->option[VIEW_HOST].text, &r->host, note) :
						 host_open_live("/", &r->host, note);

	if (error == 0 && r->option[VIEW_CAPTURE].given)
		error = host_capture_to(r->host, r->option[VIEW_CAPTURE].text, note);
	if (error < 0)
		return error;
	error = r->job->view->open(r->host, &r->wanted, r->job->options, &r->state, note);
	/* What it took to open is no part of an interval. */
	if (error == 0 && !host_is_textual(r->host))
		(void)!host_tick(r->host, 0);
	return error;
}

/* ---- one look ---- */

static int collect(struct run *r, struct shown *s)
{
	row_vec *rows = &s->table.rows;
	size_t kept = 0;
	int error;

	rows->n = 0;
	error = s->section->rows(r->state, rows);
	for (size_t i = 0; error == 0 && i < rows->n; i++)
		if (!r->job->keep || r->job->keep(rows->v[i], r->job->options))
			rows->v[kept++] = rows->v[i];
	if (error < 0)
		return error;
	rows->n = kept;
	s->table.now_ns = host_time(r->host).real_ns;
	filter_at(s->filter, s->table.now_ns);
	filter_rows(s->filter, rows);
	if (r->job->order && !r->option[VIEW_SORT].given)
		return r->job->order(r->state, rows);
	return s->sort.n ? sort_rows(&s->sort, rows) : 0;
}

static const struct view_span *span_of(const struct run *r)
{
	return r->job->view->span ? r->job->view->span(r->state) : NULL;
}

static void clock_text(const struct run *r, char *ret, size_t size)
{
	time_t t = (time_t)(host_time(r->host).real_ns / NS_PER_S);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(ret, size, "%H:%M:%S", &tm);
}

/* What the rates of the tables below are over. */
static void put_span(struct run *r, struct page *p)
{
	const struct view_span *span = span_of(r);
	char now[16];

	if (r->option[VIEW_NO_HEADER].given || (r->interval_ns == 0 && (!span || r->job->view->over_lives)))
		return;
	clock_text(r, now, sizeof now);
	page_tone(p, TONE_DIM);
	if (!span)
		page_put(p, "%s", now);
	else if (span->since_boot)
		page_put(p, "%s, averages since boot (%s)", now, duration_text(span->seconds).text);
	else
		page_put(p, "%s, over %s", now, duration_text(span->seconds).text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* Rows of one line follow each other under one header, which comes again when it has scrolled away. */
static bool follows(struct run *r, struct shown *s)
{
	unsigned every = r->style.rows > 4 ? r->style.rows - 2 : 40;

	if (!s->section->single || r->nshown > 1 || r->interval_ns == 0 || r->in_place)
		return false;
	s->table.no_header = r->option[VIEW_NO_HEADER].given || r->lines_since_header > 0;
	if (++r->lines_since_header == every)
		r->lines_since_header = 0;
	return true;
}

static void put_tables(struct run *r, struct page *p)
{
	bool alone = r->nshown == 1 && follows(r, &r->shown[0]);

	if (r->printed && !alone && !r->in_place && !r->option[VIEW_NO_HEADER].given)
		page_newline(p);
	if (!alone || r->printed == 0)
		put_span(r, p);
	if (r->job->head && !alone && !one_table(r))
		r->job->head(r->state, p);
	for (size_t i = 0; i < r->nshown; i++) {
		struct shown *s = &r->shown[i];

		if (r->nshown > 1 && s->section->idle && s->section->idle(r->state))
			continue;
		if (r->nshown > 1 && s->section->title && !r->option[VIEW_NO_HEADER].given) {
			page_newline(p);
			page_tone(p, TONE_CYAN);
			page_put(p, "%s", s->section->title);
			page_tone(p, TONE_PLAIN);
			page_newline(p);
		}
		table_text(p, &s->table);
	}
}

static int put_json(struct run *r)
{
	struct json j = { .out = &r->text, .compact = r->interval_ns != 0 };
	const struct view_span *span = span_of(r);
	char now[40];

	table_moment(host_time(r->host).real_ns, now, sizeof now);
	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.view/1");
	json_string(&j, "view", r->job->name);
	json_string(&j, "time", now);
	if (span && !(span->since_boot && r->job->view->over_lives)) {
		json_double(&j, "interval_s", span->seconds);
		json_bool(&j, "since_boot", span->since_boot);
	}
	json_object(&j, "tables");
	for (size_t i = 0; i < r->nshown; i++)
		table_json(&j, r->shown[i].section->name, &r->shown[i].table);
	json_end(&j);
	json_object(&j, "missing");
	for (size_t i = 0; i < r->nshown; i++)
		table_json_missing(&j, r->shown[i].section->name, &r->shown[i].table);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

static int put_csv(struct run *r)
{
	bool header = r->printed == 0 && !r->option[VIEW_NO_HEADER].given;
	char now[40];

	table_moment(host_time(r->host).real_ns, now, sizeof now);
	return table_csv(&r->text, &r->shown[0].table, header, "time", now);
}

/* In place: each line is cleared behind its end, and what the screen has no rows for is left out. */
static int put_in_place(struct run *r)
{
	cleanup(buf_deinit) struct buf screen = { 0 };
	struct span rest = buf_span(&r->text), line;
	unsigned row = 0, rows = r->style.rows ? r->style.rows : 24; /* a serial line does not know its size */
	int error = buf_append(&screen, "\033[H", 3);

	while (error == 0 && ++row < rows && span_line(&rest, &line))
		error = buf_printf(&screen, "%.*s\033[K\n", (int)line.n, line.p);
	if (error == 0)
		error = buf_append(&screen, "\033[J", 3);
	return output_write(buf_span(&screen), error);
}

static int print(struct run *r)
{
	bool terminal = isatty(STDOUT_FILENO);
	int error = 0;

	buf_clear(&r->text);
	for (size_t i = 0; error == 0 && i < r->nshown; i++)
		error = collect(r, &r->shown[i]);
	if (error == 0 && r->option[VIEW_JSON].given) {
		error = put_json(r);
	} else if (error == 0 && r->option[VIEW_CSV].given) {
		error = put_csv(r);
	} else if (error == 0) {
		struct page p = { .out = &r->text, .style = r->style };

		put_tables(r, &p);
		error = p.error;
	}
	if (error == 0 && r->job->nothing && r->shown[0].table.rows.n == 0 && r->interval_ns == 0)
		say("%s: %s", r->job->name, r->job->nothing);
	r->printed++;
	if (error == 0 && r->in_place)
		return put_in_place(r);
	if (error == 0 && r->option[VIEW_PAGER].given && terminal)
		return output_page(buf_span(&r->text));
	return output_write(buf_span(&r->text), error);
}

/* A capture moves by its own ticks. 0, -ENODATA at its end, -EINTR. */
static int wait_until(struct run *r, uint64_t mono_ns)
{
	int error;

	do
		error = host_tick(r->host, mono_ns);
	while (error == 0 && host_time(r->host).mono_ns < mono_ns);
	return error;
}

/* The first interval of what one watches is short: nobody likes to sit before nothing. */
#define FIRST_WATCH_NS (300 * NS_PER_MS)

static int look_on(struct run *r, struct note *note)
{
	const uint64_t first = host_time(r->host).mono_ns;
	uint64_t next = first;
	int code = EXIT_FINE, error = r->job->view->look(r->state, note);

	if (error < 0)
		return error;
	if (r->interval_ns == 0)
		return print(r);
	for (uint64_t i = 0; code == EXIT_FINE && (r->count == 0 || i < r->count); i++) {
		next += i == 0 && r->option[VIEW_WATCH].given && r->interval_ns > FIRST_WATCH_NS ? FIRST_WATCH_NS :
												     r->interval_ns;
		error = wait_until(r, next);
		/* Ctrl-C, or the end of a capture: what has been seen of the first interval is shown. */
		bool last = interrupted || error == -ENODATA;
		if (last && (r->printed || host_time(r->host).mono_ns == first))
			break;
		if (!last && error < 0 && error != -EINTR)
			return note_set(note, error, "cannot wait: %s", strerror(-error));
		error = r->job->view->look(r->state, note);
		if (error < 0)
			return error;
		code = print(r);
		if (last)
			break;
	}
	if (code == EXIT_FINE && r->printed == 0 && error == -ENODATA)
		return note_set(note, error, "the capture holds one look, and rates of an interval take two: leave the interval out");
	return code;
}

static void tear_down(struct run *r)
{
	if (r->state)
		r->job->view->close(r->state);
	for (size_t i = 0; i < r->nshown; i++) {
		vec_free(&r->shown[i].table.columns);
		vec_free(&r->shown[i].table.named);
		vec_free(&r->shown[i].table.rows);
		free(r->shown[i].table.kept_widths);
		filter_free(r->shown[i].filter);
	}
	free(r->shown);
	vec_free(&r->wanted.columns);
	buf_deinit(&r->text);
	host_free(r->host);
}

static int run_on_host(struct run *r)
{
	struct note note = { "" };
	int code, error = open_host(r, &note);

	if (r->interval_ns)
		interrupt_catch();
	code = error < 0 ? error : look_on(r, &note);
	if (code < 0) {
		say("%s: %s", r->job->name, note.text[0] ? note.text : strerror(-code));
		code = EXIT_UNABLE;
	}
	if (r->host && (error = host_capture_end(r->host)) < 0) {
		say("%s: the capture %s is not whole: %s", r->job->name, r->option[VIEW_CAPTURE].text, strerror(-error));
		code = EXIT_UNABLE;
	}
	return code;
}

int view_run(const struct arguments *args, const struct view_job *job)
{
	struct run r = { .args = args, .job = job, .option = args->option };
	struct note note = { "" };
	int code = take_operands(&r);

	if (code == EXIT_FINE)
		code = check_options(&r);
	if (code != EXIT_FINE)
		return code;
	int error = choose_sections(&r, &note);
	for (size_t i = 0; error == 0 && i < r.nshown; i++)
		error = set_up(&r, &r.shown[i], &note);
	r.style = output_table_style(args->option[VIEW_NO_COLOR].given || config_get()->no_color);
	r.style.palette = config_get()->palette;
	r.in_place = args->option[VIEW_WATCH].given && output_in_place();
	if (error < 0)
		code = usage(&r, &note);
	else
		code = run_on_host(&r);
	tear_down(&r);
	config_free();
	return code;
}
