/* Output in parts, through a caller's function or into memory that grows. */
#ifndef RT_REFLECT_OUT_H
#define RT_REFLECT_OUT_H

#include <stdbool.h>
#include <string.h>

#include "osprey/rt/reflect.h"

#define OUT_PART 1024

struct out {
	char *p, *end;
	char *start;
	rt_writer *write;	/* NULL: memory of malloc that grows */
	void *arg;
	int result;		/* of the first failure: nothing is written after it */
	char part[OUT_PART];
};

void out_init(struct out *o, rt_writer *write, void *arg);

/* What is left goes to the writer. The result of all. */
int out_end(struct out *o);

void out_bytes_slow(struct out *o, const char *p, size_t n);

/* Makes room for n <= 64 bytes at o->p. After a failure the room is written over again and again. */
void out_room_slow(struct out *o, size_t n);

static inline char *out_room(struct out *o, size_t n)
{
	if ((size_t)(o->end - o->p) < n)
		out_room_slow(o, n);
	return o->p;
}

static inline void out_bytes(struct out *o, const char *p, size_t n)
{
	if ((size_t)(o->end - o->p) < n) {
		out_bytes_slow(o, p, n);
		return;
	}
	memcpy(o->p, p, n);
	o->p += n;
}

static inline void out_byte(struct out *o, char c)
{
	*out_room(o, 1) = c;
	o->p++;
}

static inline void out_text(struct out *o, const char *s)
{
	out_bytes(o, s, strlen(s));
}

void out_format(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
