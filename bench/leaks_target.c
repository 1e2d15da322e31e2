/* Allocates and frees at an even rate, or as fast as it can, and keeps one block of a hundred. Prints CPU nanoseconds of
 * an allocation with its free. usage: leaks_target PAIRS [PAIRS_PER_S [stop]], stop: until SIGCONT comes */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define RING 512

static void *volatile kept;

__attribute__((noinline)) static void leak(void)
{
	void **p = malloc(200);

	if (!p)
		exit(2);
	*p = kept;
	kept = p;
}

int main(int argc, char **argv)
{
	static void *volatile ring[RING];
	long pairs = argc > 1 ? atol(argv[1]) : 100000;
	double per_s = argc > 2 ? atof(argv[2]) : 0;

	if (argc > 3)
		raise(SIGSTOP);
	uint64_t start_ns = clock_mono_ns(), cpu_ns = clock_cpu_ns();

	for (long i = 0; i < pairs; i++) {
		void *volatile *slot = &ring[i % RING];

		free(*slot);
		*slot = malloc(16 + (size_t)(i * 7 % 900));
		if (i % 100 == 0)
			leak();
		if (per_s > 0 && i % 100 == 0)
			(void)!clock_sleep_until(start_ns + (uint64_t)((double)i / per_s * 1e9));
	}
	printf("%.0f\n", (double)(clock_cpu_ns() - cpu_ns) / (double)pairs);
	return 0;
}
