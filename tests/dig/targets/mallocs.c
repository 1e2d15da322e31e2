/* mallocs FILE: a heap of known shape. The main arena and those of two threads hold blocks of many sizes of which
 * every third was freed, one thread has a full tcache, and three blocks are mapped. Writes glibc's own sums (mallinfo2
 * of all arenas) to FILE as "ARENA_BYTES IN_USE_BYTES FREE_BYTES MMAPPED_BYTES MMAPPED_BLOCKS TOP_BYTES", then grows no more. */
#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include "target.h"

static pthread_barrier_t filled;
static void *volatile mapped[3];

static NOINLINE void fill(unsigned seed, int blocks)
{
	static __thread void *kept[4000];

	for (int i = 0; i < blocks; i++) {
		size_t bytes = 16 + (seed = seed * 1103515245 + 12345) / 65536 % 6000;

		kept[i] = malloc(bytes);
		if (!kept[i])
			fails("malloc");
		memset(kept[i], i, bytes);
	}
	for (int i = 0; i < blocks; i += 3)
		free(kept[i]);
}

static void *arena(void *arg)
{
	prctl(PR_SET_NAME, "arena");
	fill((unsigned)(intptr_t)arg, 3000);
	pthread_barrier_wait(&filled);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char *argv[])
{
	pthread_t thread;

	die_with_parent();
	if (argc < 2)
		return 2;
	FILE *out = fopen(argv[1], "we");
	if (!out)
		fails(argv[1]);
	/* stdio is not to allocate after the sums were taken. */
	setvbuf(out, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	pthread_barrier_init(&filled, NULL, 3);
	for (intptr_t i = 1; i <= 2; i++)
		if (pthread_create(&thread, NULL, arena, (void *)i) != 0)
			fails("pthread_create");
	fill(3, 4000);
	for (int i = 0; i < 3; i++)
		mapped[i] = malloc(1 << 20);
	pthread_barrier_wait(&filled);
	struct mallinfo2 m = mallinfo2();

	fprintf(out, "%zu %zu %zu %zu %zu %zu\n", m.arena, m.uordblks, m.fordblks, m.hblkhd, m.hblks, m.keepcost);
	ready();
	for (;;)
		pause();
}
