/* What the heap's benches share. Each is a program that uses malloc and free, and is run under one allocator
 * after the other by heap.sh: it prints ns an operation, of wall time, and what else its name says. */
#ifndef RT_BENCH_HEAP_H
#define RT_BENCH_HEAP_H

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* CPU time of all threads: what a busy machine does not change. */
static inline double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* The compiler is not to see that a block is not used. */
static inline void *used(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static inline size_t resident_kib(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*u %zu", &pages) != 1)
		exit(2);
	fclose(f);
	return pages * 4;
}

static inline void threads_run(unsigned n, void *(*function)(void *), void *const *args)
{
	pthread_t t[64];

	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, function, args[i]))
			exit(2);
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

#endif
