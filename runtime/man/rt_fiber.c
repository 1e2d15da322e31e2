/* Ten fibers, each of which is waited for. */
#include <osprey/rt.h>
#include <stdint.h>
#include <stdio.h>

static int square(void *arg)
{
	int n = (int)(intptr_t)arg;

	rt_sleep(1000000);
	return n * n;
}

static int start(void *arg)
{
	struct rt_fiber fibers[10];
	int sum = 0, result;

	(void)arg;
	for (intptr_t i = 0; i < 10; i++)
		if (rt_spawn(square, (void *)i, NULL, &fibers[i]) < 0)
			return 1;
	for (int i = 0; i < 10; i++) {
		if (rt_join(fibers[i], &result, RT_FOREVER) < 0)
			return 1;
		sum += result;
	}
	printf("sum %d\n", sum);
	return 0;
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
