#include "exceptions.h"

extern struct exceptions *__cxa_get_globals(void) __attribute__((weak));

struct exceptions *exceptions_of_thread(void)
{
	return __cxa_get_globals ? __cxa_get_globals() : NULL;
}
