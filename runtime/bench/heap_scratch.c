/* Small blocks that threads get from one another, free, and take anew, and then write often: slow where two
 * threads' blocks share a line of the cache (cache-scratch of the Hoard suite). */
#include "heap.h"

enum { THREADS = 2, TURNS = 20000, WRITES = 400, SIZE = 8 };

static char *handed[THREADS];

static void *scratches(void *arg)
{
	char **mine = arg;

	free(*mine);
	for (int i = 0; i < TURNS; i++) {
		volatile char *p = malloc(SIZE);
		for (int k = 0; k < WRITES; k++)
			p[k % SIZE]++;
		free((void *)p);
	}
	return NULL;
}

int main(void)
{
	void *args[THREADS];
	double from = cpu_ns();

	for (int i = 0; i < THREADS; i++) {
		handed[i] = malloc(SIZE);
		memset(handed[i], 0, SIZE);
		args[i] = &handed[i];
	}
	threads_run(THREADS, scratches, args);
	printf("ns %.2f\n", (cpu_ns() - from) / (THREADS * (double)TURNS));
	return 0;
}
