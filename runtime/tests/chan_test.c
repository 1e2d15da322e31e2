#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "check.h"

static long per_producer;

static struct rt_chan *a, *b, *done;
static int echo(void *arg)
{
	long v;
	(void)arg;
	while (rt_receive(a, &v, RT_FOREVER) == 0) { v++; CHECK(rt_send(b, &v, RT_FOREVER) == 0); }
	rt_close(b);
	return 0;
}
static int pingpong(void *arg)
{
	int n = (int)(long)arg;
	long v = 0, w;
	rt_chan_new(8, 0, &a); rt_chan_new(8, 0, &b);
	rt_go(echo, NULL);
	for (int i = 0; i < n; i++) { CHECK(rt_send(a, &v, RT_FOREVER) == 0); CHECK(rt_receive(b, &w, RT_FOREVER) == 0); CHECK(w == v + 1); v = w; }
	rt_close(a);
	CHECK(rt_receive(b, &w, RT_FOREVER) == -EPIPE && w == 0);
	rt_chan_free(a); rt_chan_free(b);
	return 0;
}
static int producer(void *arg) { for (long i = 0; i < per_producer; i++) CHECK(rt_send(a, &i, RT_FOREVER) == 0); (void)arg; return 0; }
static int consumer(void *arg)
{
	long v, sum = 0; int *n = arg;
	while (rt_receive(a, &v, RT_FOREVER) == 0) { sum += v; ++*n; }
	CHECK(rt_send(done, &sum, RT_FOREVER) == 0);
	return 0;
}
static int fan(void *arg)
{
	struct rt_fiber p[8]; int n[8] = { 0 }; long total = 0, v;
	rt_chan_new(8, (size_t)(long)arg, &a); rt_chan_new(8, 0, &done);
	for (int i = 0; i < 8; i++) { rt_spawn(producer, NULL, NULL, &p[i]); rt_go(consumer, &n[i]); }
	for (int i = 0; i < 8; i++) rt_join(p[i], NULL, RT_FOREVER);
	rt_close(a);
	for (int i = 0; i < 8; i++) { CHECK(rt_receive(done, &v, RT_FOREVER) == 0); total += v; }
	CHECK(total == 8L * (per_producer * (per_producer - 1) / 2));
	int all = 0; for (int i = 0; i < 8; i++) all += n[i];
	CHECK(all == 8 * per_producer);
	rt_chan_free(a); rt_chan_free(done);
	return 0;
}
static int sel_peer(void *arg)
{
	(void)arg;
	for (long i = 0; i < check_load(30000); i++) {
		long v = i, w;
		struct rt_case k[2] = { { .chan = a, .send = &v }, { .chan = b, .receive = &w } };
		int r = rt_select(k, 2, RT_FOREVER);
		CHECK(r == 0 || r == 1);
	}
	rt_send(done, &(long){ 1 }, RT_FOREVER);
	return 0;
}
static int sel_other(void *arg)
{
	(void)arg;
	for (long i = 0; i < check_load(30000); i++) {
		long v = i, w;
		struct rt_case k[3] = { { .chan = b, .send = &v }, { .chan = a, .receive = &w }, { .chan = NULL } };
		int r = rt_select(k, 3, RT_FOREVER);
		CHECK(r == 0 || r == 1);
	}
	rt_send(done, &(long){ 1 }, RT_FOREVER);
	return 0;
}
static int selects(void *arg)
{
	long v;
	(void)arg;
	rt_chan_new(8, 0, &a); rt_chan_new(8, 0, &b); rt_chan_new(8, 0, &done);
	for (int i = 0; i < 4; i++) { rt_go(sel_peer, NULL); rt_go(sel_other, NULL); }
	for (int i = 0; i < 8; i++) CHECK(rt_receive(done, &v, RT_FOREVER) == 0);
	struct rt_case k[2] = { { .chan = a, .receive = &v }, { .chan = b, .receive = &v } };
	int64_t t = rt_now();
	CHECK(rt_select(k, 2, t + 3000000) == -ETIMEDOUT);
	CHECK(rt_now() - t >= 3000000);
	CHECK(rt_select(k, 2, 0) == -ETIMEDOUT);
	t = rt_now();
	CHECK(rt_receive(a, &v, t + 2000000) == -ETIMEDOUT);
	CHECK(rt_send(a, &v, t + 4000000) == -ETIMEDOUT && rt_now() - t >= 4000000);
	CHECK(rt_try_send(a, &v) == -EAGAIN && rt_try_receive(a, &v) == -EAGAIN);
	rt_close(b);
	CHECK(rt_select(k, 2, RT_FOREVER) == 1 && k[1].result == -EPIPE);
	rt_chan_free(a); rt_chan_free(b); rt_chan_free(done);
	return 0;
}
static int deadliner(void *arg)
{
	long v; int got = 0; (void)arg;
	for (int i = 0; i < check_load(300); i++) got += rt_receive(a, &v, rt_now() + 20000 + rand() % 100000) == 0;
	return got;
}
static int deadlines(void *arg)
{
	struct rt_fiber f[16]; long sent = 0; int got = 0, r; (void)arg;
	rt_chan_new(8, 0, &a);
	for (int i = 0; i < 16; i++) rt_spawn(deadliner, NULL, NULL, &f[i]);
	for (int i = 0; i < check_load(2000); i++) sent += rt_send(a, &sent, rt_now() + 60000) == 0;
	for (int i = 0; i < 16; i++) { rt_join(f[i], &r, RT_FOREVER); got += r; }
	CHECK(got == sent);
	fprintf(stderr, "deadlines: %ld sent\n", sent);
	rt_chan_free(a);
	return 0;
}
int main(void)
{
	per_producer = check_load(20000);
	for (unsigned p = 1; p <= 4; p++) {
		struct rt_options o = { .processors = p };
		fprintf(stderr, "P=%u\n", p);
		rt_run(&o, pingpong, (void *)check_load(100000));
		rt_run(&o, fan, (void *)0L);
		rt_run(&o, fan, (void *)100L);
		rt_run(&o, selects, NULL);
		rt_run(&o, deadlines, NULL);
	}
	return check_failed != 0;
}
