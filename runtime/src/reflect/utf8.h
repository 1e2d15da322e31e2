/* UTF-8, strictly: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef RT_REFLECT_UTF8_H
#define RT_REFLECT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that begins at p (2 to 4), of at least n bytes; 0: it is none. Not for ASCII. */
static inline size_t utf8_length(const unsigned char *p, size_t n)
{
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if (n < 3 || (p[2] & 0xc0) != 0x80 || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
		return 0;
	if (p[0] < 0xf0)
		return 3;
	if (n < 4 || (p[3] & 0xc0) != 0x80 || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return 4;
}

/* Bytes written, 1 to 4, of a code point that is no surrogate. */
static inline size_t utf8_write(uint32_t c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = n; i-- > 1; c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(first[n] | c);
	return n;
}

#endif
