/* A thread's floating-point control: rounding, what is masked, and whether the smallest numbers are zero (MXCSR and the x87
 * control word of x86-64). Switches leave it alone: it is the thread's. But the kernel begins a handler of signals with
 * what a process begins with, so who goes on to others within one puts it back. */
#ifndef RT_FLOATING_POINT_H
#define RT_FLOATING_POINT_H

#include <stdint.h>

struct floating_point {
	uint32_t mxcsr;
	uint16_t x87_control;
};

static inline void floating_point_get(struct floating_point *ret)
{
#ifdef __x86_64__
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(ret->mxcsr), "=m"(ret->x87_control));
#else
	*ret = (struct floating_point){ 0 };
#endif
}

static inline void floating_point_set(const struct floating_point *to)
{
#ifdef __x86_64__
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(to->mxcsr), "m"(to->x87_control));
#else
	(void)to;
#endif
}

#endif
