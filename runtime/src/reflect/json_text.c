#include "reflect/json_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reflect/utf8.h"

int json_problem(struct json_text *t, int code, const char *where, const struct place *at, const char *format, ...)
{
	char reason[sizeof t->problem->reason];
	va_list ap;

	va_start(ap, format);
	vsnprintf(reason, sizeof reason, format, ap);
	va_end(ap);
	problem_set(t->problem, at, "%s", reason);
	t->problem_at = where;
	return code;
}

const char *json_kind(int byte)
{
	switch (byte) {
	case '"':
		return "a string";
	case '{':
		return "an object";
	case '[':
		return "an array";
	case 't':
	case 'f':
		return "true or false";
	case 'n':
		return "null";
	case 0:
		return "the end";
	}
	return byte == '-' || (byte >= '0' && byte <= '9') ? "a number" : "something that is not JSON";
}

static int unexpected(struct json_text *t, const struct place *at, const char *wanted)
{
	int c = json_next(t);

	return json_problem(t, -EBADMSG, t->p, at, c >= 0x20 && c < 0x7f ? "expected %s, got '%c'" : c ? "expected %s, got byte %d" :
			    "expected %s, got the end", wanted, c);
}

static int hex4(const char *p, const char *end, uint32_t *ret)
{
	uint32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		char low = (char)(c | 0x20);
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint32_t)(low - 'a' + 10);
		else
			return -1;
	}
	*ret = v;
	return 0;
}

/* From the backslash; what it stands for, and its end, or NULL. */
static const char *escape(const char *p, const char *end, uint32_t *ret)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t low;

	if (end - p < 2)
		return NULL;
	if (p[1] != 'u') {
		const char *at = p[1] ? strchr(from, p[1]) : NULL;
		*ret = at ? (unsigned char)to[at - from] : 0;
		return at ? p + 2 : NULL;
	}
	if (hex4(p + 2, end, ret) != 0 || (*ret >= 0xdc00 && *ret <= 0xdfff))
		return NULL;
	if (*ret < 0xd800 || *ret > 0xdbff)
		return p + 6;
	if (end - p < 12 || p[6] != '\\' || p[7] != 'u' || hex4(p + 8, end, &low) != 0 || low < 0xdc00 || low > 0xdfff)
		return NULL;
	*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	return p + 12;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Whether eight bytes have a quote, a backslash, a control or a byte that is not ASCII. A borrow can only
 * tell too much. */
static bool is_special(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	uint64_t quote = w ^ (ONES * '"'), slash = w ^ (ONES * '\\');
	return ((w - ONES * 0x20) | (quote - ONES) | (slash - ONES) | w) & HIGHS;
}

int json_string(struct json_text *t, const struct place *at, struct json_string *ret)
{
	const char *p = t->p + 1, *end = t->end;
	struct json_string s = { .p = p };
	size_t saved = 0;
	uint32_t c;

	if (json_next(t) != '"')
		return unexpected(t, at, "a string");
	p = s.p = t->p + 1;
	for (;;) {
		while (end - p >= 8 && !is_special(p))
			p += 8;
		while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
			p++;
		if (p == end)
			return json_problem(t, -EBADMSG, t->p, at, "the string does not end");
		if (*p == '"')
			break;
		if ((unsigned char)*p < 0x20)
			return json_problem(t, -EBADMSG, p, at, "a control character in a string is not escaped");
		if (*p == '\\') {
			const char *after = escape(p, end, &c);
			if (!after)
				return json_problem(t, -EBADMSG, p, at, "no valid escape");
			char room[4];
			saved += (size_t)(after - p) - utf8_write(c, room);
			s.escapes = true;
			s.nul |= c == 0;
			p = after;
			continue;
		}
		size_t n = utf8_length((const unsigned char *)p, (size_t)(end - p));
		if (!n)
			return json_problem(t, -EBADMSG, p, at, "not UTF-8");
		p += n;
	}
	s.n = (size_t)(p - s.p);
	s.bytes = s.n - saved;
	t->p = p + 1;
	*ret = s;
	return 0;
}

void json_string_resolve(const struct json_string *s, char *to)
{
	const char *p = s->p, *end = p + s->n;

	if (!s->escapes) {
		memcpy(to, p, s->n);
		return;
	}
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t n = (size_t)((slash ? slash : end) - p);
		uint32_t c;
		memcpy(to, p, n);
		to += n;
		if (!slash)
			return;
		p = escape(slash, end, &c);
		to += utf8_write(c, to);
	}
}

static bool is_digit(const struct json_text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

static int no_number(struct json_text *t, const struct place *at, const char *wanted)
{
	int c = t->p < t->end ? (unsigned char)*t->p : 0;

	return json_problem(t, -EBADMSG, t->p, at, c > 0x20 && c < 0x7f ? "a number needs %s, not '%c'" : "a number needs %s", wanted, c);
}

static int digits(struct json_text *t, const struct place *at)
{
	if (!is_digit(t))
		return no_number(t, at, "a digit");
	while (is_digit(t))
		t->p++;
	return 0;
}

static bool special_number(struct json_text *t, struct json_number *n)
{
	static const char *const words[] = { "nan", "inf", "-nan", "-inf" };

	for (size_t i = 0; i < 4; i++) {
		size_t bytes = strlen(words[i]);
		if ((size_t)(t->end - t->p) < bytes || memcmp(t->p, words[i], bytes) != 0)
			continue;
		*n = (struct json_number){ .p = t->p, .n = bytes, .not_finite = true };
		t->p += bytes;
		return true;
	}
	return false;
}

int json_number(struct json_text *t, const struct place *at, struct json_number *ret)
{
	struct json_number n = { .integer = true };
	int r = 0;

	json_next(t);
	if (t->not_finite && special_number(t, ret))
		return 0;
	n.p = t->p;
	n.negative = t->p < t->end && *t->p == '-';
	t->p += n.negative;
	if (!is_digit(t))
		return no_number(t, at, "a digit");
	if (*t->p == '0') {
		t->p++;
		if (is_digit(t))
			return json_problem(t, -EBADMSG, t->p - 1, at, "a number does not begin with 0");
	}
	for (; is_digit(t); t->p++)
		n.too_large |= __builtin_mul_overflow(n.digits, UINT64_C(10), &n.digits) ||
			       __builtin_add_overflow(n.digits, (uint64_t)(*t->p - '0'), &n.digits);
	if (t->p < t->end && *t->p == '.') {
		t->p++;
		n.integer = false;
		r = digits(t, at);
	}
	if (r == 0 && t->p < t->end && (*t->p | 0x20) == 'e') {
		t->p++;
		n.integer = false;
		t->p += t->p < t->end && (*t->p == '+' || *t->p == '-');
		r = digits(t, at);
	}
	n.n = (size_t)(t->p - n.p);
	if (r == 0)
		*ret = n;
	return r;
}

int json_word(struct json_text *t, const struct place *at, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0)
		return json_problem(t, -EBADMSG, t->p, at, "expected %s", word);
	t->p += n;
	return 0;
}

int json_enter(struct json_text *t, const struct place *at)
{
	if (t->depth == 0)
		return json_problem(t, -EMSGSIZE, t->p, at, "nested too deep");
	t->depth--;
	t->p++;
	return 0;
}

int json_more(struct json_text *t, const struct place *at, char close)
{
	int c = json_next(t);

	if (c == close) {
		t->p++;
		return 0;
	}
	if (c != ',')
		return unexpected(t, at, close == ']' ? "',' or ']'" : "',' or '}'");
	t->p++;
	return 1;
}

int json_key(struct json_text *t, const struct place *at, struct json_string *ret)
{
	if (json_next(t) != '"')
		return unexpected(t, at, "a key");
	int r = json_string(t, at, ret);
	if (r < 0)
		return r;
	if (json_next(t) != ':')
		return unexpected(t, at, "':'");
	t->p++;
	return 0;
}

static int members_skip(struct json_text *t, const struct place *at, char close)
{
	int r = json_enter(t, at);

	if (r < 0)
		return r;
	if (json_next(t) == close) {
		t->p++;
		json_leave(t);
		return 0;
	}
	do {
		struct json_string key;
		r = close == '}' ? json_key(t, at, &key) : 0;
		if (r == 0)
			r = json_skip(t, at);
		if (r == 0)
			r = json_more(t, at, close);
	} while (r == 1);
	json_leave(t);
	return r;
}

int json_skip(struct json_text *t, const struct place *at)
{
	struct json_string s;
	struct json_number n;

	switch (json_next(t)) {
	case '{':
		return members_skip(t, at, '}');
	case '[':
		return members_skip(t, at, ']');
	case '"':
		return json_string(t, at, &s);
	case 't':
		return json_word(t, at, "true");
	case 'f':
		return json_word(t, at, "false");
	case 'n':
		if (!t->not_finite || t->end - t->p < 2 || t->p[1] != 'a')
			return json_word(t, at, "null");
		/* fall through */
	case 'i':
		if (!t->not_finite && *t->p == 'i')
			return unexpected(t, at, "a value");
		return json_number(t, at, &n);
	case '-':
		return json_number(t, at, &n);
	default:
		return is_digit(t) ? json_number(t, at, &n) : unexpected(t, at, "a value");
	}
}
