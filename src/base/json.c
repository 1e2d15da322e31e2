#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static void put(struct json *j, const char *text, size_t n)
{
	if (j->error == 0)
		j->error = buf_append(j->out, text, n);
}

static void put_text(struct json *j, const char *text)
{
	put(j, text, strlen(text));
}

static void put_quoted(struct json *j, struct span s)
{
	struct span rest = s;
	uint32_t c;

	put(j, "\"", 1);
	while (utf8_next(&s, &c)) {
		char escape[8];

		if (c & UTF8_INVALID)
			snprintf(escape, sizeof escape, "\\\\x%02x", (unsigned)(c & 0xff));
		else if (c == '"' || c == '\\')
			snprintf(escape, sizeof escape, "\\%c", (char)c);
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
		else
			continue;
		/* What stood before this character goes out as it is. */
		size_t taken = (c & UTF8_INVALID) || c < 0x80 ? 1 : 2;
		put(j, rest.p, (size_t)(s.p - rest.p) - taken);
		put_text(j, escape);
		rest = s;
	}
	put(j, rest.p, rest.n);
	put(j, "\"", 1);
}

static void new_line(struct json *j)
{
	if (j->compact)
		return;
	put(j, "\n", 1);
	for (unsigned i = 0; i < j->depth; i++)
		put(j, "  ", 2);
}

/* Comma, line break, indent and key: all that stands before a value. */
static void begin(struct json *j, const char *key)
{
	if (j->depth > 0) {
		uint32_t bit = 1u << j->depth;

		assert(!!(j->arrays & bit) == !key);
		if (j->nonempty & bit)
			put(j, ",", 1);
		j->nonempty |= bit;
		new_line(j);
	}
	if (key) {
		put_quoted(j, span_from(key));
		put_text(j, j->compact ? ":" : ": ");
	}
}

static void open_level(struct json *j, const char *key, bool array)
{
	begin(j, key);
	put_text(j, array ? "[" : "{");
	j->depth++;
	assert(j->depth < JSON_MAX_DEPTH);
	uint32_t bit = 1u << j->depth;
	j->nonempty &= ~bit;
	j->arrays = array ? j->arrays | bit : j->arrays & ~bit;
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, false);
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, true);
}

void json_end(struct json *j)
{
	assert(j->depth > 0);
	uint32_t bit = 1u << j->depth;

	j->depth--;
	if (j->nonempty & bit)
		new_line(j);
	put_text(j, j->arrays & bit ? "]" : "}");
}

void json_string(struct json *j, const char *key, const char *value)
{
	if (value)
		json_span(j, key, span_from(value));
	else
		json_null(j, key);
}

void json_span(struct json *j, const char *key, struct span value)
{
	begin(j, key);
	put_quoted(j, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	put_text(j, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	put_text(j, "null");
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	begin(j, key);
	snprintf(text, sizeof text, "%" PRIu64, value);
	put_text(j, text);
}

void json_address(struct json *j, const char *key, uint64_t address)
{
	char text[20];

	snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
	json_string(j, key, text);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	char text[24];

	begin(j, key);
	snprintf(text, sizeof text, "%" PRId64, value);
	put_text(j, text);
}

void json_double(struct json *j, const char *key, double value)
{
	char text[32];

	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	if (value == trunc(value) && fabs(value) < 1e15) {
		begin(j, key);
		snprintf(text, sizeof text, "%.0f", value);
		put_text(j, text);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	begin(j, key);
	put_text(j, text);
}

void json_reading(struct json *j, const char *key, reading value)
{
	if (reading_ok(value))
		json_u64(j, key, value);
	else
		json_null(j, key);
}

int json_finish(struct json *j)
{
	assert(j->depth == 0);
	put_text(j, "\n");
	return j->error;
}
