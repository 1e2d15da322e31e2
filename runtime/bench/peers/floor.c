/* What rows of core.sh take that no scheduler can save: a fiber has a page of stack, which the system has to find,
 * clear and map when it is first touched; and what one CPU stores, another sees after a while.
 * usage: floor PROCESSORS [ROW…]
 *
 * PARKED in the environment: how many fibers (a million). */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "../rows.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
/* Stacks lie so far apart (RT_STACK_DEFAULT). */
#define APART ((size_t)64 << 10)
/* Who was started last sleeps for up to so long. */
#define LONGEST_SLEEP_S 2

static size_t fibers(void)
{
	const char *text = getenv("PARKED");

	return text ? strtoul(text, NULL, 10) : 1000000;
}

static double touch(double (*clock)(void))
{
	size_t n = fibers();
	char *low = mmap(NULL, n * APART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (low == MAP_FAILED)
		return -1;
	madvise(low, n * APART, MADV_NOHUGEPAGE);
	double start = clock();
	for (size_t i = 0; i < n; i++)
		*(volatile char *)(low + (i + 1) * APART - 64) = 1;
	double took = clock() - start;
	munmap(low, n * APART);
	return took;
}

static double row_sleeps(void)
{
	double took = touch(wall_clock);

	return took < 0 ? took : took / 1e9 + LONGEST_SLEEP_S;
}

static double row_parked_ns(void)
{
	double took = touch(row_clock);

	return took < 0 ? took : took / (double)fibers();
}

/* Each on a line of its own, as two CPUs hand a line over. */
static _Alignas(128) _Atomic long there;
static _Alignas(128) _Atomic long back;

static void spin_until(_Atomic long *word, long value)
{
	while (atomic_load_explicit(word, memory_order_acquire) != value) {
#ifdef __x86_64__
		__builtin_ia32_pause();
#endif
	}
}

static void *answers(void *trips)
{
	for (long i = 1; i <= (long)trips; i++) {
		spin_until(&there, i);
		atomic_store_explicit(&back, i, memory_order_release);
	}
	return NULL;
}

static double row_across_spinning(void)
{
	const long n = 100000;
	pthread_t other;

	if (!rows_wall || pthread_create(&other, NULL, answers, (void *)n))
		return -1;
	double start = wall_clock();
	for (long i = 1; i <= n; i++) {
		atomic_store_explicit(&there, i, memory_order_release);
		spin_until(&back, i);
	}
	double took = wall_clock() - start;
	pthread_join(other, NULL);
	return took / (double)n;
}

static const struct row rows[] = {
	{ "sleeps-s", row_sleeps },
	{ "parked-ns", row_parked_ns },
	{ "across-spinning", row_across_spinning },
};

int main(int argc, char **argv)
{
	rows_wall = argc > 1 && atoi(argv[1]) > 1;
	rows_run(rows, COUNT(rows), argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
