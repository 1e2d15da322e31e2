#include "base/note.h"

#include <stdarg.h>
#include <stdio.h>

int note_set(struct note *note, int negative_errno, const char *format, ...)
{
	va_list args;

	if (!note)
		return negative_errno;
	va_start(args, format);
	vsnprintf(note->text, sizeof note->text, format, args);
	va_end(args);
	return negative_errno;
}
