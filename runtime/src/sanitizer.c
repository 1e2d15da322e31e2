#include "sanitizer.h"

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
