/* A program that knows nothing of the runtime, and loads a library that does: carrier.c, its argument. With `exit` as the second it
 * ends within. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

static long (*run)(unsigned, int);
static int bad;

static void look(unsigned processors)
{
	long sum = run(processors, 200);

	if (sum != 20100) {
		fprintf(stderr, "P = %u: %ld in place of 20100\n", processors, sum);
		bad = 1;
	}
}

static void *on_another_thread(void *arg)
{
	for (unsigned p = 1; p <= 4; p++)
		look(p);
	return arg;
}

static void another_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, on_another_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
		bad = 1;
}

static void *load(const char *file)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	run = (__typeof__(run))dlsym(library, "carrier_run");
	return library;
}

/* Not runs at once, of which a process has one; but threads that have taken memory while the library was there end after it. */
static pthread_barrier_t gone;

static void *ends_later(void *arg)
{
	look(2);
	pthread_barrier_wait(&gone);
	pthread_barrier_wait(&gone);
	return arg;
}

static void bye(void)
{
	if (write(STDOUT_FILENO, "bye ", 4) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *library = load(argv[1]);

	if (argc == 3) {
		atexit(bye);
		printf("buffered ");
		((__typeof__(&carrier_exit))dlsym(library, "carrier_exit"))(3, 23);
		return 1;
	}
	on_another_thread(NULL);
	another_thread();
	dlclose(library);
	library = load(argv[1]);
	another_thread();
	pthread_barrier_init(&gone, NULL, 2);
	if (pthread_create(&thread, NULL, ends_later, NULL) != 0)
		return 1;
	pthread_barrier_wait(&gone);
	dlclose(library);
	pthread_barrier_wait(&gone);
	pthread_join(thread, NULL);
	return bad;
}
