/* Rows of core.sh with threads of the system. usage: pthread PROCESSORS [ROW…] */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>

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

/* Whose turn it is: of the first, of the second, or over. */
enum { FIRST, SECOND, OVER };
static _Atomic uint32_t turn;

static void turn_give(uint32_t to)
{
	atomic_store(&turn, to);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void turn_await(uint32_t not_mine)
{
	while (atomic_load(&turn) == not_mine)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, not_mine, NULL, NULL, 0);
}

static void *answers(void *arg)
{
	for (;;) {
		turn_await(FIRST);
		if (atomic_load(&turn) == OVER)
			return arg;
		turn_give(FIRST);
	}
}

/* As in core.c. */
static double across(int n, double apart_ns)
{
	pthread_t other;
	double took = 0;

	if (!rows_wall)
		return -1;
	atomic_store(&turn, FIRST);
	if (pthread_create(&other, NULL, answers, NULL))
		abort();
	for (int i = 0; i < n; i++) {
		double start = wall_clock(), until = start + apart_ns;
		while (start < until)
			start = wall_clock();
		turn_give(SECOND);
		turn_await(SECOND);
		took += wall_clock() - start;
	}
	turn_give(OVER);
	pthread_join(other, NULL);
	return took / n;
}

static double row_across_spinning(void)
{
	return across(100000, 0);
}

static double row_across_parked(void)
{
	return across(2000, 200e3);
}

static const struct row rows[] = {
	{ "yield", row_yield },
	{ "spawn+join", row_spawn_join },
	{ "batch", row_batch },
	{ "mutex", row_mutex },
	{ "mutex-100", row_mutex_100 },
	{ "across-spinning", row_across_spinning },
	{ "across-parked", row_across_parked },
};

int main(int argc, char **argv)
{
	rows_wall = argc > 1 && atoi(argv[1]) > 1;
	rows_run(rows, COUNT(rows), argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
