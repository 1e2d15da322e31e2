/* Each request has its number, whoever of its functions asks. */
#include <osprey/rt.h>
#include <stdint.h>
#include <stdio.h>

static unsigned request;

static void log_line(const char *text)
{
	printf("%d: %s\n", (int)(intptr_t)rt_local_get(request), text);
}

static int serve(void *arg)
{
	if (rt_local_set(request, arg) < 0)
		return 1;
	rt_yield();
	log_line("served");
	return 0;
}

static int start(void *arg)
{
	(void)arg;
	for (intptr_t i = 1; i <= 3; i++)
		if (rt_go(serve, (void *)i) < 0)
			return 1;
	return 0;
}

int main(void)
{
	if (rt_local_new(NULL, &request) < 0)
		return 1;
	return rt_run(NULL, start, NULL);
}
