/* Tables for programs: JSON and CSV. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "report/table.h"

void table_moment(uint64_t ns, char *ret, size_t size)
{
	time_t t = (time_t)(ns / NS_PER_S);
	struct tm tm;

	gmtime_r(&t, &tm);
	size_t n = strftime(ret, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, size - n, ".%03uZ", (unsigned)(ns % NS_PER_S / NS_PER_MS));
}

static void json_cell(struct json *j, const struct column *c, const struct cell *cell)
{
	char text[40];

	if (cell->kind == CELL_TEXT) {
		json_span(j, c->name, cell->text);
	} else if (cell->kind == CELL_MISSING) {
		json_null(j, c->name);
	} else if (c->unit == UNIT_TIME && cell->kind == CELL_COUNT) {
		table_moment(cell->count, text, sizeof text);
		json_string(j, c->name, text);
	} else if (cell->kind == CELL_COUNT) {
		json_u64(j, c->name, cell->count);
	} else {
		json_double(j, c->name, cell->real);
	}
}

void table_json(struct json *j, const char *key, const struct table *t)
{
	json_array(j, key);
	for (size_t i = 0; i < t->rows.n; i++) {
		json_object(j, NULL);
		for (size_t k = 0; k < t->columns.n; k++) {
			struct cell cell = t->columns.v[k]->get(t->rows.v[i]);
			json_cell(j, t->columns.v[k], &cell);
		}
		json_end(j);
	}
	json_end(j);
}

void table_json_missing(struct json *j, const char *key, const struct table *t)
{
	json_object(j, key);
	for (size_t k = 0; k < t->columns.n; k++) {
		struct table_lack lack = table_lack(t, t->columns.v[k]);
		const char *reason = lack.reason      ? lack.reason :
				     lack.all_absent  ? TABLE_NONE :
				     lack.some_absent ? "not of every row" :
							NULL;

		if (reason)
			json_string(j, t->columns.v[k]->name, reason);
	}
	json_end(j);
}

static int csv_text(struct buf *ret, struct span text)
{
	bool plain = text.n == 0 || (text.p[0] != ' ' && text.p[text.n - 1] != ' ');
	int r = 0;

	for (size_t i = 0; plain && i < text.n; i++)
		plain = text.p[i] != '"' && text.p[i] != ',' && text.p[i] != '\n' && text.p[i] != '\r';
	if (plain)
		return buf_append(ret, text.p, text.n);
	r = buf_append(ret, "\"", 1);
	for (size_t i = 0; r == 0 && i < text.n; i++)
		r = text.p[i] == '"' ? buf_append(ret, "\"\"", 2) : buf_append(ret, &text.p[i], 1);
	return r < 0 ? r : buf_append(ret, "\"", 1);
}

/* CSV is opened in spreadsheets and terminals: escapes are made visible, as in text. */
static int csv_cell(struct buf *ret, const struct column *c, const struct cell *cell)
{
	cleanup(buf_deinit) struct buf safe = { 0 };
	char text[40];
	int r;

	if (cell->kind == CELL_MISSING)
		return 0;
	if (cell->kind == CELL_TEXT) {
		r = text_safe(cell->text, true, &safe);
		return r < 0 ? r : csv_text(ret, buf_span(&safe));
	}
	if (cell->kind == CELL_REAL)
		return buf_printf(ret, "%.15g", cell->real);
	if (c->unit != UNIT_TIME)
		return buf_printf(ret, "%" PRIu64, cell->count);
	table_moment(cell->count, text, sizeof text);
	return buf_append(ret, text, strlen(text));
}

int table_csv(struct buf *ret, const struct table *t, bool header, const char *first_name, const char *first)
{
	int r = 0;

	if (header && first_name)
		r = buf_printf(ret, "%s,", first_name);
	for (size_t k = 0; header && r == 0 && k < t->columns.n; k++)
		r = buf_printf(ret, "%s%s", k ? "," : "", t->columns.v[k]->name);
	if (header && r == 0)
		r = buf_append(ret, "\n", 1);
	for (size_t i = 0; r == 0 && i < t->rows.n; i++) {
		if (first)
			r = buf_printf(ret, "%s,", first);
		for (size_t k = 0; r == 0 && k < t->columns.n; k++) {
			struct cell cell = t->columns.v[k]->get(t->rows.v[i]);

			r = k ? buf_append(ret, ",", 1) : 0;
			if (r == 0)
				r = csv_cell(ret, t->columns.v[k], &cell);
		}
		if (r == 0)
			r = buf_append(ret, "\n", 1);
	}
	return r;
}
