/* A span: a piece of text that somebody else owns. All parsers take spans, read
 * within their bounds and need no terminating NUL. Nothing here allocates. */
#ifndef OSPREY_BASE_SPAN_H
#define OSPREY_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

static inline struct span span_from(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span s, const char *text)
{
	return span_equal(s, span_from(text));
}

bool span_starts(struct span s, const char *prefix);
/* Takes the prefix off the front. False, and untouched: it does not start so. */
bool span_take(struct span *s, const char *prefix);

/* Takes n bytes off the front, as they are. False, and untouched: there are fewer. */
bool span_take_bytes(struct span *s, void *ret, size_t n);

/* Takes the next line off the front of *s, without its newline. False at the end.
 * A last line without a newline counts. */
bool span_line(struct span *s, struct span *ret_line);

/* Takes the next word (no blanks, tabs) off the front of a line. False at the end. */
bool span_word(struct span *s, struct span *ret_word);

/* Takes what stands before `separator` off the front, and the separator. Without
 * a separator: false, *s untouched. */
bool span_until(struct span *s, char separator, struct span *ret);

/* What stands after the last `separator` goes to ret; *s keeps what was before it. */
bool span_until_last(struct span *s, char separator, struct span *ret_after);

struct span span_trim(struct span s);

/* Whole-span numbers. False (and *ret untouched) when the span is empty, has any
 * other character or overflows. */
bool span_u64(struct span s, uint64_t *ret);
bool span_i64(struct span s, int64_t *ret);
bool span_hex(struct span s, uint64_t *ret); /* with or without 0x */
/* A decimal such as "0.37" in thousandths-of-a-unit steps: "1.5" -> 1500 with
 * decimals = 3. Further digits are cut. */
bool span_fixed(struct span s, unsigned decimals, uint64_t *ret);

/* Next word of the line as a number. */
bool span_next_u64(struct span *s, uint64_t *ret);
bool span_next_i64(struct span *s, int64_t *ret);

/* Copies into a fixed array, cut to fit, always terminated. */
void span_copy(struct span s, char *ret, size_t size);

#endif
