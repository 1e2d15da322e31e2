/* Larson's server: each thread replaces blocks of random sizes in its array, at random; then a new thread
 * goes on with the array, and the old one ends. So blocks are freed by others than took them, and by threads
 * whose maker is gone. */
#include "heap.h"

enum { THREADS = 2, BLOCKS = 1000, TURNS = 200000, GENERATIONS = 15, LEAST = 8, MOST = 1000 };

struct share {
	char *blocks[BLOCKS];
	uint32_t random;
};

static void *replaces(void *arg)
{
	struct share *s = arg;

	for (int i = 0; i < TURNS; i++) {
		uint32_t k = next_random(&s->random) % BLOCKS;
		free(s->blocks[k]);
		s->blocks[k] = malloc(LEAST + next_random(&s->random) % (MOST - LEAST));
		s->blocks[k][0] = 1;
	}
	return NULL;
}

int main(void)
{
	static struct share shares[THREADS];
	void *args[THREADS];

	for (uint32_t i = 0; i < THREADS; i++)
		shares[i].random = i + 12345;
	double from = cpu_ns();
	for (int g = 0; g < GENERATIONS; g++) {
		/* Each array to another thread. */
		for (int i = 0; i < THREADS; i++)
			args[i] = &shares[(i + g) % THREADS];
		threads_run(THREADS, replaces, args);
	}
	printf("ns %.2f\n", (cpu_ns() - from) / (THREADS * (double)TURNS * GENERATIONS));
	return 0;
}
