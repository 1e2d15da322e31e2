/* Many blocks, then none, again and again; and how much memory that is: at its most, and a while after. */
#include "heap.h"

enum { BLOCKS = 100000, ROUNDS = 100 };

int main(void)
{
	static char *blocks[BLOCKS];
	uint32_t random = 4711;
	size_t most = 0, begin = resident_kib();
	double ns = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double from = cpu_ns();
		for (int i = 0; i < BLOCKS; i++) {
			blocks[i] = malloc(16 + next_random(&random) % 112);
			blocks[i][0] = 1;
		}
		ns += cpu_ns() - from;
		size_t now = resident_kib();
		most = now > most ? now : most;
		from = cpu_ns();
		for (int i = 0; i < BLOCKS; i++)
			free(blocks[i]);
		ns += cpu_ns() - from;
	}
	/* A program that goes on, but with little. */
	for (int i = 0; i < 150; i++) {
		usleep(20000);
		for (int k = 0; k < 2000; k++)
			blocks[k] = malloc(16 + next_random(&random) % 112);
		for (int k = 0; k < 2000; k++)
			free(blocks[k]);
	}
	size_t after = resident_kib();
	printf("ns %.2f\npeak %zu\nafter %zu\n", ns / ((double)BLOCKS * ROUNDS), most - begin, after > begin ? after - begin : 0);
	return 0;
}
