/* Rows of core.sh with threads of the system. usage: pthread PROCESSORS [ROW…] */
#include <pthread.h>
#include <sched.h>

#include "../rows.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static volatile long sink;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *nothing(void *arg)
{
	return arg;
}

static void *yields(void *arg)
{
	for (long n = (long)arg; n > 0; n--)
		sched_yield();
	return NULL;
}

static double run(void *(*f)(void *), long each, size_t n)
{
	pthread_t threads[100];
	double start = row_clock();

	for (size_t i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, f, (void *)each))
			abort();
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return row_clock() - start;
}

static double row_yield(void)
{
	return run(yields, 200000, 2) / 400000;
}

static double row_spawn_join(void)
{
	double sum = 0;

	for (int i = 0; i < 10000; i++)
		sum += run(nothing, 0, 1);
	return sum / 10000;
}

static double row_batch(void)
{
	double sum = 0;

	for (int i = 0; i < 100; i++)
		sum += run(nothing, 0, 100);
	return sum / 10000;
}

static void *locks(void *arg)
{
	for (long n = (long)arg; n > 0; n--) {
		pthread_mutex_lock(&mutex);
		sink++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static double row_mutex(void)
{
	return run(locks, 5000000, 1) / 5e6;
}

static double row_mutex_100(void)
{
	return run(locks, 50000, 100) / 5e6;
}

static const struct row rows[] = {
	{ "yield", row_yield },
	{ "spawn+join", row_spawn_join },
	{ "batch", row_batch },
	{ "mutex", row_mutex },
	{ "mutex-100", row_mutex_100 },
};

int main(int argc, char **argv)
{
	rows_wall = argc > 1 && atoi(argv[1]) > 1;
	rows_run(rows, COUNT(rows), argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
