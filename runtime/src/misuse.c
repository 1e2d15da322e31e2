#include "misuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tell.h"
#include "thread.h"

_Noreturn void misuse(const char *format, ...)
{
	struct thread *t = thread_self();
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	tell("osprey/rt: %s\n", line);
	if (t && t->running) {
		tell("in ");
		tell_fiber(t->running);
	}
	tell_stack(1);
	if (t && t->running)
		tell_origin(t->running);
	abort();
}
