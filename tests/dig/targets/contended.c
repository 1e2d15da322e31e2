/* contended [THREADS]: threads (default 4) that fight for one mutex, "hot", held 200 µs at a time, and now and then take
 * another, "cold", for which nobody waits. Mostly asleep: it does not load the machine. */
#include <pthread.h>

#include "target.h"

pthread_mutex_t hot = PTHREAD_MUTEX_INITIALIZER, cold = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void with_hot(void)
{
	pthread_mutex_lock(&hot);
	usleep(200);
	pthread_mutex_unlock(&hot);
}

static NOINLINE void with_cold(void)
{
	pthread_mutex_lock(&cold);
	pthread_mutex_unlock(&cold);
}

static void *fight(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "fighter");
	for (unsigned i = 0;; i++) {
		with_hot();
		if (i % 16 == 0)
			with_cold();
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	int n = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t thread;

	die_with_parent();
	for (int i = 0; i < n; i++)
		if (pthread_create(&thread, NULL, fight, NULL) != 0)
			fails("pthread_create");
	ready();
	for (;;)
		pause();
}
