/* The first answer of two is enough: the other fiber is cancelled, and has ended when the scope is closed. */
#include <errno.h>
#include <osprey/rt.h>
#include <stdio.h>

static struct rt_scope scope;

static int quick(void *arg)
{
	(void)arg;
	rt_sleep(1000000);
	rt_scope_cancel(&scope);
	return 0;
}

static int slow(void *arg)
{
	int r = rt_sleep(60000000000);

	(void)arg;
	if (r == -ECANCELED)
		puts("not needed any more");
	return 0;
}

static int start(void *arg)
{
	(void)arg;
	rt_scope_open(&scope, RT_FOREVER);
	rt_scope_go(&scope, slow, NULL);
	rt_scope_go(&scope, quick, NULL);
	return rt_scope_close(&scope);
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
