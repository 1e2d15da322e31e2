/* A counter under a mutex, and a group to wait for who counts. */
#include <osprey/rt.h>
#include <stdio.h>

static struct rt_mutex lock;
static struct rt_wait_group counting;
static int count;

static int add(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		if (rt_lock(&lock, RT_FOREVER) < 0)
			break;
		count++;
		rt_unlock(&lock);
	}
	rt_wait_group_done(&counting);
	return 0;
}

static int start(void *arg)
{
	(void)arg;
	rt_wait_group_add(&counting, 4);
	for (int i = 0; i < 4; i++)
		if (rt_go(add, NULL) < 0)
			rt_wait_group_done(&counting);
	if (rt_wait_group_wait(&counting, RT_FOREVER) < 0)
		return 1;
	printf("count %d\n", count);
	return 0;
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
