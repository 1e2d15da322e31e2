/* User stacks of events (system calls, probes) as names, from what was copied with each: registers and bytes of the
 * stack (event_stack.bpf.h), unwound by the rules of the files (dig/unwind). Exact without frame pointers.
 *
 * Programs that begin meanwhile are followed by what the kernel tells of their mappings
 * (dig/image/mapping_watch.h), so that those that live for a millisecond have names too. Of others mappings
 * are read when they are first met and again when an address is in none (dlopen), files when an address in
 * them is first asked for; both stay when the process has ended. Where neither is to be had there are
 * addresses alone, and `why` says so. A function whose return is being probed has the address of the kernel's
 * trampoline in place of its caller's: the stack ends there. x86-64; a 32-bit process has no stack here.
 * Reads /proc/PID/maps (same user or CAP_SYS_PTRACE). Cost: a stack that was seen before is compared, not
 * walked (at most EVENT_STACKS_KEPT are known): with its printing some 4 us. Threads: one. */
#ifndef OSPREY_DIG_STACK_EVENT_STACK_H
#define OSPREY_DIG_STACK_EVENT_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "dig/stack/event_stack.bpf.h"
#include "dig/symbol/symbol.h"

#define EVENT_FRAMES_MAX 256 /* that are walked */
#define EVENT_STACKS_KEPT 4096

struct event_frame {
	const char *function; /* "": no symbol covers it */
	const char *module;   /* base name of the file, "[kernel]"; "": none */
	uint64_t offset, address;
	bool kernel, inlined;
	bool guessed; /* by frame pointer, without a rule */
};

struct event_frames {
	const struct event_frame *frame; /* innermost first; lives until the next call */
	size_t n;
	const char *why; /* it is not whole, or not there at all; NULL: whole */
};

/* Follows new programs where the right to do so is there. */
struct event_stacks;
int event_stacks_new(const struct symbolizer_options *options, struct event_stacks **ret)
	__attribute__((warn_unused_result));
void event_stacks_free(struct event_stacks *s);

/* Reads the mappings of a process that may be gone when its names are asked for, and opens its files. */
void event_stacks_meet(struct event_stacks *s, int pid);
/* What happens from here on was after that moment of CLOCK_MONOTONIC, of the event whose stack is asked for
 * next. To be called now and then without an event too: what the kernel tells is kept in rings. */
#define EVENT_STACKS_LAG_NS UINT64_C(200000000) /* who waits for events calls it with so much before now */
void event_stacks_until(struct event_stacks *s, uint64_t ns);
/* Whether exec is seen without being told. */
bool event_stacks_follows(const struct event_stacks *s);
/* exec has put another program there: what is known of the old one is wrong. */
void event_stacks_forget(struct event_stacks *s, int pid);
/* What was copied, `bytes` of a struct event_stack or its front; any bytes are taken. Out of memory: no
 * frames, and it is said. */
void event_stacks_user(struct event_stacks *s, int pid, struct span bytes, struct event_frames *ret);
/* Return addresses, innermost first, of the process; of the kernel with pid 0. */
void event_stacks_addresses(struct event_stacks *s, int pid, const uint64_t *address, size_t n,
			    struct event_frames *ret);

#endif
