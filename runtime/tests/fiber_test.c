#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "check.h"

static _Atomic int count;
static int add(void *arg) { count += (int)(long)arg; return (int)(long)arg * 2; }
static int many(void *arg)
{
	int n = (int)(long)arg;
	struct rt_fiber *f = calloc((size_t)n, sizeof *f);
	long sum = 0;
	for (int i = 0; i < n; i++)
		CHECK(rt_spawn(add, (void *)1L, NULL, &f[i]) == 0);
	for (int i = 0; i < n; i++) {
		int r;
		CHECK(rt_join(f[i], &r, RT_FOREVER) == 0);
		sum += r;
	}
	CHECK(sum == 2L * n);
	free(f);
	return 7;
}
static int yielder(void *arg) { for (int i = 0; i < check_load(1000); i++) { rt_yield(); count++; } (void)arg; return 0; }
static int yields(void *arg)
{
	(void)arg;
	for (int i = 0; i < 300; i++)
		CHECK(rt_go(yielder, NULL) == 0);
	return 0;
}
static _Atomic int stop_hog;
static int hog(void *arg) { (void)arg; while (!stop_hog) ; return 0; }
static int beside_hog(void *arg)
{
	(void)arg;
	stop_hog = 0;
	rt_go(hog, NULL); rt_go(hog, NULL);
	int64_t worst = 0;
	for (int i = 0; i < 20; i++) {
		int64_t t = rt_now();
		rt_sleep(1000000);
		int64_t took = rt_now() - t - 1000000;
		worst = took > worst ? took : worst;
		CHECK(took >= 0);
	}
	stop_hog = 1;
	fprintf(stderr, "beside hogs: worst %+.2f ms\n", worst / 1e6);
	return 0;
}
static int blocker(void *arg) { (void)arg; rt_block_begin(); usleep(20000); rt_block_end(); count++; return 0; }
static int blocks(void *arg)
{
	(void)arg;
	int64_t t = rt_now();
	struct rt_fiber f[50];
	for (int i = 0; i < 50; i++)
		CHECK(rt_spawn(blocker, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < 50; i++)
		rt_join(f[i], NULL, RT_FOREVER);
	fprintf(stderr, "50 blocking calls of 20 ms: %.1f ms\n", (rt_now() - t) / 1e6);
	return 0;
}
static int nap(void *arg) { rt_sleep((long)arg); count++; return 0; }
static int naps(void *arg)
{
	int n = (int)(long)arg;
	for (int i = 0; i < n; i++)
		CHECK(rt_go(nap, (void *)(1000000L + rand() % 100000000)) == 0);
	return 0;
}
int main(void)
{
	for (unsigned p = 1; p <= 4; p++) {
		struct rt_options o = { .processors = p };
		fprintf(stderr, "P=%u\n", p);
		count = 0; CHECK(rt_run(&o, many, (void *)check_load(100000)) == 7); CHECK(count == check_load(100000));
		count = 0; CHECK(rt_run(&o, yields, NULL) == 0); CHECK(count == 300 * check_load(1000));
		CHECK(rt_run(&o, beside_hog, NULL) == 0);
		count = 0; CHECK(rt_run(&o, blocks, NULL) == 0); CHECK(count == 50);
		count = 0; CHECK(rt_run(&o, naps, (void *)check_load(20000)) == 0); CHECK(count == check_load(20000));
	}
	return check_failed != 0;
}
