/* deadlock: threads "one", "two" and "three" each hold a mutex and want the next one's, in a ring; "outside" wants a
 * mutex of the ring and is no part of it. */
#include <pthread.h>

#include "target.h"

static pthread_mutex_t mutexes[3] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };
static pthread_barrier_t all_hold;
static const char *const names[] = { "one", "two", "three", "outside" };

static NOINLINE void take(int i)
{
	pthread_mutex_lock(&mutexes[i]);
	__asm__ volatile("" ::: "memory");
}

static void *hold_and_want(void *arg)
{
	int i = (int)(intptr_t)arg;

	prctl(PR_SET_NAME, names[i]);
	if (i < 3)
		take(i);
	pthread_barrier_wait(&all_hold);
	take((i + 1) % 3);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	die_with_parent();
	pthread_barrier_init(&all_hold, NULL, 5);
	for (intptr_t i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, hold_and_want, (void *)i) != 0)
			fails("pthread_create");
	pthread_barrier_wait(&all_hold);
	usleep(50000);
	ready();
	for (;;)
		pause();
}
