/* A hundred jobs, four at a time; eight may wait. */
#include <osprey/rt.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

static atomic_int sum;

static int job(void *arg)
{
	rt_sleep(100000);
	atomic_fetch_add(&sum, (int)(intptr_t)arg);
	return 0;
}

static int start(void *arg)
{
	struct rt_workers *workers;
	int result = 0;

	(void)arg;
	if (rt_workers_new(4, 8, &workers) < 0)
		return 1;
	for (intptr_t i = 1; i <= 100; i++)
		if (rt_workers_submit(workers, job, (void *)i, RT_FOREVER) < 0)
			break;
	int r = rt_workers_drain(workers, &result, RT_FOREVER);
	rt_workers_free(workers);
	printf("sum %d\n", sum);
	return r < 0 ? 1 : result;
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
