#include "source/kernel_log/scan.h"

/* Tries at places a line may cost. Lines are short: honest ones take some dozens. */
#define MAX_STEPS 4000
#define MAX_COMM 15 /* of a task's name: TASK_COMM_LEN and its NUL */

bool scan_past(struct span *s, const char *needle)
{
	size_t n = strlen(needle);
	const char *at = s->n ? memmem(s->p, s->n, needle, n) : NULL;

	if (!at)
		return false;
	s->n -= (size_t)(at - s->p) + n;
	s->p = at + n;
	return true;
}

bool scan_contains(struct span s, const char *needle)
{
	return scan_past(&s, needle);
}

bool scan_before_last(struct span text, const char *mark, struct span *ret)
{
	size_t n = strlen(mark);

	for (size_t i = text.n >= n ? text.n - n + 1 : 0; i-- > 0;)
		if (memcmp(text.p + i, mark, n) == 0) {
			*ret = (struct span){ text.p, i };
			return true;
		}
	return false;
}

static struct span leading_digits(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return (struct span){ s.p, n };
}

bool scan_number_after(struct span text, const char *mark, uint64_t *ret)
{
	return scan_past(&text, mark) && span_u64(leading_digits(text), ret);
}

bool scan_pid(struct span s, int32_t *ret)
{
	uint64_t pid;

	if (!span_u64(s, &pid) || pid == 0 || pid > INT32_MAX)
		return false;
	*ret = (int32_t)pid;
	return true;
}

static bool escaped_byte(struct span s, uint64_t *ret)
{
	return s.n >= 4 && s.p[0] == '\\' && s.p[1] == 'x' && span_hex((struct span){ s.p + 2, 2 }, ret);
}

size_t scan_unescape(struct span s, char *out)
{
	size_t n = 0;

	while (s.n) {
		uint64_t byte;
		/* Most text has none. */
		const char *at = memchr(s.p, '\\', s.n);
		size_t plain = at ? (size_t)(at - s.p) : s.n;

		memmove(out + n, s.p, plain);
		n += plain;
		s.p += plain;
		s.n -= plain;
		if (!s.n)
			break;
		bool escaped = escaped_byte(s, &byte);
		if (!escaped || byte)
			out[n++] = escaped ? (char)byte : s.p[0];
		s.p += escaped ? 4 : 1;
		s.n -= escaped ? 4 : 1;
	}
	return n;
}

void scan_copy(struct span s, char *ret, size_t size)
{
	size_t n = 0;

	while (s.n && n + 1 < size) {
		uint64_t byte;
		bool escaped = escaped_byte(s, &byte) && byte != 0;

		ret[n++] = escaped ? (char)byte : s.p[0];
		s.p += escaped ? 4 : 1;
		s.n -= escaped ? 4 : 1;
	}
	ret[n] = '\0';
}

/* ---- patterns ---- */

struct matcher {
	unsigned steps;
	struct scan found;
};

static bool match(struct matcher *m, struct span line, const char *pattern);

/* Takes a capture; false: a number that is none. */
static bool store(struct matcher *m, char kind, struct span text)
{
	uint64_t n;

	switch (kind) {
	case 'o': case 'O':
		m->found.object = text;
		return true;
	case 'c':
		m->found.comm = text;
		return true;
	case 'd': case 'D':
		m->found.detail = text;
		return true;
	case 'w': case 'W':
		m->found.where = text;
		return true;
	case 'p':
		return scan_pid(text, &m->found.pid);
	case 'k':
		if (!span_u64(text, &n) || n > INT32_MAX)
			return false;
		m->found.cpu = (int32_t)n;
		return true;
	case 'n':
		if (!span_u64(text, &n) || !reading_ok(n))
			return false;
		m->found.number = n;
		return true;
	}
	return true; /* '*' */
}

/* How much a capture may take. */
static size_t reach(char kind, struct span line)
{
	size_t n = 0;

	if (kind == 'p' || kind == 'k' || kind == 'n')
		return leading_digits(line).n;
	if (kind == 'c')
		return line.n < MAX_COMM ? line.n : MAX_COMM;
	if (kind != 'O' && kind != 'D' && kind != 'W')
		return line.n;
	while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
		n++;
	return n;
}

static bool try_taking(struct matcher *m, char kind, size_t n, struct span line, const char *rest)
{
	struct scan before = m->found;

	if (m->steps == 0)
		return false;
	m->steps--;
	if (match(m, (struct span){ line.p + n, line.n - n }, rest) && store(m, kind, (struct span){ line.p, n }))
		return true;
	m->found = before;
	return false;
}

/* A capture and all behind it. `rest` begins with text, or is the end, or is another capture. */
static bool match_capture(struct matcher *m, char kind, struct span line, const char *rest)
{
	size_t most = reach(kind, line), least = kind == '*' ? 0 : 1;

	if (*rest == '\0')
		return most == line.n && most >= least && store(m, kind, line);
	if (kind == 'c') {
		for (size_t n = most + 1; n-- > least;)
			if ((*rest == '{' || *rest == '*' || (n < line.n && line.p[n] == *rest)) &&
			    try_taking(m, kind, n, line, rest))
				return true;
		return false;
	}
	if (kind == 'p' || kind == 'k' || kind == 'n')
		return most >= least && try_taking(m, kind, most, line, rest);
	for (size_t n = least; n <= most; n++) {
		if (*rest != '{' && *rest != '*') {
			/* On to where the text behind the capture can begin. */
			const char *at = n < line.n ? memchr(line.p + n, *rest, line.n - n) : NULL;

			if (!at || (size_t)(at - line.p) > most)
				return false;
			n = (size_t)(at - line.p);
		}
		if (try_taking(m, kind, n, line, rest))
			return true;
	}
	return false;
}

static bool match(struct matcher *m, struct span line, const char *pattern)
{
	while (*pattern && *pattern != '{' && *pattern != '*') {
		if (line.n == 0 || line.p[0] != *pattern)
			return false;
		line.p++;
		line.n--;
		pattern++;
	}
	if (*pattern == '\0')
		return line.n == 0;
	if (*pattern == '*')
		return match_capture(m, '*', line, pattern + 1);
	return match_capture(m, pattern[1], line, pattern + 3);
}

bool scan_match(struct span line, const char *pattern, struct scan *ret)
{
	struct matcher m = { MAX_STEPS, { .cpu = -1, .number = READING_ABSENT } };

	if (!match(&m, line, pattern))
		return false;
	*ret = m.found;
	return true;
}

/* ---- pairs ---- */

static unsigned pair_hash(const char *at)
{
	return ((unsigned char)at[0] * 31u + (unsigned char)at[1] * 7u) % 1024;
}

void scan_pairs_of(struct span line, struct scan_pairs *ret)
{
	*ret = (struct scan_pairs){ 0 };
	for (size_t i = 0; i + 1 < line.n; i++) {
		unsigned pair = pair_hash(line.p + i);

		ret->bits[pair / 64] |= UINT64_C(1) << pair % 64;
	}
}

static size_t literal_length(const char *pattern)
{
	return strcspn(pattern, "*{");
}

/* Of the longest literal, from its end: what stands last ("sector ", "timed out") is the rarest. */
struct scan_needs scan_needs_of(const char *pattern)
{
	struct scan_needs needs = { .n = 0 };
	const char *longest = pattern;

	for (const char *p = pattern; *p;) {
		size_t n = literal_length(p);

		if (n > literal_length(longest))
			longest = p;
		p += n;
		p += *p == '*' ? 1 : *p == '{' ? 3 : 0;
	}
	size_t n = literal_length(longest);
	for (size_t i = n; i-- > 1 && needs.n < sizeof needs.pair / sizeof needs.pair[0];)
		needs.pair[needs.n++] = (uint16_t)pair_hash(longest + i - 1);
	return needs;
}
