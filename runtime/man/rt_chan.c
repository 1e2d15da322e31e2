/* Two producers, one consumer, and a clock that ends it all. */
#include <osprey/rt.h>
#include <stdio.h>

static int produce(void *arg)
{
	struct rt_chan *lines = arg;

	for (int i = 0; i < 3; i++)
		if (rt_send(lines, &i, RT_FOREVER) < 0)
			break;
	return 0;
}

static int consume(void *arg)
{
	struct rt_chan *numbers;
	int n, sum = 0;

	(void)arg;
	if (rt_chan_new(sizeof n, 8, &numbers) < 0)
		return 1;
	rt_go(produce, numbers);
	rt_go(produce, numbers);
	for (int i = 0; i < 6; i++) {
		struct rt_case cases[] = { { .chan = numbers, .receive = &n } };

		if (rt_select(cases, 1, rt_now() + 5000000000) < 0)
			return 1;
		sum += n;
	}
	printf("sum %d\n", sum);
	rt_chan_free(numbers);
	return 0;
}

int main(void)
{
	return rt_run(NULL, consume, NULL);
}
