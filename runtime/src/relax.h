/* One turn of a busy wait: tells the CPU, which then leaves its sibling more. */
#ifndef RT_RELAX_H
#define RT_RELAX_H

static inline void relax(void)
{
#if defined __x86_64__
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield" ::: "memory");
#endif
}

#endif
