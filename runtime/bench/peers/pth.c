/* Rows of core.sh with GNU Pth, which knows one processor only. usage: pth 1 [ROW…] */
#include <pth.h>

#include "../rows.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static volatile long sink;
static pth_mutex_t mutex;

static void *nothing(void *arg)
{
	return arg;
}

static void *yields(void *arg)
{
	for (long n = (long)arg; n > 0; n--)
		pth_yield(NULL);
	return NULL;
}

static double run(void *(*f)(void *), long each, size_t n)
{
	static pth_t threads[1000];
	double start = row_clock();

	for (size_t i = 0; i < n; i++)
		if (!(threads[i] = pth_spawn(PTH_ATTR_DEFAULT, f, (void *)each)))
			abort();
	for (size_t i = 0; i < n; i++)
		pth_join(threads[i], NULL);
	return row_clock() - start;
}

static double row_yield(void)
{
	return run(yields, 100000, 2) / 200000;
}

static double row_spawn_join(void)
{
	double sum = 0;

	for (int i = 0; i < 20000; i++)
		sum += run(nothing, 0, 1);
	return sum / 20000;
}

static double row_batch(void)
{
	double sum = 0;

	for (int i = 0; i < 10; i++)
		sum += run(nothing, 0, 1000);
	return sum / 10000;
}

static void *locks(void *arg)
{
	for (long n = (long)arg; n > 0; n--) {
		pth_mutex_acquire(&mutex, FALSE, NULL);
		sink++;
		pth_mutex_release(&mutex);
	}
	return NULL;
}

static double row_mutex(void)
{
	return run(locks, 1000000, 1) / 1e6;
}

static const struct row rows[] = {
	{ "yield", row_yield },
	{ "spawn+join", row_spawn_join },
	{ "batch", row_batch },
	{ "mutex", row_mutex },
};

int main(int argc, char **argv)
{
	pth_init();
	pth_mutex_init(&mutex);
	rows_run(rows, COUNT(rows), argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
