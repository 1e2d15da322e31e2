/* Leaks at a known rate in leak_here and allocates as much and more in fine_here, which frees it.
 *
 *	leaks_target BYTES_PER_LEAK LEAKS_PER_S [ROUNDS]
 *
 * Prints what it has leaked so far for each line on stdin; ends with it. ROUNDS: ends after so many milliseconds. */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING 64

static volatile uint64_t leaked_bytes, leaks;
static void *kept;

__attribute__((noinline)) static void leak_here(size_t bytes)
{
	/* realloc(NULL) is an allocation too, and in some libraries a jump to malloc. */
	void **p = leaks % 2 ? malloc(bytes) : realloc(NULL, bytes);

	*p = kept;
	kept = p;
	leaked_bytes += bytes;
	leaks++;
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void fine_here(void)
{
	static _Thread_local char *ring[RING];
	static _Thread_local unsigned at;
	void *aligned = NULL;

	free(ring[at % RING]);
	ring[at % RING] = calloc(1, 50 + at % 400);
	if (at % 7 == 0)
		ring[at % RING] = realloc(ring[at % RING], 700 + at % 100);
	if (at % 11 == 0 && posix_memalign(&aligned, 64, 300) == 0)
		free(aligned);
	at++;
	__asm__ volatile("" ::: "memory");
}

static void *churn(void *arg)
{
	struct timespec pause = { 0, 1000000 };

	(void)arg;
	for (;;) {
		for (int i = 0; i < 20; i++)
			fine_here();
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	uint64_t per_s = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	uint64_t last_us = argc > 3 ? strtoul(argv[3], NULL, 10) * 1000 : UINT64_MAX;
	uint64_t start_us = now_us();
	struct pollfd in = { .fd = 0, .events = POLLIN };
	pthread_t thread;
	char line[64];

	if (pthread_create(&thread, NULL, churn, NULL))
		return 1;
	while (now_us() - start_us < last_us) {
		while (leaks < (now_us() - start_us) * per_s / 1000000)
			leak_here(bytes);
		if (last_us != UINT64_MAX) {
			usleep(1000);
		} else if (poll(&in, 1, 1) > 0) {
			if (read(0, line, sizeof line) <= 0)
				break;
			dprintf(1, "%llu %llu\n", (unsigned long long)leaked_bytes, (unsigned long long)leaks);
		}
	}
	return 0;
}
