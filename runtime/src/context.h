/* A context: where a stack that does not run goes on. What must be preserved lies on the stack itself.
 *
 * Supported: x86-64 (without shadow stacks: CET's are one for each thread) and AArch64. The same layout is
 * read from outside of the process by those who inspect fibers: CONTEXT_… says at which offsets from `sp` the
 * registers lie.
 *
 * Floating-point control (rounding, flushing, traps) belongs to the thread, not to the context: reading it
 * costs as much as the rest of a switch, and nearly nobody changes it. A fiber that does sets it back before
 * it calls the runtime. */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "sanitizer.h"

#if defined __x86_64__
#define CONTEXT_SIZE 56		/* r15, r14, r13, r12, rbx, rbp, rip */
#define CONTEXT_FUNCTION 24	/* r12 */
#define CONTEXT_ARGUMENT 16	/* r13 */
#define CONTEXT_FRAME 40
#define CONTEXT_PC 48
#elif defined __aarch64__
#define CONTEXT_SIZE 160	/* x29, x30, x19 to x28, d8 to d15 */
#define CONTEXT_FUNCTION 16	/* x19 */
#define CONTEXT_ARGUMENT 24	/* x20 */
#define CONTEXT_FRAME 0
#define CONTEXT_PC 8
#else
#error "the runtime knows the contexts of x86-64 and AArch64"
#endif

struct context {
	void *sp;
	struct sanitizer_context told;
};

/* The switch itself, in assembly. */
void context_jump(struct context *from, const struct context *to);

/* Saves where the caller is into `from` and goes on where `to` was saved. Returns when somebody switches to
 * `from`, perhaps on another thread: nothing that was read from thread-local storage before is true after
 * it. */
SANITIZER_INLINE void context_switch(struct context *from, const struct context *to)
{
	sanitizer_leave(&from->told, &to->told);
	context_jump(from, to);
	sanitizer_arrive(&from->told);
}

/* Lays out a context at `top` (any address within the stack of `bytes` bytes at `low`; what lies below is
 * overwritten) that calls function(arg), which must not return. It calls context_arrived first. */
void context_make(struct context *ret, char *low, size_t bytes, void *top, void (*function)(void *), void *arg);

/* The first that is done on a new stack. */
SANITIZER_INLINE void context_arrived(struct context *c)
{
	sanitizer_arrive(&c->told);
}

#endif
