/* Rows of core.sh with State Threads, which know one processor only. usage: st 1 [ROW…] */
#include <st.h>

#include "../rows.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static volatile long sink;
static st_mutex_t mutex;

static void *nothing(void *arg)
{
	return arg;
}

static void *yields(void *arg)
{
	for (long n = (long)arg; n > 0; n--)
		st_usleep(0);
	return NULL;
}

static double run(void *(*f)(void *), long each, size_t n)
{
	static st_thread_t threads[1000];
	double start = row_clock();

	for (size_t i = 0; i < n; i++)
		if (!(threads[i] = st_thread_create(f, (void *)each, 1, 0)))
			abort();
	for (size_t i = 0; i < n; i++)
		st_thread_join(threads[i], NULL);
	return row_clock() - start;
}

static double row_yield(void)
{
	return run(yields, 500000, 2) / 1e6;
}

static double row_spawn_join(void)
{
	double sum = 0;

	for (int i = 0; i < 200000; i++)
		sum += run(nothing, 0, 1);
	return sum / 200000;
}

static double row_batch(void)
{
	double sum = 0;

	for (int i = 0; i < 200; i++)
		sum += run(nothing, 0, 1000);
	return sum / 200000;
}

static void *locks(void *arg)
{
	for (long n = (long)arg; n > 0; n--) {
		st_mutex_lock(mutex);
		sink++;
		st_mutex_unlock(mutex);
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
	st_init();
	mutex = st_mutex_new();
	rows_run(rows, COUNT(rows), argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
