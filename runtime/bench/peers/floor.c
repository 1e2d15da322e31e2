/* What rows of core.sh take that no scheduler can save: a fiber has a page of stack, which the system has to find,
 * clear and map when it is first touched. usage: floor PROCESSORS [ROW…]
 *
 * PARKED in the environment: how many fibers (a million). */
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

static const struct row rows[] = {
	{ "sleeps-s", row_sleeps },
	{ "parked-ns", row_parked_ns },
};

int main(int argc, char **argv)
{
	rows_wall = argc > 1 && atoi(argv[1]) > 1;
	rows_run(rows, COUNT(rows), argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
