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
#define CONTEXT_SIZE 16		/* rbp, rip; the function that switches has saved what else it must preserve */
#define CONTEXT_FRAME 0
#define CONTEXT_PC 8
#define CONTEXT_FIRST_SIZE 32	/* of a stack on which nothing has run yet: */
#define CONTEXT_FUNCTION 16
#define CONTEXT_ARGUMENT 24
#elif defined __aarch64__
#define CONTEXT_SIZE 160	/* x29, x30, x19 to x28, d8 to d15 */
#define CONTEXT_FRAME 0
#define CONTEXT_PC 8
#define CONTEXT_FIRST_SIZE CONTEXT_SIZE
#define CONTEXT_FUNCTION 16	/* x19 */
#define CONTEXT_ARGUMENT 24	/* x20 */
#else
#error "the runtime knows the contexts of x86-64 and AArch64"
#endif

struct context {
	void *sp;
	struct sanitizer_context told;
};

/* The switch itself, in assembly. */
void context_jump(struct context *from, const struct context *to);

/* The same without a call. The CPU predicts where returns go by the calls it has seen: whoever makes one more
 * call than the other side returns from spoils that for all returns that follow, each of which then costs as
 * much as the switch. And what a function preserves is named as overwritten: so the compiler saves it where the
 * function begins, once, with what else it saves there. */
SANITIZER_INLINE void context_jump_inline(struct context *from, const struct context *to)
{
#if defined __x86_64__ && !defined SANITIZER_ADDRESS && !defined SANITIZER_THREAD
	/* The library is compiled without a red zone, so what lies below the stack pointer is free. */
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "pushq %%rbp\n\t"
			 "movq %%rsp, (%0)\n\t"
			 "movq (%1), %%rsp\n\t"
			 "popq %%rbp\n\t"
			 "popq %%rcx\n\t"
			 "jmp *%%rcx\n"
			 "1:"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r12", "r13", "r14", "r15", "r8", "r9", "r10", "r11", "memory", "cc",
			   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#else
	context_jump(from, to);
#endif
}

/* Saves where the caller is into `from` and goes on where `to` was saved. Returns when somebody switches to
 * `from`, perhaps on another thread: nothing that was read from thread-local storage before is true after
 * it. */
SANITIZER_INLINE void context_switch(struct context *from, const struct context *to)
{
	sanitizer_leave(&from->told, &to->told);
	context_jump_inline(from, to);
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
