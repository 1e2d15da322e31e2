/* Semaphore: twenty cars and a car park for three.
 *
 *	cc -O2 -o course_semaphore course_semaphore.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_semaphore
 *
 * The count is how many places are free. A bus needs two at once: rt_semaphore_wait takes both or waits for
 * both, and who came before it is served before it. */
#include <stdint.h>
#include <stdio.h>

#include <osprey/rt.h>

#define MS INT64_C(1000000)
#define PLACES 3

static struct rt_semaphore places;
static int parked, most;	/* under the mutex */
static struct rt_mutex mutex;

static void count(int by)
{
	(void)rt_lock(&mutex, RT_FOREVER);
	parked += by;
	most = parked > most ? parked : most;
	rt_unlock(&mutex);
}

static int drives(void *arg)
{
	int number = (int)(intptr_t)arg, size = number % 5 == 0 ? 2 : 1;

	(void)rt_semaphore_wait(&places, (uint64_t)size, RT_FOREVER);
	count(size);
	printf("%s %d is in\n", size == 2 ? "bus" : "car", number);
	(void)rt_sleep(MS);
	count(-size);
	rt_semaphore_post(&places, (uint64_t)size);
	return 0;
}

static int first(void *arg)
{
	struct rt_scope s;
	int r = 0;

	(void)arg;
	rt_semaphore_init(&places, PLACES);
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 1; i <= 20 && r == 0; i++)
		r = rt_scope_go(&s, drives, (void *)i);
	(void)rt_scope_close(&s);
	printf("never more than %d of %d places were taken\n", most, PLACES);
	return r;
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
