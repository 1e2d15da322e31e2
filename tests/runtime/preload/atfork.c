/* A library whose handlers around a fork allocate, as glibc's malloc allows; it is there before the heap is. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take(const char *name)
{
	char *p = malloc(3 << 20);

	memset(p, 1, 3 << 20);
	free(p);
	if (write(1, name, strlen(name)) < 0)
		_exit(9);
}

static void before(void)
{
	take("before ");
}

static void in_parent(void)
{
	take("parent ");
}

static void in_child(void)
{
	take("child ");
}

__attribute__((constructor)) static void begin(void)
{
	pthread_atfork(before, in_parent, in_child);
}

int atfork_is_there(void)
{
	return 1;
}
