/* What is allocated, and what of it is left. */
#include <osprey/rt.h>
#include <stdio.h>

int main(void)
{
	struct rt_heap_stats stats;
	char *block = rt_malloc(100);

	if (!block)
		return 1;
	printf("room for %s 100 bytes\n", rt_usable(block) >= 100 ? "at least" : "less than");
	rt_free(block);
	rt_heap_stats(&stats);
	printf("%llu blocks live\n", (unsigned long long)stats.live_blocks);
	return 0;
}
