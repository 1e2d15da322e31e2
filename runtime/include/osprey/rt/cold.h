/* Fibers that wait for long, and give the memory of their stacks back meanwhile: idle connections by the
 * hundred thousand.
 *
 * A parked fiber costs its own 256 B and the pages that its stack has touched, 4 KiB at least. Within
 * rt_cold_begin and rt_cold_end, one that has waited for a tenth of a second becomes cold: the part of its
 * stack that is in use (some hundred bytes) is copied to a block of the runtime's heap, and all pages of the
 * stack are given to the system. They come back, and the bytes to where they were, before the fiber runs
 * again, so pointers of its own into its stack stay true.
 *
 * The contract. While a fiber waits within, nobody else may use a pointer into its stack: to a variable, a
 * buffer, a lock or an event that lies there. What they would read is zero, and what they write is lost; it
 * ends the process with a line when the fiber is woken. The runtime's own are known: a wait for something
 * that lies on the own stack (an event, a channel's element of more than 32 B), a scope on it that is open,
 * and the kinds of waits below keep the stack. errno, registers and floating-point control are as across any
 * wait.
 *
 * Which waits become cold: those of sleep, join, channels (rt_send, rt_receive), locks and what is made like
 * them (sync.h), descriptors (rt_read, rt_accept and the like). Which keep their stack: rt_select,
 * rt_scope_close, calls on files, those that wait for a pool's thread, and all of pinned fibers. A stack of
 * which more than 3 KiB are in use keeps that, and gives back the pages below: so buffers belong elsewhere
 * while a connection is idle. Where there is no memory for the copy, or pages are locked (mlockall), a wait
 * keeps its stack too, and says nothing.
 *
 * Cost. A fiber within has 208 B more. A wait that ends before it is cold costs one to two hundred
 * nanoseconds more than another; one that became cold a copy out, by the runtime's own thread, and a page
 * fault and a copy in by who wakes it: a microsecond where a page fault takes less. Stacks are given back
 * many at a time, by one system call for those that lie side by side, or where Linux has process_madvise(2)
 * for a process's own memory (6.14) for 64 of any. The page tables of a stack, 128 B, stay. Fibers that are
 * never within pay nothing.
 *
 * Who looks from outside (osprey fibers, inspect.h) and rt_leaks_find see cold fibers as others. In core
 * files their stacks lie in the copies: gdb does not know them. */
#ifndef OSPREY_RT_COLD_H
#define OSPREY_RT_COLD_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Around waits of the running fiber that may be long. They nest; what the fiber starts is not within, and a
 * fiber that ends is no longer. -ENOMEM: its waits are as they were, and there is nothing to end. An end
 * without a beginning ends the process with a line. Neither blocks. Fiber. */
RT_API int rt_cold_begin(void);
RT_API void rt_cold_end(void);

/* Sums over all fibers, each true at some moment of the call. */
struct rt_cold_state {
	uint64_t fibers;	/* cold at present */
	uint64_t copied_bytes;	/* of their stacks, that lie in copies */
	uint64_t times;		/* that a fiber has become cold, since the process began */
};

/* Anywhere; some nanoseconds. */
RT_API void rt_cold_look(struct rt_cold_state *ret);

#ifdef __cplusplus
}
#endif
#endif
