/* Strings, numbers, dates and words of TOML. */
#include <errno.h>
#include <string.h>

#include "reflect/number_text.h"
#include "reflect/toml_tree.h"
#include "reflect/utf8.h"

static int hex(struct toml_tree *t, const char *p, int n, uint32_t *ret)
{
	uint32_t v = 0;

	if (t->end - p < n)
		return -1;
	for (int i = 0; i < n; i++) {
		char low = (char)(p[i] | 0x20);
		if (p[i] >= '0' && p[i] <= '9')
			v = v << 4 | (uint32_t)(p[i] - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint32_t)(low - 'a' + 10);
		else
			return -1;
	}
	*ret = v;
	return v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) ? -1 : 0;
}

/* From the backslash; the end of the escape, or NULL. */
static const char *escape(struct toml_tree *t, const char *p, char **out)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	uint32_t c;

	if (t->end - p < 2)
		return NULL;
	const char *at = strchr(from, p[1]);
	if (at) {
		*(*out)++ = to[at - from];
		return p + 2;
	}
	int n = p[1] == 'u' ? 4 : p[1] == 'U' ? 8 : 0;
	if (!n || hex(t, p + 2, n, &c) < 0)
		return NULL;
	*out += utf8_write(c, *out);
	return p + 2 + n;
}

/* A backslash at the end of a line: what is white up to the next text is left out. NULL: it is none. */
static const char *line_joined(struct toml_tree *t, const char *p)
{
	bool lines = false;

	for (p++; p < t->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'); p++)
		lines |= *p == '\n';
	return lines ? p : NULL;
}

static size_t quotes(const struct toml_tree *t, const char *p, char quote)
{
	size_t n = 0;

	while (n < 5 && p + n < t->end && p[n] == quote)
		n++;
	return n;
}

static int long_string(struct toml_tree *t, char quote, char *out, const char **ret, size_t *ret_bytes)
{
	const char *p = t->p + 3;
	char *o = out;

	p += t->end - p > 1 && p[0] == '\r' && p[1] == '\n';
	p += p < t->end && *p == '\n';
	while (p < t->end) {
		size_t n = quotes(t, p, quote);
		if (n >= 3) {
			/* One or two quotes before the three belong to the text. */
			memset(o, quote, n - 3);
			t->p = p + n;
			*ret = out;
			*ret_bytes = (size_t)(o - out) + n - 3;
			return 0;
		}
		if (quote == '"' && *p == '\\') {
			const char *after = line_joined(t, p);
			if (!after)
				after = escape(t, p, &o);
			if (!after)
				return toml_problem(t, -EBADMSG, p, "no valid escape");
			p = after;
		} else {
			*o++ = *p++;
		}
	}
	return toml_problem(t, -EBADMSG, t->p, "the string does not end");
}

/* The bytes up to what ends it, escaped quotes included. */
static size_t string_bound(const struct toml_tree *t, char quote, bool is_long)
{
	const char *p = t->p + (is_long ? 3 : 1);

	for (; p < t->end; p++) {
		if (quote == '"' && *p == '\\' && t->end - p > 1)
			p++;
		else if (is_long ? quotes(t, p, quote) >= 3 : *p == quote || *p == '\n')
			break;
	}
	return (size_t)(p - t->p);
}

int toml_string(struct toml_tree *t, bool is_key, const char **ret, size_t *ret_bytes)
{
	char quote = *t->p;
	bool is_long = quotes(t, t->p, quote) >= 3;
	const char *p = t->p + 1;

	if (is_long && is_key)
		return toml_problem(t, -EBADMSG, t->p, "a key is of one line");
	char *out = toml_get(t, string_bound(t, quote, is_long) + 3), *o = out;
	if (!out)
		return toml_problem(t, -ENOMEM, t->p, "no memory");
	if (is_long)
		return long_string(t, quote, out, ret, ret_bytes);
	while (p < t->end && *p != quote && *p != '\n') {
		if (quote == '"' && *p == '\\') {
			const char *after = escape(t, p, &o);
			if (!after)
				return toml_problem(t, -EBADMSG, p, "no valid escape");
			p = after;
		} else {
			*o++ = *p++;
		}
	}
	if (p == t->end || *p != quote)
		return toml_problem(t, -EBADMSG, t->p, "the string does not end on its line");
	t->p = p + 1;
	*ret = out;
	*ret_bytes = (size_t)(o - out);
	return 0;
}

/* 99-99: digits where a 9 is, the other bytes as they are. */
static bool shaped(const char *p, size_t n, const char *shape)
{
	if (n < strlen(shape))
		return false;
	for (; *shape; shape++, p++)
		if (*shape == '9' ? *p < '0' || *p > '9' : *p != *shape)
			return false;
	return true;
}

static int two(const char *p)
{
	return (p[0] - '0') * 10 + p[1] - '0';
}

static size_t time_length(const char *p, size_t n)
{
	size_t length = 8;

	if (!shaped(p, n, "99:99:99") || two(p) > 23 || two(p + 3) > 59 || two(p + 6) > 60)
		return 0;
	if (n > 8 && p[8] == '.') {
		for (length = 9; length < n && p[length] >= '0' && p[length] <= '9'; length++)
			;
		if (length == 9)
			return 0;
	}
	return length;
}

static bool is_day(const char *p, size_t n)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (!shaped(p, n, "9999-99-99"))
		return false;
	int year = two(p) * 100 + two(p + 2), month = two(p + 5), day = two(p + 8);
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

/* Bytes of a date, a time, or both with an offset; 0: it is none. */
static size_t date_length(const char *p, size_t n)
{
	if (!is_day(p, n))
		return time_length(p, n);
	if (n == 10 || (p[10] != 'T' && p[10] != 't' && p[10] != ' '))
		return 10;
	size_t time = time_length(p + 11, n - 11), at = 11 + time;
	if (!time)
		return p[10] == ' ' ? 10 : 0;
	if (at < n && (p[at] | 0x20) == 'z')
		return at + 1;
	if (at < n && (p[at] == '+' || p[at] == '-')) {
		const char *o = p + at + 1;
		return shaped(o, n - at - 1, "99:99") && two(o) < 24 && two(o + 3) < 60 ? at + 6 : 0;
	}
	return at;
}

/* Digits with single underscores between them. */
static size_t digits(const char *p, const char *end, const char *allowed)
{
	const char *from = p;

	while (p < end && (memchr(allowed, *p, strlen(allowed)) || (*p == '_' && p > from && p[-1] != '_' && p + 1 < end && memchr(allowed, p[1], strlen(allowed)))))
		p++;
	return (size_t)(p - from);
}

#define DECIMAL "0123456789"

static int based(struct toml_tree *t, const char *p, const char *end, struct toml_node *ret)
{
	unsigned bits = p[1] == 'x' ? 4 : p[1] == 'o' ? 3 : 1;
	size_t n = digits(p + 2, end, bits == 4 ? DECIMAL "abcdefABCDEF" : bits == 3 ? "01234567" : "01");
	uint64_t v = 0;

	if (n == 0 || p + 2 + n != end)
		return toml_problem(t, -EBADMSG, p, "no valid number");
	for (const char *d = p + 2; d < end; d++) {
		if (*d == '_')
			continue;
		if (v >> (64 - bits))
			return toml_problem(t, -EBADMSG, p, "the number does not fit 64 bits");
		v = v << bits | (uint64_t)(*d <= '9' ? *d - '0' : (*d | 0x20) - 'a' + 10);
	}
	char *text = toml_get(t, NUMBER_TEXT);
	if (!text)
		return toml_problem(t, -ENOMEM, p, "no memory");
	ret->text = text;
	ret->text_bytes = number_unsigned(v, text);
	return 0;
}

/* Without underscores and plus it is JSON's. */
static int plain(struct toml_tree *t, const char *p, const char *end, struct toml_node *ret)
{
	char *text = toml_get(t, (size_t)(end - p)), *o = text;

	if (!text)
		return toml_problem(t, -ENOMEM, p, "no memory");
	for (; p < end; p++)
		if (*p != '_' && !(*p == '+' && o == text))
			*o++ = *p;
	ret->text = text;
	ret->text_bytes = (size_t)(o - text);
	return 0;
}

static int number(struct toml_tree *t, const char *from, const char *end, struct toml_node *ret)
{
	const char *p = from + (*from == '-' || *from == '+'), *whole = p;
	size_t left = (size_t)(end - p);

	if (left == 3 && (memcmp(p, "inf", 3) == 0 || memcmp(p, "nan", 3) == 0))
		return plain(t, from, end, ret);
	if (p == from && left > 2 && *p == '0' && (p[1] == 'x' || p[1] == 'o' || p[1] == 'b'))
		return based(t, p, end, ret);
	p += digits(p, end, DECIMAL);
	if (p == whole || (*whole == '0' && p - whole > 1))
		return toml_problem(t, -EBADMSG, from, "no valid value");
	if (p < end && *p == '.') {
		size_t n = digits(p + 1, end, DECIMAL);
		p += n ? n + 1 : 0;
	}
	if (p < end && (*p | 0x20) == 'e') {
		const char *e = p + 1 + (p + 1 < end && (p[1] == '-' || p[1] == '+'));
		size_t n = digits(e, end, DECIMAL);
		p = n ? e + n : p;
	}
	if (p != end)
		return toml_problem(t, -EBADMSG, from, "no valid value");
	return plain(t, from, end, ret);
}

int toml_word(struct toml_tree *t, struct toml_node *ret)
{
	const char *from = t->p, *end = from;
	size_t date = date_length(from, (size_t)(t->end - from));

	while (end < t->end && !strchr(" \t\r\n,]}#", *end))
		end++;
	if (date) {
		if (end > from + date)
			return toml_problem(t, -EBADMSG, from, "no valid date or time");
		t->p = from + date;
		ret->kind = TOML_DATE;
		ret->text = from;
		ret->text_bytes = date;
		return 0;
	}
	ret->kind = TOML_WORD;
	t->p = end;
	if ((end - from == 4 && memcmp(from, "true", 4) == 0) || (end - from == 5 && memcmp(from, "false", 5) == 0)) {
		ret->text = from;
		ret->text_bytes = (size_t)(end - from);
		return 0;
	}
	return end > from ? number(t, from, end, ret) : toml_problem(t, -EBADMSG, from, "expected a value");
}
