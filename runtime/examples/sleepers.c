/* 100 000 fibers that sleep at a time, each for a while of its own, and what that costs.
 *
 *	cc -O2 -o sleepers sleepers.c $(pkg-config --cflags --libs osprey-rt)
 *	./sleepers 100000 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <osprey/rt.h>

static long n = 100000;
static struct rt_wait_group begun;
static _Atomic long awake;
static _Atomic int64_t latest;	/* ns that the worst one overslept */

static int sleeper(void *arg)
{
	/* Between one second and two. */
	int64_t until = rt_now() + 1000000000 + (int64_t)(intptr_t)arg * 7919 % 1000 * 1000000;

	rt_wait_group_done(&begun);
	rt_sleep_until(until);
	int64_t late = rt_now() - until, before = latest;
	while (late > before && !atomic_compare_exchange_weak(&latest, &before, late))
		;
	awake++;
	return 0;
}

static long resident_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%*d %ld", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * 4;
}

static int start(void *arg)
{
	struct rt_scope all;
	long before = resident_kib();
	int64_t begin = rt_now();

	(void)arg;
	rt_wait_group_add(&begun, n);
	rt_scope_open(&all, RT_FOREVER);
	for (intptr_t i = 0; i < n; i++) {
		int r = rt_scope_go(&all, sleeper, (void *)i);
		if (r < 0) {
			fprintf(stderr, "after %ld fibers: %s\n", (long)i, strerror(-r));
			rt_wait_group_add(&begun, i - n);
			break;
		}
	}
	int64_t started = rt_now();
	rt_wait_group_wait(&begun, RT_FOREVER);
	long grown = resident_kib() - before, asleep = n - awake;
	rt_scope_close(&all);

	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld slept for 1 to 2 s; all were awake after %.2f s\n", awake, (double)(rt_now() - begin) / 1e9);
	printf("starting them took %.0f ms; the worst was %.1f ms late\n",
	       (double)(started - begin) / 1e6, (double)latest / 1e6);
	printf("%.2f s of CPU in user mode, %.2f s in the kernel; %ld bytes for each that sleeps\n",
	       (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
	       (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
	       asleep > 0 ? grown * 1024 / asleep : 0);
	return awake == n ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		n = atol(argv[1]);
	if (argc > 2 || n <= 0) {
		fprintf(stderr, "usage: sleepers [HOW MANY]\n");
		return 2;
	}
	return rt_run(NULL, start, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
