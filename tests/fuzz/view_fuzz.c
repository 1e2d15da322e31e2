/* Filters, sorts and columns as a user may type them, configuration files, and the names that stand
 * behind cgroups. */
#include <stdlib.h>

#include "base/toml.h"
#include "source/cgroup/cgroup_name.h"
#include "view/filter.h"

static const struct thing {
	reading number;
	struct span text;
} things[] = { { 0, { "", 0 } }, { 4096, { "a\nb", 3 } }, { READING_DENIED, { "postgres", 8 } } };

static struct cell get_number(const void *row) { return cell_reading(((const struct thing *)row)->number); }
static struct cell get_text(const void *row) { return cell_span(((const struct thing *)row)->text); }

static const struct column columns[] = {
	COLUMN(1, number, "N", COUNT, GAUGE, get_number, 0, "", ""),
	COLUMN(2, size_bytes, "B", BYTES, GAUGE, get_number, 0, "", ""),
	COLUMN(3, wait_ns, "W", NS, COUNTER, get_number, 0, "", ""),
	COLUMN(5, start, "S", TIME, LABEL, get_number, 0, "", ""),
	COLUMN(4, text, "T", TEXT, LABEL, get_text, 0, "", ""),
};
static const struct entity thing = { .name = "thing", .help = "", COLUMNS(columns), .shown = "number,text" };

static void fuzz_filter(struct span text)
{
	struct filter *f = NULL;
	struct note note;

	if (filter_parse(&thing, text, &f, &note) == 0) {
		filter_at(f, 0);
		for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
			filter_matches(f, &things[i]);
	}
	filter_free(f);
}

static void fuzz_words(struct span text)
{
	row_vec rows = { 0 };
	column_vec shown = { 0 };
	struct note note;
	struct sort sort;

	for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
		if (row_push(&rows, &things[i]) < 0)
			abort();
	if (sort_parse(&thing, text, &sort, &note) == 0 && sort_rows(&sort, &rows) < 0)
		abort();
	(void)!entity_columns(&thing, text, &shown, &note);
	vec_free(&shown);
	vec_free(&rows);
}

static void fuzz_toml(struct span text)
{
	struct toml *t = NULL;
	struct note note;

	if (toml_parse(text, &t, &note) < 0)
		return;
	for (size_t i = 0; i < t->nentries; i++)
		if (!toml_find(t, t->entries[i].table, t->entries[i].key))
			abort();
	toml_free(t);
}

static void fuzz_cgroup(struct span text)
{
	char path[128], name[40];

	cgroup_of_process(text.p, text.n, path, sizeof path);
	cgroup_name(path, name, sizeof name);
	cgroup_is_container(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0: fuzz_filter(text); break;
	case 1: fuzz_words(text); break;
	case 2: fuzz_toml(text); break;
	default: fuzz_cgroup(text); break;
	}
	return 0;
}
