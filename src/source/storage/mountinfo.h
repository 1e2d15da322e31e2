/* One line of /proc/PID/mountinfo, unparsed further. Pure.
 * Since: 2.6.26. Format: proc_pid_mountinfo(5); blanks, newlines and backslashes of names
 * are escaped as \ooo. */
#ifndef OSPREY_SOURCE_STORAGE_MOUNTINFO_H
#define OSPREY_SOURCE_STORAGE_MOUNTINFO_H

#include <stdint.h>

#include "base/span.h"

struct mountinfo {
	uint64_t id, parent;
	uint32_t major, minor;
	struct span root, mount, options; /* of the mount; names still escaped */
	struct span type, source, super_options;
};

/* -EBADMSG. The spans point into `line`. */
int mountinfo_line_parse(struct span line, struct mountinfo *ret) __attribute__((warn_unused_result));
/* Undoes the octal escapes; cut to fit, always terminated. */
void mountinfo_unescape(struct span s, char *ret, size_t size);
/* Whether a comma-separated list such as "rw,relatime" has the word. */
bool mountinfo_option(struct span options, const char *word);

#endif
