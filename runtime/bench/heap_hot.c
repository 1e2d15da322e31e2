/* One block of a size at a time: taken, given back. */
#include "heap.h"

int main(void)
{
	enum { TURNS = 20000000 };
	static const size_t sizes[] = { 16, 64, 256 };
	double best = 1e9;

	for (int round = 0; round < 3; round++) {
		double from = cpu_ns();
		for (int s = 0; s < 3; s++)
			for (int i = 0; i < TURNS / 3; i++)
				free(used(malloc(sizes[s])));
		double ns = (cpu_ns() - from) / TURNS;
		best = ns < best ? ns : best;
	}
	printf("ns %.2f\n", best);
	return 0;
}
