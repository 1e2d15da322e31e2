/* System calls that leave errno alone: a fiber may come back from one on another thread, where errno is
 * another variable. Any thread; costs what the call does. Returns what the kernel does: a negative errno
 * value when it failed. */
#ifndef RT_KERNEL_CALL_H
#define RT_KERNEL_CALL_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long kernel_call6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined __x86_64__
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
#elif defined __aarch64__
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#endif
}

#define KERNEL_CALL_PICK(n, a, b, c, d, e, f, ...) \
	kernel_call6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* With up to six arguments. */
#define kernel_call(...) KERNEL_CALL_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
