/* A library as a program loads them while it runs: with a constructor, a destructor and thread-local data. It knows nothing of fibers;
 * the program's function that its constructor calls, if there is one, may do what it likes. */
#include "plugin.h"

static _Thread_local long own = 42;
static _Thread_local char own_bytes[3000] = { 1 };
static int constructed;

int in_constructor(void) __attribute__((weak));
void in_destructor(void) __attribute__((weak));

__attribute__((constructor)) static void construct(void)
{
	constructed = 1 + (in_constructor ? in_constructor() : 0);
}

__attribute__((destructor)) static void destruct(void)
{
	if (in_destructor)
		in_destructor();
}

int plugin_constructed(void)
{
	return constructed;
}

__attribute__((noinline)) long *plugin_own(void)
{
	own_bytes[1] = own_bytes[0];
	return &own;
}

int plugin_calls_back(int (*back)(void *), void *arg)
{
	volatile char frame[1000];

	frame[0] = frame[sizeof frame - 1] = 7;
	int r = back(arg);
	return frame[0] + frame[sizeof frame - 1] == 14 ? r : -1;
}
