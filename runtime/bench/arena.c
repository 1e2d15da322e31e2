/* Blocks from an arena beside malloc and free of the C library: nanoseconds a block, best of some rounds. */
#include <stdio.h>
#include <stdlib.h>

#include <osprey/rt.h>

#define REQUESTS 2000
#define BLOCKS 200
#define ROUNDS 7

static size_t size_of(int i)
{
	return 16 + (size_t)(i * 37 % 113);
}

static void by_arena(void)
{
	struct rt_arena *a;

	if (rt_arena_new(NULL, &a) < 0)
		exit(1);
	for (int r = 0; r < REQUESTS; r++) {
		for (int i = 0; i < BLOCKS; i++)
			*(char *volatile)rt_arena_alloc(a, size_of(i)) = 1;
		rt_arena_reset(a);
	}
	rt_arena_free(a);
}

static void by_new_arenas(void)
{
	for (int r = 0; r < REQUESTS; r++) {
		struct rt_arena *a;
		if (rt_arena_new(NULL, &a) < 0)
			exit(1);
		for (int i = 0; i < BLOCKS; i++)
			*(char *volatile)rt_arena_alloc(a, size_of(i)) = 1;
		rt_arena_free(a);
	}
}

static void by_malloc(void)
{
	void *p[BLOCKS];

	for (int r = 0; r < REQUESTS; r++) {
		for (int i = 0; i < BLOCKS; i++)
			*(char *volatile)(p[i] = malloc(size_of(i))) = 1;
		for (int i = 0; i < BLOCKS; i++)
			free(p[i]);
	}
}

static double best(void (*f)(void))
{
	double least = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t t = rt_now();
		f();
		double ns = (double)(rt_now() - t) / REQUESTS / BLOCKS;
		least = ns < least ? ns : least;
	}
	return least;
}

int main(void)
{
	double arena = best(by_arena), new_arenas = best(by_new_arenas), m = best(by_malloc);

	printf("a block of a request of %d: arena, reset each time %.2f ns; arena, made anew each time %.2f ns; malloc and free %.2f ns "
	       "(%.1f and %.1f times as much)\n", BLOCKS, arena, new_arenas, m, m / arena, m / new_arenas);
	return 0;
}
