#include "context.h"

#include <string.h>

void context_start(void);

static void put(char *sp, size_t offset, uint64_t value)
{
	memcpy(sp + offset, &value, sizeof value);
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
