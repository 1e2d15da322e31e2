/* What rows of core.sh take that no scheduler can save: a fiber has a page of stack, which the system has to find,
 * clear and map when it is first touched. usage: floor PROCESSORS [ROW…] */
#include <sys/mman.h>

#include "../rows.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define FIBERS 1000000
/* Stacks lie so far apart (RT_STACK_DEFAULT). */
#define APART ((size_t)64 << 10)
/* Who was started last sleeps for up to so long. */
#define LONGEST_SLEEP_S 2

static double touch(double (*clock)(void))
{
	char *low = mmap(NULL, FIBERS * APART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (low == MAP_FAILED)
		return -1;
	madvise(low, FIBERS * APART, MADV_NOHUGEPAGE);
	double start = clock();
	for (size_t i = 0; i < FIBERS; i++)
		*(volatile char *)(low + (i + 1) * APART - 64) = 1;
	double took = clock() - start;
	munmap(low, FIBERS * APART);
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

	return took < 0 ? took : took / FIBERS;
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
