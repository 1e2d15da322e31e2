#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <osprey/rt.h>
static double cpu(void) { struct timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static int nothing(void *a) { (void)a; return 0; }
static int loop(void *a) { long n = (long)a; while (n--) rt_yield(); return 0; }
static int main_(void *a)
{
	(void)a;
	double t = cpu();
	struct rt_fiber f[2];
	rt_spawn(loop, (void *)5000000L, NULL, &f[0]); rt_spawn(loop, (void *)5000000L, NULL, &f[1]);
	rt_join(f[0], NULL, RT_FOREVER); rt_join(f[1], NULL, RT_FOREVER);
	printf("yield %.2f ns\n", (cpu() - t) / 1e7);
	for (int r = 0; r < 2; r++) {
	t = cpu();
	for (int i = 0; i < 3000000; i++) { rt_spawn(nothing, NULL, NULL, &f[0]); rt_join(f[0], NULL, RT_FOREVER); }
	printf("spawn+join %.2f ns\n", (cpu() - t) / 3e6);
	}
	static struct rt_fiber g[1000];
	for (int r = 0; r < 2; r++) {
	t = cpu();
	for (int k = 0; k < 2000; k++) { for (int i = 0; i < 1000; i++) rt_spawn(nothing, NULL, NULL, &g[i]); for (int i = 0; i < 1000; i++) rt_join(g[i], NULL, RT_FOREVER); }
	printf("batch %.2f ns\n", (cpu() - t) / 2e6);
	}
	return 0;
}
int main(void) { struct rt_options o = { .processors = 1 }; return rt_run(&o, main_, NULL); }
