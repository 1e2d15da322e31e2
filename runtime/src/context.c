#include "context.h"

#include <string.h>

void context_start(void);

static void put(char *sp, size_t offset, uint64_t value)
{
	memcpy(sp + offset, &value, sizeof value);
}

bool context_possible(void)
{
	/* Both are no-operations for CPUs, kernels and processes without. */
#if defined __x86_64__
	uint64_t shadow = 0;
	__asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(shadow));	/* rdsspq %rax */
	return shadow == 0;
#elif defined __aarch64__
	register uint64_t asked __asm__("x16") = 1;	/* GCS */
	__asm__ volatile("hint #40" : "+r"(asked));	/* chkfeat x16: clears the bits of what is on */
	return asked == 1;
#endif
}

void context_make(struct context *ret, char *low, size_t bytes, void *top, void (*function)(void *), void *arg)
{
	/* Both ABIs want sp aligned by 16 where a function is called; context_start makes the call. */
	char *sp = (char *)((uintptr_t)top & ~(uintptr_t)15) - CONTEXT_FIRST_SIZE;

	sanitizer_context_make(&ret->told, low, bytes);
	memset(sp, 0, CONTEXT_FIRST_SIZE);
	put(sp, CONTEXT_FUNCTION, (uint64_t)(uintptr_t)function);
	put(sp, CONTEXT_ARGUMENT, (uint64_t)(uintptr_t)arg);
	put(sp, CONTEXT_PC, (uint64_t)(uintptr_t)context_start);
	ret->sp = sp;
}
