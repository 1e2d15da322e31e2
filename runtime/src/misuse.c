#include "misuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "thread.h"

_Noreturn void misuse(const char *format, ...)
{
	struct thread *t = thread_self();
	char line[512];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof line)
		n = (int)sizeof line - 1;
	fprintf(stderr, "osprey/rt: %.*s\n", n, line);
	if (t && t->running)
		fprintf(stderr, "  in fiber %llu%s%s, started by fiber %llu\n",
			(unsigned long long)atomic_load(&t->running->id), t->running->name ? " " : "",
			t->running->name ? t->running->name : "", (unsigned long long)t->running->creator_id);
	abort();
}
