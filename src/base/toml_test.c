#include <errno.h>

#include "base/check.h"
#include "base/toml.h"

static void check_good(void)
{
	static const char text[] = "# comment\r\n"
				   "units = \"si\" # behind\n"
				   "n = 1_000\nneg=-5\nf = 1.5e3\nyes = true\nno = false\n"
				   "a.b = 'raw\\n'\n"
				   "[colors]\n"
				   "\"he ader\" = \"b\\u00e9\\t\\\"\"\n"
				   "[ps.deep]\n"
				   "columns = [ \"pid\", # first\n  'user',\n]\n"
				   "empty = []";
	struct toml *t = NULL;
	struct note note = { "" };

	CHECK(toml_parse(SPAN(text), &t, &note) == 0);
	CHECK_STR(note.text, "");
	CHECK_U64(t->nentries, 10);
	CHECK_STR(toml_find(t, "", "units")->string, "si");
	CHECK(toml_find(t, "", "n")->integer == 1000 && toml_find(t, "", "neg")->integer == -5);
	CHECK(toml_find(t, "", "f")->kind == TOML_FLOAT && toml_find(t, "", "f")->real == 1500);
	CHECK(toml_find(t, "", "yes")->boolean && !toml_find(t, "", "no")->boolean);
	CHECK_STR(toml_find(t, "a", "b")->string, "raw\\n");
	CHECK_STR(toml_find(t, "colors", "he ader")->string, "b\303\251\t\"");
	const struct toml_value *columns = toml_find(t, "ps.deep", "columns");
	CHECK(columns && columns->kind == TOML_ARRAY && columns->nitems == 2);
	CHECK_STR(columns->items[1].string, "user");
	CHECK_U64(columns->items[1].line, 13);
	CHECK_U64(toml_find(t, "ps.deep", "empty")->nitems, 0);
	CHECK(toml_find(t, "ps", "columns") == NULL);
	toml_free(t);
	CHECK(toml_parse(SPAN(""), &t, NULL) == 0);
	CHECK_U64(t->nentries, 0);
	toml_free(t);
}

static void bad(const char *text, const char *wanted)
{
	struct note note = { "" };
	struct toml *t = NULL;

	CHECK(toml_parse(span_from(text), &t, &note) == -EINVAL);
	CHECK_STR(note.text, wanted);
	CHECK(t == NULL);
}

static void check_bad(void)
{
	bad("a = 1\na = 2", "line 2: a is given twice; first on line 1");
	bad("a", "line 1: '=' is missing behind the key");
	bad("\n= 1", "line 2: a key is missing");
	bad("a = ", "line 1: a value is missing");
	bad("a = word", "line 1: 'word' is no value; strings stand in quotes");
	bad("a = 0x10", "line 1: '0x10' is no value; strings stand in quotes");
	bad("a = nan", "line 1: 'nan' is no value; strings stand in quotes");
	bad("a = 1.2.3", "line 1: '1.2.3' is no number");
	bad("a = 99999999999999999999e999", "line 1: '99999999999999999999e999' is no number");
	bad("a = 1979-05-27", "line 1: '1979-05-27' is no number");
	bad("a = \"x", "line 1: a string does not end");
	bad("a = \"\\q\"", "line 1: unknown escape '\\q'");
	bad("a = \"\\u12\"", "line 1: an escape lacks its digits");
	bad("a = \"\\ud800\"", "line 1: an escape names no character");
	bad("a = \"\\u0000\"", "line 1: an escape names no character");
	bad("a = \"\"\"x\"\"\"", "line 1: strings of several lines are not taken here");
	bad("a = [1, [2]]", "line 1: arrays within arrays are not taken here");
	bad("a = [1 2]", "line 1: an array goes on with ',' or ends with ']'");
	bad("a = {b = 1}", "line 1: inline tables are not taken here; write [table]");
	bad("a = 1 2", "line 1: something stands behind the value");
	bad("[a", "line 1: ']' is missing");
	bad("[[a]]", "line 1: arrays of tables are not taken here");
}

int main(void)
{
	check_good();
	check_bad();
	return check_exit();
}
