/* One thread, an array of blocks of all sizes that are replaced at random: most are small, some are not. */
#include "heap.h"

enum { BLOCKS = 20000, TURNS = 6000000 };

static size_t size_of(uint32_t r)
{
	if (r % 128 == 0)
		return 1024 + (r >> 8) % 30000;
	if (r % 8 == 0)
		return 128 + (r >> 8) % 900;
	return 8 + (r >> 8) % 120;
}

int main(void)
{
	static char *blocks[BLOCKS];
	uint32_t random = 31;
	double from = cpu_ns();

	for (int i = 0; i < TURNS; i++) {
		uint32_t k = next_random(&random) % BLOCKS;
		free(blocks[k]);
		blocks[k] = malloc(size_of(next_random(&random)));
		blocks[k][0] = 1;
	}
	printf("ns %.2f\n", (cpu_ns() - from) / TURNS);
	return 0;
}
