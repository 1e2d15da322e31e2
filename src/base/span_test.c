#include "base/span.h"

#include "base/check.h"

static void test_lines(void)
{
	struct span s = SPAN("one\n\nthree"), line;

	CHECK(span_line(&s, &line) && span_is(line, "one"));
	CHECK(span_line(&s, &line) && line.n == 0);
	CHECK(span_line(&s, &line) && span_is(line, "three")); /* no newline: counts */
	CHECK(!span_line(&s, &line));
	s = SPAN("");
	CHECK(!span_line(&s, &line));
	s = SPAN("a\n");
	CHECK(span_line(&s, &line) && !span_line(&s, &line));
}

static void test_words(void)
{
	struct span s = SPAN(" \t a\tbc  "), word;

	CHECK(span_word(&s, &word) && span_is(word, "a"));
	CHECK(span_word(&s, &word) && span_is(word, "bc"));
	CHECK(!span_word(&s, &word));
	s = SPAN("   ");
	CHECK(!span_word(&s, &word));
}

static void test_separators(void)
{
	struct span s = SPAN("a=b=c"), part;

	CHECK(span_until(&s, '=', &part) && span_is(part, "a") && span_is(s, "b=c"));
	CHECK(span_until_last(&s, '=', &part) && span_is(part, "c") && span_is(s, "b"));
	CHECK(!span_until(&s, '=', &part) && span_is(s, "b"));
	CHECK(!span_until_last(&s, '=', &part) && span_is(s, "b"));
	s = SPAN("=");
	CHECK(span_until(&s, '=', &part) && part.n == 0 && s.n == 0);
	CHECK(!span_until(&s, '=', &part));
}

static void test_compare(void)
{
	CHECK(span_is(SPAN("cpu"), "cpu"));
	CHECK(!span_is(SPAN("cpu0"), "cpu"));
	CHECK(!span_is(SPAN("cp"), "cpu"));
	CHECK(span_is((struct span){ NULL, 0 }, ""));
	CHECK(span_starts(SPAN("cpu0"), "cpu") && !span_starts(SPAN("cp"), "cpu"));
	CHECK(span_is(span_trim(SPAN("\n a b \n")), "a b"));
	CHECK(span_is(span_trim((struct span){ "x\0\0", 3 }), "x"));
	CHECK(span_trim(SPAN(" \n\t")).n == 0);
}

static void test_unsigned(void)
{
	uint64_t v = 7;

	CHECK(span_u64(SPAN("0"), &v) && v == 0);
	CHECK(span_u64(SPAN("18446744073709551615"), &v) && v == UINT64_MAX);
	v = 7;
	CHECK(!span_u64(SPAN("18446744073709551616"), &v));
	CHECK(!span_u64(SPAN("99999999999999999999999"), &v));
	CHECK(!span_u64(SPAN(""), &v) && !span_u64(SPAN("-1"), &v) && !span_u64(SPAN("+1"), &v));
	CHECK(!span_u64(SPAN("1 "), &v) && !span_u64(SPAN("0x1"), &v) && !span_u64(SPAN("\xb9"), &v));
	CHECK_U64(v, 7); /* untouched */
}

static void test_signed(void)
{
	int64_t v = 7;

	CHECK(span_i64(SPAN("-20"), &v) && v == -20);
	CHECK(span_i64(SPAN("9223372036854775807"), &v) && v == INT64_MAX);
	CHECK(span_i64(SPAN("-9223372036854775807"), &v) && v == -INT64_MAX);
	v = 7;
	CHECK(!span_i64(SPAN("9223372036854775808"), &v) && !span_i64(SPAN("-"), &v));
	CHECK(!span_i64(SPAN("--1"), &v) && !span_i64(SPAN(""), &v) && v == 7);
}

static void test_hex(void)
{
	uint64_t v = 7;

	CHECK(span_hex(SPAN("0x7fFf"), &v) && v == 0x7fff);
	CHECK(span_hex(SPAN("ffffffffffffffff"), &v) && v == UINT64_MAX);
	v = 7;
	CHECK(!span_hex(SPAN("0x"), &v) && !span_hex(SPAN(""), &v) && !span_hex(SPAN("g"), &v));
	CHECK(!span_hex(SPAN("10000000000000000"), &v) && v == 7);
	CHECK(!span_hex(SPAN("@"), &v) && !span_hex(SPAN("1A:"), &v));
}

static void test_fixed(void)
{
	uint64_t v = 7;

	CHECK(span_fixed(SPAN("0.37"), 2, &v) && v == 37);
	CHECK(span_fixed(SPAN("1.5"), 3, &v) && v == 1500);
	CHECK(span_fixed(SPAN("12"), 3, &v) && v == 12000);
	CHECK(span_fixed(SPAN("1.98765"), 2, &v) && v == 198); /* cut, not rounded */
	v = 7;
	CHECK(!span_fixed(SPAN("1."), 2, &v) && !span_fixed(SPAN(".5"), 2, &v));
	CHECK(!span_fixed(SPAN("1.2.3"), 1, &v) && !span_fixed(SPAN("1.5x"), 1, &v));
	CHECK(!span_fixed(SPAN(""), 2, &v) && !span_fixed(SPAN("nan"), 2, &v));
	CHECK(!span_fixed(SPAN("18446744073709551615.0"), 3, &v) && v == 7);
}

static void test_copy(void)
{
	char out[4];

	span_copy(SPAN("abcdef"), out, sizeof out);
	CHECK_STR(out, "abc");
	span_copy((struct span){ NULL, 0 }, out, sizeof out);
	CHECK_STR(out, "");
	span_copy(SPAN("x"), out, 1);
	CHECK_STR(out, "");
}

static void takes_bytes(void)
{
	struct span s = SPAN("abc");
	char two[2] = "";

	CHECK(span_take_bytes(&s, two, 2) && memcmp(two, "ab", 2) == 0 && span_is(s, "c"));
	CHECK(!span_take_bytes(&s, two, 2) && span_is(s, "c") && two[0] == 'a');
	CHECK(span_take_bytes(&s, two, 1) && two[0] == 'c' && s.n == 0);
}

int main(void)
{
	takes_bytes();
	test_lines();
	test_words();
	test_separators();
	test_compare();
	test_unsigned();
	test_signed();
	test_hex();
	test_fixed();
	test_copy();
	return check_exit();
}
