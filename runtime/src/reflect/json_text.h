/* The grammar of RFC 8259 over bytes in memory. */
#ifndef RT_REFLECT_JSON_TEXT_H
#define RT_REFLECT_JSON_TEXT_H

#include <stdbool.h>

#include "reflect/problem.h"

struct json_text {
	const char *start, *p, *end;
	unsigned depth;			/* levels that may still be entered */
	bool not_finite;		/* nan, inf and -inf are numbers too: TOML has them */
	struct rt_problem *problem;
	const char *problem_at;
};

/* Within the quotes, as written. */
struct json_string {
	const char *p;
	size_t n;
	size_t bytes;			/* when escapes are resolved */
	bool escapes, nul;
};

struct json_number {
	const char *p;
	size_t n;
	uint64_t digits;		/* of an integer */
	bool negative, integer;		/* without fraction and exponent */
	bool too_large;			/* an integer of more than 64 bits */
	bool not_finite;
};

/* The next byte that is no white space, 0 at the end. */
static inline int json_next(struct json_text *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\t' || *t->p == '\r'))
		t->p++;
	return t->p < t->end ? (unsigned char)*t->p : 0;
}

/* Notes the problem at `where` and returns `code`. */
__attribute__((format(printf, 5, 6))) int json_problem(struct json_text *t, int code, const char *where, const struct place *at,
						       const char *format, ...);

/* From the opening quote; 0 or -EBADMSG. */
int json_string(struct json_text *t, const struct place *at, struct json_string *ret);

/* Writes s->bytes. */
void json_string_resolve(const struct json_string *s, char *to);

int json_number(struct json_text *t, const struct place *at, struct json_number *ret);

/* true, false or null as a whole. */
int json_word(struct json_text *t, const struct place *at, const char *word);

/* From '[' or '{': 0, -EMSGSIZE. With json_leave behind it. */
int json_enter(struct json_text *t, const struct place *at);
static inline void json_leave(struct json_text *t)
{
	t->depth++;
}

/* After an element, from where it stands: 1: another follows; 0: the closing bracket was taken; -EBADMSG. */
int json_more(struct json_text *t, const struct place *at, char close);

/* A key with its colon. */
int json_key(struct json_text *t, const struct place *at, struct json_string *ret);

/* One value of any kind. */
int json_skip(struct json_text *t, const struct place *at);

/* "a string", for messages: what begins with this byte. */
const char *json_kind(int byte);

#endif
