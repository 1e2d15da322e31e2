/* C++ exceptions that are being handled, or on their way. The C++ runtime keeps them for each thread, in a list, and counts on handlers to
 * end in the opposite order to that in which they began. So a fiber that parks within a handler, or in a destructor while an
 * exception is on its way, takes them along.
 *
 * Source: the Itanium C++ ABI, "Exception Handling", 2.2.2: __cxa_eh_globals; libstdc++ and libc++abi have it. It is found where the
 * C++ runtime is one of the program's own libraries, not where it came with dlopen. */
#ifndef RT_EXCEPTIONS_H
#define RT_EXCEPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct exceptions {
	void *caught;
	unsigned uncaught;
};

/* The calling thread's; they stay where they are. NULL: there is no C++ in this program. */
struct exceptions *exceptions_of_thread(void);

static inline bool exceptions_are_there(const struct exceptions *e)
{
	return e && (e->caught || e->uncaught);
}

#endif
