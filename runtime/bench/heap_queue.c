/* Each thread has a queue of blocks: the oldest goes, a new one comes, sizes rise and fall (as sh6bench and
 * sh8bench of the SmartHeap suite do). */
#include "heap.h"

enum { THREADS = 2, BLOCKS = 5000, TURNS = 3000000 };

static void *turns(void *arg)
{
	void **blocks = calloc(BLOCKS, sizeof *blocks);
	uint32_t at = 0;

	(void)arg;
	for (uint32_t i = 0; i < TURNS; i++) {
		uint32_t size = 16 + (i >> 6) % 63 * 8;
		free(blocks[at]);
		blocks[at] = used(malloc(size));
		/* Now and then three in a row, last in first out. */
		if (i % 16 == 0) {
			void *a = used(malloc(size)), *b = used(malloc(size + 16)), *c = used(malloc(size + 32));
			free(c);
			free(b);
			free(a);
		}
		at = at + 1 == BLOCKS ? 0 : at + 1;
	}
	for (at = 0; at < BLOCKS; at++)
		free(blocks[at]);
	free(blocks);
	return NULL;
}

int main(void)
{
	void *args[THREADS] = { NULL };
	double from = cpu_ns();

	threads_run(THREADS, turns, args);
	printf("ns %.2f\n", (cpu_ns() - from) / (THREADS * (double)TURNS));
	return 0;
}
