#include "dig/probe/language.h"

#include <errno.h>

#include "base/check.h"

static struct probe_program *parse(const char *line)
{
	struct probe_program *p = NULL;
	struct probe_error error = { .text = "" };

	if (probe_parse(span_from(line), &p, &error) < 0)
		fprintf(stderr, "%s\n%*s^ %s\n", line, (int)error.column, "", error.text);
	CHECK(p != NULL);
	return p;
}

static void test_probes(void)
{
	struct probe_spec s;
	struct probe_error error;

	CHECK(probe_spec_parse(SPAN("tracepoint:sched:sched_*"), false, &s, &error) == 0);
	CHECK(s.kind == PROBE_TRACEPOINT && span_is(s.group, "sched") && span_is(s.name, "sched_*") && s.name_column == 17);
	CHECK(probe_spec_parse(SPAN("u:/bin/x:foo::bar(int)"), false, &s, &error) == 0);
	CHECK(s.kind == PROBE_UPROBE && span_is(s.file, "/bin/x") && span_is(s.name, "foo::bar(int)"));
	CHECK(probe_spec_parse(SPAN("uprobe:\"/opt/my app:1\":main+0x10"), false, &s, &error) == 0);
	CHECK(span_is(s.file, "/opt/my app:1") && span_is(s.name, "main") && s.offset == 16);
	CHECK(probe_spec_parse(SPAN("usdt:/x:p:n"), false, &s, &error) == 0);
	CHECK(span_is(s.group, "p") && span_is(s.name, "n"));
	CHECK(probe_spec_parse(SPAN("usdt:/x:n"), false, &s, &error) == 0);
	CHECK(s.group.n == 0 && span_is(s.name, "n"));
	CHECK(probe_spec_parse(SPAN("usdt:/x"), true, &s, &error) == 0 && s.name.n == 0);
	CHECK(probe_spec_parse(SPAN("usdt:/x"), false, &s, &error) == -EINVAL && error.column == 7);
	CHECK(probe_spec_parse(SPAN("kretprobe:f+4"), false, &s, &error) == -EINVAL);
	CHECK(probe_spec_parse(SPAN("kprobe:f:g"), false, &s, &error) == -EINVAL && error.column == 9);
}

static void test_clauses(void)
{
	struct probe_program *p = parse("t:a:b if x == 1 count by y; sum(z) by y, comm ;u:/f:g do print str(arg0), arg1;");
	const struct probe_clause *c = p->clause;

	CHECK_U64(p->nclauses, 2);
	CHECK(c[0].filter && span_is(c[0].filter->source, "x == 1"));
	CHECK_U64(c[0].nactions, 2);
	CHECK(c[0].action[0].kind == ACTION_COUNT && c[0].action[0].nkeys == 1 && span_is(c[0].action[0].source, "count by y"));
	CHECK(c[0].action[1].kind == ACTION_SUM && c[0].action[1].nkeys == 2 && span_is(c[0].action[1].value[0]->source, "(z)"));
	CHECK(c[1].action[0].kind == ACTION_PRINT && c[1].action[0].nvalues == 2);
	CHECK(span_is(c[1].action[0].value[0]->source, "str(arg0)"));
	probe_program_free(p);
	p = parse("k:f");
	CHECK(p->clause[0].action[0].kind == ACTION_PRINT && p->clause[0].action[0].nvalues == 0);
	probe_program_free(p);
	p = parse("k:f count()");
	CHECK(p->clause[0].action[0].kind == ACTION_COUNT);
	probe_program_free(p);
}

/* The tree in brackets. */
static void show(const struct expression *e, char *ret, size_t size)
{
	char l[200] = "", r[200] = "";

	if (e->left)
		show(e->left, l, sizeof l);
	if (e->right)
		show(e->right, r, sizeof r);
	if (e->kind == EXPRESSION_BINARY)
		snprintf(ret, size, "(%.60s%.*s%.60s)", l, (int)e->text.n, e->text.p, r);
	else if (e->kind == EXPRESSION_UNARY)
		snprintf(ret, size, "(%.*s%.90s)", (int)e->text.n, e->text.p, l);
	else if (e->kind == EXPRESSION_MEMBER)
		snprintf(ret, size, "(%.60s.%.*s)", l, (int)e->text.n, e->text.p);
	else if (e->kind == EXPRESSION_INDEX)
		snprintf(ret, size, "(%.60s[%.60s])", l, r);
	else if (e->kind == EXPRESSION_CALL)
		snprintf(ret, size, "%.*s{%.90s}", (int)e->text.n, e->text.p, l);
	else
		snprintf(ret, size, "%.*s", (int)e->text.n, e->text.p);
}

static void test_precedence(void)
{
	static const struct {
		const char *line, *tree;
	} cases[] = {
		{ "flags & 4 == 4", "((flags&4)==4)" },
		{ "a || b && c", "(a||(b&&c))" },
		{ "a - b - c", "((a-b)-c)" },
		{ "a + b * c << 1", "((a+(b*c))<<1)" },
		{ "-a->b[1]", "(-((a.b)[1]))" },
		{ "!a == b", "((!a)==b)" },
		{ "*a.b", "(*(a.b))" },
		{ "str(a->b) starts \"x y\" && c", "((str{(a.b)}startsx y)&&c)" },
		{ "a ^ b | c & d", "((a^b)|(c&d))" },
		{ "(a || b) && c", "((a||b)&&c)" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char line[200], tree[200] = "";
		snprintf(line, sizeof line, "k:f if %s count", cases[i].line);
		struct probe_program *p = parse(line);
		if (p)
			show(p->clause[0].filter, tree, sizeof tree);
		CHECK_STR(tree, cases[i].tree);
		probe_program_free(p);
	}
}

static void test_errors(void)
{
	static const struct {
		const char *line, *words;
		size_t column;
	} cases[] = {
		{ "", "a probe should stand", 0 },
		{ "uprob:/x:y", "did you mean 'uprobe:'", 0 },
		{ "k:f cuont", "did you mean 'count'", 4 },
		{ "k:f if a = 1 count", "write '=='", 9 },
		{ "k:f if", "it ends here", 6 },
		{ "k:f if (a count", "')'", 10 },
		{ "k:f if a == \"x count", "no closing quote", 12 },
		{ "k:f if a == 12x count", "is no number", 12 },
		{ "k:f if a == 99999999999999999999 count", "is no number", 12 },
		{ "k:f count by", "it ends here", 12 },
		{ "k:f count extra", "';' or the end", 10 },
		{ "k:f print a by b", "'by' goes with", 12 },
		{ "k:f; nothing", "is no action", 5 },
		{ "t:sched", "the name is missing", 7 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct probe_program *p = NULL;
		struct probe_error error = { .text = "" };

		CHECK(probe_parse(span_from(cases[i].line), &p, &error) == -EINVAL);
		CHECK(strstr(error.text, cases[i].words) != NULL);
		CHECK_U64(error.column, cases[i].column);
		if (!strstr(error.text, cases[i].words) || error.column != cases[i].column)
			fprintf(stderr, "%s: %s\n", cases[i].line, error.text);
	}
}

static void test_bounds(void)
{
	struct probe_error error;
	struct probe_program *p = NULL;
	char line[4096] = "k:f if ";

	memset(line + 7, '(', 3000);
	CHECK(probe_parse(span_from(line), &p, &error) == -EINVAL);
	memset(line + 7, '-', 3000);
	CHECK(probe_parse(span_from(line), &p, &error) == -EINVAL);
	for (size_t i = 7; i + 2 < 3000; i += 2)
		memcpy(line + i, "1+", 2);
	CHECK(probe_parse(span_from(line), &p, &error) == -EINVAL);
}

static void test_patterns(void)
{
	CHECK(probe_matches(SPAN("*"), SPAN("")));
	CHECK(probe_matches(SPAN("sys_*_open?t"), SPAN("sys_enter_openat")));
	CHECK(!probe_matches(SPAN("sys_*_open"), SPAN("sys_enter_openat")));
	CHECK(probe_matches(SPAN("a*b*c"), SPAN("axxbxbxc")));
	CHECK(!probe_matches(SPAN("a"), SPAN("")));
}

static void test_texts(void)
{
	char bytes[8];

	CHECK(probe_text_bytes(SPAN("a\\n\\x41\\\"\\\\"), bytes, sizeof bytes) == 5 && memcmp(bytes, "a\nA\"\\", 5) == 0);
	CHECK(probe_text_bytes(SPAN("123456789"), bytes, sizeof bytes) < 0);
}

int main(void)
{
	test_probes();
	test_clauses();
	test_precedence();
	test_errors();
	test_bounds();
	test_patterns();
	test_texts();
	return check_exit();
}
