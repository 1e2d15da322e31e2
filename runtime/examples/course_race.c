/* A race, shown and mended: ten fibers add to one counter.
 *
 *	cc -O2 -o course_race course_race.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_race
 *
 * "Add one" is three steps: read, add, write. What others write between the first and the last is lost. Here
 * the fiber yields between them, so it is lost on one CPU as well as on many. */
#include <stdio.h>

#include <osprey/rt.h>

#define FIBERS 10
#define TIMES 1000

static long counter;
static struct rt_mutex mutex;

static int adds_racing(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIMES; i++) {
		long was = __atomic_load_n(&counter, __ATOMIC_RELAXED);
		rt_yield();
		__atomic_store_n(&counter, was + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static int adds_with_mutex(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIMES; i++) {
		(void)rt_lock(&mutex, RT_FOREVER);
		long was = counter;
		rt_yield();
		counter = was + 1;
		rt_unlock(&mutex);
	}
	return 0;
}

/* Where the step is one instruction of the CPU, no lock is needed. */
static int adds_atomically(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIMES; i++) {
		__atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
		rt_yield();
	}
	return 0;
}

static int count_with(rt_function *adds, const char *how)
{
	struct rt_scope s;
	int r = 0;

	counter = 0;
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < FIBERS && r == 0; i++)
		r = rt_scope_go(&s, adds, NULL);
	(void)rt_scope_close(&s);
	printf("%-14s %5ld of %d\n", how, counter, FIBERS * TIMES);
	return r;
}

static int first(void *arg)
{
	(void)arg;
	int r = count_with(adds_racing, "racing:");
	if (r == 0)
		r = count_with(adds_with_mutex, "with a mutex:");
	return r < 0 ? r : count_with(adds_atomically, "atomically:");
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
