/* A thread that is halted while it makes blocks of a page: who walks over the heap then finds lists that are
 * whole, though the page holds what its last user left there. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "delays.h"

#define SMALL 20000
#define LARGE 400

static _Atomic bool stop;
static void *blocks[SMALL];

static void fill(size_t n, size_t bytes)
{
	for (size_t i = 0; i < n && !stop; i++) {
		blocks[i] = rt_malloc(bytes);
		memset(blocks[i], 0x41, bytes);
	}
}

static void drop(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		rt_free(blocks[i]);
		blocks[i] = NULL;
	}
}

/* Pages without blocks go from one size to the other. */
static void *allocates(void *arg)
{
	while (!stop) {
		fill(LARGE, 1024);
		drop(LARGE);
		fill(SMALL, 16);
		drop(SMALL);
	}
	return arg;
}

int main(void)
{
	struct rt_leaks leaks;
	pthread_t thread;
	int64_t end = rt_now() + 500 * MS;

	if (SANITIZED || !BEARS_TRACERS)
		return 0;
	delays_begin(1, 8);
	CHECK(pthread_create(&thread, NULL, allocates, NULL) == 0);
	do {
		int r = rt_leaks_find(&leaks, NULL, 0);
		CHECK(r == 0 || r == -EAGAIN);
	} while (rt_now() < end);
	stop = true;
	delays_begin(0, 0);
	pthread_join(thread, NULL);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
