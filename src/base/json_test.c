#include "base/json.h"

#include "base/check.h"
#include "base/cleanup.h"

static void check_document(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_object(&j, NULL);
	json_array(&j, "empty");
	json_end(&j);
	json_array(&j, "list");
	json_u64(&j, NULL, UINT64_MAX);
	json_i64(&j, NULL, -7);
	json_object(&j, NULL);
	json_end(&j);
	json_end(&j);
	json_bool(&j, "yes", true);
	json_string(&j, "none", NULL);
	json_reading(&j, "missing", READING_DENIED);
	json_reading(&j, "zero", 0);
	json_end(&j);
	CHECK(json_finish(&j) == 0);
	CHECK_STR(text.data, "{\n  \"empty\": [],\n  \"list\": [\n    18446744073709551615,\n    -7,\n    {}\n  ],\n"
			     "  \"yes\": true,\n  \"none\": null,\n  \"missing\": null,\n  \"zero\": 0\n}\n");
}

static void check_double(double value, const char *wanted)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_double(&j, NULL, value);
	CHECK(json_finish(&j) == 0);
	CHECK_STR(text.data, wanted);
}

static void check_string(struct span value, const char *wanted)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_span(&j, NULL, value);
	CHECK(json_finish(&j) == 0);
	CHECK_STR(text.data, wanted);
}

int main(void)
{
	check_document();
	check_double(NAN, "null\n");
	check_double(INFINITY, "null\n");
	check_double(-INFINITY, "null\n");
	check_double(0.1, "0.1\n");
	check_double(1.0 / 3, "0.3333333333333333\n");
	check_double(1700000000, "1700000000\n");
	check_double(-2, "-2\n");
	check_double(1e300, "1e+300\n");
	check_string(SPAN(""), "\"\"\n");
	check_string(SPAN("a\"b\\c"), "\"a\\\"b\\\\c\"\n");
	check_string(SPAN("\0\n\x7f"), "\"\\u0000\\u000a\\u007f\"\n");
	check_string(SPAN("\xc2\x85"), "\"\\u0085\"\n"); /* C1 */
	check_string(SPAN("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa6"), "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa6\"\n");
	check_string(SPAN("a\xff\xc3"), "\"a\\\\xff\\\\xc3\"\n");
	check_string(SPAN("\xed\xa0\x80"), "\"\\\\xed\\\\xa0\\\\x80\"\n"); /* a surrogate */
	check_string(SPAN("\xc0\xaf"), "\"\\\\xc0\\\\xaf\"\n"); /* overlong */
	return check_exit();
}
