/* A context: where a stack that does not run goes on. What must be preserved lies on the stack itself.
 *
 * Supported: x86-64 and AArch64. The same layout is read from outside of the process by those who inspect
 * fibers: CONTEXT_… says at which offsets from `sp` the registers lie.
 *
 * Where indirect jumps may only land on marked instructions (IBT of x86-64, BTI of AArch64) the switch lands on
 * such, and all objects say so. Shadow stacks (SHSTK of x86-64, GCS of AArch64) are one for each thread, and hold
 * the returns of one stack only: no object claims them, so a process with this library has none, unless it was
 * forced to; then context_possible is false. AArch64's signed return addresses (PAC) live on the stack they were
 * signed for, which fibers keep, and all threads of a process have the same keys: they are used, but
 * CONTEXT_PC is not signed, since it is read from outside.
 *
 * Floating-point control (rounding, flushing, traps) belongs to the thread, not to the context: reading it
 * costs as much as the rest of a switch, and nearly nobody changes it. A fiber that does sets it back before
 * it calls the runtime. */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include <stdbool.h>
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

/* The switch itself, in assembly. It goes on behind the caller's call by a jump, so on AArch64 something that may
 * be jumped to has to stand there: context_jump_inline. */
void context_jump(struct context *from, const struct context *to);

/* Vector registers that only some CPUs have, where the library is compiled for those. */
#ifdef __AVX512F__
#define CONTEXT_AVX512                                                                                            \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26",      \
		"xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define CONTEXT_AVX512
#endif

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
			 "1:\tendbr64"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r12", "r13", "r14", "r15", "r8", "r9", "r10", "r11", "memory", "cc",
			   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15" CONTEXT_AVX512);
#elif defined __aarch64__
	/* Of v8 to v15 a call preserves the lower halves only, which cannot be said here: no function that switches
	 * may use the whole of them (tests/runtime/notes.sh looks). */
	register struct context *x0 __asm__("x0") = from;
	register const struct context *x1 __asm__("x1") = to;
	__asm__ volatile("bl context_jump\n\t"
			 "hint #36"	/* bti j */
			 : "+r"(x0), "+r"(x1)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			   "x16", "x17", "x18", "x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
			   "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
			   "v29", "v30", "v31");
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

/* False: the calling thread has a shadow stack, which no switch can follow. */
bool context_possible(void);

/* Lays out a context at `top` (any address within the stack of `bytes` bytes at `low`; what lies below is
 * overwritten) that calls function(arg), which must not return. It calls context_arrived first. */
void context_make(struct context *ret, char *low, size_t bytes, void *top, void (*function)(void *), void *arg);

/* The first that is done on a new stack. */
SANITIZER_INLINE void context_arrived(struct context *c)
{
	sanitizer_arrive(&c->told);
}

#endif
