#include "errno_anew.h"

#undef errno
extern int *__errno_location(void) __attribute__((const));

/* What is volatile is done each time, so nobody infers that this function is `const` too. */
__attribute__((noinline)) int *errno_anew(void)
{
	int *place = __errno_location();

	__asm__ volatile("" : "+r"(place));
	return place;
}
