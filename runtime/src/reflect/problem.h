/* Where in a value one is, and what is wrong there. */
#ifndef RT_REFLECT_PROBLEM_H
#define RT_REFLECT_PROBLEM_H

#include "osprey/rt/reflect.h"

/* A chain on the stack, from the innermost outwards. */
struct place {
	const struct place *outer;
	const char *key;	/* NULL: an element */
	size_t n;		/* bytes of the key, or the index */
};

/* Fills all but line, column and offset. `ret` may be NULL. */
void problem_set(struct rt_problem *ret, const struct place *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Line and column of an offset in the text. */
void problem_locate(struct rt_problem *ret, const char *text, size_t n, size_t offset);

#endif
