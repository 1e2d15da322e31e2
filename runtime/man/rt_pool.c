/* A call that blocks its thread, while other fibers go on. */
#include <osprey/rt.h>
#include <stdio.h>
#include <unistd.h>

static int blocking(void *arg)
{
	usleep(2000);
	return *(int *)arg + 1;
}

static int start(void *arg)
{
	int n = 41, result;

	(void)arg;
	if (rt_pool_run(NULL, blocking, &n, &result, RT_FOREVER) < 0)
		return 1;
	printf("%d\n", result);
	return 0;
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
