#include "base/span.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

bool span_starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool span_take(struct span *s, const char *prefix)
{
	if (!span_starts(*s, prefix))
		return false;
	s->p += strlen(prefix);
	s->n -= strlen(prefix);
	return true;
}

bool span_take_bytes(struct span *s, void *ret, size_t n)
{
	if (s->n < n)
		return false;
	memcpy(ret, s->p, n);
	s->p += n;
	s->n -= n;
	return true;
}

bool span_line(struct span *s, struct span *ret_line)
{
	if (s->n == 0)
		return false;
	const char *end = memchr(s->p, '\n', s->n);
	size_t n = end ? (size_t)(end - s->p) : s->n;
	size_t taken = end ? n + 1 : n;

	*ret_line = (struct span){ s->p, n };
	s->p += taken;
	s->n -= taken;
	return true;
}

bool span_word(struct span *s, struct span *ret_word)
{
	size_t i = 0;

	while (i < s->n && blank(s->p[i]))
		i++;
	size_t start = i;
	while (i < s->n && !blank(s->p[i]))
		i++;
	if (i == start)
		return false;
	*ret_word = (struct span){ s->p + start, i - start };
	s->p += i;
	s->n -= i;
	return true;
}

bool span_until(struct span *s, char separator, struct span *ret)
{
	const char *at = s->n ? memchr(s->p, separator, s->n) : NULL;

	if (!at)
		return false;
	size_t n = (size_t)(at - s->p);
	*ret = (struct span){ s->p, n };
	s->p += n + 1;
	s->n -= n + 1;
	return true;
}

bool span_until_last(struct span *s, char separator, struct span *ret_after)
{
	const char *at = s->n ? memrchr(s->p, separator, s->n) : NULL;

	if (!at)
		return false;
	size_t n = (size_t)(at - s->p);
	*ret_after = (struct span){ at + 1, s->n - n - 1 };
	s->n = n;
	return true;
}

struct span span_trim(struct span s)
{
	while (s.n && (blank(s.p[0]) || s.p[0] == '\n')) {
		s.p++;
		s.n--;
	}
	while (s.n && (blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\0'))
		s.n--;
	return s;
}

bool span_u64(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*ret = v;
	return true;
}

bool span_i64(struct span s, int64_t *ret)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;

	if (negative) {
		s.p++;
		s.n--;
	}
	if (!span_u64(s, &v) || v > (uint64_t)INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool span_hex(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (span_starts(s, "0x")) {
		s.p += 2;
		s.n -= 2;
	}
	if (s.n == 0 || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_digit(s.p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*ret = v;
	return true;
}

bool span_fixed(struct span s, unsigned decimals, uint64_t *ret)
{
	struct span whole = { s.p, 0 };
	uint64_t v = 0;

	while (whole.n < s.n && s.p[whole.n] != '.')
		whole.n++;
	if (!span_u64(whole, &v))
		return false;
	size_t at = whole.n + 1;
	if (at == s.n)
		return false; /* "1." */
	for (unsigned i = 0; i < decimals; i++, at++) {
		unsigned digit = at < s.n ? (unsigned char)s.p[at] - '0' : 0;

		if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	for (; at < s.n; at++)
		if (s.p[at] < '0' || s.p[at] > '9')
			return false;
	*ret = v;
	return true;
}

bool span_next_u64(struct span *s, uint64_t *ret)
{
	struct span word;

	return span_word(s, &word) && span_u64(word, ret);
}

bool span_next_i64(struct span *s, int64_t *ret)
{
	struct span word;

	return span_word(s, &word) && span_i64(word, ret);
}

void span_copy(struct span s, char *ret, size_t size)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	if (n)
		memcpy(ret, s.p, n);
	ret[n] = '\0';
}
