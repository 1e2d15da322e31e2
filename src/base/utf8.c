#include "base/utf8.h"

/* Length of the sequence that `first` starts, with the smallest character it may hold. */
static unsigned sequence(unsigned char first, uint32_t *ret_bits, uint32_t *ret_minimum)
{
	if (first < 0x80) {
		*ret_bits = first;
		*ret_minimum = 0;
		return 1;
	}
	if ((first & 0xe0) == 0xc0) {
		*ret_bits = first & 0x1f;
		*ret_minimum = 0x80;
		return 2;
	}
	if ((first & 0xf0) == 0xe0) {
		*ret_bits = first & 0x0f;
		*ret_minimum = 0x800;
		return 3;
	}
	if ((first & 0xf8) == 0xf0) {
		*ret_bits = first & 0x07;
		*ret_minimum = 0x10000;
		return 4;
	}
	return 0;
}

bool utf8_next(struct span *s, uint32_t *ret)
{
	uint32_t character, minimum;

	if (s->n == 0)
		return false;
	unsigned char first = (unsigned char)s->p[0];
	unsigned n = sequence(first, &character, &minimum);
	bool valid = n > 0 && n <= s->n;
	for (unsigned i = 1; valid && i < n; i++) {
		unsigned char next = (unsigned char)s->p[i];
		valid = (next & 0xc0) == 0x80;
		character = character << 6 | (next & 0x3f);
	}
	if (valid && (character < minimum || character > 0x10ffff || (character & 0x1ff800) == 0xd800))
		valid = false;
	if (!valid) {
		n = 1;
		character = UTF8_INVALID | first;
	}
	s->p += n;
	s->n -= n;
	*ret = character;
	return true;
}

struct range {
	uint32_t first, last;
};

static bool within(const struct range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

unsigned utf8_width(uint32_t c)
{
	static const struct range combining[] = {
		{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a }, { 0x64b, 0x65f },
		{ 0xe31, 0xe31 }, { 0xe34, 0xe3a }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200d },
		{ 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
	};
	static const struct range wide[] = {
		{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
		{ 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};

	if (c < 0x300)
		return 1;
	if (within(combining, sizeof combining / sizeof combining[0], c))
		return 0;
	return within(wide, sizeof wide / sizeof wide[0], c) ? 2 : 1;
}

unsigned utf8_columns(struct span s)
{
	unsigned columns = 0;
	uint32_t c;

	for (; s.n && (unsigned char)s.p[0] < 0x80; s.p++, s.n--) /* mostly all of it */
		columns++;
	while (utf8_next(&s, &c))
		columns += utf8_width(c);
	return columns;
}
