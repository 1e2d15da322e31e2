#include "base/word.h"

#include <errno.h>

int word_append(struct buf *b, struct span bytes, const char *also)
{
	int r = buf_reserve(b, bytes.n);

	for (size_t i = 0; i < bytes.n && r == 0; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (c <= ' ' || c == '%' || c >= 0x7f || (also && strchr(also, c)))
			r = buf_printf(b, "%%%02x", c);
		else
			r = buf_append(b, &bytes.p[i], 1);
	}
	return r;
}

/* span_hex takes "0x" for a prefix, which is no byte here. */
static bool hex_byte(struct span word, size_t at, uint64_t *ret)
{
	return word.n - at >= 2 && word.p[at + 1] != 'x' && span_hex((struct span){ word.p + at, 2 }, ret);
}

int word_decode(struct span word, struct buf *ret)
{
	int r = buf_reserve(ret, word.n);

	for (size_t i = 0; i < word.n && r == 0; i++) {
		uint64_t c = (unsigned char)word.p[i];

		if (c == '%') {
			if (!hex_byte(word, i + 1, &c))
				return -EBADMSG;
			i += 2;
		}
		if (c == 0)
			return -EBADMSG;
		r = buf_append(ret, &(char){ (char)c }, 1);
	}
	return r;
}
