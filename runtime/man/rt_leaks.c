/* A block that is lost, and one that is kept. */
#include <osprey/rt.h>
#include <stdio.h>

static void *volatile kept;

static __attribute__((noinline)) void lose(void)
{
	for (int i = 0; i < 100; i++) {
		char *volatile lost = rt_malloc(100);
		if (lost)
			lost[0] = 1;
	}
}

int main(void)
{
	struct rt_leaks leaks;

	kept = rt_malloc(100);
	lose();
	if (rt_leaks_find(&leaks, NULL, 0) < 0)
		return 1;
	printf("lost: %s\n", leaks.blocks > 90 && leaks.blocks <= 100 ? "about a hundred blocks" : "?");
	rt_free(kept);
	return 0;
}
