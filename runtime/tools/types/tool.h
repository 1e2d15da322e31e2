/* What the parts of osprey-rt-types share: messages and memory. */
#ifndef TYPES_TOOL_H
#define TYPES_TOOL_H

#include <stddef.h>

/* "osprey-rt-types: …" and exit 1 (2: it was called wrongly). */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "origin: …" and go on; the program ends with 1 after all has been looked at. */
void complain(const char *origin, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern unsigned complaints;

void *get(size_t bytes);		/* zeroed */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An array with room for one more; `array` has `n` elements of `bytes`. Grows at powers of two. */
void *get_room(void *array, size_t n, size_t bytes);

#define ADD(array, n) (*((array) = get_room((array), (n), sizeof *(array)), &(array)[(n)++]))

#endif
