#include "view/entity.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "view/filter.h"

struct thing {
	const char *name;
	reading size, wait;
	double share;
	reading born;
};

#define THING ((const struct thing *)row)
static struct cell get_name(const void *row) { return cell_text(THING->name); }
static struct cell get_size(const void *row) { return cell_reading(THING->size); }
static struct cell get_wait(const void *row) { return cell_reading(THING->wait); }
static struct cell get_share(const void *row) { return cell_real(THING->share); }
static struct cell get_born(const void *row) { return cell_reading(THING->born); }

static const struct column columns[] = {
	COLUMN(1, name, "NAME", TEXT, LABEL, get_name, 0, "here", "its name"),
	COLUMN(2, size_bytes, "SIZE", BYTES, GAUGE, get_size, 1, "here", "its size"),
	COLUMN(3, wait_ns, "WAIT", NS, COUNTER, get_wait, 2, "here", "its wait"),
	COLUMN(4, share_pct, "SHARE", PCT, RATE, get_share, 3, "here", "its share"),
	COLUMN(6, born, "BORN", TIME, LABEL, get_born, 3, "here", "when it was born"),
	COLUMN_COSTLY(5, dear, "DEAR", COUNT, GAUGE, get_size, 3, "here", "a dear one"),
};
static const struct entity thing = {
	.name = "thing", .help = "a thing", COLUMNS(columns), .shown = "name,size_bytes", .sort = "name",
};

#define NOW (UINT64_C(1763676000) * NS_PER_S) /* 2025-11-20 22:00 UTC */

static const struct thing things[] = {
	{ "pear", 2048, 1000000, 5, NOW - 60 * NS_PER_S },
	{ "Apple", READING_DENIED, 20000000000, NAN, NOW - 3600 * NS_PER_S },
	{ "fig", 18446744073709551000u, 0, 99.5, NOW - 86400 * NS_PER_S },
	{ "apple", 2048, READING_ABSENT, -1, READING_ABSENT },
};
#define N (sizeof things / sizeof things[0])

static void all(row_vec *rows)
{
	rows->n = 0;
	for (size_t i = 0; i < N; i++)
		CHECK(row_push(rows, &things[i]) == 0);
}

/* Names of the rows, first letters but for the two apples. */
static const char *names(const row_vec *rows)
{
	static char text[64];

	text[0] = '\0';
	vec_each(row, rows) {
		strcat(text, ((const struct thing *)*row)->name);
		strcat(text, " ");
	}
	return text;
}

static void sorted(const char *by, const char *wanted)
{
	struct note note = { "" };
	row_vec rows = { 0 };
	struct sort sort;

	all(&rows);
	CHECK(sort_parse(&thing, span_from(by), &sort, &note) == 0);
	CHECK(sort_rows(&sort, &rows) == 0);
	CHECK_STR(names(&rows), wanted);
	vec_free(&rows);
}

static void check_sort(void)
{
	struct note note = { "" };
	struct sort sort;

	sorted("name", "Apple apple fig pear ");
	sorted("-name", "pear fig apple Apple ");
	sorted("size_bytes", "fig pear apple Apple "); /* the missing one last; equal ones as they came */
	sorted("-size_bytes", "pear apple fig Apple ");
	sorted("size_bytes,name", "fig apple pear Apple ");
	sorted("share_pct", "fig pear apple Apple ");
	CHECK(sort_parse(&thing, SPAN("sise_bytes"), &sort, &note) == -EINVAL);
	CHECK_STR(note.text, "thing has no column 'sise_bytes'; closest: size_bytes (osprey metrics thing lists them)");
	CHECK(sort_parse(&thing, SPAN(""), &sort, &note) == -EINVAL);
	CHECK(sort_parse(&thing, SPAN("name,name,name,name,name"), &sort, &note) == -EINVAL);
}

/* Of nothing there is no share and no mean, and yet nothing is amiss: no reason is given. */
static void check_cells(void)
{
	struct cell none = cell_share(0, 0), half = cell_share(1, 2), unknown = cell_share(READING_DENIED, 0);

	CHECK(none.kind == CELL_MISSING && reading_reason(none.missing) == NULL);
	CHECK(half.kind == CELL_REAL && half.real == 50);
	CHECK(unknown.kind == CELL_MISSING && unknown.missing == READING_DENIED);
	CHECK(cell_share(1, NAN).missing == READING_ABSENT);
}

static void chosen(const char *words, const char *wanted)
{
	column_vec got = { 0 };
	char text[80] = "";

	CHECK(entity_columns(&thing, span_from(words), &got, NULL) == 0);
	vec_each(c, &got) {
		strcat(text, (*c)->name);
		strcat(text, " ");
	}
	CHECK_STR(text, wanted);
	vec_free(&got);
}

static void check_columns(void)
{
	column_vec got = { 0 };

	chosen("wait_ns, name", "wait_ns name ");
	chosen("+wait_ns", "name size_bytes wait_ns ");
	chosen("+dear,+wait_ns", "name size_bytes dear wait_ns ");
	chosen("+share_pct,wait_ns", "name size_bytes share_pct wait_ns ");
	chosen("all", "name size_bytes wait_ns share_pct born ");
	chosen("all,dear", "name size_bytes wait_ns share_pct born dear ");
	chosen("name,name", "name ");
	CHECK(entity_columns(&thing, SPAN("name,,size_bytes"), &got, NULL) == -EINVAL);
	vec_free(&got);
}

static void kept(const char *expression, const char *wanted)
{
	struct note note = { "" };
	struct filter *f = NULL;
	row_vec rows = { 0 };

	all(&rows);
	CHECK(filter_parse(&thing, span_from(expression), &f, &note) == 0);
	CHECK_STR(note.text, "");
	filter_at(f, NOW);
	filter_rows(f, &rows);
	CHECK_STR(names(&rows), wanted);
	filter_free(f);
	vec_free(&rows);
}

static void refused(const char *expression, const char *wanted)
{
	struct note note = { "" };
	struct filter *f = NULL;

	CHECK(filter_parse(&thing, span_from(expression), &f, &note) == -EINVAL);
	CHECK_STR(note.text, wanted);
	CHECK(f == NULL);
}

static void check_filter(void)
{
	kept("size_bytes == 2K", "pear apple ");
	kept("size_bytes = 2048", "pear apple ");
	kept("size_bytes>2K", "fig ");
	kept("wait_ns >= 1ms && wait_ns < 1m", "pear Apple ");
	kept("wait_ns > 19.5s", "Apple ");
	kept("wait_ns > 0m01s", "Apple ");
	kept("wait_ns < 1h30m", "pear Apple fig ");
	kept("born > 10m", "pear ");
	kept("born >= 21:00", "pear Apple ");
	kept("born < '2025-11-20 21:30' && born > yesterday", "Apple fig ");
	kept("born == 2025-11-19T22:00:00.000Z", "fig ");
	kept("born > @1763672399", "pear Apple ");
	kept("share_pct>5%||name==pear", "pear fig ");
	kept("name ~ APP", "Apple apple ");
	kept("name !~ app and name != fig", "pear ");
	kept("name == 'pear' or name == \"fig\"", "pear fig ");
	kept("not (name ~ app)", "pear fig ");
	kept("!name ~ app && !share_pct > 50", "pear ");
	kept("name < b", "Apple apple ");
	kept("share_pct == -1", "apple ");
	kept("size_bytes ~ 48", "pear apple ");
	/* What is not known fulfils nothing, nor its contrary. */
	kept("size_bytes != 2K", "fig ");
	kept("!(size_bytes == 2K)", "fig ");
	kept("size_bytes == 2K || name == Apple", "pear Apple apple ");
	kept("!(size_bytes == 2K && name == Apple)", "pear fig apple ");
	kept(&"a_b == 1 || name == fig"[11], "fig ");
}

static void check_refused(void)
{
	refused("", "column 1 of the filter: a name is missing, as in \"name > 5\"");
	refused("size > 5", "thing has no column 'size'; closest: size_bytes (osprey metrics thing lists them)");
	refused("size_bytes", "column 11 of the filter: a comparison is missing behind size_bytes: == != < <= > >= ~ !~");
	refused("size_bytes >", "a value is missing at column 13 of the filter");
	refused("size_bytes > pear", "size_bytes is a number, and 'pear' is none (write 512M, 1.5G)");
	refused("size_bytes > 5ms", "size_bytes is a number, and '5ms' is none (write 512M, 1.5G)");
	refused("wait_ns > soon", "wait_ns is a number, and 'soon' is none (write 10ms, 2s, 1h30m)");
	refused("wait_ns > 1h30", "wait_ns is a number, and '1h30' is none (write 10ms, 2s, 1h30m)");
	refused("born > soon",
		"born is a time, and 'soon' is none (write 21:00, '2026-11-20 21:00', yesterday; 10m, 2h or 3d: so long ago)");
	refused("share_pct > nan", "share_pct is a number, and 'nan' is none");
	refused("share_pct > 0x10", "share_pct is a number, and '0x10' is none");
	refused("(name == a", "column 11 of the filter: ')' is missing");
	refused("name == a)", "column 10 of the filter: ')' is too much; join comparisons by && or ||");
	refused("name == a name == b", "column 11 of the filter: 'name == b' is too much; join comparisons by && or ||");
	refused("name == 'a", "the quote that opens at column 9 of the filter never ends");
	char deep[400];
	memset(deep, '(', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	refused(deep, "the filter nests too deeply");
}

/* What the views show must be whole: names unique in their entity, defaults that exist. */
static void check_entities(void)
{
	for (size_t i = 0; i < nentities; i++) {
		const struct entity *e = entities[i];
		column_vec shown = { 0 };
		struct note note = { "" };
		struct sort sort;

		CHECK(entity_columns(e, span_from(e->shown), &shown, &note) == 0);
		CHECK(!e->sort || sort_parse(e, span_from(e->sort), &sort, &note) == 0);
		CHECK_STR(note.text, "");
		vec_free(&shown);
		for (size_t k = 0; k < e->ncolumns; k++) {
			const struct column *c = &e->columns[k];

			CHECK(entity_column(e, span_from(c->name)) == c);
			CHECK(c->help[0] && c->source[0] && c->header[0]);
			/* The unit stands in the name, but for plain counts and texts. */
			if (c->unit == UNIT_BYTES)
				CHECK(strstr(c->name, "bytes"));
			if (c->unit == UNIT_PCT)
				CHECK(strstr(c->name, "_pct"));
			if (c->unit == UNIT_NS)
				CHECK(strstr(c->name, "_ns"));
			if (c->unit == UNIT_PER_S || c->unit == UNIT_BYTES_PER_S)
				CHECK(strstr(c->name, "per_s"));
		}
	}
}

int main(void)
{
	setenv("TZ", "UTC0", 1);
	check_cells();
	check_sort();
	check_columns();
	check_filter();
	check_refused();
	check_entities();
	return check_exit();
}
