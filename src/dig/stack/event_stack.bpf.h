/* The user stack of an event as programs copy it: registers and the bytes above the stack pointer.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_STACK_EVENT_STACK_BPF_H
#define OSPREY_DIG_STACK_EVENT_STACK_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

/* The copy starts at a multiple of a step at or below the stack pointer, and ends before the first step that is not in
 * memory: steps divide a page, so nothing that is there is missed. 8 KiB of stack at least. */
#define EVENT_STACK_STEP 1024
#define EVENT_STACK_STEPS 9
#define EVENT_STACK_BYTES (EVENT_STACK_STEP * EVENT_STACK_STEPS)
#define EVENT_STACK_REGISTERS 21 /* struct pt_regs of x86-64 in its order */

enum event_stack_kind {
	EVENT_STACK_NONE,      /* no registers of user space: a kernel thread */
	EVENT_STACK_COPY,      /* registers, and bytes from `from` on */
	EVENT_STACK_ADDRESSES, /* of other machines: return addresses by frame pointers, innermost first */
};

struct event_stack {
	uint32_t kind;
	uint32_t size; /* of what follows `registers` */
	uint64_t from;
	uint64_t registers[EVENT_STACK_REGISTERS];
	char bytes[EVENT_STACK_BYTES];
};

#ifdef __bpf__
#if defined(__TARGET_ARCH_x86)
/* Copies both; `regs` are those of user space of the task that runs. Some microseconds: bench/trace.sh. */
static __always_inline void event_stack_copy(struct event_stack *s, struct pt_regs *regs)
{
	uint64_t sp = regs->sp;

	s->kind = EVENT_STACK_NONE;
	s->size = 0;
	if (bpf_probe_read_kernel(s->registers, sizeof s->registers, regs))
		return;
	s->kind = EVENT_STACK_COPY;
	s->from = sp & ~(uint64_t)(EVENT_STACK_STEP - 1);
	for (int i = 0; i < EVENT_STACK_STEPS; i++) {
		if (bpf_probe_read_user(s->bytes + i * EVENT_STACK_STEP, EVENT_STACK_STEP,
					(const void *)(s->from + i * EVENT_STACK_STEP)))
			break;
		s->size = (i + 1) * EVENT_STACK_STEP;
	}
}
#endif
#endif

#endif
