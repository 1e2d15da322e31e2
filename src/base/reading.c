#include "base/reading.h"

#include <errno.h>
#include <stddef.h>

enum presence presence_from_errno(int negative_errno)
{
	switch (-negative_errno) {
	case 0:
		return PRESENT;
	case EPERM:
	case EACCES:
		return DENIED;
	case EBADMSG:
	case EOVERFLOW:
		return MALFORMED;
	default:
		/* EOPNOTSUPP is what pressure files say when PSI is compiled in but off. */
		return ABSENT;
	}
}

reading reading_from_errno(int negative_errno)
{
	switch (presence_from_errno(negative_errno)) {
	case DENIED:
		return READING_DENIED;
	case MALFORMED:
		return READING_MALFORMED;
	default:
		return READING_ABSENT;
	}
}

const char *reading_reason(reading r)
{
	switch (r) {
	case READING_ABSENT:
		return "this kernel has none";
	case READING_DENIED:
		return "needs root";
	case READING_MALFORMED:
		return "malformed";
	default:
		return NULL;
	}
}

const char *presence_name(enum presence p)
{
	static const char *const names[] = {
		[PRESENT] = "present",	   [ABSENT] = "absent", [DENIED] = "denied",
		[MALFORMED] = "malformed", [UNREAD] = "unread",
	};
	return names[p];
}
