#include "report/table.h"

#include "base/check.h"
#include "base/cleanup.h"

struct thing {
	struct span name;
	reading size;
	double share;
	const char *path;
	reading denied, absent;
};

#define THING ((const struct thing *)row)
static struct cell get_name(const void *row) { return cell_span(THING->name); }
static struct cell get_size(const void *row) { return cell_reading(THING->size); }
static struct cell get_share(const void *row) { return cell_real(THING->share); }
static struct cell get_path(const void *row) { return cell_text(THING->path); }
static struct cell get_denied(const void *row) { return cell_reading(THING->denied); }
static struct cell get_absent(const void *row) { return cell_reading(THING->absent); }

static const struct column columns[] = {
	COLUMN(1, name, "NAME", TEXT, LABEL, get_name, 0, "here", "its name"),
	COLUMN(2, size_bytes, "SIZE", BYTES, GAUGE, get_size, 0, "here", "its size"),
	COLUMN(3, share_pct, "SHARE%", PCT, RATE, get_share, 5, "here", "its share"),
	COLUMN(4, denied, "DEN", COUNT, GAUGE, get_denied, 6, "here", "kept from us"),
	COLUMN(5, absent, "ABS", COUNT, GAUGE, get_absent, 7, "here", "not there"),
	COLUMN_ELASTIC(6, path, "PATH", TEXT, LABEL, get_path, 0, "here", "its path"),
};
static const struct entity thing = { .name = "thing", .help = "", COLUMNS(columns), .shown = "name,denied,path" };

static struct thing things[] = {
	{ { "pear", 4 }, 1536, 5, "/a/long/path/to/it", READING_DENIED, READING_ABSENT },
	{ { "new\nline\033[31m", 13 }, 0, 99.96, "/b", READING_DENIED, READING_ABSENT },
	{ { "日本", 6 }, READING_DENIED, NAN, "e\xcc\x81\xff", 7, READING_ABSENT },
};

static void table_of(struct table *t, const char *names, bool keep)
{
	*t = (struct table){ .entity = &thing };
	CHECK(entity_columns(&thing, span_from(names), &t->columns, NULL) == 0);
	CHECK(!keep || entity_columns_named(&thing, span_from(names), &t->named, NULL) == 0);
	for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
		CHECK(row_push(&t->rows, &things[i]) == 0);
}

static void table_end(struct table *t)
{
	vec_free(&t->columns);
	vec_free(&t->named);
	vec_free(&t->rows);
}

static void text(unsigned width, bool unicode, const char *names, bool keep, const char *wanted)
{
	cleanup(buf_deinit) struct buf out = { 0 };
	struct page p = { .out = &out, .style = { .width = width, .unicode = unicode } };
	struct table t;

	table_of(&t, names, keep);
	table_text(&p, &t);
	CHECK(p.error == 0);
	CHECK_STR(out.data, wanted);
	table_end(&t);
}

static void check_text(void)
{
	text(80, true, "all", false,
	     "NAME               SIZE SHARE% DEN PATH\n"
	     "pear              1.50K    5.0   - /a/long/path/to/it\n"
	     "new\\nline\\x1b[31m     0  100.0   - /b\n"
	     "日本                  -      -   7 e\xcc\x81\\xff\n"
	     "  - not measurable: size_bytes (needs root), denied (needs root)\n");
	/* The highest rank goes first, then the path is cut. */
	text(40, true, "all", false,
	     "NAME               SIZE PATH\n"
	     "pear              1.50K /a/long/path/to…\n"
	     "new\\nline\\x1b[31m     0 /b\n"
	     "日本                  - e\xcc\x81\\xff\n"
	     "  - not measurable: size_bytes (needs\n"
	     "  root)\n");
	/* What was asked for by name stays. */
	text(20, true, "path,absent", true,
	     "PATH             ABS\n"
	     "/a/long/path/to…   -\n"
	     "/b                 -\n"
	     "e\xcc\x81\\xff              -\n"
	     "  - not measurable:\n"
	     "  absent (none here)\n");
	/* What was added stays too, before the path, and those shown by default make room for it. */
	text(40, true, "+share_pct", true,
	     "NAME              SHARE% PATH\n"
	     "pear                 5.0 /a/long/path/t…\n"
	     "new\\nline\\x1b[31m  100.0 /b\n"
	     "日本                   - e\xcc\x81\\xff\n");
	text(80, false, "name", false, "NAME\npear\nnew\\nline\\x1b[31m\n\\u{65e5}\\u{672c}\n");
}

static void check_data(void)
{
	cleanup(buf_deinit) struct buf out = { 0 };
	struct json j = { .out = &out, .compact = true };
	struct table t;

	table_of(&t, "name,size_bytes,share_pct,absent", true);
	json_object(&j, NULL);
	table_json(&j, "rows", &t);
	table_json_missing(&j, "missing", &t);
	json_end(&j);
	CHECK(json_finish(&j) == 0);
	CHECK_STR(out.data,
		  "{\"rows\":[{\"name\":\"pear\",\"size_bytes\":1536,\"share_pct\":5,\"absent\":null},"
		  "{\"name\":\"new\\u000aline\\u001b[31m\",\"size_bytes\":0,\"share_pct\":99.96,\"absent\":null},"
		  "{\"name\":\"日本\",\"size_bytes\":null,\"share_pct\":null,\"absent\":null}],"
		  "\"missing\":{\"size_bytes\":\"needs root\",\"share_pct\":\"not of every row\",\"absent\":\"none here\"}}\n");
	buf_clear(&out);
	things[0].path = "a,\"b\"";
	table_end(&t);
	table_of(&t, "path,size_bytes", true);
	CHECK(table_csv(&out, &t, true, "time", "now") == 0);
	CHECK_STR(out.data, "time,path,size_bytes\nnow,\"a,\"\"b\"\"\",1536\nnow,/b,0\nnow,e\xcc\x81\\xff,\n");
	table_end(&t);
}

static void cell(const struct column *c, double v, enum table_units units, const char *wanted)
{
	cleanup(buf_deinit) struct buf out = { 0 };
	struct cell value = v == (double)(uint64_t)v ? cell_reading((uint64_t)v) : cell_real(v);

	CHECK(cell_format(c, &value, units, UINT64_C(1700000000) * 1000000000, &out) == 0);
	CHECK_STR(out.data, wanted);
}

static void check_cells(void)
{
	static const struct column ns = COLUMN(1, a_ns, "", NS, COUNTER, get_size, 0, "", "");
	static const struct column count = COLUMN(1, a, "", COUNT, GAUGE, get_size, 0, "", "");
	static const struct column id = COLUMN(1, a, "", COUNT, LABEL, get_size, 0, "", "");
	static const struct column bytes = COLUMN(1, a_bytes, "", BYTES, GAUGE, get_size, 0, "", "");
	static const struct column ms = COLUMN(1, a_ms, "", MS, RATE, get_size, 0, "", "");
	static const struct column moment = COLUMN(1, a, "", TIME, LABEL, get_size, 0, "", "");

	cell(&ns, 0, UNITS_IEC, "0");
	cell(&ns, 900, UNITS_IEC, "1us");
	cell(&ns, 1500000, UNITS_IEC, "1.5ms");
	cell(&ns, 999400000, UNITS_IEC, "999ms");
	cell(&ns, 12340000000, UNITS_IEC, "12.3s");
	cell(&ns, 59.94e9, UNITS_IEC, "59.9s");
	cell(&ns, 307e9, UNITS_IEC, "5m07s");
	cell(&ns, 11520e9, UNITS_IEC, "3h12m");
	cell(&ns, 190800e9, UNITS_IEC, "2d5h");
	cell(&ns, 12340000000, UNITS_RAW, "12340000000");
	cell(&bytes, 999, UNITS_IEC, "999");
	cell(&bytes, 1000, UNITS_SI, "1.00K");
	cell(&bytes, 1023, UNITS_IEC, "1023");
	cell(&bytes, 1024, UNITS_IEC, "1.00K");
	cell(&bytes, 1023.6 * 1024, UNITS_IEC, "1.00M");
	cell(&bytes, 123456789, UNITS_IEC, "118M");
	cell(&bytes, 123456789, UNITS_RAW, "123456789");
	cell(&count, 9999999, UNITS_IEC, "9999999");
	cell(&count, 12345678, UNITS_IEC, "12.3M");
	cell(&count, 0.25, UNITS_IEC, "0.25");
	cell(&id, 4194304000, UNITS_IEC, "4194304000");
	cell(&ms, 0.123, UNITS_IEC, "0.12");
	cell(&ms, 1234.5, UNITS_IEC, "1234");
	/* A day ago is a date. */
	setenv("TZ", "UTC0", 1);
	cell(&moment, 1699999990e9, UNITS_IEC, "22:13:10");
	cell(&moment, 1600000000e9, UNITS_IEC, "2020-09-13");
}

int main(void)
{
	check_text();
	check_data();
	check_cells();
	return check_exit();
}
