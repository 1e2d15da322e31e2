/* Condition variable: a stack that grows and shrinks, and fibers that wait until it is as they need it.
 *
 *	cc -O2 -o course_condition course_condition.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_condition
 *
 * A fiber waits with the mutex given back, and has it again when it goes on. Others may have come first in
 * between: so the condition is looked at in a loop. Fibers here wait for different conditions at one
 * variable; a signal might wake one that cannot go on, so all are woken (broadcast). */
#include <stdint.h>
#include <stdio.h>

#include <osprey/rt.h>

static struct rt_mutex mutex;
static struct rt_condition changed;
static int plates;

/* Takes `n` at once, when there are so many. */
static int takes(void *arg)
{
	int n = (int)(intptr_t)arg, looked = 1;

	(void)rt_lock(&mutex, RT_FOREVER);
	for (; plates < n; looked++)
		(void)rt_condition_wait(&changed, &mutex, RT_FOREVER);
	plates -= n;
	printf("took %d, looked %d times, %d are left\n", n, looked, plates);
	rt_unlock(&mutex);
	return 0;
}

static int washes(void *arg)
{
	for (int i = 0; i < (int)(intptr_t)arg; i++) {
		(void)rt_lock(&mutex, RT_FOREVER);
		plates++;
		rt_unlock(&mutex);
		rt_condition_broadcast(&changed);
		rt_yield();
	}
	return 0;
}

static int first(void *arg)
{
	struct rt_scope s;
	int r = 0, sum = 0;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 1; i <= 6 && r == 0; i++) {
		r = rt_scope_go(&s, takes, (void *)i);
		sum += (int)i;
	}
	if (r == 0)
		r = rt_scope_go(&s, washes, (void *)(intptr_t)sum);
	if (r < 0)
		rt_scope_cancel(&s);
	(void)rt_scope_close(&s);
	printf("%d plates are left\n", plates);
	return r;
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
