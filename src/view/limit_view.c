#include "view/limit_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "view/limit_rows.h"

#define ROW ((const struct limit_row *)row)
#define GET(name, value) \
	static struct cell get_##name(const void *row) { return value; }

static double used_pct(const struct limit_row *r)
{
	if (!reading_ok(r->used) || !reading_ok(r->limit))
		return NAN;
	if (r->limit == 0)
		return r->used ? 100 : 0;
	return 100.0 * (double)r->used / (double)r->limit;
}

static struct cell pct_cell(const struct limit_row *r)
{
	return reading_ok(r->used) ? cell_real(used_pct(r)) : cell_reading(r->used);
}

static struct cell text_or_reason(const char *text, reading r)
{
	return *text ? cell_text(text) : cell_reading(r);
}

static const char *unit_word(enum field_unit unit)
{
	return unit == UNIT_BYTES ? "bytes" : unit == UNIT_NS ? "ns" : "count";
}

static const char *const kind_words[] = { "system", "filesystem", "user", "process", "cgroup" };

GET(limit_name, cell_text(ROW->name))
GET(kind, cell_text(kind_words[ROW->kind]))
static struct cell text_at(const struct limit_row *r, size_t at, size_t n)
{
	return cell_span((struct span){ n ? r->text->data + at : "", n });
}
GET(scope, text_at(ROW, ROW->scope_at, ROW->scope_n))
GET(pid, cell_reading(ROW->pid ? (reading)ROW->pid : READING_ABSENT))
GET(used, cell_reading(ROW->used))
GET(limit, cell_reading(ROW->limit))
GET(unit, cell_text(unit_word(ROW->unit)))
GET(used_text, text_or_reason(ROW->used_text, ROW->used))
GET(limit_text, text_or_reason(ROW->limit_text, ROW->limit))
GET(pct, pct_cell(ROW))
GET(source, cell_text(ROW->source))
GET(at_end, cell_text(ROW->at_end))
GET(raise, text_at(ROW, ROW->raise_at, ROW->raise_n))

static const struct column limit_columns[] = {
	COLUMN(2940, limit, "LIMIT", TEXT, LABEL, get_limit_name, 0, "limits", "name of the limit"),
	COLUMN(2941, kind, "OF", TEXT, LABEL, get_kind, 9, "limits", "system, filesystem, user, process, cgroup"),
	COLUMN_ELASTIC(2942, scope, "WHOSE", TEXT, LABEL, get_scope, 0, "limits", "whom it holds for"),
	COLUMN(2943, pid, "PID", COUNT, LABEL, get_pid, 9, "/proc", "of a process's limit"),
	COLUMN(2944, used_text, "USED", TEXT, GAUGE, get_used_text, 0, "as source says", "in use, with its unit"),
	COLUMN(2945, limit_text, "OF", TEXT, GAUGE, get_limit_text, 0, "as source says", "the limit, with its unit"),
	COLUMN(2946, used_pct, "USED%", PCT, GAUGE, get_pct, 0, "as source says", "in use, of the limit"),
	COLUMN(2947, used, "USED", COUNT, GAUGE, get_used, 9, "as source says", "in use"),
	COLUMN(2948, limit_value, "MAX", COUNT, GAUGE, get_limit, 9, "as source says", "the limit"),
	COLUMN(2949, unit, "UNIT", TEXT, LABEL, get_unit, 9, "limits", "unit of both"),
	COLUMN_ELASTIC(2950, at_end, "AT ITS END", TEXT, LABEL, get_at_end, 3, "manual pages", "what happens when it is reached"),
	COLUMN_ELASTIC(2951, raise, "RAISE WITH", TEXT, LABEL, get_raise, 5, "manual pages", "the command that raises it"),
	COLUMN(2952, source, "SOURCE", TEXT, LABEL, get_source, 8, "limits", "where both are read"),
};

const struct entity entity_limit = {
	.name = "limit",
	.help = "a limit of the host, a user, a process or a cgroup, and how near its end it is",
	COLUMNS(limit_columns),
	.shown = "used_pct,limit,scope,used_text,limit_text,at_end,raise",
	.sort = "used_pct",
};

bool limit_row_near(const void *row, const void *options)
{
	const struct limit_view_options *o = options;

	return o->all || ROW->kind == LIMIT_SYSTEM || ROW->kind == LIMIT_FILESYSTEM || used_pct(ROW) >= o->above_pct;
}

static void words(reading r, enum field_unit unit, char *ret, size_t size)
{
	if (!reading_ok(r))
		*ret = '\0';
	else if (unit == UNIT_BYTES)
		snprintf(ret, size, "%s", bytes_text((double)r).text);
	else if (unit == UNIT_NS)
		snprintf(ret, size, "%s", duration_text((double)r / 1e9).text);
	else if (r >= UINT64_MAX / 4)
		snprintf(ret, size, "no end");
	else
		snprintf(ret, size, "%llu", (unsigned long long)r);
}

struct limit_row *limit_add(struct limit_state *s, enum limit_scope kind, const char *name, enum field_unit unit,
			    reading used, reading limit, int *ret_error)
{
	if (limit == READING_ABSENT || (used == READING_ABSENT && kind != LIMIT_SYSTEM) || *ret_error < 0)
		return NULL;
	struct limit_row *r = vec_push(&s->rows);
	if (!r) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	*r = (struct limit_row){ .name = name, .kind = kind, .unit = unit, .used = used, .limit = limit,
				 .source = "", .at_end = "" };
	r->text = &s->text;
	words(used, unit, r->used_text, sizeof r->used_text);
	words(limit, unit, r->limit_text, sizeof r->limit_text);
	return r;
}

static void append(struct limit_state *s, size_t *ret_at, size_t *ret_n, int *ret_error, const char *format, va_list args)
	__attribute__((format(printf, 5, 0)));
static void append(struct limit_state *s, size_t *ret_at, size_t *ret_n, int *ret_error, const char *format, va_list args)
{
	*ret_at = s->text.n;
	int r = buf_vprintf(&s->text, format, args);
	if (r < 0)
		*ret_error = r;
	*ret_n = s->text.n - *ret_at;
}

void limit_scope(struct limit_state *s, struct limit_row *r, int *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(s, &r->scope_at, &r->scope_n, ret_error, format, args);
	va_end(args);
}

void limit_raise(struct limit_state *s, struct limit_row *r, int *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(s, &r->raise_at, &r->raise_n, ret_error, format, args);
	va_end(args);
}

static void limits_close(void *state)
{
	struct limit_state *s = state;

	buf_deinit(&s->scratch);
	buf_deinit(&s->second);
	buf_deinit(&s->text);
	user_names_free(s->users);
	filesystem_reader_free(s->filesystem_reader);
	vec_free(&s->filesystems);
	cgroup_reader_free(s->cgroup_reader);
	vec_free(&s->cgroups);
	vec_free(&s->rows);
	free(s);
}

static int limits_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		       struct note *note)
{
	struct limit_state *s = calloc(1, sizeof *s);

	(void)wanted, (void)options, (void)note;
	if (!s)
		return -ENOMEM;
	s->host = h;
	int r = user_names_new(h, &s->users);
	if (r == 0)
		r = filesystem_reader_new(h, &s->filesystem_reader);
	if (r == 0)
		r = cgroup_reader_new(h, &s->cgroup_reader);
	if (r < 0)
		limits_close(s);
	else
		*ret_state = s;
	return r;
}

static int limits_look(void *state, struct note *note)
{
	struct limit_state *s = state;

	s->rows.n = 0;
	s->text.n = 0;
	int r = limit_collect_host(s);
	if (r == 0)
		r = limit_collect_filesystems(s);
	if (r == 0)
		r = limit_collect_cgroups(s);
	if (r == 0)
		r = limit_collect_processes(s);
	if (r == 0 && s->rows.n == 0)
		return note_set(note, -ENOENT, "no limit can be read: is /proc mounted, or was this captured by osprey limits?");
	return r;
}

static int limits_rows(void *state, row_vec *ret)
{
	struct limit_state *s = state;

	return row_push_each(ret, &s->rows);
}

void limit_view_gaps(const void *state, char *ret, size_t size)
{
	const struct limit_state *s = state;
	int n = 0;

	*ret = '\0';
	if (s->processes_left_out)
		n = snprintf(ret, size, "%zu processes were not looked at: there was no time. ", s->processes_left_out);
	if (!s->inotify_complete && n >= 0 && (size_t)n < size)
		snprintf(ret + n, size - (size_t)n, "Inotify of processes of others is not counted: needs root.");
}

static const struct view_section sections[] = {
	{ .name = "limits", .entity = &entity_limit, .rows = limits_rows },
};

const struct view view_limits = {
	SECTIONS(sections),
	.open = limits_open,
	.look = limits_look,
	.close = limits_close,
};
