/* The system calls of x86-64: numbers, names, classes, what their arguments are. Pure tables, of syscalls.def and
 * arguments.def. */
#ifndef OSPREY_DIG_TRACE_SYSCALL_TABLE_H
#define OSPREY_DIG_TRACE_SYSCALL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "dig/trace/trace.bpf.h"

enum argument_kind {
#define ARGUMENT(id, capture, when, size, decoder, names) ARGUMENT_##id,
#include "dig/trace/arguments.def"
#undef ARGUMENT
	ARGUMENT_KINDS
};

struct syscall_entry {
	const char *name;
	uint32_t classes; /* bit per class of syscall_class_name */
	uint16_t result;  /* enum argument_kind */
	/* enum argument_kind, and above ARGUMENT_LENGTH_SHIFT the argument that holds its length, or
	 * CAPTURE_BY_RESULT. ARGUMENT_NONE behind the last. */
	uint16_t argument[TRACE_ARGUMENTS + 1];
};
#define ARGUMENT_LENGTH_SHIFT 8

static inline enum argument_kind syscall_argument_kind(const struct syscall_entry *c, unsigned i)
{
	return c->argument[i] & ((1 << ARGUMENT_LENGTH_SHIFT) - 1);
}

static inline unsigned syscall_argument_length(const struct syscall_entry *c, unsigned i)
{
	return c->argument[i] >> ARGUMENT_LENGTH_SHIFT;
}

/* NULL: no call has the number. */
const struct syscall_entry *syscall_entry(unsigned number);
/* Its number, or -ENOENT. */
int syscall_number(struct span name);
/* "file", "process"…; NULL: no class has the bit. */
const char *syscall_class_name(unsigned bit);
/* Its bit, or -ENOENT. */
int syscall_class(struct span name);

/* What the kernel's side is to capture for a call. A number without an entry: six plain numbers. */
struct trace_call_rule syscall_capture(unsigned number);

#endif
