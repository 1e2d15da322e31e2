/* A leak hunt: a server that loses a block for each request that fails, and a fiber for each that is given
 * up, tells so itself.
 *
 *	cc -O2 -g -o leak_hunt leak_hunt.c $(pkg-config --cflags --libs osprey-rt)
 *	./leak_hunt
 *
 * Both leaks are of the kind that tests do not find: nothing crashes, nothing is wrong, it only grows. The
 * report names the sizes of the blocks, and the stacks of the fibers with what they wait for and who started
 * them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osprey/rt.h>

#define MS INT64_C(1000000)
#define REQUESTS 40

struct request {
	char text[100];
	int number;
};

static struct request *remembered[REQUESTS];	/* these are kept on purpose: no leak */

struct answer {
	struct rt_chan *to;
	int number;
};

/* Computes an answer and sends it. Leak one: if nobody takes it, the fiber waits for ever, for the channel is
 * not buffered. */
static int answers(void *arg)
{
	struct answer *a = arg;
	int value = a->number * 2;

	(void)rt_sleep(a->number % 10 == 3 ? 5 * MS : 0);
	int r = rt_send(a->to, &value, RT_FOREVER);
	rt_chan_free(a->to);
	rt_free(a);
	return r;
}

static int handle(struct request *q)
{
	int value;

	/* Leak two: the caller takes care of the request only if all went well. */
	if (q->number % 8 == 5)
		return -EINVAL;
	struct answer *a = rt_malloc(sizeof *a);
	if (!a || rt_chan_new(sizeof(int), 0, &a->to) < 0)
		return -ENOMEM;
	a->number = q->number;
	if (rt_go(answers, a) < 0)
		return -ENOMEM;
	return rt_receive(a->to, &value, rt_now() + MS);
}

static int serve(void *arg)
{
	(void)arg;
	for (int i = 0; i < REQUESTS; i++) {
		struct request *q = rt_calloc(1, sizeof *q);
		if (!q)
			return -ENOMEM;
		q->number = i;
		snprintf(q->text, sizeof q->text, "request %d", i);
		int r = handle(q);
		if (r == 0 && i % 2)
			remembered[i] = q;
		else if (r == 0 || r == -ETIMEDOUT)
			rt_free(q);
	}
	return 0;
}

static int first(void *arg)
{
	struct rt_leaks leaks;
	struct rt_fiber server;

	(void)arg;
	int r = rt_spawn(serve, NULL, NULL, &server);
	if (r < 0 || (r = rt_join(server, NULL, RT_FOREVER)) < 0)
		return r;
	(void)rt_sleep(20 * MS);
	r = rt_leaks_report(&leaks);
	if (r < 0) {
		fprintf(stderr, "cannot look for leaks: %s\n", strerror(-r));
		return r;
	}
	int kept = 0;
	for (int i = 0; i < REQUESTS; i++)
		kept += remembered[i] && remembered[i]->number == i;
	printf("%llu blocks and %llu fibers are lost, %d requests are remembered\n", (unsigned long long)leaks.blocks,
	       (unsigned long long)leaks.fibers, kept);
	/* The run would end in a deadlock: those fibers never do. */
	fflush(NULL);
	_Exit(leaks.blocks || leaks.fibers ? 1 : 0);
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
