#include "source/storage/mountinfo.h"

#include <errno.h>

static bool parse_device(struct span word, uint32_t *ret_major, uint32_t *ret_minor)
{
	struct span before;
	uint64_t major, minor;

	if (!span_until(&word, ':', &before) || !span_u64(before, &major) || !span_u64(word, &minor))
		return false;
	if (major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	*ret_major = (uint32_t)major;
	*ret_minor = (uint32_t)minor;
	return true;
}

/* "36 35 98:0 /root /mount rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=continue" */
int mountinfo_line_parse(struct span line, struct mountinfo *ret)
{
	struct mountinfo m = { 0 };
	struct span word;

	if (!span_next_u64(&line, &m.id) || !span_next_u64(&line, &m.parent) || !span_word(&line, &word) ||
	    !parse_device(word, &m.major, &m.minor))
		return -EBADMSG;
	if (!span_word(&line, &m.root) || !span_word(&line, &m.mount) || !span_word(&line, &m.options))
		return -EBADMSG;
	do { /* optional fields, any number of them */
		if (!span_word(&line, &word))
			return -EBADMSG;
	} while (!span_is(word, "-"));
	/* A source may be empty: then two blanks stand there and the options take its place. */
	if (!span_word(&line, &m.type) || !span_word(&line, &m.source))
		return -EBADMSG;
	if (!span_word(&line, &m.super_options)) {
		m.super_options = m.source;
		m.source = (struct span){ m.source.p, 0 };
	}
	*ret = m;
	return 0;
}

static bool octal(char c)
{
	return c >= '0' && c <= '7';
}

void mountinfo_unescape(struct span s, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n + 1 < size; i++) {
		const char *p = s.p + i;

		if (*p == '\\' && s.n - i >= 4 && octal(p[1]) && octal(p[2]) && octal(p[3])) {
			ret[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			i += 3;
		} else {
			ret[n++] = *p;
		}
	}
	ret[n] = '\0';
}

bool mountinfo_option(struct span options, const char *word)
{
	struct span one;

	while (span_until(&options, ',', &one))
		if (span_is(one, word))
			return true;
	return span_is(options, word);
}
