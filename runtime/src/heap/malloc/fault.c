/* heap_fault.h where there is no runtime: a line, and the end. */
#include "heap/heap_fault.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct line {
	char text[256];
	size_t n;
};

static void add(struct line *l, const char *text)
{
	size_t n = strlen(text);

	n = n < sizeof l->text - 1 - l->n ? n : sizeof l->text - 1 - l->n;
	memcpy(l->text + l->n, text, n);
	l->n += n;
}

static void add_number(struct line *l, uint64_t value, unsigned base)
{
	char digits[24], *at = digits + sizeof digits - 1;

	*at = '\0';
	do
		*--at = "0123456789abcdef"[value % base];
	while (value /= base);
	add(l, at);
}

static void begin(struct line *l, const void *block)
{
	l->n = 0;
	add(l, "osprey/malloc: heap: block 0x");
	add_number(l, (uintptr_t)block, 16);
}

_Noreturn static void end(struct line *l)
{
	l->text[l->n++] = '\n';
	if (write(STDERR_FILENO, l->text, l->n) < 0)
		abort();
	abort();
}

_Noreturn void heap_fault(const void *block, const char *what)
{
	struct line l;

	begin(&l, block);
	add(&l, ": ");
	add(&l, what);
	end(&l);
}

static void add_sized(struct line *l, const void *block, size_t size, const char *what)
{
	begin(l, block);
	add(l, " of ");
	add_number(l, size, 10);
	add(l, " bytes: ");
	add(l, what);
}

_Noreturn void heap_fault_sized(const void *block, size_t size, const char *what)
{
	struct line l;

	add_sized(&l, block, size, what);
	end(&l);
}

_Noreturn void heap_fault_at(const void *block, size_t size, const char *what, long at)
{
	struct line l;

	add_sized(&l, block, size, what);
	add(&l, at < 0 ? " at byte -" : " at byte ");
	add_number(&l, at < 0 ? -(uint64_t)at : (uint64_t)at, 10);
	end(&l);
}
