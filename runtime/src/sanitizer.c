#include "sanitizer.h"

/* A loop of its own, of which the compiler makes no call of memcpy, which tools look into. */
NOT_SANITIZED void sanitizer_copy_stack(void *to, const void *from, size_t bytes)
{
	const volatile uint64_t *words = from;
	uint64_t *ret = to;

	for (size_t i = 0; i < bytes / sizeof *ret; i++)
		ret[i] = words[i];
}

#ifdef SANITIZER_ADDRESS
#include <pthread.h>

void sanitizer_own_stack(struct sanitizer_context *c)
{
	pthread_attr_t attr;
	void *low = NULL;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	pthread_attr_getstack(&attr, &low, &c->bytes);
	pthread_attr_destroy(&attr);
	c->low = low;
}
#endif
