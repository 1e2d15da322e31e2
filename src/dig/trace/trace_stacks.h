/* The stacks of records as names: frame pointers walked by the kernel, symbols of the live process.
 * A file's tables are read when an address in it is first asked for. */
#ifndef OSPREY_DIG_TRACE_TRACE_STACKS_H
#define OSPREY_DIG_TRACE_TRACE_STACKS_H

#include "dig/trace/decode.h"

/* A frame as it is printed. */
struct trace_frame {
	const char *function; /* "": no symbol covers it */
	const char *module;   /* base name of the file, "[kernel]"; "": none */
	uint64_t offset, address;
	bool kernel, inlined;
};

struct trace_stacks;
int trace_stacks_new(struct trace_stacks **ret) __attribute__((warn_unused_result));
void trace_stacks_free(struct trace_stacks *s);
/* Innermost first, the kernel's before the user's; *ret lives until the next call. The number. Processes that have ended give
 * addresses alone. */
size_t trace_stacks_frames(struct trace_stacks *s, const struct trace_event *e, const struct trace_frame **ret);

#endif
