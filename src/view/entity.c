#include "view/entity.h"

#include <errno.h>
#include <stdlib.h>

#include "base/closest.h"

#define ENTITY(name) extern const struct entity entity_##name;
#include "view/entities.def"
#undef ENTITY

const struct entity *const entities[] = {
#define ENTITY(name) &entity_##name,
#include "view/entities.def"
#undef ENTITY
};
const size_t nentities = sizeof entities / sizeof entities[0];

double cell_number(const struct cell *c)
{
	if (c->kind == CELL_COUNT)
		return (double)c->count;
	return c->kind == CELL_REAL ? c->real : NAN;
}

const struct column *entity_column(const struct entity *e, struct span name)
{
	for (size_t i = 0; i < e->ncolumns; i++)
		if (span_is(name, e->columns[i].name))
			return &e->columns[i];
	return NULL;
}

const char *entity_closest(const struct entity *e, struct span name)
{
	struct closest c = { 0 };
	char word[64];

	span_copy(name, word, sizeof word);
	for (size_t i = 0; i < e->ncolumns; i++)
		closest_offer(&c, word, e->columns[i].name);
	return c.word ? c.word : "";
}

static int unknown(const struct entity *e, struct span name, struct note *note)
{
	return note_set(note, -EINVAL, "%s has no column '%.*s'; closest: %s (osprey metrics %s lists them)",
			e->name, (int)(name.n < 64 ? name.n : 64), name.p, entity_closest(e, name), e->name);
}

static int push(column_vec *columns, const struct column *c)
{
	const struct column **place;

	vec_each(have, columns)
		if (*have == c)
			return 0;
	place = vec_push(columns);
	if (!place)
		return -ENOMEM;
	*place = c;
	return 0;
}

/* Takes what stands before the next comma. */
static bool next_name(struct span *names, struct span *ret)
{
	if (names->n == 0)
		return false;
	if (!span_until(names, ',', ret)) {
		*ret = *names;
		names->n = 0;
	}
	*ret = span_trim(*ret);
	return true;
}

static int push_named(const struct entity *e, struct span name, column_vec *ret, struct note *note)
{
	const struct column *c = entity_column(e, name);

	if (c)
		return push(ret, c);
	if (!span_is(name, "all"))
		return unknown(e, name, note);
	int r = 0;
	for (size_t i = 0; r == 0 && i < e->ncolumns; i++)
		r = e->columns[i].costly ? 0 : push(ret, &e->columns[i]);
	return r;
}

static int push_all_named(const struct entity *e, struct span names, column_vec *ret, struct note *note)
{
	struct span name;
	int r = 0;

	while (r == 0 && next_name(&names, &name)) {
		if (name.n && name.p[0] == '+')
			name = (struct span){ name.p + 1, name.n - 1 };
		r = push_named(e, name, ret, note);
	}
	return r;
}

int entity_columns(const struct entity *e, struct span names, column_vec *ret, struct note *note)
{
	const struct column *last = NULL;
	int r = 0;

	if (names.n && names.p[0] == '+') {
		r = push_all_named(e, span_from(e->shown), ret, note);
		/* What is cut to the room that is left stays at the end: nobody looks behind it. */
		if (r == 0 && ret->n && ret->v[ret->n - 1]->elastic)
			last = ret->v[--ret->n];
	}
	if (r == 0)
		r = push_all_named(e, names, ret, note);
	return r == 0 && last ? push(ret, last) : r;
}

int entity_columns_named(const struct entity *e, struct span names, column_vec *ret, struct note *note)
{
	return push_all_named(e, names, ret, note);
}

int sort_parse(const struct entity *e, struct span text, struct sort *ret, struct note *note)
{
	struct sort sort = { .n = 0 };
	struct span name;

	while (next_name(&text, &name)) {
		bool turned = name.n && name.p[0] == '-';

		if (turned)
			name = (struct span){ name.p + 1, name.n - 1 };
		const struct column *c = entity_column(e, name);
		if (!c)
			return unknown(e, name, note);
		if (sort.n == SORT_MAX)
			return note_set(note, -EINVAL, "at most %d columns can be sorted by", SORT_MAX);
		sort.key[sort.n++] = (struct sort_key){ c, (c->kind != LABEL) != turned };
	}
	if (sort.n == 0)
		return note_set(note, -EINVAL, "a column is missing to sort by");
	*ret = sort;
	return 0;
}

struct sorted {
	const void *row;
	size_t place; /* before: keeps it stable */
	struct cell cell[SORT_MAX];
};

static int compare_texts(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int compare_cells(const struct cell *a, const struct cell *b)
{
	if (a->kind == CELL_TEXT && b->kind == CELL_TEXT)
		return compare_texts(a->text, b->text);
	if (a->kind == CELL_COUNT && b->kind == CELL_COUNT) /* a double would round large ones */
		return (a->count > b->count) - (a->count < b->count);
	double x = cell_number(a), y = cell_number(b);
	return (x > y) - (x < y);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct sorted *x = a, *y = b;
	const struct sort *sort = arg;

	for (size_t i = 0; i < sort->n; i++) {
		bool no_x = x->cell[i].kind == CELL_MISSING, no_y = y->cell[i].kind == CELL_MISSING;

		if (no_x != no_y)
			return no_x ? 1 : -1;
		int c = no_x ? 0 : compare_cells(&x->cell[i], &y->cell[i]);
		if (c)
			return sort->key[i].descending ? -c : c;
	}
	return (x->place > y->place) - (x->place < y->place);
}

int sort_rows(const struct sort *sort, row_vec *rows)
{
	struct sorted *sorted = rows->n ? malloc(rows->n * sizeof *sorted) : NULL;

	if (rows->n && !sorted)
		return -ENOMEM;
	for (size_t i = 0; i < rows->n; i++) {
		sorted[i].row = rows->v[i];
		sorted[i].place = i;
		for (size_t k = 0; k < sort->n; k++)
			sorted[i].cell[k] = sort->key[k].column->get(rows->v[i]);
	}
	if (rows->n)
		qsort_r(sorted, rows->n, sizeof *sorted, compare_rows, (void *)sort);
	for (size_t i = 0; i < rows->n; i++)
		rows->v[i] = sorted[i].row;
	free(sorted);
	return 0;
}

int row_push(row_vec *rows, const void *row)
{
	const void **place = vec_push(rows);

	if (!place)
		return -ENOMEM;
	*place = row;
	return 0;
}
