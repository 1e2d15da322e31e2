#include "tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned complaints;

__attribute__((format(printf, 2, 0))) static void say(const char *before, const char *format, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", before);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("osprey-rt-types", format, ap);
	exit(1);
}

void fail_usage(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("osprey-rt-types", format, ap);
	exit(2);
}

void complain(const char *origin, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(*origin ? origin : "osprey-rt-types", format, ap);
	va_end(ap);
	complaints++;
}

void *get(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		fail("no memory");
	return p;
}

char *text_of(const char *format, ...)
{
	va_list ap;
	char *s;

	va_start(ap, format);
	if (vasprintf(&s, format, ap) < 0)
		fail("no memory");
	va_end(ap);
	return s;
}

void *get_room(void *array, size_t n, size_t bytes)
{
	if (n & (n - 1) || (n == 0 && array))
		return array;
	void *p = reallocarray(array, n ? 2 * n : 1, bytes);
	if (!p)
		fail("no memory");
	memset((char *)p + n * bytes, 0, (n ? n : 1) * bytes);
	return p;
}
