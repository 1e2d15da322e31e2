#include "dig/trace/syscall_table.h"

#include <errno.h>

/* Letters of syscalls.def. */
enum { F = 1, P = 2, N = 4, S = 8, I = 16, D = 32, M = 64, C = 128, T = 256 };

static const char *const class_names[] = { "file", "process", "network", "signal", "ipc", "desc", "memory", "creds", "clock" };
#define CLASSES (sizeof class_names / sizeof class_names[0])

/* A word alone is an enumerator without its prefix, so that it may stand beside L(). */
enum {
#define ARGUMENT(id, capture, when, size, decoder, names) id = ARGUMENT_##id,
#include "dig/trace/arguments.def"
#undef ARGUMENT
};
#define L(kind, n) (ARGUMENT_##kind | (n) << ARGUMENT_LENGTH_SHIFT)
#define B(kind, n) L(kind, n)
#define R(kind) L(kind, CAPTURE_BY_RESULT)

_Static_assert(ARGUMENT_KINDS <= 1 << ARGUMENT_LENGTH_SHIFT, "kinds fit their bits");

#define LISTED(name, classes, result, ...) { name, classes, result, { __VA_ARGS__ } }
static const struct syscall_entry calls[TRACE_CALLS] = {
#define CALL(number, name, classes, ...) [number] = LISTED(#name, classes, __VA_ARGS__, 0),
#include "dig/trace/syscalls.def"
#undef CALL
};

static const struct {
	uint8_t capture, when;
	uint16_t size;
} captures[] = {
#define ARGUMENT(id, capture, when, size, decoder, names) { CAPTURE_##capture, when, size },
#include "dig/trace/arguments.def"
#undef ARGUMENT
};

const struct syscall_entry *syscall_entry(unsigned number)
{
	return number < TRACE_CALLS && calls[number].name ? &calls[number] : NULL;
}

int syscall_number(struct span name)
{
	for (unsigned i = 0; i < TRACE_CALLS; i++)
		if (calls[i].name && span_is(name, calls[i].name))
			return (int)i;
	return -ENOENT;
}

const char *syscall_class_name(unsigned bit)
{
	return bit < CLASSES ? class_names[bit] : NULL;
}

int syscall_class(struct span name)
{
	for (unsigned i = 0; i < CLASSES; i++)
		if (span_is(name, class_names[i]))
			return (int)i;
	return -ENOENT;
}

struct trace_call_rule syscall_capture(unsigned number)
{
	struct trace_call_rule rule = { .flags = 0 };
	const struct syscall_entry *c = syscall_entry(number);

	for (unsigned i = 0; c && i < TRACE_ARGUMENTS; i++) {
		enum argument_kind kind = syscall_argument_kind(c, i);
		struct trace_capture_rule *to = &rule.argument[i];

		*to = (struct trace_capture_rule){ captures[kind].capture, captures[kind].when,
						   (uint8_t)syscall_argument_length(c, i), 0, captures[kind].size };
		if (kind == ARGUMENT_FD || kind == ARGUMENT_DIRFD)
			rule.fds |= 1 << i;
		if (kind == ARGUMENT_PATH)
			rule.paths |= 1 << i;
		rule.flags |= (to->when & CAPTURE_ENTER ? CALL_CAPTURES_ENTER : 0) |
			      (to->when & CAPTURE_EXIT ? CALL_CAPTURES_EXIT : 0);
	}
	if (c && c->result == NO_RETURN)
		rule.flags |= CALL_NO_RETURN;
	if (c && c->result == ARGUMENT_FD)
		rule.flags |= CALL_GIVES_FD;
	if (c && (span_is(span_from(c->name), "execve") || span_is(span_from(c->name), "execveat")))
		rule.flags |= CALL_EXECUTES;
	return rule;
}
