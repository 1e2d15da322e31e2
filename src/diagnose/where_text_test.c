#include "diagnose/where_text.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "dig/profile/call_folded.h"

static void parse(const char *text, struct call_tree *t)
{
	size_t refused;

	CHECK(call_tree_init(t, CALL_SAMPLES) == 0);
	CHECK(call_folded_parse(span_from(text), t, &refused) == 0);
	CHECK(call_tree_sum(t) == 0);
}

static void expect(const char *folded, uint64_t samples, const char *wanted)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct call_tree t;

	parse(folded, &t);
	CHECK(where_cpu_text(&t, samples, &text) == 0);
	CHECK(buf_append(&text, "", 1) == 0);
	CHECK_STR(text.data, wanted);
	call_tree_deinit(&t);
}

/* Where a function is called from several places, that with most of its own samples is told. */
static void test_hottest(void)
{
	expect("main;serve;crunch 50\nmain;idle;crunch 10\nmain;serve;parse 30\nmain;log 8\nmain 2\n", 100,
	       "its CPU time, by 100 samples of its stacks:\n"
	       "60 % in crunch < serve < main\n"
	       "30 % in parse < serve < main\n"
	       "8 % in log < main\n");
}

/* What has less than 5 % is left out, but for the first; callers end after five. */
static void test_bounds(void)
{
	expect("a;b;c;d;e;f;g 96\na;x 4\n", 100,
	       "its CPU time, by 100 samples of its stacks:\n96 % in g < f < e < d < c < b\n");
	char many[2048] = "";
	for (unsigned i = 0; i < 50; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "main;f%02u %u\n", i, i == 7 ? 11 : 10);
	expect(many, 501, "its CPU time, by 501 samples of its stacks:\n2 % in f07 < main\n");
}

static void test_too_few(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct call_tree t;

	parse("main;f 9\n", &t);
	CHECK(where_cpu_text(&t, 9, &text) == -ENODATA);
	CHECK(text.n == 0);
	call_tree_deinit(&t);
	CHECK(call_tree_init(&t, CALL_SAMPLES) == 0 && call_tree_sum(&t) == 0);
	CHECK(where_cpu_text(&t, 100, &text) == -ENODATA);
	CHECK(text.n == 0);
	call_tree_deinit(&t);
}

int main(void)
{
	test_hottest();
	test_bounds();
	test_too_few();
	CHECK_STR(where_kind_name(WHERE_NOTHING), "nothing");
	CHECK_STR(where_kind_name(WHERE_DISK), "disk");
	return check_exit();
}
