/* A setting that is replaced while others read it without a lock. */
#include <osprey/rt.h>
#include <stdatomic.h>
#include <stdio.h>

struct setting {
	struct rt_retired retired;
	int value;
};

static struct setting *_Atomic current;

static void destroy(struct rt_retired *retired)
{
	rt_free(retired);
}

static int reader(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		unsigned section = rt_epoch_enter();
		struct setting *s = atomic_load_explicit(&current, memory_order_acquire);
		if (s && s->value < 0)
			puts("never");
		rt_yield();
		rt_epoch_leave(section);
	}
	return 0;
}

static int writer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		struct setting *s = rt_malloc(sizeof *s), *before;
		if (!s)
			return 1;
		s->value = i;
		before = atomic_exchange_explicit(&current, s, memory_order_acq_rel);
		if (before)
			rt_epoch_retire(&before->retired, destroy);
		rt_yield();
	}
	printf("last %d\n", atomic_load(&current)->value);
	return rt_epoch_barrier(RT_FOREVER);
}

static int start(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		if (rt_go(reader, NULL) < 0)
			return 1;
	return writer(NULL);
}

int main(void)
{
	int r = rt_run(NULL, start, NULL);

	rt_free(atomic_load(&current));
	return r;
}
