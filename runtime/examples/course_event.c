/* Event: runners wait for the starting shot, each at its own time; who comes late does not wait. The judge
 * does not wait for ever.
 *
 *	cc -O2 -o course_event course_event.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_event
 *
 * An event stays set: so a shot that comes before somebody waits for it is not lost, as a condition's signal
 * would be. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include <osprey/rt.h>

#define MS INT64_C(1000000)

static struct rt_event shot, finished;

static int runs(void *arg)
{
	int number = (int)(intptr_t)arg;

	(void)rt_sleep(number * 2 * MS);	/* to the start; number 5 is late */
	bool waits = !rt_event_is_set(&shot);
	(void)rt_event_wait(&shot, RT_FOREVER);
	printf("runner %d starts%s\n", number, waits ? "" : ", late");
	(void)rt_sleep(5 * MS);
	rt_event_set(&finished);		/* the first one; that others set it again does no harm */
	return 0;
}

static int first(void *arg)
{
	struct rt_scope s;
	int r = 0;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 1; i <= 5 && r == 0; i++)
		r = rt_scope_go(&s, runs, (void *)i);
	if (rt_event_wait(&finished, rt_now() + 9 * MS) == -ETIMEDOUT)
		printf("nobody has finished yet, and nobody has started: here is the shot\n");
	rt_event_set(&shot);
	(void)rt_event_wait(&finished, RT_FOREVER);
	printf("there is a winner\n");
	(void)rt_scope_close(&s);
	return r;
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
