#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <osprey/rt.h>
static double cpu(void) { struct timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static struct rt_chan *a, *b;
static int echo(void *arg) { long v; struct rt_chan *c = a, *d = b; (void)arg; while (rt_receive(c, &v, RT_FOREVER) == 0) rt_send(d, &v, RT_FOREVER); return 0; }
static int source(void *arg) { long v = 0; (void)arg; for (; v < 5000000; v++) rt_send(a, &v, RT_FOREVER); rt_close(a); return 0; }
static int main_(void *x)
{
	long v = 0; double t; (void)x;
	for (int r = 0; r < 3; r++) {
	rt_chan_new(8, 0, &a); rt_chan_new(8, 0, &b);
	rt_go(echo, NULL);
	t = cpu();
	for (int i = 0; i < 1000000; i++) { rt_send(a, &v, RT_FOREVER); rt_receive(b, &v, RT_FOREVER); }
	printf("round trip %.1f ns\n", (cpu() - t) / 1e6);
	rt_close(a);
	rt_chan_new(8, 128, &a);
	rt_go(source, NULL);
	t = cpu();
	while (rt_receive(a, &v, RT_FOREVER) == 0) ;
	printf("buffered %.1f ns\n", (cpu() - t) / 5e6);
	rt_chan_new(8, 1, &a); rt_chan_new(8, 1, &b);
	t = cpu();
	for (int i = 0; i < 2000000; i++) { struct rt_case k[2] = { { .chan = a, .receive = &v }, { .chan = b, .receive = &v } }; rt_try_send(i & 1 ? a : b, &v); rt_select(k, 2, RT_FOREVER); }
	printf("select ready %.1f ns\n", (cpu() - t) / 2e6);
	t = cpu();
	for (int i = 0; i < 5000000; i++) { struct rt_case k[1] = { { .chan = a, .receive = &v } }; rt_select(k, 1, 0); }
	printf("poll %.1f ns\n", (cpu() - t) / 5e6);
	}
	return 0;
}
int main(void) { struct rt_options o = { .processors = 1 }; return rt_run(&o, main_, NULL); }
