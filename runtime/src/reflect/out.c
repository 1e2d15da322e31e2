#include "reflect/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST 256

void out_init(struct out *o, rt_writer *write, void *arg)
{
	o->start = o->p = write ? o->part : NULL;
	o->end = write ? o->part + sizeof o->part : NULL;
	o->write = write;
	o->arg = arg;
	o->result = 0;
}

static void flush(struct out *o)
{
	if (o->result == 0 && o->p > o->start)
		o->result = o->write(o->arg, o->start, (size_t)(o->p - o->start));
	o->p = o->start;
}

int out_end(struct out *o)
{
	if (o->write)
		flush(o);
	return o->result;
}

/* Without memory the part inside serves as the room that nobody reads. */
static void grow(struct out *o, size_t n)
{
	size_t used = (size_t)(o->p - o->start), size = (size_t)(o->end - o->start);
	char *p = NULL;

	if (o->result == 0) {
		size = size ? 2 * size : FIRST;
		while (size < used + n)
			size *= 2;
		p = realloc(o->start, size);
	}
	if (p) {
		o->start = p;
		o->p = p + used;
		o->end = p + size;
		return;
	}
	if (o->start != o->part)
		free(o->start);
	o->result = -ENOMEM;
	o->start = o->p = o->part;
	o->end = o->part + sizeof o->part;
}

void out_room_slow(struct out *o, size_t n)
{
	if (o->write)
		flush(o);
	else
		grow(o, n);
}

void out_bytes_slow(struct out *o, const char *p, size_t n)
{
	if (!o->write)
		grow(o, n);
	while (n) {
		if (o->p == o->end)
			out_room_slow(o, 1);
		size_t part = (size_t)(o->end - o->p);
		part = part < n ? part : n;
		memcpy(o->p, p, part);
		o->p += part;
		p += part;
		n -= part;
	}
}

void out_format(struct out *o, const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	out_bytes(o, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}
